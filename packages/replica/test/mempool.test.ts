/** Which transactions are taken, in which order they are given, and when they go. */
import { toHex } from '@nacre/base';
import type { Ledger, Transaction } from '@nacre/ledger';
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { Mempool } from '../src/mempool.ts';
import { MemoryStore } from './support/memory-store.ts';
import { BOUNDS, idsOf, MempoolStage, NOW_MS } from './support/mempool-stage.ts';
import { openLedger, type TestChain } from './support/test-chain.ts';

/** Of what is sent again: no bound that matters here. */
const ANY = { count: 9, bytes: 1_000_000 };

let stage: MempoolStage;
let chain: TestChain;
let store: MemoryStore;
let ledger: Ledger;
let mempool: Mempool;

beforeEach(async () => {
  stage = await MempoolStage.create();
  ({ chain, store, ledger } = stage);
  mempool = stage.mempool();
});

describe('bounds', () => {
  // @mutation packages/replica/src/mempool.ts
  // - if (this.#byId.size >= pendingCountMax || this.#bytes + size > pendingBytesMax) {
  // + if (this.#byId.size > pendingCountMax || this.#bytes + size > pendingBytesMax) {
  test('by count: one more than allowed is refused, and room that a block makes is used again', async () => {
    mempool = stage.mempool({ pendingCountMax: 4, accountShareDivisor: 1 });
    const transactions = await stage.many(5);
    for (const transaction of transactions.slice(0, 4)) expect(await mempool.admit(transaction, NOW_MS)).toMatchObject({ ok: true });
    const last = transactions[4] as Transaction;
    expect(await mempool.admit(last, NOW_MS)).toMatchObject({ ok: false, error: { code: 'MEMPOOL_FULL', count: 4, pendingCountMax: 4 } });
    expect(mempool.hear(last, NOW_MS)).toBe(false);
    await mempool.settle(await stage.decide(transactions.slice(0, 1)), ledger.tip.timeMs);
    expect(await mempool.admit(last, NOW_MS)).toMatchObject({ ok: true });
  });

  // @mutation packages/replica/src/mempool.ts
  // - this.#bytes + size > pendingBytesMax) {
  // + this.#bytes > pendingBytesMax) {
  test('by bytes: exactly full is allowed, one byte more is not', async () => {
    const [a, b, c] = (await stage.many(3)) as [Transaction, Transaction, Transaction];
    const pendingBytesMax = a.bytes.length + b.bytes.length;
    mempool = stage.mempool({ pendingBytesMax, accountShareDivisor: 1 });
    await mempool.admit(a, NOW_MS);
    expect(await mempool.admit(b, NOW_MS)).toMatchObject({ ok: true });
    expect(mempool.bytes).toBe(pendingBytesMax);
    expect(await mempool.admit(c, NOW_MS)).toMatchObject({ ok: false, error: { code: 'MEMPOOL_FULL', bytes: pendingBytesMax } });
    mempool = stage.mempool({ pendingBytesMax: pendingBytesMax - 1, accountShareDivisor: 1 });
    await mempool.admit(a, NOW_MS);
    expect(await mempool.admit(b, NOW_MS)).toMatchObject({ ok: false });
  });

  // @mutation packages/replica/src/mempool.ts
  // - if (account.queue.size >= pendingCountMax / accountShareDivisor ||
  // + if (account.queue.size > pendingCountMax / accountShareDivisor ||
  test('one account may fill its share and no more; others are still admitted', async () => {
    mempool = stage.mempool({ pendingCountMax: 6 });
    const greedy = await stage.many(4, 0);
    for (const transaction of greedy.slice(0, 3)) expect(await mempool.admit(transaction, NOW_MS)).toMatchObject({ ok: true });
    expect(await mempool.admit(greedy[3] as Transaction, NOW_MS)).toMatchObject({ ok: false, error: { code: 'ACCOUNT_FULL', count: 3 } });
    expect(await mempool.admit(await chain.anyTransaction(1), NOW_MS)).toMatchObject({ ok: true });
  });

  // @mutation packages/replica/src/mempool.ts
  // - account.bytes + size > pendingBytesMax / accountShareDivisor) {
  // + account.bytes > pendingBytesMax / accountShareDivisor) {
  test('the share counts bytes, too', async () => {
    const [a, b] = (await stage.many(2)) as [Transaction, Transaction];
    mempool = stage.mempool({ pendingBytesMax: 2 * (a.bytes.length + b.bytes.length) - 2 });
    await mempool.admit(a, NOW_MS);
    expect(await mempool.admit(b, NOW_MS)).toMatchObject({ ok: false, error: { code: 'ACCOUNT_FULL' } });
  });
});

