import { concatBytes } from '@nacre/base';

/** Values at which lengths, offsets, counts and signs turn over. */
const NUMBERS = [0, 1, 4, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];
/** Mutations stacked on one input. */
const STACK_MAX = 4;

/** Seeded random numbers (mulberry32) and the mutations made with them. */
export class Mutator {
  readonly #bytesMax: number;
  #state: number;

  constructor({ seed, bytesMax }: { readonly seed: number; readonly bytesMax: number }) {
    this.#state = seed >>> 0;
    this.#bytesMax = bytesMax;
  }

  /** An integer in [0, limit). */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit);
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.below(256));
  }

  /** One to `STACK_MAX` small changes of one input, at most `bytesMax` long. */
  mutate(corpus: readonly Uint8Array[]): Uint8Array {
    let bytes = Uint8Array.from(corpus[this.below(corpus.length)] ?? []);
    for (let left = 1 + this.below(STACK_MAX); left > 0; left--) bytes = this.#mutateOnce(bytes, corpus);
    return bytes.subarray(0, this.#bytesMax);
  }

  #mutateOnce(bytes: Uint8Array<ArrayBuffer>, corpus: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
    const at = this.below(bytes.length + 1);
    const length = 1 + this.below(this.below(4) === 0 ? 64 : 4);
    switch (this.below(8)) {
      case 0:
        if (at < bytes.length) bytes[at] = (bytes[at] as number) ^ (1 << this.below(8));
        return bytes;
      case 1:
        if (at < bytes.length) bytes[at] = this.below(256);
        return bytes;
      case 2:
        return joined(bytes.subarray(0, at), this.bytes(length), bytes.subarray(at));
      case 3:
        return joined(bytes.subarray(0, at), bytes.subarray(at + length));
      case 4:
        return joined(bytes.subarray(0, at), bytes.subarray(at, at + length), bytes.subarray(at));
      case 5: {
        const other = corpus[this.below(corpus.length)] ?? bytes;
        return joined(bytes.subarray(0, at), other.subarray(this.below(other.length + 1)));
      }
      case 6:
        return bytes.slice(0, at);
      default:
        return this.#withNumber(bytes, at);
    }
  }

  /** A number of note, or one near the number that stands there, in one, two or four bytes of either order. */
  #withNumber(bytes: Uint8Array<ArrayBuffer>, at: number): Uint8Array<ArrayBuffer> {
    const width = 2 ** this.below(3);
    if (at + width > bytes.length) return bytes;
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const isLittle = this.below(2) === 0;
    const bits = 8 * width;
    const old = width === 1 ? view.getUint8(at) : width === 2 ? view.getUint16(at, isLittle) : view.getUint32(at, isLittle);
    const number = this.below(2) === 0 ? (NUMBERS[this.below(NUMBERS.length)] as number) : old + this.below(33) - 16;
    const value = ((number % 2 ** bits) + 2 ** bits) % 2 ** bits;
    if (width === 1) view.setUint8(at, value);
    else if (width === 2) view.setUint16(at, value, isLittle);
    else view.setUint32(at, value, isLittle);
    return bytes;
  }
}

function joined(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(concatBytes(...parts));
}
