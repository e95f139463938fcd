import { ContainerType, ListCompositeType } from '@chainsafe/ssz';
import {
  type Address,
  assert,
  COMMITTEE_SIZE_MAX,
  compareBytes,
  fail,
  HASH_BYTES,
  type Hash,
  keyOf,
  ok,
  PUBLIC_KEY_BYTES_MAX,
  type Refusal,
  type Result,
  TOTAL_WEIGHT_MAX,
  toHex,
} from '@nacre/base';
import { taggedHash } from '@nacre/crypto';
import { ProposerRotation } from './proposer-rotation.ts';
import { HashType, PublicKeyType, Uint53Type } from './ssz.ts';

export interface Validator {
  readonly address: Address;
  readonly publicKey: Uint8Array;
  /** Positive integer; votes count by it. */
  readonly weight: number;
}

export type CommitteeRefusal = Refusal<
  | 'COMMITTEE_EMPTY'
  | 'COMMITTEE_TOO_LARGE'
  | 'VALIDATOR_MALFORMED'
  | 'WEIGHT_INVALID'
  | 'WEIGHT_OVERFLOW'
  | 'WEIGHT_TOO_LARGE'
  | 'ADDRESS_DUPLICATE'
>;

const COMMITTEE_TAG = 'nacre/1/committee';

const ValidatorListType = new ListCompositeType(
  new ContainerType({ address: HashType, publicKey: PublicKeyType, weight: Uint53Type }),
  COMMITTEE_SIZE_MAX,
);

/** The validators of one chain at one height, in the order of their addresses. Messages name them by their place in it. */
export class Committee {
  readonly validators: readonly Validator[];
  readonly totalWeight: number;
  /** Over the ordered list of addresses, keys and weights. */
  readonly hash: Hash;
  readonly #indexes: ReadonlyMap<string, number>;
  readonly #weights: readonly number[];
  readonly #rotation: ProposerRotation;

  private constructor(ordered: readonly Validator[], totalWeight: number) {
    this.validators = ordered;
    this.totalWeight = totalWeight;
    this.hash = taggedHash(COMMITTEE_TAG, ValidatorListType.serialize([...ordered]));
    this.#indexes = new Map(ordered.map((validator, index) => [keyOf(validator.address), index]));
    this.#weights = ordered.map((validator) => validator.weight);
    this.#rotation = new ProposerRotation(this.#weights);
  }

  /**
   * @param validators in any order
   * @param options with `allowLargeWeights`, a validator may hold 1/3 or more, which lets it alone stop the chain
   */
  static create(
    validators: readonly Validator[],
    options: { readonly allowLargeWeights?: boolean } = {},
  ): Result<Committee, CommitteeRefusal> {
    if (validators.length === 0) return fail({ code: 'COMMITTEE_EMPTY' });
    if (validators.length > COMMITTEE_SIZE_MAX) {
      return fail({ code: 'COMMITTEE_TOO_LARGE', size: validators.length, sizeMax: COMMITTEE_SIZE_MAX });
    }
    const malformed = findMalformed(validators);
    if (malformed !== null) return fail(malformed);
    // Each weight is at most 2^53 - 1 and there are at most 100, so the sum stays far from infinity, and is exact if it passes.
    const totalWeight = validators.reduce((sum, validator) => sum + validator.weight, 0);
    if (totalWeight > TOTAL_WEIGHT_MAX) return fail({ code: 'WEIGHT_OVERFLOW', totalWeight, totalWeightMax: TOTAL_WEIGHT_MAX });
    if (options.allowLargeWeights !== true) {
      const large = validators.find((validator) => 3 * validator.weight >= totalWeight);
      if (large !== undefined) {
        return fail({ code: 'WEIGHT_TOO_LARGE', address: toHex(large.address), weight: large.weight, totalWeight });
      }
    }
    const ordered = [...validators].sort((a, b) => compareBytes(a.address, b.address));
    return ok(new Committee(ordered, totalWeight));
  }

  get size(): number {
    return this.validators.length;
  }

  indexOf(address: Address): number | null {
    return this.#indexes.get(keyOf(address)) ?? null;
  }

  /** @param index of this committee; anything else is a bug */
  validator(index: number): Validator {
    const validator = this.validators[index];
    assert(validator !== undefined, `no validator ${index} in a committee of ${this.size}`);
    return validator;
  }

  /** @param index of this committee; anything else is a bug */
  weight(index: number): number {
    const weight = this.#weights[index];
    assert(weight !== undefined, `no validator ${index} in a committee of ${this.size}`);
    return weight;
  }

  weightOf(indexes: Iterable<number>): number {
    let sum = 0;
    for (const index of indexes) sum += this.weight(index);
    return sum;
  }

  /** Whether any two sets of this weight share an honest validator while less than 1/3 is faulty: strictly more than 2/3. */
  isQuorum(weight: number): boolean {
    return 3 * weight > 2 * this.totalWeight;
  }

  /** Whether a set of this weight holds an honest validator while at most 1/3 is faulty. */
  exceedsThird(weight: number): boolean {
    return 3 * weight > this.totalWeight;
  }

  /** Index of the one validator who may propose in this round of this height. */
  proposer(height: number, round: number): number {
    return this.#rotation.at(height, round);
  }
}

function findMalformed(validators: readonly Validator[]): CommitteeRefusal | null {
  const seen = new Set<string>();
  for (const { address, publicKey, weight } of validators) {
    const addressHex = toHex(address);
    if (address.length !== HASH_BYTES || publicKey.length === 0 || publicKey.length > PUBLIC_KEY_BYTES_MAX) {
      return { code: 'VALIDATOR_MALFORMED', address: addressHex, publicKeyBytes: publicKey.length };
    }
    if (!Number.isSafeInteger(weight) || weight <= 0) return { code: 'WEIGHT_INVALID', address: addressHex, weight };
    const keyHex = `key:${toHex(publicKey)}`;
    if (seen.has(addressHex) || seen.has(keyHex)) return { code: 'ADDRESS_DUPLICATE', address: addressHex };
    seen.add(addressHex);
    seen.add(keyHex);
  }
  return null;
}
