import { type Hash, toHex } from '@nacre/base';

import { bodyOperation, type Ledger, pendingKey, type Transaction } from '@nacre/ledger';
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { Mempool } from '../src/mempool.ts';
import { MemoryStore } from './support/memory-store.ts';
import { openLedger, TestChain } from './support/test-chain.ts';
import { settled } from './support/virtual-clock.ts';

const NOW_MS = 5;
/** Of what is sent again: no bound that matters here. */
const ANY = { count: 9, bytes: 1_000_000 };
const BOUNDS = { pendingCountMax: 100, pendingBytesMax: 10_000_000, accountShareDivisor: 2 };

let chain: TestChain;
let store: MemoryStore;
let ledger: Ledger;
let mempool: Mempool;

beforeEach(async () => {
  chain = await TestChain.create();
  store = new MemoryStore();
  ledger = await openLedger(chain.genesis, store);
  mempool = new Mempool(BOUNDS, { ledger, store });
});

/** The next process on the same disk. */
async function reopened(on: MemoryStore = store): Promise<Mempool> {
  const next = new Mempool(BOUNDS, { ledger: await openLedger(chain.genesis, on), store: on });
  await next.restore(NOW_MS);
  return next;
}

const idsOf = (transactions: Iterable<Transaction>): string[] => [...transactions].map(({ txId }) => toHex(txId));

function many(count: number, sponsor = 0): Promise<Transaction[]> {
  return Promise.all(Array.from({ length: count }, () => chain.anyTransaction(sponsor)));
}

/** The ledger decides these. */
async function decide(transactions: readonly Transaction[], timeMs?: number): Promise<Hash[]> {
  const decided = await chain.decide(transactions, timeMs);
  const checked = ledger.check(decided.block, decided.transactions);
  if (!checked.ok) throw new Error(checked.error.code);
  const { statuses } = await ledger.apply(checked.value, decided.certificate);
  return statuses.map(({ txId }) => txId);
}

