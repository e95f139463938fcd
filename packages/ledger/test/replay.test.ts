import { differenceOf, Ledger, replay } from '@nacre/ledger';
import { describe, expect, test } from 'vitest';
import { bodyKey, derivedRange } from '../src/keys.ts';
import { MemoryStore } from './support/memory-store.ts';
import { silentLog, TestChain } from './support/test-chain.ts';

async function grown() {
  const store = new MemoryStore();
  const { chain, writer } = await TestChain.withService({ store });
  await chain.decide([await chain.append(writer, ['a', ['key', 'b']])]);
  await chain.decide([await chain.append(writer, [['key', 'c']])]);
  return { chain, store };
}

async function replayed(chain: TestChain) {
  const { genesis, verifier } = chain;
  const store = new MemoryStore();
  const target = await Ledger.open({ genesis, store, verifier, log: silentLog });
  let executed = 0;
  const problem = await replay({ source: chain.ledger, target, verifier, executed: () => void executed++ });
  return { store, target, problem, executed };
}

describe('executing the blocks of a store again', () => {
  test('leads to the same tip, and to the same bytes of everything that follows from blocks', async () => {
    const { chain, store } = await grown();
    const again = await replayed(chain);
    expect(again).toMatchObject({ problem: null, executed: 4 });
    expect(again.target.tip).toMatchObject({ height: 4, blockHash: chain.ledger.tip.blockHash, stateRoot: chain.ledger.tip.stateRoot });
    expect(await differenceOf(store, again.store)).toBeNull();
  });

  // @mutation packages/ledger/src/replay.ts
  // - if (order < 0) return `${named} is there that no block has made`;
  // +
  // @mutation packages/ledger/src/replay.ts
  // - return `${named} is not what the blocks make it`;
  // + return null;
  test('shows every entry that is missing, more, or another one', async () => {
    const { chain, store } = await grown();
    const again = await replayed(chain);
    const entries = await store.scan({ ...derivedRange(), limit: 1000 });
    expect(new Set(entries.map(({ key }) => key[0])).size).toBe(7);
    for (const { key, value } of entries) {
      await store.write([{ type: 'delete', key }], { sync: true });
      expect(await differenceOf(store, again.store)).toMatch(/ is missing$/);
      await store.write([{ type: 'put', key, value: Uint8Array.of(...value, 1) }], { sync: true });
      expect(await differenceOf(store, again.store)).toMatch(/ is not what the blocks make it$/);
      await store.write([{ type: 'put', key, value }], { sync: true });
      const more = Uint8Array.of(...key, 1);
      await store.write([{ type: 'put', key: more, value }], { sync: true });
      expect(await differenceOf(store, again.store)).toMatch(/ is there that no block has made$/);
      await store.write([{ type: 'delete', key: more }], { sync: true });
    }
    expect(await differenceOf(store, again.store)).toBeNull();
  });

  test('ends at the first block that is not whole', async () => {
    const { chain, store } = await grown();
    const [body] = chain.ledger.blockAt(3)?.bodyHashes ?? [];
    await store.write([{ type: 'delete', key: bodyKey(body ?? expect.unreachable('block 3 has a transaction')) }], { sync: true });
    await expect(replayed(chain)).rejects.toMatchObject({ code: 'LEDGER_DAMAGED' });
  });
});
