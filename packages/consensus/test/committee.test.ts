import { TOTAL_WEIGHT_MAX, toHex } from '@nacre/base';
import { Committee, type Validator } from '@nacre/consensus';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { committeeOf, validatorOf } from './support/fixtures.ts';

const equal = (count: number): Validator[] => Array.from({ length: count }, (_, index) => validatorOf(index, 1000));

function refusal(validators: readonly Validator[], options?: { allowLargeWeights?: boolean }): unknown {
  const created = Committee.create(validators, options);
  return created.ok ? 'accepted' : created.error.code;
}

// @mutation packages/consensus/src/committee.ts
// - if (validators.length === 0) return fail({ code: 'COMMITTEE_EMPTY' });
// +
test('an empty committee is refused', () => {
  expect(refusal([])).toBe('COMMITTEE_EMPTY');
});

// @mutation packages/consensus/src/committee.ts
// - if (validators.length > COMMITTEE_SIZE_MAX) {
// + if (validators.length > 101) {
test('a committee of more than 100 is refused', () => {
  expect(refusal(equal(100))).toBe('accepted');
  expect(refusal(equal(101))).toBe('COMMITTEE_TOO_LARGE');
});

// @mutation packages/consensus/src/committee.ts
// - if (!Number.isSafeInteger(weight) || weight <= 0) return
// + if (weight <= 0) return
test.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53])('a weight of %d is refused', (weight) => {
  expect(refusal([...equal(4), validatorOf(9, weight)])).toBe('WEIGHT_INVALID');
});

// @mutation packages/consensus/src/committee.ts
// - if (!Number.isSafeInteger(weight) || weight <= 0) return
// + if (!Number.isSafeInteger(weight) || weight < 0) return
test('a validator without weight is refused', () => {
  expect(refusal([...equal(4), validatorOf(9, 0)])).toBe('WEIGHT_INVALID');
});

// @mutation packages/consensus/src/committee.ts
// - if (totalWeight > TOTAL_WEIGHT_MAX) return
// + if (totalWeight > 2 * TOTAL_WEIGHT_MAX) return
test('a total weight above 2^50 is refused', () => {
  const four = (extra: number) => [0, 1, 2, 3].map((index) => validatorOf(index, TOTAL_WEIGHT_MAX / 4 + (index === 0 ? extra : 0)));
  expect(refusal(four(0))).toBe('accepted');
  expect(refusal(four(1))).toBe('WEIGHT_OVERFLOW');
  expect(refusal([...equal(2), validatorOf(7, Number.MAX_SAFE_INTEGER), validatorOf(8, Number.MAX_SAFE_INTEGER)])).toBe('WEIGHT_OVERFLOW');
});

// @mutation packages/consensus/src/committee.ts
// - const large = validators.find((validator) => 3 * validator.weight >= totalWeight);
// + const large = validators.find((validator) => 3 * validator.weight > totalWeight);
test('a validator of exactly one third of the weight is refused', () => {
  expect(refusal(equal(3))).toBe('WEIGHT_TOO_LARGE');
  expect(refusal([validatorOf(0, 2), validatorOf(1, 2), validatorOf(2, 2), validatorOf(3, 1)])).toBe('accepted');
});

// @mutation packages/consensus/src/committee.ts
// - if (options.allowLargeWeights !== true) {
// + if (options.allowLargeWeights === undefined) {
test('large weights are accepted where that is asked for', () => {
  expect(refusal(equal(1), { allowLargeWeights: true })).toBe('accepted');
  expect(refusal(equal(1), { allowLargeWeights: false })).toBe('WEIGHT_TOO_LARGE');
});

// @mutation packages/consensus/src/committee.ts
// - if (seen.has(addressHex) || seen.has(keyHex)) return
// + if (seen.has(keyHex)) return
test('equal addresses are refused', () => {
  expect(refusal([...equal(4), { ...validatorOf(2, 1000), publicKey: new Uint8Array(5) }])).toBe('ADDRESS_DUPLICATE');
});

// @mutation packages/consensus/src/committee.ts
// - if (seen.has(addressHex) || seen.has(keyHex)) return
// + if (seen.has(addressHex)) return
test('equal public keys are refused', () => {
  expect(refusal([...equal(4), { ...validatorOf(2, 1000), address: new Uint8Array(32) }])).toBe('ADDRESS_DUPLICATE');
});