describe('order', () => {
  test('accounts take turns, each with its oldest first, whatever came when', async () => {
    const pool = await Promise.all([0, 1, 2, 3].map((sponsor) => stage.many(12, sponsor)));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(3), { maxLength: 40 }), async (arrivals) => {
        const fresh = new Mempool({ ...BOUNDS, accountShareDivisor: 1 }, { ledger, store: new MemoryStore() });
        const queues: string[][] = [[], [], [], []];
        const order: number[] = [];
        for (const account of arrivals) {
          const queue = queues[account] as string[];
          const transaction = pool[account]?.[queue.length];
          if (transaction === undefined) continue;
          if (queue.length === 0) order.push(account);
          queue.push(toHex(transaction.txId));
          fresh.hear(transaction, NOW_MS);
        }
        const expected: string[] = [];
        for (let turn = 0; turn < 12; turn++) {
          for (const account of order) {
            const id = queues[account]?.[turn];
            if (id !== undefined) expected.push(id);
          }
        }
        expect(idsOf(fresh.candidates())).toEqual(expected);
      }),
      { numRuns: 50 },
    );
  });

  // @mutation packages/replica/src/mempool.ts
  // - if (due.length === limits.count || bytes >= limits.bytes || nowMs - pending.sentAtMs < intervalMs) break;
  // + if (bytes >= limits.bytes || nowMs - pending.sentAtMs < intervalMs) break;
  // @mutation packages/replica/src/mempool.ts
  // - pending.sentAtMs = nowMs;
  // +
  test('what waits long is sent again, at most so many at once, and each again only after the interval', async () => {
    const transactions = await stage.many(3);
    for (const transaction of transactions) await mempool.admit(transaction, NOW_MS);
    const two = { ...ANY, count: 2 };
    expect(mempool.dueForSending(NOW_MS + 99, 100, ANY)).toEqual([]);
    expect(idsOf(mempool.dueForSending(NOW_MS + 100, 100, two))).toEqual(idsOf(transactions.slice(0, 2)));
    expect(idsOf(mempool.dueForSending(NOW_MS + 100, 100, two))).toEqual(idsOf(transactions.slice(2)));
    expect(mempool.dueForSending(NOW_MS + 199, 100, ANY)).toEqual([]);
  });

  // @mutation packages/replica/src/mempool.ts
  // - if (due.length === limits.count || bytes >= limits.bytes || nowMs - pending.sentAtMs < intervalMs) break;
  // + if (due.length === limits.count || nowMs - pending.sentAtMs < intervalMs) break;
  // @mutation packages/replica/src/mempool.ts
  // - this.#acknowledged.delete(pending.id);
  // +
  test('what is sent again is bounded by bytes, and everything has its turn before anything has a second', async () => {
    const transactions = await stage.many(3);
    for (const transaction of transactions) await mempool.admit(transaction, NOW_MS);
    const one = { ...ANY, bytes: 1 };
    const turns = [100, 200, 300, 400].map((ms) => idsOf(mempool.dueForSending(NOW_MS + ms, 100, one)));
    expect(turns.flat()).toEqual(idsOf([...transactions, ...transactions.slice(0, 1)]));
  });
});

