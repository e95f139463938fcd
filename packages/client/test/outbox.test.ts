import { toHex } from '@nacre/base';
import { connect, createAccountKey, Outbox, type OutboxOptions, type OutboxOutcome } from '@nacre/client';
import { createGenesis } from '@nacre/ledger';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { OUTBOX_ITEMS_MAX } from '../src/client-limits.ts';
import { ACCOUNT, FakeChain, MemoryStore, note } from './fake-chain.ts';
import { errorBody, resultBody } from './fake-node.ts';

let chain: FakeChain;
let events: string[];
let store: MemoryStore;
let told: OutboxOutcome[];
const outboxes: Outbox[] = [];

beforeEach(async () => {
  chain = await FakeChain.start();
  events = [];
  store = new MemoryStore(events);
  told = [];
  const { onSubmit } = chain;
  chain.onSubmit = (transaction, index) => {
    events.push('sent');
    return onSubmit(transaction, index);
  };
});

afterEach(async () => {
  await Promise.all(outboxes.splice(0).map((outbox) => outbox.close()));
  await chain.stop();
});

async function open(options: Partial<OutboxOptions> = {}, client = chain.client()): Promise<Outbox> {
  const onFinal = (outcome: OutboxOutcome): void => {
    events.push('told');
    told.push(outcome);
  };
  const outbox = await Outbox.open({ account: ACCOUNT, onFinal, ...options }, { client, store });
  outboxes.push(outbox);
  return outbox;
}

/** What nodes do with transactions, one submission after the other; the last of them from then on. */
function answers(...each: readonly ((...call: Parameters<FakeChain['onSubmit']>) => string | null)[]): void {
  chain.onSubmit = (transaction, index) => {
    events.push('sent');
    return (each[Math.min(index, each.length - 1)] as (typeof each)[number])(transaction, index);
  };
}

const commit: FakeChain['onSubmit'] = (transaction) => chain.commit(transaction);
const pending: FakeChain['onSubmit'] = ({ txId, contents: { validUntilMs } }) =>
  resultBody({
    txId: toHex(txId),
    chain: 0,
    status: 'pending',
    validUntilMs,
    height: null,
    index: null,
    networkState: { state: 'NORMAL', reason: null },
  });
const refuse: FakeChain['onSubmit'] = () => errorBody('NOT_A_WRITER', { retryable: false });
/** Longer than sending takes, on a busy machine too: whoever does not wait is found out. */
const SLOW_PUT_MS = 1_500;
const distinct = (): number => new Set(chain.submitted.map(({ txId }) => toHex(txId))).size;

