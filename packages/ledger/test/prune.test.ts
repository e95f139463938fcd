import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BLOCKS_KEPT_MIN } from '@nacre/base';
import { PRUNED_RANGES, prunableBlocks, pruneOperations, verifyProof } from '@nacre/ledger';
import { LevelStore } from '@nacre/ledger/level';
import { describe, expect, test } from 'vitest';
import { bodyKey } from '../src/keys.ts';
import { made } from './support/snapshot-copy.ts';
import { TestChain, type TestKey } from './support/test-chain.ts';

/** Blocks that `grow` adds, one second apart. */
const BLOCKS = 200;
const WINDOW_MS = 40_000;

async function grow(chain: TestChain, writer: TestKey, blocks = BLOCKS): Promise<void> {
  for (let i = 0; i < blocks; i++) await chain.decide([await chain.append(writer, [[`key ${i % 7}`, `text ${i}`]])]);
}

async function prune(chain: TestChain, below: number): Promise<void> {
  await chain.store.write(pruneOperations(chain.ledger, below).operations, { sync: true });
}

describe('how many blocks may go', () => {
  // @mutation packages/ledger/src/prune.ts
  // - const keptFromMs = tip.timeMs - Math.max(ageMs, parameters.validityWindowMs);
  // + const keptFromMs = tip.timeMs - ageMs;
  // @mutation packages/ledger/src/prune.ts
  // - Math.min(max, held - Math.max(blocks, BLOCKS_KEPT_MIN))
  // + Math.min(max, held - blocks)
  test('follows from both bounds; ids that still count and the last blocks always stay', async () => {
    const { chain, writer } = await TestChain.withService({ parameters: { validityWindowMs: WINDOW_MS } });
    await grow(chain, writer);
    const { ledger } = chain;
    const held = ledger.tip.height;
    const may = (blocks: number, ageMs: number, max = 1_000) => prunableBlocks(ledger, { blocks, ageMs }, max);
    expect(may(0, 0)).toBe(0);
    expect(may(150, 0)).toBe(held - 150);
    expect(may(1, 0)).toBe(held - BLOCKS_KEPT_MIN);
    expect(may(held, 0)).toBe(0);
    expect(may(0, 160_000)).toBe(held - 161);
    expect(may(0, 1)).toBe(held - BLOCKS_KEPT_MIN);
    expect(may(150, 160_000)).toBe(held - 161);
    expect(may(170, 160_000)).toBe(held - 170);
    expect(may(150, 0, 10)).toBe(10);
    const long = await TestChain.withService({ parameters: { validityWindowMs: 170_000 } });
    await grow(long.chain, long.writer);
    expect(prunableBlocks(long.chain.ledger, { blocks: 150, ageMs: 1 }, 1_000)).toBe(held - 171);
  });
});

