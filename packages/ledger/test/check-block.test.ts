import { ZERO_HASH } from '@nacre/base';
import type { Certificate } from '@nacre/consensus';
import { Block, type Header, type Transaction } from '@nacre/ledger';
import { describe, expect, test } from 'vitest';
import { altered } from './support/altered-block.ts';
import { GENESIS_MS, TestChain, type TestKey } from './support/test-chain.ts';

/** What checking a block of the next height that lists these transactions, whatever they are, is refused for. */
function refusalOf(chain: TestChain, transactions: readonly Transaction[], timeMs = chain.nextTimeMs) {
  const bodyHashes = transactions.map(({ bodyHash }) => bodyHash);
  const checked = chain.ledger.check(altered(chain.propose([], { timeMs }), {}, { bodyHashes }), transactions);
  return checked.ok ? null : checked.error;
}

function reasonOf(chain: TestChain, transactions: readonly Transaction[], timeMs?: number) {
  const refusal = refusalOf(chain, transactions, timeMs);
  if (refusal?.code === 'TRANSACTION_REFUSED') return refusal;
  return expect.unreachable(`not refused for a transaction: ${JSON.stringify(refusal)}`);
}

describe('a block on the tip', () => {
  test('that another node proposed is executed to the same candidate', async () => {
    const { chain, writer } = await TestChain.withService();
    const proposed = chain.propose([await chain.append(writer, ['a', ['k', 'b']])]);
    const decoded = Block.decode(proposed.block.bytes);
    if (!decoded.ok) return expect.unreachable(decoded.error.code);
    const checked = chain.ledger.check(decoded.value, proposed.transactions);
    const { hopeless, ...candidate } = proposed;
    expect(hopeless).toEqual([]);
    expect(checked).toEqual({ ok: true, value: candidate });
  });

  test('may be empty', async () => {
    const chain = await TestChain.create();
    const { block } = chain.propose([]);
    expect(chain.ledger.check(block, [])).toMatchObject({ ok: true });
  });

  const otherHash = new Uint8Array(32).fill(99);
  const headers: [code: string, change: Partial<Header>][] = [
    ['WRONG_NETWORK', { genesisHash: otherHash }],
    ['WRONG_CHAIN', { chain: 1 }],
    ['BLOCK_EPOCH', { epoch: 1 }],
    ['BLOCK_HEIGHT', { height: 2 }],
    ['BLOCK_HEIGHT', { height: 4 }],
    ['PARENT_HASH', { parentHash: otherHash }],
    ['PROPOSER_UNKNOWN', { proposer: otherHash }],
    ['COMMITTEE_HASH', { committeeHash: otherHash }],
    ['NEXT_COMMITTEE_HASH', { nextCommitteeHash: otherHash }],
    ['HISTORY_ROOT', { historyRoot: otherHash }],
    ['CHAIN0_REFERENCE', { chain0Reference: { height: 1, hash: ZERO_HASH } }],
    ['CHAIN0_REFERENCE', { chain0Reference: { height: 0, hash: otherHash } }],
    ['STATE_ROOT', { stateRoot: otherHash }],
  ];

  // @mutation packages/ledger/src/header-rules.ts
  // - if (!bytesEqual(header.genesisHash, expected.genesisHash)) return fail({ code: 'WRONG_NETWORK' });
  // +
  // @mutation packages/ledger/src/header-rules.ts
  // - if (header.chain !== expected.chain)
  // + if (header.chain < expected.chain)
  // @mutation packages/ledger/src/header-rules.ts
  // - if (header.epoch !== expected.epoch)
  // + if (header.epoch < expected.epoch)
  // @mutation packages/ledger/src/header-rules.ts
  // - if (header.height !== expected.height)
  // + if (header.height < expected.height)
  // @mutation packages/ledger/src/header-rules.ts
  // - if (header.height !== expected.height)
  // + if (header.height > expected.height)
  // @mutation packages/ledger/src/header-rules.ts
  // - if (!bytesEqual(header.parentHash, expected.parentHash)) return
  // + if (header.height === 0) return
  // @mutation packages/ledger/src/header-rules.ts
  // - if (committee.indexOf(header.proposer) === null) return
  // + if (header.height === 0) return
  // @mutation packages/ledger/src/header-rules.ts
  // - if (!bytesEqual(header.committeeHash, expected.committeeHash)) return
  // + if (header.height === 0) return
  // @mutation packages/ledger/src/check-block.ts
  // - if (!bytesEqual(header.nextCommitteeHash, next.committee.hash)) return
  // + if (header.height === 0) return
  // @mutation packages/ledger/src/header-rules.ts
  // - if (!bytesEqual(header.historyRoot, expected.historyRoot)) return
  // + if (header.height === 0) return
  // @mutation packages/ledger/src/header-rules.ts
  // - if (referenced !== 0 || !bytesEqual(hash, ZERO_HASH)) return
  // + if (!bytesEqual(hash, ZERO_HASH)) return
  // @mutation packages/ledger/src/header-rules.ts
  // - if (referenced !== 0 || !bytesEqual(hash, ZERO_HASH)) return
  // + if (referenced !== 0) return
  // @mutation packages/ledger/src/check-block.ts
  // - if (!bytesEqual(effects.stateRoot, header.stateRoot)) return
  // + if (header.height === 0) return
  test.each(headers)('is refused when its header is wrong: %s', async (code, change) => {
    const { chain } = await TestChain.withService();
    expect(chain.ledger.check(altered(chain.propose([]), change), [])).toMatchObject({ ok: false, error: { code } });
  });

  // @mutation packages/ledger/src/header-rules.ts
  // - if (header.timeMs <= tip.timeMs)
  // + if (header.timeMs < tip.timeMs)
  test('is refused unless it is later than its parent, and the first unless it is later than genesis', async () => {
    const chain = await TestChain.create();
    for (const expectedParentMs of [GENESIS_MS, GENESIS_MS + 1]) {
      const candidate = chain.propose([], { timeMs: expectedParentMs + 1 });
      for (const timeMs of [expectedParentMs, expectedParentMs - 1]) {
        expect(chain.ledger.check(altered(candidate, { timeMs }), [])).toMatchObject({ ok: false, error: { code: 'BLOCK_TIME' } });
      }
      expect(chain.ledger.check(candidate.block, [])).toMatchObject({ ok: true });
      await chain.decide([], expectedParentMs + 1);
    }
  });

  test('is not taken while the decided block of its height is being applied', async () => {
    const chain = await TestChain.create();
    const candidate = chain.propose([]);
    const applying = chain.ledger.apply(candidate, await chain.certificate(candidate));
    expect(chain.ledger.check(candidate.block, [])).toMatchObject({ ok: false, error: { code: 'HEIGHT_DECIDED' } });
    await applying;
    expect(chain.ledger.check(candidate.block, [])).toMatchObject({ ok: false, error: { code: 'BLOCK_HEIGHT' } });
  });
});