describe('an item', () => {
  // @mutation packages/client/src/outbox.ts
  // - await this.#store.put({ id, content: encodeContent({ kind: 'transaction', tx: transaction.bytes }) });
  // + void this.#store.put({ id, content: encodeContent({ kind: 'transaction', tx: transaction.bytes }) });
  // @mutation packages/client/src/outbox-entry.ts
  // - if (!this.#isTold) await this.#context.onFinal(outcome);
  // + setTimeout(() => this.#context.onFinal(outcome), 50);
  test('is kept before it is sent, and told before it is forgotten', async () => {
    store.putMs = SLOW_PUT_MS;
    const outbox = await open();
    const { id, outcome } = await outbox.submit(note(1));
    expect(await outcome).toMatchObject({ id, status: 'committed', height: 5, index: 0 });
    expect(events).toEqual(['kept transaction', 'sent', 'told', 'forgotten']);
    expect(told).toEqual([await outcome]);
    expect(outbox.items()).toEqual([]);
  });

  test('that takes its time is sent again as it is, since that is the same transaction', async () => {
    answers(pending, pending, commit);
    const outbox = await open();
    await (await outbox.submit(note(1))).outcome;
    expect([chain.submitted.length, distinct()]).toEqual([3, 1]);
  });

  test('goes on where the process ended, to another node too', async () => {
    answers(() => errorBody('STORE_FAILED'));
    const first = await open();
    const { txId } = await first.submit(note(1), { id: 'one' });
    await expect.poll(() => chain.submitted.length).toBeGreaterThan(0);
    await first.close();
    const other = await FakeChain.start();
    const gone = await FakeChain.start();
    await gone.stop();
    const second = await open({}, gone.client(other));
    await second.drained();
    expect(told).toMatchObject([{ id: 'one', txId, status: 'committed' }]);
    await other.stop();
  });

  test('waits for what may still come, such as its service', async () => {
    answers(
      () => errorBody('UNKNOWN_SERVICE'),
      () => errorBody('UNKNOWN_SERVICE'),
      commit,
    );
    const outbox = await open();
    const { outcome } = await outbox.submit(note(1));
    await expect.poll(() => outbox.items()[0]?.problem).toMatchObject({ code: 'UNKNOWN_SERVICE' });
    expect(await outcome).toMatchObject({ status: 'committed' });
  });

  test('does not hinder others while it waits', async () => {
    const { onSubmit } = chain;
    chain.onSubmit = (transaction, index) => (index < 100 ? errorBody('UNKNOWN_SERVICE') : onSubmit(transaction, index));
    const outbox = await open();
    const items = await Promise.all(Array.from({ length: 100 }, (_, number) => outbox.submit(note(number))));
    await Promise.all(items.map(({ outcome }) => outcome));
    expect(told).toHaveLength(100);
  });

  // @mutation packages/client/src/outbox-entry.ts
  // - this.#outcome ??= await slots.run(() => this.#attempt());
  // + this.#outcome = await slots.run(() => this.#attempt());
  test('whose outcome cannot be told is told again, and not sent again', async () => {
    let calls = 0;
    const onFinal = (outcome: OutboxOutcome): void => {
      if (++calls < 3) throw new Error('no room');
      told.push(outcome);
    };
    const outbox = await open({ onFinal });
    await (await outbox.submit(note(1))).outcome;
    expect([calls, told.length, chain.submitted.length]).toEqual([3, 1, 1]);
  });

  test('that failed in a block is told so, with the reason', async () => {
    answers(() => errorBody('TRANSACTION_FAILED', { retryable: false, reason: { code: 'X', operation: 0 } }));
    await (await (await open()).submit(note(1))).outcome;
    expect(told).toMatchObject([{ status: 'failed', error: { code: 'TRANSACTION_FAILED', fields: { reason: { code: 'X' } } } }]);
  });
});

describe('operations are signed anew', () => {
  // @mutation packages/client/src/outbox-entry.ts
  // - await store.put({ id: this.id, content: encodeContent({ kind: 'transaction', tx: anew.bytes }) });
  // + void store.put({ id: this.id, content: encodeContent({ kind: 'transaction', tx: anew.bytes }) });
  test('when a decided block is past their time, and are kept before they are sent', async () => {
    store.putMs = SLOW_PUT_MS;
    answers((transaction) => chain.expire(transaction, { isDecided: true }), commit);
    await (await (await open()).submit(note(1))).outcome;
    expect(events).toEqual(['kept transaction', 'sent', 'kept transaction', 'sent', 'told', 'forgotten']);
    const [old, anew] = chain.submitted;
    expect(anew?.contents.operations).toEqual(old?.contents.operations);
    expect(anew?.contents.nonce).not.toEqual(old?.contents.nonce);
    expect(anew?.contents.validUntilMs).toBeGreaterThan(chain.timeMs);
  });

  // @mutation packages/client/src/transaction-ending.ts
  // - return timeMs > validUntilMs ? { status: 'expired', txId, chain, height, timeMs } : null;
  // + return { status: 'expired', txId, chain, height, timeMs };
  test('not when only a clock is past it', async () => {
    answers((transaction) => chain.expire(transaction, { isDecided: false }));
    const outbox = await open();
    await outbox.submit(note(1));
    await expect.poll(() => chain.submitted.length).toBeGreaterThan(3);
    expect(distinct()).toBe(1);
  });

  // @mutation packages/client/src/transaction-ending.ts
  // - if (status.genesisHash !== genesisHash || tip === undefined) return null;
  // + if (tip === undefined) return null;
  test('not by the word of a node of another network', async () => {
    chain.genesisHash = '00';
    answers((transaction) => chain.expire(transaction, { isDecided: true }));
    await (await open()).submit(note(1));
    await expect.poll(() => chain.submitted.length).toBeGreaterThan(3);
    expect(distinct()).toBe(1);
  });

  // @mutation packages/client/src/transaction-ending.ts
  // - return known.find(({ status }) => status !== 'expired') ?? known[0] ?? null;
  // + return known[0] ?? null;
  test('not when any node has them in a block', async () => {
    const other = await FakeChain.start();
    answers((transaction) => {
      other.commit(transaction);
      return chain.expire(transaction, { isDecided: true });
    });
    const outbox = await open({}, chain.client(other));
    expect(await (await outbox.submit(note(1))).outcome).toMatchObject({ status: 'committed' });
    expect([distinct(), other.submitted.length]).toEqual([1, 0]);
    await other.stop();
  });

  test('although other nodes are away, or behind and still have them waiting', async () => {
    const [behind, away] = [await FakeChain.start(), await FakeChain.start()];
    await away.stop();
    answers((transaction) => {
      const txId = toHex(transaction.txId);
      behind.statuses.set(txId, { txId, chain: 0, status: 'admitted', transaction: null });
      return chain.expire(transaction, { isDecided: true });
    }, commit);
    const outbox = await open({}, chain.client(behind, away));
    await (await outbox.submit(note(1))).outcome;
    expect(distinct()).toBe(2);
    await behind.stop();
  });

  test('not after a failure that was only learned of later', async () => {
    answers((transaction) => {
      const txId = toHex(transaction.txId);
      const failed = { txId, chain: 0, status: 'failed', height: 3, index: 0, transaction: null, reason: { code: 'X', operation: 0 } };
      chain.statuses.set(txId, failed);
      return chain.expire(transaction, { isDecided: true });
    });
    await (await (await open()).submit(note(1))).outcome;
    expect(told).toMatchObject([{ status: 'failed', error: { code: 'TRANSACTION_FAILED' } }]);
  });
});

