import type { Hash } from '@nacre/base';
import type { Candidate } from '@nacre/ledger';
import { beforeEach, expect, test } from 'vitest';
import { BlockDesk } from '../src/block-desk.ts';
import type { HeightContext } from '../src/height-driver.ts';
import { silentLog, TestChain } from './support/test-chain.ts';
import { settled, VirtualClock } from './support/virtual-clock.ts';

let chain: TestChain;
let desk: BlockDesk;
let asked: string[];
let checked: { hash: Hash; valid: boolean }[];
const failures: unknown[] = [];
/** What peers answer with; null: nothing. */
let offered: Candidate | null;

beforeEach(async () => {
  chain = await TestChain.create();
  asked = [];
  checked = [];
  offered = null;
  failures.length = 0;
  const requests: Pick<HeightContext['requests'], 'order' | 'block' | 'bodies'> = {
    order: () => ['peer'],
    block: async () => {
      asked.push('block');
      return offered?.block ?? null;
    },
    bodies: async () => {
      asked.push('bodies');
      return [];
    },
  };
  const context = {
    ledger: chain.ledger,
    log: silentLog,
    clock: new VirtualClock(0),
    mempool: { withBody: () => undefined },
    requests,
    transport: { penalize: () => {} },
  } as unknown as HeightContext;
  desk = new BlockDesk(1, context, {
    checked: (hash, valid) => checked.push({ hash, valid }),
    failed: (error) => failures.push(error),
    isEnded: () => false,
  });
});

function candidates(count: number): Candidate[] {
  return Array.from({ length: count }, (_, i) => chain.candidate([], { timeMs: chain.ledger.tip.timeMs + 1 + i }));
}

test('a candidate that has left memory is read back and checked again when it is decided', async () => {
  const [first, ...others] = candidates(20) as [Candidate, ...Candidate[]];
  desk.keep(first);
  for (const other of others) desk.keep(other);
  await desk.durable(first.blockHash);
  const again = await desk.candidate(first.blockHash);
  expect(again).not.toBe(first);
  expect(again.blockHash).toEqual(first.blockHash);
  await chain.ledger.apply(again, await chain.certificate({ height: 1, blockHash: first.blockHash }));
  expect(chain.ledger.tip.height).toBe(1);
});

// @mutation packages/replica/src/block-desk.ts
// - oldest.durable.then(
// + this.#held.delete(key);
// + oldest.durable.then(
test('a candidate stays in memory until it is on the disk, however many come after it', async () => {
  chain.store.syncs.shut();
  const [first, ...others] = candidates(20) as [Candidate, ...Candidate[]];
  desk.keep(first);
  for (const other of others) desk.keep(other);
  let durable = false;
  const waiting = desk.durable(first.blockHash).then(() => {
    durable = true;
  });
  await settled();
  expect(durable).toBe(false);
  chain.store.syncs.open();
  await waiting;
  expect(failures).toEqual([]);
});

// @mutation packages/replica/src/block-desk.ts
// - if (known.block !== null && this.#checking.size >= CHECKING_MAX) return;
// +
test('sixteen blocks that cannot be completed keep further proposals out, and not what a quorum names', async () => {
  const transaction = await chain.anyTransaction();
  const incomplete = Array.from({ length: 17 }, (_, i) => chain.candidate([transaction], { timeMs: chain.ledger.tip.timeMs + 1 + i }));
  for (const { block, blockHash } of incomplete) desk.obtain(blockHash, { block, source: null });
  const [last, fresh] = [incomplete[16] as Candidate, candidates(1)[0] as Candidate];
  await settled();
  expect(desk.isKnown(last.blockHash)).toBe(false);
  offered = fresh;
  desk.obtain(fresh.blockHash, { block: null, source: null });
  await settled();
  expect(checked).toEqual([{ hash: fresh.blockHash, valid: true }]);
});

test('a block of another height is refused unseen', async () => {
  await chain.decide();
  const { block, blockHash } = chain.candidate();
  desk.obtain(blockHash, { block, source: 'peer' });
  desk.obtain(blockHash, { block, source: 'peer' });
  await settled();
  expect(checked).toEqual([{ hash: blockHash, valid: false }]);
  expect(asked).toEqual([]);
});

test('a block that is stored already is not asked for', async () => {
  const [candidate] = candidates(1) as [Candidate];
  await chain.ledger.saveCandidate(candidate);
  desk.obtain(candidate.blockHash, { block: null, source: null });
  await settled();
  expect(checked).toEqual([{ hash: candidate.blockHash, valid: true }]);
  expect(asked).toEqual([]);
  expect(desk.block(candidate.blockHash)?.bytes).toEqual(candidate.block.bytes);
});

test('a store that fails ends the height', async () => {
  const [candidate] = candidates(1) as [Candidate];
  chain.store.failure = new Error('bad sector');
  desk.obtain(candidate.blockHash, { block: candidate.block, source: null });
  await settled();
  expect(failures).toMatchObject([{ message: 'bad sector' }]);
});