describe("a block's parent certificate", () => {
  async function decided() {
    const chain = await TestChain.create();
    const parent = chain.propose([]);
    await chain.ledger.apply(parent, await chain.certificate(parent));
    const check = (parentCertificate: Certificate | null) => chain.ledger.check(altered(chain.propose([]), {}, { parentCertificate }), []);
    return { chain, parent, check };
  }
  const refused = (problem: string) => ({ ok: false, error: { code: 'PARENT_CERTIFICATE', problem } });

  // @mutation packages/ledger/src/header-rules.ts
  // - return certificate === null ? ok(undefined) : refuse('the first block has no parent');
  // + return ok(undefined);
  test('is none at height 1', async () => {
    const { parent, chain } = await decided();
    const fresh = await TestChain.create();
    const certificate = await chain.certificate(parent);
    const checked = fresh.ledger.check(altered(fresh.propose([]), {}, { parentCertificate: certificate }), []);
    expect(checked).toMatchObject(refused('the first block has no parent'));
  });

  // @mutation packages/ledger/src/header-rules.ts
  // - if (certificate === null) return refuse('missing');
  // + if (certificate === null) return ok(undefined);
  test('may not be missing above', async () => {
    const { check } = await decided();
    expect(check(null)).toMatchObject(refused('missing'));
  });

  // @mutation packages/ledger/src/header-rules.ts
  // - if (certificate.height !== tip.height || !bytesEqual(certificate.blockHash, tip.blockHash)) return
  // + if (certificate.height !== tip.height) return
  // @mutation packages/ledger/src/header-rules.ts
  // - if (certificate.height !== tip.height || !bytesEqual(certificate.blockHash, tip.blockHash)) return
  // + if (!bytesEqual(certificate.blockHash, tip.blockHash)) return
  test('may not be that of another block', async () => {
    const { chain, parent, check } = await decided();
    const certificate = await chain.certificate(parent);
    expect(check({ ...certificate, blockHash: new Uint8Array(32).fill(9) })).toMatchObject(refused('for another block'));
    expect(check({ ...certificate, height: 2 })).toMatchObject(refused('for another block'));
  });

  // @mutation packages/ledger/src/header-rules.ts
  // - return checkCertificate(parentCommittee, certificate).ok ? ok(undefined) : refuse('no quorum');
  // + return ok(undefined);
  test('needs more than two thirds of the weight, of any round', async () => {
    const { chain, parent, check } = await decided();
    expect(check(await chain.certificate(parent, [0, 1]))).toMatchObject(refused('no quorum'));
    const { block } = chain.propose([], { parentCertificate: await chain.certificate(parent, [0, 1, 3], 4) });
    expect(chain.ledger.check(block, [])).toMatchObject({ ok: true });
  });

  // @mutation packages/ledger/src/verify-block-signatures.ts
  // - if (!verified.ok) return verified;
  // +
  test('is verified apart, because its signatures are not part of the hash', async () => {
    const { chain, parent } = await decided();
    const certificate = await chain.certificate(parent);
    const [first, ...rest] = certificate.commits;
    const forged = { ...certificate, commits: [{ validator: 0, signature: rest[0]?.signature as Uint8Array }, ...rest] };
    expect(first?.validator).toBe(0);
    const { block } = chain.propose([], { parentCertificate: forged });
    expect(block.hash).toEqual(chain.propose([]).block.hash);
    expect(chain.ledger.check(block, [])).toMatchObject({ ok: true });
    expect(await chain.ledger.verifyBlockSignatures(block)).toMatchObject({ ok: false, error: { code: 'CERTIFICATE_SIGNATURE' } });
    expect(await chain.ledger.verifyBlockSignatures(chain.propose([]).block)).toEqual({ ok: true, value: undefined });
  });
});