describe('a refusal for good', () => {
  const SENDERS = [
    ['another node', true],
    ['an earlier process', false],
  ] as const;

  // @mutation packages/client/src/outbox-entry.ts
  // - await this.#context.store.put({ id: this.id, content: encodeContent({ kind: 'refused', txId, error }) });
  // + void txId;
  test('of a transaction that nobody else can have is told at once, and kept before', async () => {
    answers(refuse);
    await (await (await open()).submit(note(1))).outcome;
    expect(events).toEqual(['kept transaction', 'sent', 'kept refused', 'told', 'forgotten']);
    expect(told).toMatchObject([{ status: 'refused', error: { code: 'NOT_A_WRITER', hint: 'Do something.' } }]);
  });

  test('that was kept is told after a crash, and nothing is sent', async () => {
    answers(refuse);
    const first = await open({
      onFinal: () => {
        throw new Error('killed here');
      },
    });
    await first.submit(note(1), { id: 'one' });
    await expect.poll(() => events).toContain('kept refused');
    await first.close();
    answers(commit);
    const second = await open();
    await second.drained();
    expect(told).toMatchObject([{ id: 'one', status: 'refused', error: { code: 'NOT_A_WRITER' } }]);
    expect(chain.submitted).toHaveLength(1);
  });

  // @mutation packages/client/src/outbox-entry.ts
  // - if (isTrouble || error.attempts > 1) this.#mayBeTaken = true;
  // + void isTrouble;
  test.each(SENDERS)('of a transaction that %s may have sent counts when no block can hold it any more', async (_, isSameProcess) => {
    answers(
      () => errorBody('STORE_FAILED'),
      refuse,
      refuse,
      refuse,
      (transaction) => chain.expire(transaction, { isDecided: true }),
    );
    let outbox = await open();
    await outbox.submit(note(1), { id: 'one' });
    if (!isSameProcess) {
      await expect.poll(() => chain.submitted).toHaveLength(1);
      await outbox.close();
      outbox = await open();
    }
    await outbox.drained();
    expect(told).toMatchObject([{ status: 'refused', error: { code: 'NOT_A_WRITER' } }]);
    expect([chain.submitted.length, distinct()]).toEqual([5, 1]);
  });

  // @mutation packages/client/src/outbox-entry.ts
  // - if (isTrouble || ACCESS_ERRORS.has(code)) throw error;
  // + if (isTrouble) throw error;
  test('of the way in says nothing of the transaction', async () => {
    answers(() => errorBody('HOST_FORBIDDEN', { retryable: false }), commit);
    await (await (await open()).submit(note(1))).outcome;
    expect(told).toMatchObject([{ status: 'committed' }]);
  });
});

