import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { StoreOperation } from '@nacre/base';
import { sha256 } from '@nacre/crypto';
import { LevelStore } from '@nacre/ledger/level';
import { type ChainedBatch, ClassicLevel } from 'classic-level';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

let path: string;

beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), 'nacre-guard-'));
});

afterEach(async () => {
  vi.restoreAllMocks();
  await rm(path, { recursive: true });
});

async function newestLog(): Promise<number> {
  const numbers = (await readdir(path)).filter((name) => name.endsWith('.log')).map((name) => Number.parseInt(name, 10));
  return Math.max(...numbers);
}

/** Values that do not compress, so that tables and logs are as large as they look. */
function values(count: number, bytes: number, seed: number): StoreOperation[] {
  return Array.from({ length: count }, (_, i) => {
    const digest = sha256(Uint8Array.of(seed, i >> 8, i & 255, bytes & 255));
    const value = new Uint8Array(bytes);
    for (let at = 0; at < bytes; at += digest.length) value.set(digest.subarray(0, Math.min(digest.length, bytes - at)), at);
    return { type: 'put', key: digest, value };
  });
}

/** Which of LevelDB's batches are written with a sync, from here on. */
function recordSyncs(): boolean[] {
  const synced: boolean[] = [];
  const begin = ClassicLevel.prototype.batch as (this: ClassicLevel) => ChainedBatch<ClassicLevel, string, string>;
  vi.spyOn(ClassicLevel.prototype, 'batch').mockImplementation(function (this: ClassicLevel) {
    const batch = begin.call(this);
    const write = batch.write.bind(batch) as (options: { sync: boolean }) => Promise<void>;
    batch.write = ((options: { sync: boolean }) => {
      synced.push(options.sync);
      return write(options);
    }) as typeof batch.write;
    return batch as never;
  });
  return synced;
}

describe('memory table', () => {
  // @mutation packages/ledger/src/memtable-guard.ts
  // - return this.#bound > STORE_WRITE_BUFFER_BYTES ? before : null;
  // + return this.#bound > 2 * STORE_WRITE_BUFFER_BYTES ? before : null;
  // @mutation packages/ledger/src/level-store.ts
  // - await batch.write({ sync: sync || nearlyFull !== null });
  // + await batch.write({ sync: sync && nearlyFull !== null });
  // @mutation packages/ledger/src/memtable-guard.ts
  // - this.#bound -= this.#settled;
  // + this.#bound = Number.NEGATIVE_INFINITY;
  test('LevelDB begins a new log only behind a synced write, whatever the size of the values', async () => {
    for (const sizes of [
      { count: 2000, bytes: 16 },
      { count: 500, bytes: 1000 },
      { count: 4, bytes: 200_000 },
    ]) {
      expect(await newLogsSeen(sizes)).toBe(2);
    }
  });

  async function newLogsSeen({ count, bytes }: { count: number; bytes: number }): Promise<number> {
    const store = await LevelStore.open(path, { formatVersion: 1, genesisHash: new Uint8Array(32) });
    const synced = recordSyncs();
    let log = await newestLog();
    let changes = 0;
    for (let i = 0; i < 2000 && changes < 2; i++) {
      await store.write(values(count, bytes, i), { sync: false });
      const now = await newestLog();
      if (now === log) continue;
      expect(synced.at(-2)).toBe(true);
      log = now;
      changes++;
    }
    expect(synced.filter((one) => !one).length).toBeGreaterThan(synced.length / 3);
    await store.close();
    vi.restoreAllMocks();
    return changes;
  }
});
