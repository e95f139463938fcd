import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SeededRandom } from '../src/random.ts';
import { SortedKeys } from '../src/sorted-keys.ts';

const key = fc.string({ unit: fc.constantFrom('a', 'b', '\0', '\xff'), maxLength: 4 });
const step = fc.record({
  kind: fc.constantFrom('insert', 'insert', 'delete', 'range'),
  key,
  to: key,
  reverse: fc.boolean(),
  limit: fc.integer({ min: 0, max: 5 }),
});

test('ranges agree with a sorted array, whatever was inserted and deleted', () => {
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const keys = new SortedKeys();
      const oracle = new Set<string>();
      for (const { kind, key, to, reverse, limit } of steps) {
        if (kind === 'insert') {
          keys.insert(key);
          oracle.add(key);
        } else if (kind === 'delete') {
          keys.delete(key);
          oracle.delete(key);
        } else {
          const within = [...oracle].filter((each) => each >= key && each < to).sort();
          if (reverse) within.reverse();
          expect(keys.range({ gte: key, lt: to, reverse, limit })).toEqual(within.slice(0, limit));
        }
      }
    }),
  );
});

test('ranges cross chunks in both directions', () => {
  const random = SeededRandom.fromSeed(1);
  const keys = new SortedKeys();
  const all = Array.from({ length: 5_000 }, (_, i) => String(i).padStart(5, '0'));
  for (const each of random.shuffle(all)) keys.insert(each);
  const within = all.slice(100, 4_000);
  const range = { gte: '00100', lt: '04000', limit: 10_000 };
  expect(keys.range({ ...range, reverse: false })).toEqual(within);
  expect(keys.range({ ...range, reverse: true })).toEqual([...within].reverse());
  for (const each of random.shuffle(all)) keys.delete(each);
  expect(keys.range({ gte: '', lt: '99999', reverse: false, limit: 1 })).toEqual([]);
});
