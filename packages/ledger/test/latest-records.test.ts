import { compareBytes, type StoreEntry, type StoreRange, type StoreView } from '@nacre/base';
import { sha256 } from '@nacre/crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { recordKeyKey } from '../src/keys.ts';
import { LatestRecords } from '../src/latest-records.ts';
import { LATEST_RECORD } from '../src/state-kinds.ts';

const keyOf = (number: number) => sha256(Uint8Array.of(number >> 8, number));

/** A store of these entries, which counts how often it was asked. */
class Entries implements StoreView {
  readonly #entries: readonly StoreEntry[];
  asked = 0;

  constructor(entries: readonly StoreEntry[]) {
    this.#entries = entries.toSorted((a, b) => compareBytes(a.key, b.key));
  }

  get(): undefined {
    return undefined;
  }

  async scan({ gte, lt, reverse = false, limit }: StoreRange): Promise<StoreEntry[]> {
    this.asked++;
    const found = this.#entries.filter(({ key }) => compareBytes(key, gte) >= 0 && compareBytes(key, lt) < 0);
    return (reverse ? found.toReversed() : found).slice(0, limit);
  }

  async close(): Promise<void> {}
}

const entry = (number: number, index: number): StoreEntry => ({ key: recordKeyKey(keyOf(number), index), value: keyOf(index) });

// @mutation packages/ledger/src/latest-records.ts
// - if (found !== undefined && this.#next === this.#read.length && this.#hasMore) found = await this.#newest(key);
// +
test('the latest record of each key is found, however many it has and whichever keys have none', async () => {
  const counts = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 40 })), { maxLength: 60 });
  await fc.assert(
    fc.asyncProperty(counts, async (records) => {
      const view = new Entries(
        records.flatMap((count, number) => Array.from({ length: count }, (_, i) => entry(number, 1000 * i + number))),
      );
      const latest = new LatestRecords(view);
      const numbers = records.map((_, number) => number).sort((a, b) => compareBytes(keyOf(a), keyOf(b)));
      for (const number of numbers) {
        const value = await latest.find(keyOf(number));
        const count = records[number] as number;
        const index = 1000 * (count - 1) + number;
        const expected = count === 0 ? undefined : LATEST_RECORD.codec.encode({ index, leafHash: keyOf(index) });
        expect(value).toEqual(expected);
      }
    }),
  );
});

// @mutation packages/ledger/src/latest-records.ts
// - Math.min(2 * this.#readCount, READ_MAX)
// + Math.min(this.#readCount, READ_MAX)
test('a walk over thousands of keys asks the store a few times', async () => {
  const numbers = Array.from({ length: 3000 }, (_, number) => number);
  const view = new Entries(numbers.map((number) => entry(number, number)));
  const latest = new LatestRecords(view);
  for (const number of numbers.toSorted((a, b) => compareBytes(keyOf(a), keyOf(b)))) {
    const value = LATEST_RECORD.codec.encode({ index: number, leafHash: keyOf(number) });
    expect(await latest.find(keyOf(number))).toEqual(value);
  }
  expect(view.asked).toBeLessThan(30);
});
