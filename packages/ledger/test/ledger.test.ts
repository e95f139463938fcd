import { AssertionError, type Hash, type Log, PROPOSE_EXAMINED_FACTOR, type StoreOperation, toHex } from '@nacre/base';
import { leafHash, logRoot } from '@nacre/crypto';
import { type Block, blockHash, expiredKey, Ledger, type Operation, type Transaction } from '@nacre/ledger';
import { describe, expect, test } from 'vitest';
import { blockKey, bodyKey, tipKey } from '../src/keys.ts';
import { MemoryStore } from './support/memory-store.ts';
import { appendOf, GENESIS_MS, silentLog, TestChain } from './support/test-chain.ts';

describe('a new ledger', () => {
  test('stands before the first block', async () => {
    const { ledger, genesis } = await TestChain.create();
    expect(ledger.tip).toMatchObject({ height: 0, blockHash: genesis.hash, timeMs: GENESIS_MS, header: null, certificate: null });
    expect(toHex(ledger.tip.stateRoot)).toBe('c22307f8161b1e619690292d1481b8fe610d03a00ad8a97c3ce2c042d5bb030d');
    expect([ledger.blockAt(1), ledger.headerAt(1), ledger.certificateAt(0), ledger.blockByHash(genesis.hash)]).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });

  test('says what it opened', async () => {
    const events: unknown[] = [];
    const log: Log = { ...silentLog, info: (fields, event) => events.push([fields, event]) };
    const { genesis, verifier, store } = await TestChain.create();
    await Ledger.open({ genesis, verifier, store, log });
    expect(events).toEqual([[{ height: 0, blockHash: toHex(genesis.hash) }, 'ledger opened']]);
  });

  test('survives a power cut right after it was begun', async () => {
    const store = new MemoryStore();
    const chain = await TestChain.create({ store });
    store.crash();
    expect(store.get(tipKey())).toBeDefined();
    await chain.reopen();
  });
});

