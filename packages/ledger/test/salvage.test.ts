import { bytesEqual, NacreError, type Store, toHex, utf8 } from '@nacre/base';
import { bodyKey, expiredKey, pendingKey, requestKey, requestName, requestTimeKey, salvage } from '@nacre/ledger';
import { expect, test } from 'vitest';
import { blockKey, statusKey } from '../src/keys.ts';
import { JOURNAL_MARK_KEY } from '../src/vote-journal.ts';
import { MemoryStore } from './support/memory-store.ts';

const hash = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);
const put = (key: Uint8Array, value: Uint8Array) => ({ type: 'put', key, value }) as const;

/** More than one page of pending transactions, each with its body, and one entry of everything else. */
async function filled(): Promise<{ store: MemoryStore; local: Uint8Array[] }> {
  const store = new MemoryStore();
  const name = requestName('prices', 'a request');
  const local = [JOURNAL_MARK_KEY, expiredKey(hash(1)), requestKey(name), requestTimeKey(7, name)];
  const operations = local.map((key) => put(key, utf8('local')));
  for (let i = 0; i < 260; i++) {
    const [txId, bodyHash] = [hash(0), hash(0)];
    new DataView(txId.buffer).setUint32(0, i);
    new DataView(bodyHash.buffer).setUint32(0, i);
    const [pending, body] = [pendingKey(txId), bodyKey(bodyHash)];
    local.push(pending, body);
    operations.push(put(pending, Uint8Array.of(...bodyHash, 1)), put(body, utf8(`body ${i}`)));
  }
  const chain = [blockKey(hash(2)), bodyKey(hash(3)), statusKey(hash(4))].map((key) => put(key, utf8('of the chain')));
  await store.write([...operations, ...chain], { sync: true });
  return { store, local };
}

/** A store of which the values under some keys cannot be read. */
function damaged(store: MemoryStore, keys: readonly Uint8Array[]): Store {
  const check = (key: Uint8Array): void => {
    if (keys.some((one) => bytesEqual(one, key)))
      throw new NacreError('STORE_DAMAGED', 'a value is damaged', { fields: { key: toHex(key) } });
  };
  return {
    get: (key) => {
      check(key);
      return store.get(key);
    },
    scan: async (range) => {
      const entries = await store.scan(range);
      for (const { key } of entries) check(key);
      return entries;
    },
    write: () => Promise.reject(new Error('nothing is written to a damaged store')),
    view: () => store.view(),
    close: async () => {},
  };
}

test('what only this node knows is taken over, and nothing of the chain', async () => {
  const { store, local } = await filled();
  const target = new MemoryStore();
  expect(await salvage(store, target)).toEqual({ entries: 264, lost: 0 });
  for (const key of local) expect(target.get(key)).toEqual(store.get(key));
  expect(target.size).toBe(local.length);
});

// @mutation packages/ledger/src/salvage.ts
// - from = after(found.key);
// + return;
test('a value that cannot be read costs itself alone', async () => {
  const { store, local } = await filled();
  const lost = [local[0], local[1], local[6], local[9], local[260]].map((key) => key as Uint8Array);
  const target = new MemoryStore();
  // Of a pending transaction without its body the entry is taken over: the mempool drops it when it is restored.
  expect((await salvage(damaged(store, lost), target)).lost).toBe(lost.length);
  const isLost = (key: Uint8Array): boolean => lost.some((one) => bytesEqual(one, key));
  const bodiesOfLost = local.filter((_, i) => i > 4 && i % 2 === 1 && isLost(local[i - 1] as Uint8Array));
  for (const key of local) {
    if (isLost(key) || bodiesOfLost.some((one) => bytesEqual(one, key))) expect(target.get(key)).toBeUndefined();
    else expect(target.get(key)).toEqual(store.get(key));
  }
});

test('what fails otherwise than by damage fails', async () => {
  const { store } = await filled();
  const failing: Store = { ...damaged(store, []), get: () => undefined, scan: () => Promise.reject(new Error('closed')) };
  await expect(salvage(failing, new MemoryStore())).rejects.toThrow('closed');
});
