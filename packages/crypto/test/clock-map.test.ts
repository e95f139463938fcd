import { AssertionError } from '@nacre/base';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ClockMap } from '../src/clock-map.ts';

// @mutation packages/crypto/src/clock-map.ts
// -     } else if (this.#ring.length < this.#entriesMax) {
// +     } else if (this.#ring.length <= this.#entriesMax) {
test('it never holds more than its bound, and never a value other than the last one set', () => {
  const step = fc.record({ key: fc.nat({ max: 12 }), action: fc.constantFrom('get', 'set', 'delete') });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 6 }), fc.array(step, { maxLength: 200 }), (entriesMax, steps) => {
      const map = new ClockMap<number, number>(entriesMax);
      const last = new Map<number, number>();
      steps.forEach(({ key, action }, i) => {
        if (action === 'set') {
          map.set(key, i);
          last.set(key, i);
          expect(map.get(key)).toBe(i);
        } else if (action === 'delete') {
          map.delete(key);
          last.delete(key);
          expect(map.get(key)).toBeUndefined();
        } else {
          const value = map.get(key);
          if (value !== undefined) expect(value).toBe(last.get(key));
        }
      });
      expect(Array.from({ length: 13 }, (_, key) => map.get(key)).filter((value) => value !== undefined).length).toBeLessThanOrEqual(
        entriesMax,
      );
    }),
  );
});

// @mutation packages/crypto/src/clock-map.ts
// -       if (!entry.wasRead) return entry;
// +       return entry;
test('what was read since the hand passed stays; what was only written makes room', () => {
  const map = new ClockMap<string, number>(3);
  for (const key of ['a', 'b', 'c']) map.set(key, 1);
  map.get('a');
  map.set('b', 2);
  map.set('d', 1);
  expect(['a', 'b', 'c', 'd'].map((key) => map.get(key))).toEqual([1, undefined, 1, 1]);
});

test('when everything was read, the hand goes round once and takes the first', () => {
  const map = new ClockMap<string, number>(2);
  map.set('a', 1);
  map.set('b', 1);
  map.get('a');
  map.get('b');
  map.set('c', 1);
  expect(['a', 'b', 'c'].map((key) => map.get(key))).toEqual([undefined, 1, 1]);
});

test.each([0, -1, 1.5, Number.NaN])('a bound of %d is a bug', (entriesMax) => {
  expect(() => new ClockMap(entriesMax)).toThrow(AssertionError);
});