describe('a block is refused for a transaction', () => {
  // @mutation packages/ledger/src/block-execution.ts
  // - if (validUntilMs < timeMs)
  // + if (validUntilMs < timeMs - 1)
  test('whose time is past at the time of the block', async () => {
    const { chain, writer } = await TestChain.withService();
    const timeMs = chain.nextTimeMs;
    const [last, past] = await Promise.all([timeMs, timeMs - 1].map((validUntilMs) => appendUntil(chain, writer, validUntilMs)));
    expect(refusalOf(chain, [last as Transaction], timeMs)).toMatchObject({ code: 'STATE_ROOT' });
    expect(reasonOf(chain, [past as Transaction], timeMs)).toMatchObject({ index: 0, reason: { code: 'EXPIRED' } });
  });

  // @mutation packages/ledger/src/block-execution.ts
  // - if (validUntilMs > latestMs)
  // + if (validUntilMs > latestMs + 1)
  test('that names a time beyond the window', async () => {
    const { chain, writer } = await TestChain.withService();
    const timeMs = chain.nextTimeMs;
    const latestMs = timeMs + chain.genesis.parameters.validityWindowMs;
    const [last, beyond] = await Promise.all([latestMs, latestMs + 1].map((validUntilMs) => appendUntil(chain, writer, validUntilMs)));
    expect(refusalOf(chain, [last as Transaction], timeMs)).toMatchObject({ code: 'STATE_ROOT' });
    expect(reasonOf(chain, [beyond as Transaction], timeMs)).toMatchObject({ reason: { code: 'TOO_FAR_AHEAD' } });
  });

  // @mutation packages/ledger/src/block-execution.ts
  // - if (this.#included.has(keyOf(txId)) || this.#context.isIncluded(txId)) return
  // + if (this.#context.isIncluded(txId)) return
  test('that it lists twice', async () => {
    const { chain, writer } = await TestChain.withService();
    const transaction = await chain.append(writer, ['a']);
    expect(reasonOf(chain, [transaction, transaction])).toMatchObject({ index: 1, reason: { code: 'DUPLICATE' } });
  });

  // @mutation packages/ledger/src/block-execution.ts
  // - if (this.#included.has(keyOf(txId)) || this.#context.isIncluded(txId)) return
  // + if (this.#included.has(keyOf(txId))) return
  test('that an earlier block holds, even as failed, and even after a restart', async () => {
    const { chain, writer } = await TestChain.withService();
    const committed = await chain.append(writer, ['a']);
    const failed = await chain.append(writer, ['a'], 'unknown');
    await chain.decide([committed, failed]);
    await chain.decide([]);
    await chain.reopen();
    for (const transaction of [committed, failed]) {
      expect(reasonOf(chain, [transaction])).toMatchObject({ reason: { code: 'DUPLICATE' } });
      expect(chain.propose([transaction]).hopeless).toMatchObject([{ txId: transaction.txId, reason: { code: 'DUPLICATE' } }]);
    }
  });

  // @mutation packages/ledger/src/block-execution.ts
  // - const signer = this.overlay.before(ACCOUNT, account);
  // + const signer = this.overlay.get(ACCOUNT, account);
  test('of an account that is unknown before the block, even if the block creates it', async () => {
    const chain = await TestChain.create();
    const someone = chain.key('someone');
    const create = await chain.transaction(chain.validator(0), [{ kind: 'account.create', publicKey: someone.signer.publicKey }]);
    const used = await chain.append(someone, ['a']);
    expect(reasonOf(chain, [used])).toMatchObject({ index: 0, reason: { code: 'UNKNOWN_ACCOUNT' } });
    expect(reasonOf(chain, [create, used])).toMatchObject({ index: 1, reason: { code: 'UNKNOWN_ACCOUNT' } });
    await chain.decide([create]);
    expect(refusalOf(chain, [used])).toMatchObject({ code: 'STATE_ROOT' });
  });

  // @mutation packages/ledger/src/check-block.ts
  // - if (transactions.length > blockTransactionsMax) {
  // + if (transactions.length > blockTransactionsMax + 1) {
  test('more than genesis allows', async () => {
    const { chain, writer } = await TestChain.withService({ parameters: { blockTransactionsMax: 2 } });
    const three = await Promise.all(['a', 'b', 'c'].map((text) => chain.append(writer, [text])));
    expect(refusalOf(chain, three.slice(1))).toMatchObject({ code: 'STATE_ROOT' });
    expect(refusalOf(chain, three)).toMatchObject({ code: 'BLOCK_TRANSACTIONS_TOO_MANY', count: 3, max: 2 });
    expect(chain.propose(three).transactions).toEqual(three.slice(0, 2));
  });

  // @mutation packages/ledger/src/check-block.ts
  // - if (bytes > blockBytesMax)
  // + if (bytes > blockBytesMax + 1)
  // @mutation packages/ledger/src/propose-block.ts
  // - if (bytes + transaction.bytes.length > blockBytesMax) continue;
  // + if (bytes + transaction.bytes.length > blockBytesMax) break;
  test('that does not fit any more, while the proposer looks for one that does', async () => {
    const { chain, writer } = await TestChain.withService({
      parameters: { blockBytesMax: 65_536, transactionBytesMax: 65_536, recordBytesMax: 65_536 },
    });
    const overhead = (await chain.append(writer, [''])).bytes.length;
    const large = await chain.append(writer, ['x'.repeat(65_536 - 2 * overhead - 1)]);
    const [fits, exceeds] = [await chain.append(writer, ['y']), await chain.append(writer, ['yy'])];
    expect(refusalOf(chain, [large, fits])).toMatchObject({ code: 'STATE_ROOT' });
    expect(refusalOf(chain, [large, exceeds])).toMatchObject({ code: 'BLOCK_TOO_LARGE', bytes: 65_537 });
    expect(chain.propose([large, exceeds, fits]).transactions).toEqual([large, fits]);
  });
});

function appendUntil(chain: TestChain, writer: TestKey, validUntilMs: number): Promise<Transaction> {
  return chain.transaction(writer, [{ kind: 'validator.recover', nonce: new Uint8Array(16) }], { validUntilMs });
}
