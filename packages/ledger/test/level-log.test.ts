import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LevelStore } from '@nacre/ledger/level';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { gapInLog } from '../src/level-log.ts';

const OPTIONS = { formatVersion: 1, genesisHash: new Uint8Array(32) };
/** LevelDB's log has blocks of this size, and a record that does not fit into the rest of one goes on in the next. */
const BLOCK_BYTES = 32 * 1024;

describe('a log of LevelDB', () => {
  let directory = '';
  let path = '';
  let log: Uint8Array;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'nacre-level-log-'));
    path = join(directory, 'store');
    const store = await LevelStore.open(path, OPTIONS);
    // Of every size, from a few bytes to more than a block.
    for (let i = 0; i < 60; i++) {
      const value = new Uint8Array((i * 797) % (BLOCK_BYTES + BLOCK_BYTES / 4)).fill(i);
      await store.write([{ type: 'put', key: Uint8Array.of(7, i), value }], { sync: false });
    }
    await store.close();
    const name = (await readdir(path)).find((one) => one.endsWith('.log')) as string;
    // Not as a Buffer, whose slices are no copies.
    log = Uint8Array.from(await readFile(join(path, name)));
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  test('has no gap as it was written, cut anywhere, or with zeros behind it', () => {
    expect(log.length).toBeGreaterThan(10 * BLOCK_BYTES);
    expect(gapInLog(log)).toBeNull();
    fc.assert(
      fc.property(fc.nat(log.length), (length) => {
        expect(gapInLog(log.subarray(0, length))).toBeNull();
      }),
    );
    const padded = new Uint8Array(log.length + 2 * BLOCK_BYTES);
    padded.set(log);
    expect(gapInLog(padded)).toBeNull();
  });

  // @mutation packages/ledger/src/level-log.ts
  // - gap ??= at;
  // + return null;
  test('has one wherever a bit before the last record is another', () => {
    // The last record takes up more than a block.
    const bit = fc.nat(8 * (log.length - 3 * BLOCK_BYTES) - 1);
    fc.assert(
      fc.property(bit, (at) => {
        const flipped = log.slice();
        flipped[at >> 3] = (flipped[at >> 3] as number) ^ (1 << (at & 7));
        expect(gapInLog(flipped)).not.toBeNull();
      }),
      { numRuns: 300 },
    );
  });

  test('that is nothing but noise has no gap, because there is nothing to lose behind it', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2 * BLOCK_BYTES }), (bytes) => {
        expect(gapInLog(bytes)).toBeNull();
      }),
    );
  });

  // @mutation packages/ledger/src/level-store.ts
  // - if (options.salvage !== true) await refuseGaps(path);
  // + // What LevelDB can make of it will do.
  test('with a gap is not opened, and with a bad end it is', async () => {
    const name = (await readdir(path)).find((one) => one.endsWith('.log')) as string;
    const flipped = log.slice();
    flipped[BLOCK_BYTES + 100] = (flipped[BLOCK_BYTES + 100] as number) ^ 1;
    await writeFile(join(path, name), flipped);
    await expect(LevelStore.open(path, OPTIONS)).rejects.toMatchObject({ code: 'STORE_DAMAGED', fields: { name } });
    await writeFile(join(path, name), log.subarray(0, log.length - 10));
    const store = await LevelStore.open(path, OPTIONS);
    expect(store.get(Uint8Array.of(7, 58))).toBeDefined();
    expect(store.get(Uint8Array.of(7, 59))).toBeUndefined();
    await store.close();
  });
});
