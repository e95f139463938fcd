import { mkdir, readdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { NacreError } from '@nacre/base';
import { bodyKey, pendingKey } from '@nacre/ledger';
import { LevelStore } from '@nacre/ledger/level';
import { expect, test } from 'vitest';
import { finishSettingAside, setStoreAside, storesSetAside } from '../src/set-aside.ts';
import { STORE_FORMAT_VERSION } from '../src/store-format.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';

const NOW_MS = 1_800_000_000_000;
const HOUR_MS = 3_600_000;
const genesisHash = new Uint8Array(32).fill(7);
const txId = new Uint8Array(32).fill(1);
const bodyHash = new Uint8Array(32).fill(2);
const damage = new NacreError('STORE_DAMAGED', 'something is damaged');
const open = (path: string) => LevelStore.open(path, { formatVersion: STORE_FORMAT_VERSION, genesisHash });

/** A store with a transaction that waits, and a body of the chain. */
async function storeIn(home: string): Promise<string> {
  const path = join(home, 'store');
  const store = await open(path);
  const put = (key: Uint8Array, value: Uint8Array) => ({ type: 'put', key, value }) as const;
  const operations = [
    put(pendingKey(txId), Uint8Array.of(...bodyHash, 1)),
    put(bodyKey(bodyHash), Uint8Array.of(9)),
    put(bodyKey(txId), Uint8Array.of(8)),
  ];
  await store.write(operations, { sync: true });
  await store.close();
  return path;
}

test('a damaged store is kept under its own name, and what only this node knew is in the new one', async () => {
  const path = await storeIn(await temporaryDirectory());
  const aside = await setStoreAside({ path, genesisHash, damage, nowMs: NOW_MS });
  expect(aside).toEqual({ path: `${path}-damaged-${NOW_MS}`, entries: 1, lost: 0 });
  expect(await storesSetAside(path)).toEqual([{ path: aside.path, timeMs: NOW_MS }]);
  const store = await open(path);
  expect(store.get(bodyKey(bodyHash))).toEqual(Uint8Array.of(9));
  expect(store.get(bodyKey(txId))).toBeUndefined();
  await store.close();
  const old = await open(aside.path);
  expect(old.get(bodyKey(txId))).toEqual(Uint8Array.of(8));
  await old.close();
});

test('a store that cannot be opened any more is set aside as it is', async () => {
  const path = await storeIn(await temporaryDirectory());
  await writeFile(join(path, 'CURRENT'), 'nothing');
  const before = (await readdir(path)).sort();
  const aside = await setStoreAside({ path, genesisHash, damage, nowMs: NOW_MS });
  expect((await readdir(aside.path)).sort()).toEqual(before);
  await (await open(path)).close();
});

// @mutation packages/node/src/set-aside.ts
// - if (error instanceof StoreError && error.code === 'STORE_LOCKED') throw error;
// + // Whoever has it will not mind.
test('a store that another process has is left where it is', async () => {
  const path = await storeIn(await temporaryDirectory());
  const held = await open(path);
  await expect(setStoreAside({ path, genesisHash, damage, nowMs: NOW_MS })).rejects.toMatchObject({ code: 'STORE_LOCKED' });
  expect(await storesSetAside(path)).toEqual([]);
  expect(held.get(bodyKey(bodyHash))).toBeDefined();
  await held.close();
});

test('the fourth damage within an hour ends the node; later ones take the place of the oldest', async () => {
  const path = await storeIn(await temporaryDirectory());
  for (const minute of [0, 1, 2]) await setStoreAside({ path, genesisHash, damage, nowMs: NOW_MS + minute * 60_000 });
  const again = setStoreAside({ path, genesisHash, damage, nowMs: NOW_MS + HOUR_MS - 1 });
  await expect(again).rejects.toMatchObject({ code: 'STORE_DAMAGED_AGAIN', cause: damage });
  await setStoreAside({ path, genesisHash, damage, nowMs: NOW_MS + HOUR_MS });
  expect((await storesSetAside(path)).map(({ timeMs }) => timeMs - NOW_MS)).toEqual([60_000, 120_000, HOUR_MS]);
});

test('what a crash interrupted is ended or undone by the next start', async () => {
  const home = await temporaryDirectory();
  const path = await storeIn(home);
  // While the new store was being filled.
  await mkdir(`${path}-new`);
  await finishSettingAside(path);
  expect(await readdir(home)).toEqual(['store']);
  // Between the two renamings.
  await rename(path, `${path}-new`);
  await finishSettingAside(path);
  expect(await readdir(home)).toEqual(['store']);
  await finishSettingAside(path);
  expect(await readdir(home)).toEqual(['store']);
});