describe('an id', () => {
  test('makes one item of the same operations, also at the same time, and refuses others', async () => {
    answers(pending);
    const outbox = await open();
    const submitted = await Promise.all([1, 1].map((number) => outbox.submit(note(number), { id: 'one' })));
    expect(new Set(submitted.map(({ txId }) => txId)).size).toBe(1);
    expect(outbox.items()).toHaveLength(1);
    await expect(outbox.submit(note(2), { id: 'one' })).rejects.toMatchObject({ code: 'OUTBOX_ID_REUSED' });
  });

  test.each([[''], ['x'.repeat(129)], ['\ud800']])('%j is none', async (id) => {
    await expect((await open()).submit(note(1), { id })).rejects.toMatchObject({ code: 'OUTBOX_ID_INVALID' });
  });
});

describe('an outbox', () => {
  // @mutation packages/client/src/outbox.ts
  // - await this.#store.remove(id).catch(() => {});
  // + void id;
  test('that cannot keep an item says so, sends nothing, and leaves nothing behind that would be sent later', async () => {
    const { put } = store;
    store.put = async (item) => {
      await put.call(store, item);
      throw new Error('no sync');
    };
    const outbox = await open();
    await expect(outbox.submit(note(1))).rejects.toThrow('no sync');
    expect([chain.submitted.length, outbox.items().length, store.items.size]).toEqual([0, 0, 0]);
  });

  // @mutation packages/client/src/outbox.ts
  // - if (this.#entries.size + this.#storing.size >= OUTBOX_ITEMS_MAX)
  // + if (this.#entries.size > 2 * OUTBOX_ITEMS_MAX)
  test('takes a bounded number of items', async () => {
    // They wait in the signature, which comes before everything that would take time.
    const signer = { ...ACCOUNT.signer, sign: () => new Promise<Uint8Array>(() => {}) };
    const outbox = await open({ account: { ...ACCOUNT, signer } });
    for (let number = 0; number < OUTBOX_ITEMS_MAX; number++) void outbox.submit(note(number));
    await expect(outbox.submit(note(0))).rejects.toMatchObject({ code: 'OUTBOX_FULL' });
    outboxes.pop();
  });

  test('that is closed takes nothing more, keeps what is left, and lets go of its store', async () => {
    answers(pending);
    const outbox = await open();
    const { outcome } = await outbox.submit(note(1));
    await outbox.close();
    await expect(outcome).rejects.toMatchObject({ code: 'OUTBOX_CLOSED' });
    await expect(outbox.submit(note(2))).rejects.toMatchObject({ code: 'OUTBOX_CLOSED' });
    expect([store.items.size, store.isClosed]).toEqual([1, true]);
  });

  test('refuses what is another network’s', async () => {
    answers(pending);
    const outbox = await open();
    await outbox.submit(note(1), { id: 'one' });
    await outbox.close();
    const validators = [{ publicKey: ACCOUNT.publicKey, weight: 1000 }];
    const genesis = createGenesis({ network: 'other', timeMs: 1, scheme: 'ml-dsa-44', validators, allowLargeWeights: true });
    const other = connect(chain.url, { genesis });
    await expect(open({}, other)).rejects.toMatchObject({ code: 'OUTBOX_FOREIGN', fields: { id: 'one', what: 'network' } });
    await expect(open({}, connect(chain.url))).rejects.toMatchObject({ code: 'GENESIS_MISSING' });
    expect(store.items.size).toBe(1);
  });

  test('refuses what is another account’s or damaged, sends nothing, and forgets nothing', async () => {
    answers(pending);
    const outbox = await open();
    await outbox.submit(note(1), { id: 'one' });
    await outbox.close();
    const sent = chain.submitted.length;
    await expect(open({ account: createAccountKey() })).rejects.toMatchObject({ code: 'OUTBOX_FOREIGN', fields: { id: 'one' } });
    for (const content of ['', '{}', '{"version":"1","kind":"transaction","tx":"*"}', '{"version":"1","kind":"transaction","tx":"AAAA"}']) {
      store.items.set('two', content);
      store.isClosed = false;
      await expect(open()).rejects.toMatchObject({ code: 'OUTBOX_DAMAGED', fields: { id: 'two' } });
      expect([store.isClosed, store.items.size, chain.submitted.length]).toEqual([true, 2, sent]);
    }
  });
});
