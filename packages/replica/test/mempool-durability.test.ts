/** What becomes of pending transactions when a process or its power ends. */
import { bodyOperation, type Ledger, pendingKey, type Transaction } from '@nacre/ledger';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Mempool } from '../src/mempool.ts';
import type { MemoryStore } from './support/memory-store.ts';
import { idsOf, MempoolStage, NOW_MS } from './support/mempool-stage.ts';
import type { TestChain } from './support/test-chain.ts';
import { settled } from './support/virtual-clock.ts';

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
    const next = await stage.reopened();
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
    expect((await stage.reopened()).has(transaction.txId)).toBe(true);
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
    const [first, heard, admitted] = (await stage.many(3)) as [Transaction, Transaction, Transaction];
    store.syncs.shut();
    const writing = mempool.admit(first, NOW_MS);
    mempool.hear(heard, NOW_MS);
    mempool.storeHeard(NOW_MS + 5_000);
    const answer = mempool.admit(admitted, NOW_MS);
    store.syncs.open();
    await Promise.all([writing, answer]);
    store.powerCut();
    expect((await stage.reopened()).isAcknowledged(admitted.txId)).toBe(true);
  });

  test('shares its sync with all that came while an earlier one was under way', async () => {
    const transactions = await stage.many(40);
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
    expect((await stage.reopened()).isAcknowledged(transaction.txId)).toBe(true);
  });

  // @mutation packages/replica/src/mempool.ts
  // - pending.durable = null;
  // +
  test('from before a restart stays when it cannot be synced again, and is synced at the next attempt', async () => {
    const transaction = await chain.anyTransaction();
    await mempool.admit(transaction, NOW_MS);
    const next = await stage.reopened();
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
    const [admitted, heard] = (await stage.many(2)) as [Transaction, Transaction];
    await mempool.admit(admitted, NOW_MS);
    mempool.hear(heard, NOW_MS);
    mempool.storeHeard(NOW_MS + 5_000);
    await settled();
    const next = await stage.reopened();
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
    const next = await stage.reopened();
    expect(await next.admit(transaction, NOW_MS)).toMatchObject({ ok: true });
    store.powerCut();
    expect((await stage.reopened()).isAcknowledged(transaction.txId)).toBe(true);
  });

  // @mutation packages/replica/src/mempool.ts
  // - if (this.#ledger.transactionStatus(transaction.txId) !== undefined || this.#ledger.isIncluded(transaction.txId))
  // + if (false)
  test('that a block decided while its signature was checked is refused, and the block keeps its body', async () => {
    const validUntilMs = chain.ledger.tip.timeMs + 5_000;
    const transaction = await chain.anyTransaction(0, { validUntilMs });
    await stage.decide([transaction]);
    expect(await mempool.admit(transaction, NOW_MS)).toMatchObject({ ok: false, error: { code: 'DUPLICATE' } });
    expect(mempool.hear(transaction, NOW_MS)).toBe(false);
    await mempool.settle(await stage.decide([], validUntilMs + 1), validUntilMs + 1);
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
    const next = await stage.reopened();
    expect([next.has(transaction.txId), next.isStored(transaction.bodyHash)]).toEqual([true, true]);
    store.powerCut();
    expect((await stage.reopened()).has(transaction.txId)).toBe(false);
  });

  // @mutation packages/replica/src/mempool.ts
  // - await this.#write(operations, sync);
  // + void this.#write(operations, sync);
  test('counts as stored when the store has taken it, not before', async () => {
    const [first, second] = (await stage.many(2)) as [Transaction, Transaction];
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
    await mempool.settle(await stage.decide([transaction]), ledger.tip.timeMs);
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

describe('after a restart', () => {
  // @mutation packages/replica/src/mempool.ts
  // - gte = new Uint8Array([...last.key, 0]);
  // +   break;
  test('more than one page of pending transactions is read back', async () => {
    mempool = stage.mempool({ pendingCountMax: 2_000 });
    const transactions = await stage.many(300);
    await Promise.all(transactions.map((transaction) => mempool.admit(transaction, NOW_MS)));
    const next = await stage.reopened();
    expect(idsOf(next.candidates()).sort()).toEqual(idsOf(transactions).sort());
  });

  // @mutation packages/replica/src/mempool.ts
  // - this.#ledger.transactionStatus(decoded.value.txId) !== undefined) {
  // + false) {
  test('what the chain decided meanwhile does not wait again', async () => {
    const transaction = await chain.anyTransaction();
    await mempool.admit(transaction, NOW_MS);
    await stage.decide([transaction]); // The process ended before the mempool heard of it.
    expect((await stage.reopened()).count).toBe(0);
    expect((await stage.reopened()).count).toBe(0);
    expect(ledger.body(transaction.bodyHash)).toBeDefined();
  });

  // @mutation packages/replica/src/mempool.ts
  // - } else if (decoded.value.contents.validUntilMs < this.#ledger.tip.timeMs) {
  // + } else if (false) {
  test('what expired meanwhile is final', async () => {
    const validUntilMs = chain.ledger.tip.timeMs + 1_000;
    const transaction = await chain.anyTransaction(0, { validUntilMs });
    await mempool.admit(transaction, NOW_MS);
    await stage.decide([], validUntilMs + 1);
    expect((await stage.reopened()).count).toBe(0);
    expect(ledger.transactionStatus(transaction.txId)).toMatchObject({ status: 'expired' });
  });

  test('a marker without its body is dropped', async () => {
    const transaction = await chain.anyTransaction();
    await store.write([{ type: 'put', key: pendingKey(transaction.txId), value: new Uint8Array(33) }], { sync: true });
    expect((await stage.reopened()).count).toBe(0);
    expect(store.get(pendingKey(transaction.txId))).toBeUndefined();
  });
});