describe('applying a block', () => {
  // @mutation packages/ledger/src/ledger.ts
  // - for (const { txId } of statuses) this.#notIncluded.delete(keyOf(txId));
  // +
  test('puts its transactions among those that a block holds, asked for before or not', async () => {
    const { chain, writer } = await TestChain.withService();
    const [asked, unasked, other] = await Promise.all(['a', 'b', 'c'].map((text) => chain.append(writer, [text])));
    const included = () => [asked, unasked, other].map((transaction) => chain.ledger.isIncluded((transaction as Transaction).txId));
    expect(chain.ledger.isIncluded((asked as Transaction).txId)).toBe(false);
    await chain.decide([asked as Transaction, unasked as Transaction]);
    expect(included()).toEqual([true, true, false]);
    expect(included()).toEqual([true, true, false]);
  });

  test('makes it the tip and says how its transactions ended', async () => {
    const { chain, writer } = await TestChain.withService();
    const [good, bad] = [await chain.append(writer, ['a']), await chain.append(writer, ['a'], 'nowhere')];
    const candidate = chain.propose([good, bad]);
    const certificate = await chain.certificate(candidate);
    const applied = await chain.ledger.apply(candidate, certificate);
    const { header } = candidate.block;
    expect(applied).toEqual({
      height: 3,
      blockHash: candidate.blockHash,
      timeMs: header.timeMs,
      statuses: [
        { txId: good.txId, status: 'committed' },
        { txId: bad.txId, status: 'failed', reason: { code: 'UNKNOWN_SERVICE', operation: 0 } },
      ],
    });
    const { stateRoot, timeMs } = header;
    expect(chain.ledger.tip).toEqual({ height: 3, blockHash: candidate.blockHash, timeMs, stateRoot, header, certificate });
    expect(chain.ledger.blockAt(3)).toEqual(candidate.block);
    expect(chain.ledger.blockByHash(candidate.blockHash)).toEqual(candidate.block);
    expect(chain.ledger.headerAt(3)).toEqual(header);
    expect(chain.ledger.body(good.bodyHash)).toEqual(good.bytes);
    expect(chain.ledger.transactionId(good.bodyHash)).toEqual(good.txId);
    expect(chain.ledger.transactionId(good.txId)).toBeUndefined();
    expect(chain.ledger.transactionStatus(good.txId)).toEqual({ status: 'committed', height: 3, index: 0 });
    expect(chain.ledger.transactionStatus(bad.txId)).toEqual({
      status: 'failed',
      height: 3,
      index: 1,
      reason: { code: 'UNKNOWN_SERVICE', operation: 0 },
    });
  });

  test("keeps the parent's certificate that the next block shows", async () => {
    const chain = await TestChain.create();
    const candidate = chain.propose([]);
    const own = await chain.certificate(candidate, [0, 1, 2]);
    await chain.ledger.apply(candidate, own);
    expect(chain.ledger.certificateAt(1)).toEqual(own);
    const canonical = await chain.certificate(candidate, [1, 2, 3], 1);
    const next = chain.propose([], { parentCertificate: canonical });
    await chain.ledger.apply(next, null);
    expect(chain.ledger.certificateAt(1)).toEqual(canonical);
    expect(chain.ledger.certificateAt(2)).toBeUndefined();
    expect(chain.ledger.tip.certificate).toBeNull();
    await chain.reopen();
    expect(chain.ledger.tip.certificate).toBeNull();
  });

  // @mutation packages/ledger/src/ledger.ts
  // - assert(bytesEqual(header.parentHash, this.#tip.blockHash), 'a candidate is applied on the tip that it was executed on');
  // +
  test('happens on the tip that it was executed on, one after the other, with its own certificate', async () => {
    const chain = await TestChain.create();
    const [first, second] = [chain.propose([]), chain.propose([], { timeMs: chain.nextTimeMs + 1 })];
    const certificate = await chain.certificate(first);
    expect(() => chain.ledger.apply(second, certificate)).toThrow(AssertionError);
    const minority = await chain.certificate(first, [0, 1]);
    expect(() => chain.ledger.apply(first, minority)).toThrow(AssertionError);
    const applying = chain.ledger.apply(first, certificate);
    expect(() => chain.ledger.apply(first, certificate)).toThrow(AssertionError);
    expect(() => chain.propose([])).toThrow(AssertionError);
    await applying;
    expect(() => chain.ledger.apply(second, null)).toThrow(AssertionError);
  });

  test('that fails leaves the tip where it was, and may be done again', async () => {
    const store = new MemoryStore();
    const chain = await TestChain.create({ store });
    const candidate = chain.propose([]);
    const certificate = await chain.certificate(candidate);
    store.beforeWrite = () => {
      throw new Error('disk full');
    };
    await expect(chain.ledger.apply(candidate, certificate)).rejects.toThrow('disk full');
    expect(chain.ledger.tip.height).toBe(0);
    store.beforeWrite = () => {};
    expect(await chain.ledger.apply(candidate, certificate)).toMatchObject({ height: 1 });
  });

  test('reads an unknown status as none, and an expired one as such', async () => {
    const { chain, writer } = await TestChain.withService();
    const { txId } = await chain.append(writer, ['a']);
    expect(chain.ledger.transactionStatus(txId)).toBeUndefined();
    await chain.store.write([{ type: 'put', key: expiredKey(txId), value: chain.ledger.expiredValue() }], { sync: false });
    const { height, timeMs } = chain.ledger.tip;
    expect(chain.ledger.transactionStatus(txId)).toEqual({ status: 'expired', height, timeMs });
  });

  test('commits to all earlier headers', async () => {
    const chain = await TestChain.create();
    const roots = [];
    for (let height = 1; height <= 4; height++) {
      roots.push(toHex(chain.propose([]).block.header.historyRoot));
      await chain.decide([]);
    }
    await chain.reopen();
    roots.push(toHex(chain.propose([]).block.header.historyRoot));
    expect(new Set(roots).size).toBe(5);
    const headers = [1, 2, 3, 4].map((height) => chain.ledger.headerAt(height) ?? expect.unreachable());
    expect(roots).toEqual(
      [0, 1, 2, 3, 4].map((count) => toHex(logRoot(headers.slice(0, count).map((header) => leafHash(blockHash(header)))))),
    );
  });
});

describe('a proposal', () => {
  test('is later than its parent, and shows the certificate of its parent', async () => {
    const chain = await TestChain.create();
    expect(() => chain.propose([], { timeMs: GENESIS_MS })).toThrow(AssertionError);
    await chain.ledger.apply(chain.propose([]), null);
    expect(() => chain.propose([])).toThrow(AssertionError);
  });

  test('looks at a bounded number of transactions', async () => {
    const { chain, writer } = await TestChain.withService({ parameters: { blockTransactionsMax: 2 } });
    const past = await chain.transaction(writer, [appendOf('prices', ['a'])], { validUntilMs: 1 });
    const good = await chain.append(writer, ['a']);
    const before = (count: number) => [...Array.from({ length: count }, () => past), good];
    expect(chain.propose(before(2 * PROPOSE_EXAMINED_FACTOR - 1)).transactions).toEqual([good]);
    const { transactions, hopeless } = chain.propose(before(2 * PROPOSE_EXAMINED_FACTOR));
    expect([transactions.length, hopeless.length]).toEqual([0, 2 * PROPOSE_EXAMINED_FACTOR]);
  });
});