describe('an admitted transaction', () => {
  // @mutation packages/replica/src/mempool.ts
  // - pending.durable ??= this.#save(pending, [...this.#operations(pending.transaction, ACKNOWLEDGED), ...alongside], true);
  // + pending.durable ??= this.#save(pending, [...this.#operations(pending.transaction, ACKNOWLEDGED), ...alongside], false);
  // @mutation packages/replica/src/mempool.ts
  // - return [bodyOperation(transaction), { type: 'put', key: pendingKey(transaction.txId), value }];
  // + return [{ type: 'put', key: pendingKey(transaction.txId), value }];
  // @mutation packages/replica/src/mempool.ts
  // - return [bodyOperation(transaction), { type: 'put', key: pendingKey(transaction.txId), value }];
  // + return [bodyOperation(transaction)];
  test('survives a power cut right after the answer', async () => {
    const transaction = await chain.anyTransaction();
    expect(await mempool.admit(transaction, NOW_MS)).toEqual({ ok: true, value: undefined });
    store.powerCut();
    const next = await reopened();
    expect(next.isAcknowledged(transaction.txId)).toBe(true);
    expect(next.withBody(transaction.bodyHash)?.bytes).toEqual(transaction.bytes);
    expect(next.bytes).toBe(transaction.bytes.length);
  });

  // @mutation packages/replica/src/mempool.ts
  // - ...this.#operations(pending.transaction, ACKNOWLEDGED), ...alongside], true);
  // + ...this.#operations(pending.transaction, ACKNOWLEDGED)], true);
  test('and what its submitter stores alongside survive together or not at all', async () => {
    const key = Uint8Array.of(0x70, 1);
    const note = { type: 'put' as const, key, value: Uint8Array.of(9) };
    const transaction = await chain.anyTransaction();
    store.failure = new Error('disk full');
    await mempool.admit(transaction, NOW_MS, [note]);
    store.failure = null;
    expect(store.get(key)).toBeUndefined();
    await mempool.admit(transaction, NOW_MS, [note]);
    store.powerCut();
    expect(store.get(key)).toEqual(Uint8Array.of(9));
    expect((await reopened()).has(transaction.txId)).toBe(true);
  });

  // @mutation packages/replica/src/mempool.ts
  // - await pending.durable;
  // + void pending.durable;
  test('is not answered while its sync is under way', async () => {
    store.syncs.shut();
    let answered = false;
    const admitted = mempool.admit(await chain.anyTransaction(), NOW_MS).then(() => {
      answered = true;
    });
    await settled();
    expect(answered).toBe(false);
    store.syncs.open();
    await admitted;
  });

  // @mutation packages/replica/src/mempool.ts
  // - { sync: batch.some(({ sync }) => sync) },
  // + { sync: batch.every(({ sync }) => sync) },
  test('is synced even in one batch with what was only heard', async () => {
    const [first, heard, admitted] = (await many(3)) as [Transaction, Transaction, Transaction];
    store.syncs.shut();
    const writing = mempool.admit(first, NOW_MS);
    mempool.hear(heard, NOW_MS);
    mempool.storeHeard(NOW_MS + 5_000);
    const answer = mempool.admit(admitted, NOW_MS);
    store.syncs.open();
    await Promise.all([writing, answer]);
    store.powerCut();
    expect((await reopened()).isAcknowledged(admitted.txId)).toBe(true);
  });

  test('shares its sync with all that came while an earlier one was under way', async () => {
    const transactions = await many(40);
    const before = store.writes.synced;
    await Promise.all(transactions.map((transaction, i) => mempool.admit(transaction, NOW_MS + i)));
    expect(store.writes.synced - before).toBe(2);
  });

  // @mutation packages/replica/src/mempool.ts
  // - pending.durable ??= this.#save(
  // + pending.durable = this.#save(
  test('handed in twice is one transaction, and both answers wait for one sync', async () => {
    const transaction = await chain.anyTransaction();
    const before = store.writes.synced;
    const answers = await Promise.all([mempool.admit(transaction, NOW_MS), mempool.admit(transaction, NOW_MS)]);
    expect(answers.every(({ ok }) => ok)).toBe(true);
    expect(mempool.count).toBe(1);
    expect(store.writes.synced - before).toBe(1);
  });

  // @mutation packages/replica/src/mempool.ts
  // - if (!pending.acknowledged) this.#remove(pending);
  // +
  test('is refused when the store fails, and nothing of it stays', async () => {
    const transaction = await chain.anyTransaction();
    store.failure = new Error('disk full');
    expect(await mempool.admit(transaction, NOW_MS)).toEqual({ ok: false, error: { code: 'STORE_FAILED', reason: 'disk full' } });
    expect(mempool.count).toBe(0);
    expect(mempool.bytes).toBe(0);
    store.failure = null;
    expect(await mempool.admit(transaction, NOW_MS)).toMatchObject({ ok: true });
    store.powerCut();
    expect((await reopened()).isAcknowledged(transaction.txId)).toBe(true);
  });

  // @mutation packages/replica/src/mempool.ts
  // - pending.durable = null;
  // +
  test('from before a restart stays when it cannot be synced again, and is synced at the next attempt', async () => {
    const transaction = await chain.anyTransaction();
    await mempool.admit(transaction, NOW_MS);
    const next = await reopened();
    store.failure = new Error('once');
    expect(await next.admit(transaction, NOW_MS)).toMatchObject({ ok: false });
    expect(next.isAcknowledged(transaction.txId)).toBe(true);
    store.failure = null;
    expect(await next.admit(transaction, NOW_MS)).toMatchObject({ ok: true });
  });

  // @mutation packages/replica/src/mempool.ts
  // - if (value[HASH_BYTES] === ACKNOWLEDGED) this.#acknowledge(pending);
  // + this.#acknowledge(pending);
  test('is told from a heard one after a restart', async () => {
    const [admitted, heard] = (await many(2)) as [Transaction, Transaction];
    await mempool.admit(admitted, NOW_MS);
    mempool.hear(heard, NOW_MS);
    mempool.storeHeard(NOW_MS + 5_000);
    await settled();
    const next = await reopened();
    expect(next.has(heard.txId)).toBe(true);
    expect(next.isAcknowledged(admitted.txId)).toBe(true);
    expect(next.isAcknowledged(heard.txId)).toBe(false);
    expect(idsOf(next.dueForSending(NOW_MS + 100, 100, ANY))).toEqual(idsOf([admitted]));
  });

  // @mutation packages/replica/src/mempool.ts
  // - if (value[HASH_BYTES] === ACKNOWLEDGED) this.#acknowledge(pending);
  // + if (value[HASH_BYTES] === ACKNOWLEDGED) this.#acknowledge(pending);
  // + pending.durable = Promise.resolve();
  test('written but not yet synced when the process was killed is synced before it is acknowledged again', async () => {
    const transaction = await chain.anyTransaction();
    // A killed process leaves its unsynced writes in the page cache: the next one reads them.
    const marker = new Uint8Array([...transaction.bodyHash, 1]);
    await store.write([bodyOperation(transaction), { type: 'put', key: pendingKey(transaction.txId), value: marker }], { sync: false });
    const next = await reopened();
    expect(await next.admit(transaction, NOW_MS)).toMatchObject({ ok: true });
    store.powerCut();
    expect((await reopened()).isAcknowledged(transaction.txId)).toBe(true);
  });

  // @mutation packages/replica/src/mempool.ts
  // - if (this.#ledger.transactionStatus(transaction.txId) !== undefined) return {
  // + if (false) return {
  test('that a block decided while its signature was checked is refused, and the block keeps its body', async () => {
    const validUntilMs = chain.ledger.tip.timeMs + 5_000;
    const transaction = await chain.anyTransaction(0, { validUntilMs });
    await decide([transaction]);
    expect(await mempool.admit(transaction, NOW_MS)).toMatchObject({ ok: false, error: { code: 'DUPLICATE' } });
    expect(mempool.hear(transaction, NOW_MS)).toBe(false);
    await mempool.settle(await decide([], validUntilMs + 1), validUntilMs + 1);
    expect(ledger.body(transaction.bodyHash)).toEqual(transaction.bytes);
  });
});