// @mutation packages/consensus/src/committee.ts
// - if (address.length !== HASH_BYTES || publicKey.length === 0 || publicKey.length > PUBLIC_KEY_BYTES_MAX) {
// + if (publicKey.length === 0) {
test('addresses and keys of impossible length are refused', () => {
  for (const changes of [
    { address: new Uint8Array(31) },
    { address: new Uint8Array(33) },
    { publicKey: new Uint8Array(0) },
    { publicKey: new Uint8Array(2593) },
  ]) {
    expect(refusal([...equal(4), { ...validatorOf(9, 1000), ...changes }])).toBe('VALIDATOR_MALFORMED');
  }
});

// @mutation packages/consensus/src/committee.ts
// - const ordered = [...validators].sort((a, b) => compareBytes(a.address, b.address));
// + const ordered = [...validators];
test('the order is that of the addresses, however the validators are listed', () => {
  const reversed = Committee.create(equal(5).reverse());
  expect(reversed.ok && reversed.value.validators).toEqual(equal(5));
  expect(reversed.ok && toHex(reversed.value.hash)).toBe(toHex(committeeOf(1000, 1000, 1000, 1000, 1000).hash));
});

test('the hash covers addresses, keys and weights', () => {
  const hashOf = (validators: Validator[]): string => {
    const created = Committee.create(validators);
    if (!created.ok) throw new Error(created.error.code);
    return toHex(created.value.hash);
  };
  const hashes = [
    equal(5),
    equal(6),
    [...equal(4), validatorOf(4, 999)],
    [...equal(4), validatorOf(5, 1000)],
    [...equal(4), { ...validatorOf(4, 1000), publicKey: new Uint8Array(3) }],
  ].map(hashOf);
  expect(new Set(hashes).size).toBe(hashes.length);
});

test('validators are found by their address', () => {
  const committee = committeeOf(1, 2, 3, 4);
  expect(committee.indexOf(validatorOf(2, 3).address)).toBe(2);
  expect(committee.indexOf(new Uint8Array(32))).toBeNull();
  expect(committee.validator(2)).toEqual(validatorOf(2, 3));
  expect(() => committee.validator(4)).toThrow('no validator 4');
  expect(() => committee.weight(-1)).toThrow('no validator -1');
});

// @mutation packages/consensus/src/committee.ts
// - for (const index of indexes) sum += this.weight(index);
// + for (const index of indexes) sum = this.weight(index);
test('the weight of a set is the sum', () => {
  expect(committeeOf(1, 2, 3, 4).weightOf([0, 3])).toBe(5);
  expect(committeeOf(1, 2, 3, 4).weightOf([])).toBe(0);
});

test('quorum and third agree with exact arithmetic at any size', () => {
  const weights = fc.array(fc.integer({ min: 1, max: 2 ** 50 / 4 }), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(weights, fc.integer({ min: -2, max: 2 }), (list, offset) => {
      const committee = committeeOf(...list);
      const total = BigInt(committee.totalWeight);
      for (const near of [total / 3n, (2n * total) / 3n, 0n, total]) {
        const weight = near + BigInt(offset);
        expect(committee.isQuorum(Number(weight))).toBe(3n * weight > 2n * total);
        expect(committee.exceedsThird(Number(weight))).toBe(3n * weight > total);
      }
    }),
  );
});

test('two quorums share more than a third of the weight', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: 1, max: 9 }), fc.boolean(), fc.boolean()), { minLength: 1, maxLength: 9 }),
      (members) => {
        const committee = committeeOf(...members.map(([weight]) => weight));
        const weightWhere = (holds: (a: boolean, b: boolean) => boolean): number =>
          members.reduce((sum, [weight, a, b]) => sum + (holds(a, b) ? weight : 0), 0);
        fc.pre(committee.isQuorum(weightWhere((a) => a)) && committee.isQuorum(weightWhere((_, b) => b)));
        expect(committee.exceedsThird(weightWhere((a, b) => a && b))).toBe(true);
      },
    ),
  );
});
