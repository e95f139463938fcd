/**
 * The SSZ types that the formats of this package, the ledger and the replica are made of. Each refuses what its field
 * may not hold, so that a decoded container is within its limits without a second look.
 */
import { BitArray, BitListType, ByteListType, ByteVectorType, type ByteViews, UintNumberType } from '@chainsafe/ssz';
import {
  assert,
  bytesEqual,
  COMMITTEE_SIZE_MAX,
  HASH_BYTES,
  PUBLIC_KEY_BYTES_MAX,
  ROUND_MAX,
  SIGNATURE_BYTES_MAX,
  ZERO_HASH,
} from '@nacre/base';

/** Version in the first byte of every format of this package. Another one is refused as malformed. */
export const FORMAT_VERSION = 1;

/**
 * An unsigned integer with the least and greatest value that the field may hold. Beyond them, decoding throws (the
 * library would round above 2^53 and accept) and encoding is an assertion (it would silently wrap).
 */
export class BoundedUintType extends UintNumberType {
  readonly min: number;
  readonly max: number;

  constructor(byteLength: 1 | 2 | 4 | 8, bounds: { readonly min: number; readonly max: number }) {
    super(byteLength, { typeName: `uint${byteLength * 8}[${bounds.min}..${bounds.max}]` });
    this.min = bounds.min;
    this.max = bounds.max;
  }

  override value_serializeToBytes(output: ByteViews, offset: number, value: number): number {
    assert(Number.isInteger(value) && value >= this.min && value <= this.max, `${value} is not a ${this.typeName}`);
    return super.value_serializeToBytes(output, offset, value);
  }

  override value_deserializeFromBytes(data: ByteViews, start: number, end: number): number {
    const value = super.value_deserializeFromBytes(data, start, end);
    if (value < this.min || value > this.max) throw new RangeError(`${value} is not a ${this.typeName}`);
    return value;
  }
}

/** The hash of a block. The zero hash stands for "no block" in a vote, so nothing else may carry it. */
class BlockHashByteType extends ByteVectorType {
  override value_serializeToBytes(output: ByteViews, offset: number, value: Uint8Array): number {
    assert(value.length === HASH_BYTES && !bytesEqual(value, ZERO_HASH), 'a block hash is 32 bytes and not zero');
    return super.value_serializeToBytes(output, offset, value);
  }

  override value_deserializeFromBytes(data: ByteViews, start: number, end: number): Uint8Array {
    const value = super.value_deserializeFromBytes(data, start, end);
    if (bytesEqual(value, ZERO_HASH)) throw new RangeError('the zero hash is no block');
    return value;
  }
}

export const VersionType = new BoundedUintType(1, { min: FORMAT_VERSION, max: FORMAT_VERSION });
/** Any integer that a double holds exactly: heights, times in ms, weights, counts. */
export const Uint53Type = new BoundedUintType(8, { min: 0, max: Number.MAX_SAFE_INTEGER });
export const ChainType = new BoundedUintType(4, { min: 0, max: 2 ** 32 - 1 });
export const RoundType = new BoundedUintType(4, { min: 0, max: ROUND_MAX });
/** A round or none: 0 is none, k + 1 is round k. */
export const RoundOrNoneType = new BoundedUintType(4, { min: 0, max: ROUND_MAX + 1 });
/** Position in the committee's canonical order. */
export const ValidatorIndexType = new BoundedUintType(1, { min: 0, max: COMMITTEE_SIZE_MAX - 1 });
export const FlagType = new BoundedUintType(1, { min: 0, max: 1 });
export const HashType = new ByteVectorType(HASH_BYTES);
export const BlockHashType: ByteVectorType = new BlockHashByteType(HASH_BYTES);
export const SignatureType = new ByteListType(SIGNATURE_BYTES_MAX);
export const PublicKeyType = new ByteListType(PUBLIC_KEY_BYTES_MAX);
/** A set of validators; its last bit is set, so that the encoding does not depend on the committee's size. */
export const ValidatorSetType = new BitListType(COMMITTEE_SIZE_MAX);
/** Longest encoding of such a set in bytes: one bit per validator and the end bit. */
export const VALIDATOR_SET_BYTES_MAX = Math.floor(COMMITTEE_SIZE_MAX / 8) + 1;

/** @param validators ascending, without repetition */
export function validatorsToBits(validators: readonly number[]): BitArray {
  const bits = BitArray.fromBitLen(validators.length === 0 ? 0 : (validators.at(-1) as number) + 1);
  for (const validator of validators) bits.set(validator, true);
  return bits;
}

/** Ascending. A list with unset bits at its end gives the same validators, which a strict codec then refuses. */
export function bitsToValidators(bits: BitArray): number[] {
  return bits.getTrueBitIndexes();
}

/** @param round -1 for none */
export function roundOrNoneToWire(round: number): number {
  return round + 1;
}

export function roundOrNoneFromWire(wire: number): number {
  return wire - 1;
}
