import { AssertionError, RECORDS_PAGE_MAX } from '@nacre/base';
import { LedgerError, type RecordQuery } from '@nacre/ledger';
import { describe, expect, test } from 'vitest';
import { recordRangeKey } from '../src/keys.ts';
import { MemoryStore } from './support/memory-store.ts';
import { appendOf, definition, TestChain } from './support/test-chain.ts';

/** Seventeen records in five runs of two services: every third one under the key `k`, the first under another. */
async function filled(store = new MemoryStore()) {
  const { chain, writer } = await TestChain.withService({ store });
  await chain.decide([await chain.transaction(writer, [{ kind: 'service.create', ...definition('pricesx', writer) }])]);
  let made = 0;
  const records = (count: number) =>
    Array.from({ length: count }, () => {
      const index = made++;
      return [index === 0 ? 'first' : index % 3 === 0 ? 'k' : '', `${index}`] as const;
    });
  await chain.decide([
    await chain.append(writer, records(4)),
    await chain.append(writer, [['k', 'other']], 'pricesx'),
    await chain.append(writer, records(1)),
  ]);
  await chain.decide([await chain.transaction(writer, [appendOf('prices', records(5)), appendOf('prices', records(6))])]);
  await chain.decide([await chain.append(writer, records(1)), await chain.append(writer, ['lost'], 'nowhere')]);
  const read = async (query: Omit<RecordQuery, 'service'>) => {
    const { records: found, nextIndex } = await chain.ledger.records({ service: 'prices', ...query });
    return {
      indexes: found.map(({ index, payload }) => (index === Number(new TextDecoder().decode(payload)) ? index : Number.NaN)),
      nextIndex,
    };
  };
  return { chain, writer, read };
}

const numbers = (from: number, to: number) => Array.from({ length: Math.abs(to - from) + 1 }, (_, i) => (from <= to ? from + i : from - i));

describe('records of a service', () => {
  test('are read page by page, in either order, whatever the page size', async () => {
    const { read } = await filled();
    for (const limit of [1, 2, 3, 5, 16, 17, 18, RECORDS_PAGE_MAX]) {
      for (const order of ['ascending', 'descending'] as const) {
        const indexes: number[] = [];
        let fromIndex: number | null | undefined;
        while (fromIndex !== null) {
          const page = await read({ limit, order, ...(fromIndex === undefined ? {} : { fromIndex }) });
          expect(page.indexes.length).toBeLessThanOrEqual(limit);
          indexes.push(...page.indexes);
          fromIndex = page.nextIndex;
        }
        expect(indexes).toEqual(order === 'ascending' ? numbers(0, 16) : numbers(16, 0));
      }
    }
  });

  test('start where they are asked for', async () => {
    const { read } = await filled();
    expect(await read({ fromIndex: 4, limit: 3 })).toEqual({ indexes: [4, 5, 6], nextIndex: 7 });
    expect(await read({ fromIndex: 4, limit: 3, order: 'descending' })).toEqual({ indexes: [4, 3, 2], nextIndex: 1 });
    expect(await read({ fromIndex: 16, limit: 3 })).toEqual({ indexes: [16], nextIndex: null });
    expect(await read({ fromIndex: 17, limit: 3 })).toEqual({ indexes: [], nextIndex: null });
    expect(await read({ fromIndex: 99, limit: 2, order: 'descending' })).toEqual({ indexes: [16, 15], nextIndex: 14 });
  });

  test('of one key are those of that key', async () => {
    const { read, chain } = await filled();
    expect(await read({ key: 'k', limit: 9 })).toEqual({ indexes: [3, 6, 9, 12, 15], nextIndex: null });
    expect(await read({ key: 'k', limit: 2, fromIndex: 4 })).toEqual({ indexes: [6, 9], nextIndex: 12 });
    expect(await read({ key: 'k', limit: 2, order: 'descending' })).toEqual({ indexes: [15, 12], nextIndex: 9 });
    expect(await read({ key: 'k', limit: 2, order: 'descending', fromIndex: 5 })).toEqual({ indexes: [3], nextIndex: null });
    expect(await read({ key: 'first', limit: 2 })).toEqual({ indexes: [0], nextIndex: null });
    expect(await read({ key: 'none', limit: 2 })).toEqual({ indexes: [], nextIndex: null });
    expect((await chain.ledger.latest('prices', 'k'))?.index).toBe(15);
    expect((await chain.ledger.latest('pricesx', 'k'))?.index).toBe(0);
    expect(await chain.ledger.latest('prices', 'none')).toBeUndefined();
  });

  test('of no service are none', async () => {
    const { chain } = await filled();
    for (const order of ['ascending', 'descending'] as const) {
      expect(await chain.ledger.records({ service: 'nowhere', limit: 5, order })).toEqual({ records: [], nextIndex: null });
    }
  });

  test('end early when they are large', async () => {
    const { chain, writer } = await TestChain.withService({ parameters: { blockBytesMax: 8 * 1024 * 1024 } });
    const payload = 'x'.repeat(65_536);
    for (let block = 0; block < 5; block++)
      await chain.decide([
        await chain.append(
          writer,
          Array.from({ length: 15 }, () => payload),
        ),
      ]);
    const { records, nextIndex } = await chain.ledger.records({ service: 'prices', limit: 1000 });
    expect([records.length, nextIndex]).toEqual([64, 64]);
  });

  test('are asked for in pages', async () => {
    const { chain } = await filled();
    for (const limit of [0, RECORDS_PAGE_MAX + 1, 1.5])
      await expect(chain.ledger.records({ service: 'prices', limit })).rejects.toThrow(AssertionError);
  });

  test('that are not where their index says are a damage', async () => {
    const store = new MemoryStore();
    const { read } = await filled(store);
    const key = recordRangeKey('prices', 4);
    const value = store.get(key) as Uint8Array;
    await store.write([{ type: 'delete', key }], { sync: true });
    await expect(read({ limit: 9 })).rejects.toThrow(LedgerError);
    await store.write([{ type: 'put', key, value: value.slice(1) }], { sync: true });
    await expect(read({ limit: 9 })).rejects.toThrow(LedgerError);
    const pointing = value.slice();
    pointing[value.length - 4] = 1;
    await store.write([{ type: 'put', key, value: pointing }], { sync: true });
    await expect(read({ limit: 9 })).rejects.toThrow(LedgerError);
  });
});