describe('a decided block', () => {
  test('takes its transactions out, here and on the disk', async () => {
    const [a, b] = (await stage.many(2)) as [Transaction, Transaction];
    await mempool.admit(a, NOW_MS);
    await mempool.admit(b, NOW_MS);
    await mempool.settle(await stage.decide([a]), ledger.tip.timeMs);
    expect(idsOf(mempool.candidates())).toEqual(idsOf([b]));
    expect(mempool.withBody(a.bodyHash)).toBeUndefined();
    expect(mempool.bytes).toBe(b.bytes.length);
    expect(idsOf((await stage.reopened()).candidates())).toEqual(idsOf([b]));
  });

  test('takes out a transaction that it holds under another signature', async () => {
    const nonce = new Uint8Array(16).fill(7);
    const validUntilMs = chain.ledger.tip.timeMs + 60_000;
    const operations = [{ kind: 'validator.recover' as const, nonce }];
    const [ours, theirs] = [
      await chain.transaction(chain.key(0), operations, { nonce, validUntilMs }),
      await chain.transaction(chain.key(0), operations, { nonce, validUntilMs }),
    ];
    await mempool.admit(ours, NOW_MS);
    await mempool.settle(await stage.decide([theirs]), ledger.tip.timeMs);
    expect(mempool.count).toBe(0);
    expect(ledger.body(theirs.bodyHash)).toBeDefined();
  });

  // @mutation packages/replica/src/mempool.ts
  // - if (validUntilMs >= blockTimeMs) {
  // + if (validUntilMs > blockTimeMs) {
  // @mutation packages/replica/src/mempool.ts
  // - if (this.#earliestExpiryMs < blockTimeMs) {
  // + if (this.#earliestExpiryMs + 1 < blockTimeMs) {
  test('expires what names an earlier time, and not what names its own', async () => {
    const validUntilMs = chain.ledger.tip.timeMs + 2_000;
    const transaction = await chain.anyTransaction(0, { validUntilMs });
    await mempool.admit(transaction, NOW_MS);
    mempool.hear(await chain.anyTransaction(0, { validUntilMs: validUntilMs - 1 }), NOW_MS);
    await mempool.settle(await stage.decide([], validUntilMs), validUntilMs);
    expect(mempool.count).toBe(1);
    expect(mempool.has(transaction.txId)).toBe(true);
    expect(ledger.transactionStatus(transaction.txId)).toBeUndefined();
    await mempool.settle(await stage.decide([], validUntilMs + 1), validUntilMs + 1);
    expect(mempool.has(transaction.txId)).toBe(false);
    expect(ledger.transactionStatus(transaction.txId)).toEqual({ status: 'expired', height: 2, timeMs: validUntilMs + 1 });
    expect(ledger.body(transaction.bodyHash)).toBeUndefined();
  });

  // @mutation packages/replica/src/mempool.ts
  // - this.#earliestExpiryMs = Math.min(this.#earliestExpiryMs, validUntilMs);
  // +
  test('leaves the next expiry to a later one', async () => {
    const startMs = chain.ledger.tip.timeMs;
    const [early, late] = [
      await chain.anyTransaction(0, { validUntilMs: startMs + 1 }),
      await chain.anyTransaction(0, { validUntilMs: startMs + 5_000 }),
    ];
    mempool.hear(early, NOW_MS);
    mempool.hear(late, NOW_MS);
    await mempool.settle(await stage.decide([], startMs + 2_000), startMs + 2_000);
    expect(idsOf(mempool.candidates())).toEqual(idsOf([late]));
    await mempool.settle(await stage.decide([], startMs + 6_000), startMs + 6_000);
    expect(mempool.count).toBe(0);
  });

  test('that leaves everything pending writes nothing', async () => {
    await mempool.admit(await chain.anyTransaction(), NOW_MS);
    await stage.decide([]);
    const before = { ...store.writes };
    await mempool.settle([], ledger.tip.timeMs);
    expect(store.writes).toEqual(before);
  });
});

// @mutation packages/replica/src/mempool.ts
// - return this.#byId.size > 0 && 2 * this.#decidedBytes >= this.#ledger.parameters.blockBytesMax;
// + return this.#byId.size > 0 && this.#decidedBytes >= this.#ledger.parameters.blockBytesMax;
// @mutation packages/replica/src/mempool.ts
// - this.#decidedBytes = 0;
// - for (const txId of decided) {
// + for (const txId of decided) {
test('waits for room after a block that was half full, if more is pending', async () => {
  const blockBytesMax = 2 * (await chain.anyTransaction()).bytes.length;
  const genesis = { ...chain.genesis, parameters: { ...chain.genesis.parameters, blockBytesMax } };
  // Parameters are read from the state, which begins with those of the genesis.
  mempool = new Mempool(BOUNDS, { ledger: await openLedger(genesis, new MemoryStore()), store });
  const [first, second] = (await stage.many(2)) as [Transaction, Transaction];
  for (const transaction of [first, second]) mempool.hear(transaction, NOW_MS);
  expect(mempool.waitsForRoom).toBe(false);
  await mempool.settle([first.txId], ledger.tip.timeMs);
  expect(mempool.waitsForRoom).toBe(true);
  await mempool.settle([], ledger.tip.timeMs);
  expect(mempool.waitsForRoom).toBe(false);
  await mempool.settle([second.txId], ledger.tip.timeMs);
  expect(mempool.waitsForRoom).toBe(false);
});