describe('a heard transaction', () => {
  // @mutation packages/replica/src/mempool.ts
  // - if (nowMs - pending.sentAtMs < HEARD_STORED_AFTER_MS) break;
  // +
  // @mutation packages/replica/src/mempool.ts
  // - this.#save(pending, this.#operations(pending.transaction, HEARD), false).catch(() => {});
  // + this.#save(pending, this.#operations(pending.transaction, HEARD), true).catch(() => {});
  test('is in memory only at first, and stored when it has waited for long, without a sync', async () => {
    const transaction = await chain.anyTransaction();
    const { synced, unsynced } = store.writes;
    expect(mempool.hear(transaction, NOW_MS)).toBe(true);
    mempool.storeHeard(NOW_MS + 4_999);
    await settled();
    expect(store.writes).toEqual({ synced, unsynced });
    expect(mempool.isStored(transaction.bodyHash)).toBe(false);
    mempool.storeHeard(NOW_MS + 5_000);
    mempool.storeHeard(NOW_MS + 6_000);
    await settled();
    expect(store.writes).toEqual({ synced, unsynced: unsynced + 1 });
    expect(mempool.isStored(transaction.bodyHash)).toBe(true);
    const next = await reopened();
    expect([next.has(transaction.txId), next.isStored(transaction.bodyHash)]).toEqual([true, true]);
    store.powerCut();
    expect((await reopened()).has(transaction.txId)).toBe(false);
  });

  // @mutation packages/replica/src/mempool.ts
  // - await this.#write(operations, sync);
  // + void this.#write(operations, sync);
  test('counts as stored when the store has taken it, not before', async () => {
    const [first, second] = (await many(2)) as [Transaction, Transaction];
    store.syncs.shut();
    const writing = mempool.admit(first, NOW_MS);
    mempool.hear(second, NOW_MS);
    mempool.storeHeard(NOW_MS + 5_000);
    await settled();
    expect([first, second].map(({ bodyHash }) => mempool.isStored(bodyHash))).toEqual([false, false]);
    store.syncs.open();
    await writing;
    await settled();
    expect([first, second].map(({ bodyHash }) => mempool.isStored(bodyHash))).toEqual([true, true]);
    expect(mempool.isStored(new Uint8Array(32))).toBeUndefined();
  });

  // @mutation packages/replica/src/mempool.ts
  // - this.#unstored.delete(id);
  // - this.#byBody
  // + this.#byBody
  test('that was decided meanwhile is not stored as pending', async () => {
    const transaction = await chain.anyTransaction();
    mempool.hear(transaction, NOW_MS);
    await mempool.settle(await decide([transaction]), ledger.tip.timeMs);
    const before = { ...store.writes };
    mempool.storeHeard(NOW_MS + 5_000);
    await settled();
    expect(store.writes).toEqual(before);
  });

  test('twice is news once', async () => {
    const transaction = await chain.anyTransaction();
    expect([mempool.hear(transaction, NOW_MS), mempool.hear(transaction, NOW_MS)]).toEqual([true, false]);
  });

  test('is not offered to the network by us', async () => {
    mempool.hear(await chain.anyTransaction(), NOW_MS);
    expect(mempool.dueForSending(NOW_MS + 10_000, 100, ANY)).toEqual([]);
  });
});

