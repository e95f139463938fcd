import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ValueCache } from '../src/value-cache.ts';

const name = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h');
const step = fc.oneof(
  fc.record({ kind: fc.constant('get' as const), name }),
  fc.record({ kind: fc.constant('set' as const), name, bytes: fc.nat(3000) }),
);

// @mutation packages/ledger/src/value-cache.ts
// - if (young !== undefined) return young.value;
// +
test('what is read is what was set last, or nothing', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const cache = new ValueCache({ bytesMax: 10_000 });
      const oracle = new Map<string, number>();
      for (const [index, one] of steps.entries()) {
        if (one.kind === 'set') {
          cache.set(one.name, index, one.bytes);
          oracle.set(one.name, index);
          expect(cache.get(one.name)).toBe(index);
        } else expect([undefined, oracle.get(one.name)]).toContain(cache.get(one.name));
      }
    }),
  );
});

// @mutation packages/ledger/src/value-cache.ts
// - if (this.#youngBytes + size > this.#generationBytesMax) {
// + if (false) {
test('holds no more than its bound', () => {
  const cache = new ValueCache({ bytesMax: 100_000 });
  for (let i = 0; i < 1000; i++) cache.set(`value ${i}`, i, 500);
  const kept = Array.from({ length: 1000 }, (_, i) => cache.get(`value ${i}`)).filter((value) => value !== undefined);
  expect(kept.length).toBeGreaterThan(0);
  expect(kept.length * 500).toBeLessThanOrEqual(100_000);
});

// @mutation packages/ledger/src/value-cache.ts
// - this.set(name, old.value, old.bytes);
// +
test('keeps what is read again and again, however much else is set once', () => {
  const cache = new ValueCache({ bytesMax: 100_000 });
  cache.set('hot', 'kept', 500);
  for (let i = 0; i < 1000; i++) {
    cache.set(`cold ${i}`, i, 500);
    expect(cache.get('hot')).toBe('kept');
  }
});

// @mutation packages/ledger/src/value-cache.ts
// - if (known !== undefined) this.#youngBytes -= known.bytes + ENTRY_OVERHEAD_BYTES;
// +
test('counts a value once that is set again and again', () => {
  const cache = new ValueCache({ bytesMax: 100_000 });
  cache.set('other', 'kept', 500);
  for (let i = 0; i < 1000; i++) cache.set('changing', i, 500);
  expect(cache.get('other')).toBe('kept');
});