describe('a candidate', () => {
  // @mutation packages/ledger/src/ledger.ts
  // - await this.#store.write(this.blocks.saveOperations(block, transactions, isStored), { sync: true });
  // + await this.#store.write(this.blocks.saveOperations(block, transactions, isStored), { sync: false });
  test('that was saved survives a power cut with all bodies, and is executed again', async () => {
    const store = new MemoryStore();
    const { chain, writer } = await TestChain.withService({ store });
    await store.write([], { sync: true });
    const candidate = chain.propose([await chain.append(writer, ['a']), await chain.append(writer, ['b'])]);
    await chain.ledger.saveCandidate(candidate);
    store.crash();
    await chain.reopen();
    expect(chain.ledger.hasBlock(candidate.blockHash)).toBe(true);
    const loaded = chain.ledger.loadBlock(candidate.blockHash);
    const unjudged = candidate.transactions.map((transaction) => ({ ...transaction, limits: null }));
    expect(loaded).toEqual({ block: candidate.block, transactions: unjudged });
    expect(chain.ledger.check(loaded?.block as Block, loaded?.transactions ?? [])).toMatchObject({ ok: true });
  });

  // @mutation packages/ledger/src/block-store.ts
  // - if (!isStored(transaction.bodyHash)) operations.push(bodyOperation(transaction));
  // + operations.push(bodyOperation(transaction));
  test('does not write again the bodies that are here', async () => {
    const store = new MemoryStore();
    const { chain, writer } = await TestChain.withService({ store });
    const transaction = await chain.append(writer, ['a']);
    const written: StoreOperation[] = [];
    const record = store.write.bind(store);
    store.write = (operations, options) => {
      written.push(...operations);
      return record(operations, options);
    };
    const candidate = chain.propose([transaction]);
    await chain.ledger.saveCandidate(candidate);
    await chain.ledger.saveCandidate(candidate);
    await chain.ledger.apply(candidate, null);
    const key = toHex(bodyKey(transaction.bodyHash));
    expect(written.filter((operation) => toHex(operation.key) === key).length).toBe(1);
    expect(written.filter((operation) => toHex(operation.key) === toHex(blockKey(candidate.blockHash))).length).toBe(2);
  });

  // @mutation packages/ledger/src/block-store.ts
  // - this.#saved.push(candidate);
  // +
  // @mutation packages/ledger/src/block-store.ts
  // - #mayHoldOlder = true;
  // + #mayHoldOlder = false;
  // @mutation packages/ledger/src/block-store.ts
  // - const due = this.#saved.filter((key) => candidateHeight(key) <= height);
  // + const due = this.#saved.filter((key) => candidateHeight(key) < height);
  test('saved at any height, before or after it was decided, is dropped by the next decision, also after a restart', async () => {
    const chain = await TestChain.create();
    const losers: Hash[] = [];
    const save = async (candidate: ReturnType<TestChain['propose']>): Promise<void> => {
      await chain.ledger.saveCandidate(candidate);
      losers.push(candidate.blockHash);
    };
    for (let height = 1; height <= 4; height++) {
      const late = chain.propose([], { timeMs: chain.nextTimeMs + 1 });
      await save(chain.propose([], { timeMs: chain.nextTimeMs + 2 }));
      await chain.decide([]);
      expect(losers.filter((hash) => chain.ledger.hasBlock(hash))).toEqual([]);
      await save(late);
      if (height === 2) await chain.reopen();
    }
    await chain.decide([]);
    expect(losers).toHaveLength(8);
    expect(losers.filter((hash) => chain.ledger.hasBlock(hash))).toEqual([]);
  });

  // @mutation packages/ledger/src/block-store.ts
  // - if (won === undefined || !bytesEqual(hash, won)) operations.push({ type: 'delete', key: blockKey(hash) });
  // +
  // @mutation packages/ledger/src/block-store.ts
  // - if (won === undefined || !bytesEqual(hash, won)) operations.push({ type: 'delete', key: blockKey(hash) });
  // + operations.push({ type: 'delete', key: blockKey(hash) });
  test('that lost is dropped when its height is decided', async () => {
    const chain = await TestChain.create();
    const [won, lost] = [chain.propose([]), chain.propose([], { timeMs: chain.nextTimeMs + 1 })];
    for (const candidate of [won, lost]) await chain.ledger.saveCandidate(candidate);
    expect([won, lost].map(({ blockHash }) => chain.ledger.hasBlock(blockHash))).toEqual([true, true]);
    await chain.ledger.apply(won, await chain.certificate(won));
    expect([won, lost].map(({ blockHash }) => chain.ledger.hasBlock(blockHash))).toEqual([true, false]);
    expect(chain.ledger.loadBlock(lost.blockHash)).toBeUndefined();
  });

  // @mutation packages/ledger/src/block-store.ts
  // - const won = at === height ? block.hash : this.hashAt(at);
  // + const won = block.hash;
  test('that was saved after its height was decided stays if it won and goes if it lost', async () => {
    const chain = await TestChain.create();
    const [won, lost] = [chain.propose([]), chain.propose([], { timeMs: chain.nextTimeMs + 1 })];
    await chain.ledger.apply(won, await chain.certificate(won));
    for (const candidate of [won, lost]) await chain.ledger.saveCandidate(candidate);
    await chain.decide([]);
    expect([won, lost].map(({ blockHash }) => chain.ledger.hasBlock(blockHash))).toEqual([true, false]);
    expect(chain.ledger.blockAt(1)).toEqual(won.block);
  });
});

