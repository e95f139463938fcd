import { type StoreOperation, uint64Bytes } from '@nacre/base';
import { LedgerError } from '@nacre/ledger';
import { expect, test } from 'vitest';
import { encodeHeader } from '../src/header.ts';
import { blockKey, bodyKey, firstHeightKey, keptHeaderKey, recordRangeKey } from '../src/keys.ts';
import { MemoryStore } from './support/memory-store.ts';
import { TestChain } from './support/test-chain.ts';

/** A chain whose blocks 1 to 4 are gone, and records 0 (under `a`) and 1 of `prices` with them; 2 (under `b`) and 3 (under `a` or none) are here. */
async function prunedChain({ latestOfA = 'pruned', runs = 'gone' }: { latestOfA?: 'pruned' | 'here'; runs?: 'gone' | 'kept' } = {}) {
  const store = new MemoryStore();
  const { chain, writer } = await TestChain.withService({ store });
  await chain.decide([await chain.append(writer, [['a', 'old']])]);
  await chain.decide([await chain.append(writer, ['old, too'])]);
  await chain.decide([await chain.append(writer, [['b', 'new']])]);
  await chain.decide([await chain.append(writer, [latestOfA === 'here' ? ['a', 'newer'] : 'newer'])]);
  const operations: StoreOperation[] = [{ type: 'put', key: firstHeightKey(), value: uint64Bytes(5) }];
  for (let height = 1; height < 5; height++) {
    const block = chain.ledger.blockAt(height) ?? expect.unreachable();
    operations.push({ type: 'delete', key: blockKey(block.hash) });
    for (const hash of block.bodyHashes) operations.push({ type: 'delete', key: bodyKey(hash) });
    if (height === 4) operations.push({ type: 'put', key: keptHeaderKey(height), value: encodeHeader(block.header) });
  }
  if (runs === 'gone') for (const first of [0, 1]) operations.push({ type: 'delete', key: recordRangeKey('prices', first) });
  await store.write(operations, { sync: true });
  await chain.reopen();
  return chain;
}

test('blocks below the first height are not here, and that is no damage', async () => {
  const { ledger } = await prunedChain();
  expect(ledger.firstHeight).toBe(5);
  expect(ledger.blockAt(3)).toBeUndefined();
  expect(ledger.headerAt(3)).toBeUndefined();
  expect(ledger.headerAt(4)).toMatchObject({ height: 4 });
  expect(ledger.blockAt(5)).toBeDefined();
});

// @mutation packages/ledger/src/block-store.ts
// - block === undefined && height >= this.firstHeight
// + false
test('a missing block from the first height on is damage', async () => {
  const chain = await prunedChain();
  const hash = (chain.ledger.blockAt(5) ?? expect.unreachable()).hash;
  await chain.store.write([{ type: 'delete', key: blockKey(hash) }], { sync: true });
  expect(() => chain.ledger.blockAt(5)).toThrow(LedgerError);
});

// @mutation packages/ledger/src/record-store.ts
// - if (!isHeld && firstHeight === 1) throw this.#damaged(index);
// + if (!isHeld) throw this.#damaged(index);
// @mutation packages/ledger/src/record-store.ts
// - if (run.height >= firstHeight) return run.firstIndex;
// + return run.firstIndex;
test.each(['gone', 'kept'] as const)(
  'a record below the first height is refused with the place of the next one, its run %s',
  async (runs) => {
    const { ledger } = await prunedChain({ runs });
    const pruned = { code: 'RECORD_PRUNED', fields: { service: 'prices', index: 0, nextIndex: 2, firstHeight: 5 } };
    await expect(ledger.records({ service: 'prices', limit: 10 })).rejects.toMatchObject(pruned);
    await expect(ledger.latest('prices', 'a')).rejects.toMatchObject(pruned);
    const { records } = await ledger.records({ service: 'prices', fromIndex: 2, limit: 10 });
    expect(records.map(({ index }) => index)).toEqual([2, 3]);
    const first = await ledger.records({ service: 'prices', limit: 10, order: 'descending' });
    expect(first).toMatchObject({ records: [{ index: 3 }, { index: 2 }], nextIndex: 1 });
  },
);

test('whoever asks for the proof of a record that is gone is told so, and not that it is absent', async () => {
  const { ledger } = await prunedChain();
  const refused = { ok: false, error: { code: 'RECORD_PRUNED', firstHeight: 5, index: 0 } };
  expect(await ledger.prove({ service: 'prices', index: 0 })).toMatchObject(refused);
  expect(await ledger.prove({ service: 'prices', key: 'a' })).toMatchObject(refused);
  expect(await ledger.prove({ service: 'prices', key: 'c' })).toMatchObject({ ok: true });
  expect(await ledger.prove({ service: 'prices', index: 2 })).toMatchObject({ ok: true });
});

test('records that came later are as provable as ever', async () => {
  const { ledger } = await prunedChain({ latestOfA: 'here' });
  expect(await ledger.latest('prices', 'a')).toMatchObject({ index: 3 });
  expect(await ledger.prove({ service: 'prices', key: 'a' })).toMatchObject({ ok: true });
});
