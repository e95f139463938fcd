/** What becomes of pending transactions when their node goes on from a snapshot, which does not say how transactions ended. */
import { concatBytes, type Hash } from '@nacre/base';
import { beforeEach, expect, test } from 'vitest';
import type { Mempool } from '../src/mempool.ts';
import { MempoolStage, NOW_MS } from './support/mempool-stage.ts';

let stage: MempoolStage;
let mempool: Mempool;

beforeEach(async () => {
  stage = await MempoolStage.create();
  mempool = stage.mempool();
});

/** As a snapshot's ids say that a block before it holds the transaction. */
const include = (txId: Hash) =>
  stage.ledger.adopt(() =>
    stage.store.write([{ type: 'put', key: concatBytes(Uint8Array.of(0x14), txId), value: new Uint8Array(0) }], { sync: true }),
  );

// @mutation packages/replica/src/mempool.ts
// - filter(({ transaction }) => transaction.contents.validUntilMs < timeMs);
// + filter(() => false);
test('what cannot come any more is forgotten for good, and never said to have expired', async () => {
  const { chain, ledger } = stage;
  const passed = await chain.anyTransaction(0, { validUntilMs: ledger.tip.timeMs + 5_000 });
  const waiting = await chain.anyTransaction(0, { validUntilMs: ledger.tip.timeMs + 50_000 });
  for (const transaction of [passed, waiting]) await mempool.admit(transaction, NOW_MS);
  expect(await mempool.leapTo(ledger.tip.timeMs + 10_000)).toBe(1);
  expect([mempool.has(passed.txId), mempool.has(waiting.txId)]).toEqual([false, true]);
  stage.store.powerCut();
  await stage.decide([], ledger.tip.timeMs + 10_000);
  const next = await stage.reopened();
  expect([next.has(passed.txId), next.has(waiting.txId)]).toEqual([false, true]);
  expect(ledger.transactionStatus(passed.txId)).toBeUndefined();
});

// @mutation packages/replica/src/mempool.ts
// - if (this.#ledger.isIncluded(transaction.txId)) return [{ type: 'delete', key: pendingKey(transaction.txId) }];
// +
test('what a block before the snapshot holds has not expired, also after a restart in between', async () => {
  const { chain, ledger } = stage;
  const transaction = await chain.anyTransaction(0, { validUntilMs: ledger.tip.timeMs + 5_000 });
  await mempool.admit(transaction, NOW_MS);
  await include(transaction.txId);
  await stage.decide([], ledger.tip.timeMs + 10_000);
  const next = await stage.reopened();
  expect(next.has(transaction.txId)).toBe(false);
  expect(ledger.transactionStatus(transaction.txId)).toBeUndefined();
  await mempool.settle([], ledger.tip.timeMs);
  expect(ledger.transactionStatus(transaction.txId)).toBeUndefined();
});

// @mutation packages/ledger/src/ledger.ts
// - this.#notIncluded = new ClockMap(NOT_INCLUDED_KEPT_MAX);
// + this.#notIncluded ??= new ClockMap(NOT_INCLUDED_KEPT_MAX);
test('what a block before the snapshot holds waits no longer', async () => {
  const transaction = await stage.chain.anyTransaction();
  await mempool.admit(transaction, NOW_MS);
  expect(mempool.hasPromises).toBe(true);
  await include(transaction.txId);
  await mempool.dropIncluded();
  expect(mempool.has(transaction.txId)).toBe(false);
  expect(mempool.hasPromises).toBe(false);
  expect(await mempool.admit(transaction, NOW_MS)).toMatchObject({ ok: false, error: { code: 'DUPLICATE' } });
});
