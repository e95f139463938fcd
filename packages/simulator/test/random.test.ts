import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SeededRandom } from '../src/random.ts';

const draws = (random: SeededRandom): number[] => Array.from({ length: 20 }, () => random.uint32());

test('a seed decides the stream, and different seeds give different ones', () => {
  expect(draws(SeededRandom.fromSeed(7))).toEqual(draws(SeededRandom.fromSeed(7)));
  expect(draws(SeededRandom.fromSeed(7))).not.toEqual(draws(SeededRandom.fromSeed(8)));
});

test('a fork depends on its label and not on what was drawn before', () => {
  const untouched = SeededRandom.fromSeed(7);
  const used = SeededRandom.fromSeed(7);
  draws(used);
  expect(draws(used.fork('disk'))).toEqual(draws(untouched.fork('disk')));
  expect(draws(used.fork('disk'))).not.toEqual(draws(used.fork('network')));
  expect(draws(used.fork('a').fork('b'))).not.toEqual(draws(used.fork('b').fork('a')));
});

test('the generator gives the numbers that it gave when replayable seeds were first written down', () => {
  const random = SeededRandom.fromSeed(1);
  expect([random.uint32(), random.uint32(), random.uint32()]).toMatchInlineSnapshot(`
    [
      334939774,
      41024635,
      3427889620,
    ]
  `);
});

test('integers are within their range and every value comes', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 30 }), fc.integer(), (n, seed) => {
      const random = SeededRandom.fromSeed(seed);
      const seen = new Set(Array.from({ length: 60 * n }, () => random.int(n)));
      expect([...seen].sort((a, b) => a - b)).toEqual(Array.from({ length: n }, (_, i) => i));
    }),
    { numRuns: 30 },
  );
  expect(() => SeededRandom.fromSeed(1).int(0)).toThrow(/not empty/);
});

test('chances come as often as they say, and chance 0 draws nothing', () => {
  const random = SeededRandom.fromSeed(3);
  const hits = Array.from({ length: 20_000 }, () => random.chance(0.3)).filter(Boolean).length;
  expect(hits / 20_000).toBeCloseTo(0.3, 1);
  const first = SeededRandom.fromSeed(4);
  first.chance(0);
  expect(first.uint32()).toBe(SeededRandom.fromSeed(4).uint32());
});

test('exponential waits have the mean they were asked for', () => {
  const random = SeededRandom.fromSeed(5);
  const sum = Array.from({ length: 20_000 }, () => random.exponential(8)).reduce((a, b) => a + b);
  expect(sum / 20_000).toBeGreaterThan(7.5);
  expect(sum / 20_000).toBeLessThan(8.5);
});

test('bytes have the length asked for and use all values', () => {
  const random = SeededRandom.fromSeed(6);
  for (const length of [0, 1, 3, 4, 5, 16]) expect(random.bytes(length)).toHaveLength(length);
  expect(new Set(random.bytes(10_000)).size).toBe(256);
});

test('shuffling keeps the elements and leaves its input alone', () => {
  const items = Array.from({ length: 50 }, (_, i) => i);
  const shuffled = SeededRandom.fromSeed(7).shuffle(items);
  expect(items).toEqual(Array.from({ length: 50 }, (_, i) => i));
  expect(shuffled).not.toEqual(items);
  expect([...shuffled].sort((a, b) => a - b)).toEqual(items);
});