describe('bounds', () => {
  // @mutation packages/replica/src/mempool.ts
  // - if (this.#byId.size >= pendingCountMax || this.#bytes + size > pendingBytesMax) {
  // + if (this.#byId.size > pendingCountMax || this.#bytes + size > pendingBytesMax) {
  test('by count: one more than allowed is refused, and room that a block makes is used again', async () => {
    mempool = new Mempool({ ...BOUNDS, pendingCountMax: 4, accountShareDivisor: 1 }, { ledger, store });
    const transactions = await many(5);
    for (const transaction of transactions.slice(0, 4)) expect(await mempool.admit(transaction, NOW_MS)).toMatchObject({ ok: true });
    const last = transactions[4] as Transaction;
    expect(await mempool.admit(last, NOW_MS)).toMatchObject({ ok: false, error: { code: 'MEMPOOL_FULL', count: 4, pendingCountMax: 4 } });
    expect(mempool.hear(last, NOW_MS)).toBe(false);
    await mempool.settle(await decide(transactions.slice(0, 1)), ledger.tip.timeMs);
    expect(await mempool.admit(last, NOW_MS)).toMatchObject({ ok: true });
  });

  // @mutation packages/replica/src/mempool.ts
  // - this.#bytes + size > pendingBytesMax) {
  // + this.#bytes > pendingBytesMax) {
  test('by bytes: exactly full is allowed, one byte more is not', async () => {
    const [a, b, c] = (await many(3)) as [Transaction, Transaction, Transaction];
    const pendingBytesMax = a.bytes.length + b.bytes.length;
    mempool = new Mempool({ ...BOUNDS, pendingBytesMax, accountShareDivisor: 1 }, { ledger, store });
    await mempool.admit(a, NOW_MS);
    expect(await mempool.admit(b, NOW_MS)).toMatchObject({ ok: true });
    expect(mempool.bytes).toBe(pendingBytesMax);
    expect(await mempool.admit(c, NOW_MS)).toMatchObject({ ok: false, error: { code: 'MEMPOOL_FULL', bytes: pendingBytesMax } });
    mempool = new Mempool({ ...BOUNDS, pendingBytesMax: pendingBytesMax - 1, accountShareDivisor: 1 }, { ledger, store });
    await mempool.admit(a, NOW_MS);
    expect(await mempool.admit(b, NOW_MS)).toMatchObject({ ok: false });
  });

  // @mutation packages/replica/src/mempool.ts
  // - if (account.queue.size >= pendingCountMax / accountShareDivisor ||
  // + if (account.queue.size > pendingCountMax / accountShareDivisor ||
  test('one account may fill its share and no more; others are still admitted', async () => {
    mempool = new Mempool({ ...BOUNDS, pendingCountMax: 6 }, { ledger, store });
    const greedy = await many(4, 0);
    for (const transaction of greedy.slice(0, 3)) expect(await mempool.admit(transaction, NOW_MS)).toMatchObject({ ok: true });
    expect(await mempool.admit(greedy[3] as Transaction, NOW_MS)).toMatchObject({ ok: false, error: { code: 'ACCOUNT_FULL', count: 3 } });
    expect(await mempool.admit(await chain.anyTransaction(1), NOW_MS)).toMatchObject({ ok: true });
  });

  // @mutation packages/replica/src/mempool.ts
  // - account.bytes + size > pendingBytesMax / accountShareDivisor) {
  // + account.bytes > pendingBytesMax / accountShareDivisor) {
  test('the share counts bytes, too', async () => {
    const [a, b] = (await many(2)) as [Transaction, Transaction];
    mempool = new Mempool({ ...BOUNDS, pendingBytesMax: 2 * (a.bytes.length + b.bytes.length) - 2 }, { ledger, store });
    await mempool.admit(a, NOW_MS);
    expect(await mempool.admit(b, NOW_MS)).toMatchObject({ ok: false, error: { code: 'ACCOUNT_FULL' } });
  });
});

