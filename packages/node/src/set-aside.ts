import { readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Hash, NacreError } from '@nacre/base';
import { type Salvaged, salvage } from '@nacre/ledger';
import { LevelStore, StoreError } from '@nacre/ledger/level';
import { NodeError } from './node-error.ts';
import { STORE_FORMAT_VERSION } from './store-format.ts';

/** Damaged stores that are kept beside the new one. Beyond: the oldest is removed, unless all are of the last hour; then the node ends instead. */
const KEPT_MAX = 3;
const HOUR_MS = 3_600_000;

/** A store that was damaged, and where it is now. */
export interface SetAside extends Salvaged {
  readonly path: string;
}

interface Options {
  /** Of the store. */
  readonly path: string;
  readonly genesisHash: Hash;
  /** What was found. */
  readonly damage: NacreError;
  readonly nowMs: number;
}

/**
 * Puts a damaged store aside, kept under a name of its own, and a new one in its place that holds what only this node knew and could still
 * be read: see {@link salvage}. The vote journal is not touched, so the validator remembers its votes; a mark that could not be salvaged makes
 * it no surer and no less sure than any disk that lost both, and peers tell what it voted last.
 *
 * @throws {StoreError} `STORE_LOCKED` while another process has the store; nothing has changed then
 * @throws {NodeError} `STORE_DAMAGED_AGAIN` if too many stores were set aside within an hour
 */
export async function setStoreAside({ path, genesisHash, damage, nowMs }: Options): Promise<SetAside> {
  const earlier = await storesSetAside(path);
  const recent = earlier.filter(({ timeMs }) => nowMs - timeMs < HOUR_MS);
  if (recent.length >= KEPT_MAX) {
    throw new NodeError('STORE_DAMAGED_AGAIN', `the store in ${path} is damaged for the ${recent.length + 1}th time within an hour`, {
      cause: damage,
      fields: { path, setAside: recent.map((one) => one.path) },
      hint: 'The disk or the memory of this machine fails. Move the home to another one; keep the key and the vote journal.',
    });
  }
  const options = { formatVersion: STORE_FORMAT_VERSION, genesisHash };
  const fresh = freshPath(path);
  await rm(fresh, { recursive: true, force: true });
  const old = await LevelStore.open(path, { ...options, salvage: true }).catch((error: unknown) => {
    if (error instanceof StoreError && error.code === 'STORE_LOCKED') throw error;
    return null;
  });
  let salvaged: Salvaged = { entries: 0, lost: 0 };
  const target = await LevelStore.open(fresh, options);
  try {
    if (old !== null) salvaged = await salvage(old, target);
  } finally {
    await target.close();
    await old?.close();
  }
  for (const oldest of earlier.slice(0, Math.max(0, earlier.length + 1 - KEPT_MAX))) await rm(oldest.path, { recursive: true });
  const aside = asidePath(path, nowMs);
  await rename(path, aside);
  await rename(fresh, path);
  return { path: aside, ...salvaged };
}

/** Ends what a crash may have interrupted. Call before the store is opened. */
export async function finishSettingAside(path: string): Promise<void> {
  const names = await readdir(dirname(path));
  if (!names.includes(basename(freshPath(path)))) return;
  // Without the old store in its place, the new one is whole: renaming is all that was left to do.
  if (names.includes(basename(path))) await rm(freshPath(path), { recursive: true });
  else await rename(freshPath(path), path);
}

/** Damaged stores that lie beside a store, the oldest first. */
export async function storesSetAside(path: string): Promise<{ readonly path: string; readonly timeMs: number }[]> {
  const prefix = `${basename(path)}-damaged-`;
  const found = (await readdir(dirname(path))).flatMap((name) => {
    const timeMs = name.startsWith(prefix) ? Number(name.slice(prefix.length)) : Number.NaN;
    return Number.isSafeInteger(timeMs) ? [{ path: join(dirname(path), name), timeMs }] : [];
  });
  return found.sort((one, other) => one.timeMs - other.timeMs);
}

function asidePath(path: string, nowMs: number): string {
  return `${path}-damaged-${nowMs}`;
}

function freshPath(path: string): string {
  return `${path}-new`;
}