describe('a power cut', () => {
  test('takes back applied blocks as a whole, and they are applied again to the same roots', async () => {
    const store = new MemoryStore();
    const { chain, writer } = await TestChain.withService({ store });
    await store.write([], { sync: true });
    const before = chain.ledger.tip;
    const blocks: [Block, Operation[]][] = [];
    const tips = [];
    for (let i = 0; i < 3; i++) {
      const candidate = chain.propose([await chain.append(writer, [`${i}`, ['key', `${i}`]])]);
      blocks.push([candidate.block, []]);
      const transactions = candidate.transactions;
      await chain.ledger.apply(candidate, await chain.certificate(candidate));
      tips.push({ tip: chain.ledger.tip, transactions });
    }
    store.crash();
    await chain.reopen();
    expect(chain.ledger.tip).toEqual(before);
    for (const { tip, transactions } of tips) {
      const block = blocks[tip.height - before.height - 1]?.[0] as Block;
      const checked = chain.ledger.check(block, transactions);
      if (!checked.ok) return expect.unreachable(checked.error.code);
      await chain.ledger.apply(checked.value, tip.certificate);
      expect(chain.ledger.tip).toEqual(tip);
    }
  });
});

describe('signatures of transactions', () => {
  // @mutation packages/ledger/src/verify-transaction.ts
  // - if (key === undefined) return false;
  // + if (key === undefined) return true;
  test('are verified with the keys of the tip, one verdict each', async () => {
    const { chain, writer } = await TestChain.withService();
    const good = await chain.append(writer, ['a']);
    const forged = { ...good, signature: good.signature.toReversed() };
    const stranger = await chain.append(chain.key('stranger'), ['a']);
    expect(await chain.ledger.verifySignatures([good, forged, stranger])).toEqual([true, false, false]);
    expect(await chain.ledger.verifySignatures([])).toEqual([]);
  });

  test('are decoded with the rules of the network', async () => {
    const { chain, writer } = await TestChain.withService();
    const { bytes, txId } = await chain.append(writer, ['a']);
    expect(chain.ledger.decode(bytes)).toMatchObject({ ok: true, value: { txId } });
    expect(chain.ledger.decode(bytes.subarray(1))).toMatchObject({ ok: false, error: { code: 'MALFORMED' } });
  });
});

// @mutation packages/ledger/src/ledger.ts
// - height <= this.#tip.height + 1 ?
// + height <= this.#tip.height + 2 ?
test('the committee of a height is known once the block before it is decided', async () => {
  const { ledger, genesis } = await TestChain.create();
  expect(ledger.committeeAt(1)).toBe(genesis.committee);
  expect(ledger.epochOf(2)).toBeUndefined();
  expect(() => ledger.committeeAt(2)).toThrow(expect.objectContaining({ code: 'HEIGHT_UNKNOWN', fields: { height: 2, tipHeight: 0 } }));
});
