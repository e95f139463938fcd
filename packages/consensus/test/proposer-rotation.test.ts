import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ProposerRotation } from '../src/proposer-rotation.ts';
import { committeeOf } from './support/fixtures.ts';

/** Hands out seats one by one to the highest weight / (2 * seats + 1), the lower index among equals. */
function oneByOne(weights: readonly number[], count: number): number[] {
  const seats = weights.map(() => 0n);
  return Array.from({ length: count }, () => {
    let best = 0;
    for (let i = 1; i < weights.length; i++) {
      const isHigher =
        BigInt(weights[i] as number) * (2n * (seats[best] as bigint) + 1n) >
        BigInt(weights[best] as number) * (2n * (seats[i] as bigint) + 1n);
      if (isHigher) best = i;
    }
    seats[best] = (seats[best] as bigint) + 1n;
    return best;
  });
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}

function rotationOf(weights: readonly number[], count: number, from = 0): number[] {
  const rotation = new ProposerRotation(weights);
  return Array.from({ length: count }, (_, slot) => rotation.at(from + slot, 0));
}

test('equal weights take turns', () => {
  expect(rotationOf([1000, 1000, 1000, 1000], 9)).toEqual([0, 1, 2, 3, 0, 1, 2, 3, 0]);
});

test('a committee asks its rotation, by height and round together', () => {
  const committee = committeeOf(1000, 1000, 1000, 1000);
  expect([committee.proposer(8, 0), committee.proposer(8, 1), committee.proposer(9, 0), committee.proposer(7, 2)]).toEqual([0, 1, 1, 1]);
});

// @mutation packages/consensus/src/proposer-rotation.ts
// - const doubledTime = 2n * slot - BigInt(this.#weights.length);
// + const doubledTime = 2n * slot;
// @mutation packages/consensus/src/proposer-rotation.ts
// - if (ahead) best = i;
// + if (!ahead) best = i;
test('the rotation is the sequence of Sainte-Laguë, seat by seat', () => {
  const weights = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(weights, (list) => {
      const count = list.reduce((sum, weight) => sum + weight, 0);
      expect(rotationOf(list, count)).toEqual(oneByOne(list, count));
    }),
  );
});

test('many small weights beside a large one, where shares round up together, are no exception', () => {
  const list = [...new Array<number>(40).fill(51), 500, 700];
  const turns = oneByOne(list, 400);
  // After 42 slots the largest weight has a share of 9.07 and only 7 turns: its share rounded down minus one would be no bound.
  const share = (42 * 700) / list.reduce((sum, weight) => sum + weight, 0);
  expect(turns.slice(0, 42).filter((turn) => turn === 41).length).toBeLessThan(Math.floor(share) - 1);
  expect(rotationOf(list, 400)).toEqual(turns);
});

// @mutation packages/consensus/src/proposer-rotation.ts
// - const slot = BigInt(height) + BigInt(round);
// + const slot = BigInt(round);
test('in one period each validator has its weight over the common divisor in turns, and then it begins anew', () => {
  const weights = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(weights, fc.integer({ min: 1, max: 5 }), (list, factor) => {
      const scaled = list.map((weight) => weight * factor);
      const divisor = scaled.reduce(gcd);
      const period = scaled.reduce((sum, weight) => sum + weight, 0) / divisor;
      const turns = rotationOf(scaled, period);
      expect(scaled.map((_, index) => turns.filter((turn) => turn === index).length)).toEqual(scaled.map((weight) => weight / divisor));
      expect(rotationOf(scaled, period, period)).toEqual(turns);
    }),
  );
});

test('the largest weights and heights are exact', () => {
  const list = [2 ** 48 + 1, 2 ** 48 - 3, 2 ** 47 + 5, 2 ** 46 - 1];
  expect(rotationOf(list, 40)).toEqual(oneByOne(list, 40));
  expect(new ProposerRotation([3, 2, 2]).at(Number.MAX_SAFE_INTEGER, 1_000_000)).toBe(
    new ProposerRotation([3, 2, 2]).at(Number((BigInt(Number.MAX_SAFE_INTEGER) + 1_000_000n) % 7n), 0),
  );
});

// @mutation packages/consensus/src/proposer-rotation.ts
// - assert(weights.length > 0, 'somebody has to propose');
// +
test('nobody is no rotation', () => {
  expect(() => new ProposerRotation([])).toThrow('somebody has to propose');
});
