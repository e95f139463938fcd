import { open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createVerifier } from '@nacre/crypto/native';
import { Ledger } from '@nacre/ledger';
import { LevelStore } from '@nacre/ledger/level';
import { type HomePaths, readGenesis } from '../../src/home.ts';
import { STORE_FORMAT_VERSION } from '../../src/store-format.ts';
import { silentLog } from './rpc-node.ts';

export type DamageWay = 'flipped' | 'cut' | 'removed';
export const DAMAGE_WAYS: readonly DamageWay[] = ['flipped', 'cut', 'removed'];

/** A file of a home. */
export interface StoredFile {
  readonly name: string;
  readonly path: string;
}

/** Every file of store and vote journal, by what it is: of many tables only the first stands for all. */
export async function storedFiles({ store, journal }: HomePaths): Promise<Map<string, StoredFile>> {
  const files = new Map<string, StoredFile>();
  for (const directory of [store, join(store, 'values'), journal]) {
    for (const entry of await readdir(directory, { withFileTypes: true }).catch(() => [])) {
      const path = join(directory, entry.name);
      const kind = entry.name.replace(/^\d+\./, '').replace(/-\d+$/, '');
      if (entry.isFile() && !files.has(kind)) files.set(kind, { name: entry.name, path });
    }
  }
  return files;
}

/**
 * Damages a file: one bit of it, or all from there on, or all of it. A bit is flipped in place, also under a process that runs.
 *
 * @param at where, as a share of its length; by default in its middle
 */
export async function damageFile(path: string, way: DamageWay, at = 0.5): Promise<void> {
  if (way === 'removed') return rm(path);
  const file = await open(path, 'r+');
  try {
    const place = Math.floor(at * (await file.stat()).size);
    if (way === 'cut') return await file.truncate(place);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(1), 0, 1, place);
    if (bytesRead === 1) await file.write(Uint8Array.of((buffer[0] as number) ^ 0x10), 0, 1, place);
  } finally {
    await file.close();
  }
}

/** First byte of the keys of the state's values. */
const STATE_VALUE = 7;

/** Takes a value out of the state of a stopped node that no start looks at. */
export async function loseStateValue({ store: path, genesis: genesisPath }: HomePaths): Promise<void> {
  const genesis = await readGenesis(genesisPath);
  const store = await LevelStore.open(path, { formatVersion: STORE_FORMAT_VERSION, genesisHash: genesis.hash });
  const values = await store.scan({ gte: Uint8Array.of(STATE_VALUE), lt: Uint8Array.of(STATE_VALUE + 1), limit: 100 });
  for (const { key, value } of values) {
    await store.write([{ type: 'delete', key }], { sync: true });
    const opened = await Ledger.open({ genesis, store, verifier: createVerifier(genesis.scheme), log: silentLog }).catch(() => null);
    if (opened !== null) return store.close();
    await store.write([{ type: 'put', key, value }], { sync: true });
  }
  throw new Error('every value of the state is looked at when a node starts');
}