describe('a pruned chain', () => {
  // @mutation packages/ledger/src/prune.ts
  // - remove(blockKey(block.hash), block.bytes.length);
  // +
  test('has no blocks below its first height, goes on, and proves what it holds and how long its logs are', async () => {
    const { chain, writer } = await TestChain.withService();
    await grow(chain, writer, 20);
    const bodies = [3, 12].map((height) => chain.ledger.blockAt(height)?.bodyHashes[0] as Uint8Array);
    const [oldest] = [chain.ledger.blockAt(3)?.hash as Uint8Array];
    await prune(chain, 10);
    await chain.reopen();
    const { ledger } = chain;
    expect(ledger.firstHeight).toBe(10);
    expect([3, 9, 10].map((height) => ledger.blockAt(height)?.header.height)).toEqual([undefined, undefined, 10]);
    expect(ledger.blockByHash(oldest)).toBeUndefined();
    expect(bodies.map((hash) => chain.store.get(bodyKey(hash)) !== undefined)).toEqual([false, true]);
    await grow(chain, writer, 3);
    const { records } = await chain.ledger.records({ service: 'prices', fromIndex: 12, limit: 20 });
    expect(records.map(({ index }) => index)).toEqual([12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22]);
    await expect(chain.ledger.records({ service: 'prices', fromIndex: 1, limit: 20 })).rejects.toMatchObject({
      code: 'RECORD_PRUNED',
      fields: { firstHeight: 10, nextIndex: 7 },
    });
    for (const question of [{ index: 15 }, { key: 'key 2' }, { key: 'never written' }]) {
      const proof = await chain.ledger.prove({ service: 'prices', ...question });
      if (!proof.ok) throw new Error(proof.error.code);
      expect((await verifyProof(chain.genesis, proof.value, chain.verifier)).ok).toBe(true);
    }
    expect(await chain.ledger.prove({ service: 'prices', index: 0 })).toMatchObject({ ok: false, error: { code: 'RECORD_PRUNED' } });
  });

  test('makes the snapshot that everyone makes', async () => {
    const same = async () => {
      const { chain, writer } = await TestChain.withService({ parameters: { validityWindowMs: WINDOW_MS } });
      await grow(chain, writer);
      return chain;
    };
    const [chain, whole] = [await same(), await same()];
    const { ledger } = chain;
    await prune(chain, ledger.firstHeight + prunableBlocks(ledger, { blocks: 1, ageMs: 0 }, 1_000));
    expect(ledger.firstHeight).toBeGreaterThan(50);
    expect(await made(chain)).toEqual(await made(whole));
  });

  test('knows how every transaction ended', async () => {
    const { chain, writer } = await TestChain.withService();
    const transaction = await chain.append(writer, ['text']);
    await chain.decide([transaction]);
    await grow(chain, writer, 5);
    await prune(chain, 6);
    expect(chain.ledger.transactionStatus(transaction.txId)).toEqual({ status: 'committed', height: 3, index: 0 });
    expect(chain.ledger.includable(transaction, chain.nextTimeMs)).toMatchObject({ ok: false });
  });
});

const PLACES: readonly (readonly [where: string, isSaved: boolean])[] = [
  ['the value log, as of whoever votes', true],
  ['LevelDB, as of whoever syncs', false],
];

// @mutation packages/ledger/src/level-store.ts
// - for (const { gte, lt } of ranges) await this.#database.compactRange(gte, lt);
// +
// @mutation packages/ledger/src/level-store.ts
// - await this.#reclaimer.all();
// +
test.each(PLACES)('oasis-core #6286: pruning gives the room on disk back, where bodies are in %s', async (_where, isSaved) => {
  const directory = await mkdtemp(join(tmpdir(), 'nacre-prune-'));
  const path = join(directory, 'store');
  const size = async (): Promise<number> => {
    const names = await readdir(path, { recursive: true });
    const sizes = await Promise.all(names.map(async (name) => (await stat(join(path, name)).catch(() => null))?.size ?? 0));
    return sizes.reduce((sum, one) => sum + one, 0);
  };
  const { genesis } = await TestChain.create();
  const open = () => LevelStore.open(path, { formatVersion: 2, genesisHash: genesis.hash });
  let store = await open();
  const { chain, writer } = await TestChain.withService({ store });
  for (let i = 0; i < 100; i++) {
    const noise = Array.from({ length: 8 }, () => randomBytes(3_000).toString('base64'));
    const transactions = [await chain.append(writer, noise)];
    if (isSaved) await chain.ledger.saveCandidate(chain.propose(transactions));
    await chain.decide(transactions);
  }
  const { operations } = pruneOperations(chain.ledger, 90);
  await store.close();
  // Now what stood in LevelDB's log stands in a table.
  store = await open();
  const before = await size();
  await store.write(operations, { sync: true });
  await store.reclaim(PRUNED_RANGES);
  await store.close();
  store = await open();
  await store.close();
  const after = await size();
  await rm(directory, { recursive: true, force: true });
  expect(after).toBeLessThan(before / 3);
});
