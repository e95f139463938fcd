import type { Type } from '@chainsafe/ssz';
import { bytesEqual, fail, ok, type Refusal, type Result } from '@nacre/base';

/** One value, one encoding. */
export interface Codec<Value> {
  readonly encode: (value: Value) => Uint8Array;
  /** Never throws: code `MALFORMED` with `what` was expected, the `reason`, and how many `bytes` came. */
  readonly decode: (bytes: Uint8Array) => Result<Value, Refusal<'MALFORMED'>>;
}

interface CodecOptions {
  /** What is decoded, for the refusal: `vote`, `block`. */
  readonly name: string;
  /** Longer inputs are refused unread. */
  readonly bytesMax: number;
  /**
   * Byte fields of what is decoded are views of the input instead of copies. For inputs that nobody changes and that are kept as long as what
   * was decoded: a hundred small copies cost more to collect than to make.
   */
  readonly sharesInput?: boolean;
}

interface ConvertedCodecOptions<Wire, Value> extends CodecOptions {
  readonly toWire: (value: Value) => Wire;
  /** Throws on what the SSZ type cannot express and `toWire` would not take; the decoder turns that into a refusal. */
  readonly fromWire: (wire: Wire) => Value;
}

/** Where what was decoded is encoded again: an array of its own for each costs more than the encoding. Longer inputs get one. */
const scratch = scratchOf(64 * 1024);

function scratchOf(length: number): { readonly uint8Array: Uint8Array; readonly dataView: DataView } {
  const uint8Array = new Uint8Array(length);
  return { uint8Array, dataView: new DataView(uint8Array.buffer) };
}

/**
 * SSZ as every decoder of foreign bytes uses it. The library's decoder is lax: of random mutations that it accepts, a
 * third encodes back to other bytes. So the size is checked first, and what was decoded must encode to the input again.
 */
export function strictCodec<Value>(type: Type<Value>, options: CodecOptions): Codec<Value> {
  return convertedCodec(type, { ...options, toWire: (value) => value, fromWire: (wire) => wire });
}

/** A strict codec for a type whose values in memory are not those of the SSZ type, such as null for the zero hash. */
export function convertedCodec<Wire, Value>(type: Type<Wire>, options: ConvertedCodecOptions<Wire, Value>): Codec<Value> {
  const { name, bytesMax, toWire, fromWire, sharesInput = false } = options;
  const encode = (value: Value): Uint8Array => type.serialize(toWire(value));
  const encodesTo = (value: Value, bytes: Uint8Array): boolean => {
    const wire = toWire(value);
    if (type.value_serializedSize(wire) !== bytes.length) return false;
    if (bytes.length > scratch.uint8Array.length) return bytesEqual(type.serialize(wire), bytes);
    type.value_serializeToBytes(scratch, 0, wire);
    return bytesEqual(scratch.uint8Array.subarray(0, bytes.length), bytes);
  };
  const refuse = (reason: string, bytes: Uint8Array) => fail({ code: 'MALFORMED' as const, what: name, reason, bytes: bytes.length });
  return {
    encode,
    decode: (bytes) => {
      if (bytes.length > bytesMax) return refuse('too large', bytes);
      let value: Value;
      try {
        value = fromWire(type.deserialize(bytes, { reuseBytes: sharesInput }));
      } catch {
        return refuse('undecodable', bytes);
      }
      // Outside of the try: what has been decoded can be encoded, or the decoder has let something in, which is a bug.
      return encodesTo(value, bytes) ? ok(value) : refuse('not canonical', bytes);
    },
  };
}