describe('order', () => {
  test('accounts take turns, each with its oldest first, whatever came when', async () => {
    const pool = await Promise.all([0, 1, 2, 3].map((sponsor) => many(12, sponsor)));
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
    const transactions = await many(3);
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
  // - this.#acknowledged.delete(toHex(pending.transaction.txId));
  // +
  test('what is sent again is bounded by bytes, and everything has its turn before anything has a second', async () => {
    const transactions = await many(3);
    for (const transaction of transactions) await mempool.admit(transaction, NOW_MS);
    const one = { ...ANY, bytes: 1 };
    const turns = [100, 200, 300, 400].map((ms) => idsOf(mempool.dueForSending(NOW_MS + ms, 100, one)));
    expect(turns.flat()).toEqual(idsOf([...transactions, ...transactions.slice(0, 1)]));
  });
});

describe('a decided block', () => {
  test('takes its transactions out, here and on the disk', async () => {
    const [a, b] = (await many(2)) as [Transaction, Transaction];
    await mempool.admit(a, NOW_MS);
    await mempool.admit(b, NOW_MS);
    await mempool.settle(await decide([a]), ledger.tip.timeMs);
    expect(idsOf(mempool.candidates())).toEqual(idsOf([b]));
    expect(mempool.withBody(a.bodyHash)).toBeUndefined();
    expect(mempool.bytes).toBe(b.bytes.length);
    expect(idsOf((await reopened()).candidates())).toEqual(idsOf([b]));
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
    await mempool.settle(await decide([theirs]), ledger.tip.timeMs);
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
    await mempool.settle(await decide([], validUntilMs), validUntilMs);
    expect(mempool.count).toBe(1);
    expect(mempool.has(transaction.txId)).toBe(true);
    expect(ledger.transactionStatus(transaction.txId)).toBeUndefined();
    await mempool.settle(await decide([], validUntilMs + 1), validUntilMs + 1);
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
    await mempool.settle(await decide([], startMs + 2_000), startMs + 2_000);
    expect(idsOf(mempool.candidates())).toEqual(idsOf([late]));
    await mempool.settle(await decide([], startMs + 6_000), startMs + 6_000);
    expect(mempool.count).toBe(0);
  });

  test('that leaves everything pending writes nothing', async () => {
    await mempool.admit(await chain.anyTransaction(), NOW_MS);
    await decide([]);
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
  const [first, second] = (await many(2)) as [Transaction, Transaction];
  for (const transaction of [first, second]) mempool.hear(transaction, NOW_MS);
  expect(mempool.waitsForRoom).toBe(false);
  await mempool.settle([first.txId], ledger.tip.timeMs);
  expect(mempool.waitsForRoom).toBe(true);
  await mempool.settle([], ledger.tip.timeMs);
  expect(mempool.waitsForRoom).toBe(false);
  await mempool.settle([second.txId], ledger.tip.timeMs);
  expect(mempool.waitsForRoom).toBe(false);
});

describe('after a restart', () => {
  // @mutation packages/replica/src/mempool.ts
  // - gte = new Uint8Array([...last.key, 0]);
  // +   break;
  test('more than one page of pending transactions is read back', async () => {
    mempool = new Mempool({ ...BOUNDS, pendingCountMax: 2_000 }, { ledger, store });
    const transactions = await many(300);
    await Promise.all(transactions.map((transaction) => mempool.admit(transaction, NOW_MS)));
    const next = await reopened();
    expect(idsOf(next.candidates()).sort()).toEqual(idsOf(transactions).sort());
  });

  // @mutation packages/replica/src/mempool.ts
  // - this.#ledger.transactionStatus(decoded.value.txId) !== undefined) {
  // + false) {
  test('what the chain decided meanwhile does not wait again', async () => {
    const transaction = await chain.anyTransaction();
    await mempool.admit(transaction, NOW_MS);
    await decide([transaction]); // The process ended before the mempool heard of it.
    expect((await reopened()).count).toBe(0);
    expect((await reopened()).count).toBe(0);
    expect(ledger.body(transaction.bodyHash)).toBeDefined();
  });

  // @mutation packages/replica/src/mempool.ts
  // - } else if (decoded.value.contents.validUntilMs < this.#ledger.tip.timeMs) {
  // + } else if (false) {
  test('what expired meanwhile is final', async () => {
    const validUntilMs = chain.ledger.tip.timeMs + 1_000;
    const transaction = await chain.anyTransaction(0, { validUntilMs });
    await mempool.admit(transaction, NOW_MS);
    await decide([], validUntilMs + 1);
    expect((await reopened()).count).toBe(0);
    expect(ledger.transactionStatus(transaction.txId)).toMatchObject({ status: 'expired' });
  });

  test('a marker without its body is dropped', async () => {
    const transaction = await chain.anyTransaction();
    await store.write([{ type: 'put', key: pendingKey(transaction.txId), value: new Uint8Array(33) }], { sync: true });
    expect((await reopened()).count).toBe(0);
    expect(store.get(pendingKey(transaction.txId))).toBeUndefined();
  });
});
