import { compareBytes, utf8 } from '@nacre/base';
import { EMPTY_LOG_ROOT, leafHash, logRoot } from '@nacre/crypto';
import type { FailureCode, Operation } from '@nacre/ledger';
import { describe, expect, test } from 'vitest';
import { recordCodec } from '../src/record.ts';
import { appendOf, definition, TestChain, type TestKey } from './support/test-chain.ts';

/** Decides a block with one transaction of these operations. @returns how it ended */
async function run(chain: TestChain, account: TestKey, operations: readonly Operation[]) {
  const { statuses } = await chain.decide([await chain.transaction(account, operations)]);
  const status = statuses[0];
  return status?.status === 'failed' ? status.reason : status?.status;
}

const createAccount = (key: TestKey): Operation => ({ kind: 'account.create', publicKey: key.signer.publicKey });
const failed = (code: FailureCode, operation = 0) => ({ code, operation });

describe('accounts', () => {
  test('of validators exist from genesis on and sponsor themselves', async () => {
    const chain = await TestChain.create();
    for (const { signer, address } of chain.validators) {
      expect(chain.ledger.account(address)).toEqual({ publicKey: signer.publicKey, sponsor: address, retired: null });
    }
    expect(chain.ledger.account(chain.key('someone').address)).toBeUndefined();
  });

  test('are created by the validator that sponsors them', async () => {
    const chain = await TestChain.create();
    const someone = chain.key('someone');
    expect(await run(chain, chain.validator(2), [createAccount(someone)])).toBe('committed');
    expect(chain.ledger.account(someone.address)).toEqual({
      publicKey: someone.signer.publicKey,
      sponsor: chain.validator(2).address,
      retired: null,
    });
  });

  // @mutation packages/ledger/src/execute-operation.ts
  // - if (committee.indexOf(sponsor) === null) return 'NOT_A_VALIDATOR';
  // +
  test('are not created by other accounts', async () => {
    const { chain, writer } = await TestChain.withService();
    expect(await run(chain, writer, [createAccount(chain.key('someone'))])).toEqual(failed('NOT_A_VALIDATOR'));
    expect(chain.ledger.account(chain.key('someone').address)).toBeUndefined();
  });

  // @mutation packages/ledger/src/execute-operation.ts
  // - if (hasQuota) return 'ACCOUNT_EXISTS';
  // +
  test('are created once, also by another sponsor, also within one block', async () => {
    const chain = await TestChain.create();
    const someone = chain.key('someone');
    const twice = await Promise.all([0, 1].map((index) => chain.transaction(chain.validator(index), [createAccount(someone)])));
    const { statuses } = await chain.decide(twice);
    expect(statuses).toMatchObject([{ status: 'committed' }, { status: 'failed', reason: failed('ACCOUNT_EXISTS') }]);
    expect(await run(chain, chain.validator(1), [createAccount(chain.validator(0))])).toEqual(failed('ACCOUNT_EXISTS'));
    expect(chain.ledger.account(someone.address)?.sponsor).toEqual(chain.validator(0).address);
  });

  // @mutation packages/ledger/src/execute-operation.ts
  // - if (used.accounts >= parameters.accountsPerValidatorMax) return
  // + if (used.accounts > parameters.accountsPerValidatorMax) return
  // @mutation packages/ledger/src/execute-operation.ts
  // - { ...used, accounts: used.accounts + 1 }
  // + { ...used, accounts: used.accounts }
  test('are bounded per sponsor, over all blocks', async () => {
    const chain = await TestChain.create({ parameters: { accountsPerValidatorMax: 2 } });
    const create = (name: string, sponsor = chain.validator(0)) => run(chain, sponsor, [createAccount(chain.key(name))]);
    expect([await create('a'), await create('b')]).toEqual(['committed', 'committed']);
    expect(await create('c')).toEqual(failed('ACCOUNT_QUOTA_EXCEEDED'));
    expect(await create('c', chain.validator(1))).toBe('committed');
  });
});

describe('services', () => {
  test('are founded by any account, on the quota of its sponsor', async () => {
    const { chain, writer } = await TestChain.withService();
    const { kind: _, ...expected } = { kind: '', ...definition('prices', writer), sponsor: chain.validator(0).address };
    expect(chain.ledger.service('prices')).toEqual(expected);
    expect(chain.ledger.recordLog('prices')).toEqual({ recordCount: 0, logRoot: EMPTY_LOG_ROOT });
    expect(chain.ledger.service('other')).toBeUndefined();
  });

  // @mutation packages/ledger/src/execute-operation.ts
  // - if (overlay.get(SERVICE, definition.name) !== undefined) return 'SERVICE_EXISTS';
  // +
  test('are founded once', async () => {
    const { chain, writer } = await TestChain.withService();
    const other = chain.validator(1);
    expect(await run(chain, other, [{ kind: 'service.create', ...definition('prices', other) }])).toEqual(failed('SERVICE_EXISTS'));
    expect(chain.ledger.service('prices')?.owners).toEqual([writer.address]);
  });

  // @mutation packages/ledger/src/execute-operation.ts
  // - if (used.services >= parameters.servicesPerValidatorMax) return
  // + if (used.services > parameters.servicesPerValidatorMax) return
  // @mutation packages/ledger/src/execute-operation.ts
  // - { ...used, services: used.services + 1 }
  // + { ...used, services: used.services }
  test('are bounded per sponsor, over all its accounts', async () => {
    const { chain, writer } = await TestChain.withService({ parameters: { servicesPerValidatorMax: 2 } });
    const found = (name: string, founder: TestKey) => run(chain, founder, [{ kind: 'service.create', ...definition(name, founder) }]);
    expect(await found('second', chain.validator(0))).toBe('committed');
    expect(await found('third', writer)).toEqual(failed('SERVICE_QUOTA_EXCEEDED'));
    expect(await found('third', chain.validator(1))).toBe('committed');
  });

  test('are redefined as a whole by an owner, and keep their sponsor and their records', async () => {
    const { chain, writer } = await TestChain.withService();
    await chain.decide([await chain.append(writer, ['a'])]);
    const log = chain.ledger.recordLog('prices');
    const next = definition('prices', chain.validator(3), { schemas: [{ name: 'tick', version: 2 }], retentionMs: 5, shard: 1 });
    expect(await run(chain, writer, [{ kind: 'service.update', ...next }])).toBe('committed');
    expect(chain.ledger.service('prices')).toEqual({ ...next, sponsor: chain.validator(0).address });
    expect(chain.ledger.recordLog('prices')).toEqual(log);
  });

  // @mutation packages/ledger/src/execute-operation.ts
  // - if (!includes(service.owners, transaction.contents.account)) return 'NOT_AN_OWNER';
  // +
  test('are redefined by nobody else', async () => {
    const { chain } = await TestChain.withService();
    const other = chain.validator(0);
    expect(await run(chain, other, [{ kind: 'service.update', ...definition('prices', other) }])).toEqual(failed('NOT_AN_OWNER'));
    expect(await run(chain, other, [{ kind: 'service.update', ...definition('unknown', other) }])).toEqual(failed('UNKNOWN_SERVICE'));
  });
});

describe('records', () => {
  test('are the leaves of their log, with all that is known of them', async () => {
    const { chain, writer } = await TestChain.withService();
    const transaction = await chain.append(writer, ['a', ['k', 'b']]);
    await chain.decide([transaction]);
    const { height, timeMs } = chain.ledger.tip;
    const common = { service: 'prices', height, timeMs, txId: transaction.txId, account: writer.address };
    const shape = { schema: 'price', schemaVersion: 1, mediaType: 'text/plain' };
    const records = [
      { ...common, ...shape, index: 0, key: '', payload: utf8('a') },
      { ...common, ...shape, index: 1, key: 'k', payload: utf8('b') },
    ];
    expect((await chain.ledger.records({ service: 'prices', limit: 5 })).records).toEqual(records);
    const root = logRoot(records.map((record) => leafHash(recordCodec.encode(record))));
    expect(chain.ledger.recordLog('prices')).toEqual({ recordCount: 2, logRoot: root });
  });

  // @mutation packages/ledger/src/execute-operation.ts
  // - if (!includes(service.writers, transaction.contents.account)) return 'NOT_A_WRITER';
  // +
  test('are appended by writers only', async () => {
    const { chain } = await TestChain.withService();
    expect(await run(chain, chain.validator(0), [appendOf('prices', ['a'])])).toEqual(failed('NOT_A_WRITER'));
    expect(await run(chain, chain.validator(0), [appendOf('unknown', ['a'])])).toEqual(failed('UNKNOWN_SERVICE'));
  });

  test('are appended by every writer of a long list, and by nobody beside it', async () => {
    const { chain, writer } = await TestChain.withService();
    const keys = Array.from({ length: 8 }, (_, i) => chain.key(`w${i}`)).sort((a, b) => compareBytes(a.address, b.address));
    const creations = keys.map(({ signer }): Operation => ({ kind: 'account.create', publicKey: signer.publicKey }));
    await run(chain, chain.validator(0), creations);
    for (const count of [0, 1, 2, 3, 7, 8]) {
      const writers = keys.slice(0, count).map(({ address }) => address);
      await run(chain, writer, [{ kind: 'service.update', ...definition('prices', writer, { writers }) }]);
      const { statuses } = await chain.decide(await Promise.all(keys.map((key) => chain.append(key, ['a']))));
      expect(statuses.map(({ status }) => status === 'committed')).toEqual(keys.map((_, i) => i < count));
    }
  });

  // @mutation packages/ledger/src/execute-operation.ts
  // - name === append.schema && version === append.schemaVersion
  // + name === append.schema
  // @mutation packages/ledger/src/execute-operation.ts
  // - name === append.schema && version === append.schemaVersion
  // + version === append.schemaVersion
  test('say a schema that the service lists; old and new versions stand side by side', async () => {
    const { chain, writer } = await TestChain.withService();
    const of = (schema: string, schemaVersion: number): Operation => ({ ...appendOf('prices', ['a']), schema, schemaVersion }) as Operation;
    expect(await run(chain, writer, [of('price', 2)])).toEqual(failed('SCHEMA_NOT_LISTED'));
    expect(await run(chain, writer, [of('other', 1)])).toEqual(failed('SCHEMA_NOT_LISTED'));
    const schemas = [1, 2].map((version) => ({ name: 'price', version }));
    await run(chain, writer, [{ kind: 'service.update', ...definition('prices', writer, { schemas }) }]);
    expect(await run(chain, writer, [of('price', 1), of('price', 2)])).toBe('committed');
    const { records } = await chain.ledger.records({ service: 'prices', limit: 5 });
    expect(records.map(({ schemaVersion }) => schemaVersion)).toEqual([1, 2]);
  });

  test('of several transactions and operations in one block follow one another', async () => {
    const { chain, writer } = await TestChain.withService();
    await run(chain, writer, [{ kind: 'service.create', ...definition('other', writer) }]);
    const first = await chain.transaction(writer, [appendOf('prices', ['a', 'b']), appendOf('other', ['x']), appendOf('prices', ['c'])]);
    const second = await chain.transaction(writer, [appendOf('other', ['y']), appendOf('prices', ['d'])]);
    await chain.decide([first, second]);
    const texts = async (service: string) =>
      (await chain.ledger.records({ service, limit: 9 })).records.map(
        ({ payload, index }) => `${index}${new TextDecoder().decode(payload)}`,
      );
    expect(await texts('prices')).toEqual(['0a', '1b', '2c', '3d']);
    expect(await texts('other')).toEqual(['0x', '1y']);
  });
});

describe('a recovery', () => {
  test('is kept per validator, the last one, with its height', async () => {
    const chain = await TestChain.create();
    const { address } = chain.validator(1);
    expect(chain.ledger.recovery(address)).toBeUndefined();
    for (const height of [1, 2]) {
      const nonce = new Uint8Array(16).fill(height);
      expect(await run(chain, chain.validator(1), [{ kind: 'validator.recover', nonce }])).toBe('committed');
      expect(chain.ledger.recovery(address)).toEqual({ height, nonce });
    }
  });

  // @mutation packages/ledger/src/execute-operation.ts
  // - if (committee.indexOf(account) === null) return 'NOT_A_VALIDATOR';
  // +
  test('is signed by the validator itself', async () => {
    const { chain, writer } = await TestChain.withService();
    expect(await run(chain, writer, [{ kind: 'validator.recover', nonce: new Uint8Array(16) }])).toEqual(failed('NOT_A_VALIDATOR'));
    expect(chain.ledger.recovery(writer.address)).toBeUndefined();
  });
});

describe('a failed transaction', () => {
  // @mutation packages/ledger/src/overlay.ts
  // - if (failure === null) return null;
  // + if (failure !== undefined) return failure;
  // @mutation packages/ledger/src/block-execution.ts
  // - this.#appends.truncate(appended);
  // +
  test('has no effect, neither of the operations before the one that fails nor of those after', async () => {
    const { chain, writer } = await TestChain.withService();
    const other = definition('other', writer);
    const operations: Operation[] = [
      { kind: 'service.create', ...other },
      appendOf('other', ['x']),
      appendOf('prices', ['lost']),
      appendOf('nowhere', ['y']),
      appendOf('prices', ['lost']),
    ];
    const losing = await chain.transaction(writer, operations);
    const before = await chain.append(writer, ['a']);
    const after = await chain.append(writer, ['b']);
    const { statuses } = await chain.decide([before, losing, after]);
    expect(statuses[1]).toMatchObject({ status: 'failed', reason: failed('UNKNOWN_SERVICE', 3) });
    expect(chain.ledger.service('other')).toBeUndefined();
    expect(chain.ledger.recordLog('other')).toBeUndefined();
    const { records } = await chain.ledger.records({ service: 'prices', limit: 9 });
    expect(records.map(({ payload }) => new TextDecoder().decode(payload))).toEqual(['a', 'b']);
    expect(chain.ledger.transactionStatus(losing.txId)).toMatchObject({ status: 'failed', height: 3, index: 1 });
  });

  // @mutation packages/ledger/src/overlay.ts
  // - else this.#changed.set(mapKey, former);
  // +
  test('gives back what an earlier transaction of the block had set', async () => {
    const { chain, writer } = await TestChain.withService();
    const redefine = (retentionMs: number): Operation => ({ kind: 'service.update', ...definition('prices', writer, { retentionMs }) });
    const kept = await chain.transaction(writer, [redefine(1)]);
    const lost = await chain.transaction(writer, [redefine(2), redefine(3), appendOf('nowhere', ['x'])]);
    await chain.decide([kept, lost]);
    expect(chain.ledger.service('prices')?.retentionMs).toBe(1);
  });

  test('uses up its bytes of quota', async () => {
    const tight = await TestChain.withService({ parameters: { quotaBytesPerWindow: 4 * 1024 * 1024, quotaWindowMs: 1000 } });
    const lost = await tight.chain.append(tight.writer, ['x'.repeat(60_000)], 'nowhere');
    const block = tight.chain.propose(
      await Promise.all(Array.from({ length: 20 }, () => tight.chain.append(tight.writer, ['x'.repeat(60_000)], 'nowhere'))),
    );
    expect(block.transactions.length).toBe(Math.floor((1024 * 1024) / lost.bytes.length));
  });
});

/** A block time at which a window of ten seconds begins. */
const GENESIS_WINDOW = 1_700_000_010_000;

describe('the quota of bytes', () => {
  const megabyte = 1024 * 1024;
  const parameters = {
    quotaBytesPerWindow: 3 * megabyte,
    quotaWindowMs: 10_000,
    recordBytesMax: megabyte,
    transactionBytesMax: 2 * megabyte,
  };

  /** An append that takes exactly so many bytes. */
  async function ofSize(chain: TestChain, account: TestKey, bytes: number) {
    const overhead = (await chain.append(account, [''])).bytes.length;
    return chain.append(account, ['x'.repeat(bytes - overhead)]);
  }

  // @mutation packages/ledger/src/quota.ts
  // - if (used.bytesUsed + use.bytes > share) {
  // + if (used.bytesUsed + use.bytes > share + 1) {
  // @mutation packages/ledger/src/quota.ts
  // - if (used.bytesUsed + use.bytes > share) {
  // + if (used.bytesUsed + use.bytes >= share) {
  test('is the share of the weight, rounded down, over all accounts of a sponsor', async () => {
    const chain = await TestChain.create({ parameters, weights: [1, 2, 2, 2] });
    const light = chain.validators.find(
      ({ address }) => chain.genesis.committee.weight(chain.genesis.committee.indexOf(address) as number) === 1,
    ) as TestKey;
    const share = Math.floor((3 * megabyte) / 7);
    const [fits, exceeds] = [await ofSize(chain, light, share), await ofSize(chain, light, share + 1)];
    expect(chain.propose([exceeds]).transactions).toEqual([]);
    expect(chain.propose([fits]).transactions).toEqual([fits]);
    const someone = chain.key('someone');
    const create = await chain.transaction(light, [createAccount(someone)]);
    await chain.decide([create], GENESIS_WINDOW);
    const rest = share - create.bytes.length;
    expect(chain.propose([await ofSize(chain, someone, rest + 1)], { timeMs: GENESIS_WINDOW + 1 }).transactions).toEqual([]);
    expect(chain.propose([await ofSize(chain, someone, rest)], { timeMs: GENESIS_WINDOW + 1 }).transactions.length).toBe(1);
  });

  // @mutation packages/ledger/src/quota.ts
  // - when.timeMs - (when.timeMs % when.quotaWindowMs)
  // + when.timeMs - (when.timeMs % (when.quotaWindowMs + 1))
  // @mutation packages/ledger/src/quota.ts
  // - stored.windowStartMs === windowStartMs ? stored
  // + stored.windowStartMs >= windowStartMs - when.quotaWindowMs ? stored
  test('starts anew with each window of block time', async () => {
    const chain = await TestChain.create({ parameters });
    const validator = chain.validator(0);
    const share = Math.floor((3 * megabyte) / 4);
    const take = async (timeMs: number) => {
      const transaction = await ofSize(chain, validator, share);
      const proposed = chain.propose([transaction], { timeMs });
      await chain.ledger.apply(proposed, await chain.certificate(proposed));
      return proposed.transactions.length;
    };
    const windowMs = parameters.quotaWindowMs;
    expect(await take(GENESIS_WINDOW)).toBe(1);
    expect(await take(GENESIS_WINDOW + windowMs - 1)).toBe(0);
    expect(await take(GENESIS_WINDOW + windowMs)).toBe(1);
    expect(await take(GENESIS_WINDOW + windowMs + 1)).toBe(0);
    expect(await take(GENESIS_WINDOW + 5 * windowMs - 1)).toBe(1);
    expect(await take(GENESIS_WINDOW + 5 * windowMs)).toBe(1);
  });

  test('is exact for the largest weights', async () => {
    const quotaBytesPerWindow = 3 * megabyte + 1;
    const chain = await TestChain.create({
      weights: [2 ** 48, 2 ** 48, 2 ** 48 - 1, 2 ** 47 + 3],
      parameters: { ...parameters, quotaBytesPerWindow },
    });
    const { committee } = chain.genesis;
    for (const [index, { weight }] of committee.validators.entries()) {
      const share = Number((BigInt(quotaBytesPerWindow) * BigInt(weight)) / BigInt(committee.totalWeight));
      const exceeding = await ofSize(chain, chain.validator(index), 1_000_000);
      expect(chain.ledger.admissible(exceeding, GENESIS_WINDOW)).toMatchObject({
        ok: false,
        error: { code: 'QUOTA_EXCEEDED', share, used: 0 },
      });
    }
  });

  test('keeps the counts of accounts and services through the windows', async () => {
    const chain = await TestChain.create({ parameters: { ...parameters, accountsPerValidatorMax: 1 } });
    expect(await run(chain, chain.validator(0), [createAccount(chain.key('a'))])).toBe('committed');
    await chain.decide([], chain.nextTimeMs + 100_000);
    expect(await run(chain, chain.validator(0), [createAccount(chain.key('b'))])).toEqual(failed('ACCOUNT_QUOTA_EXCEEDED'));
  });
});

// @mutation packages/ledger/src/committed-state.ts
// - for (const { name, value, bytes } of values) this.#values.set(name, value, bytes.length);
// +
test('what a block has changed is what the next one finds, and what is found after a restart', async () => {
  const { chain, writer } = await TestChain.withService();
  expect(chain.ledger.recordLog('prices')?.recordCount).toBe(0);
  for (const count of [1, 2, 3]) {
    await chain.decide([await chain.append(writer, ['a'])]);
    expect(chain.ledger.recordLog('prices')?.recordCount).toBe(count);
  }
  const kept = [chain.ledger.recordLog('prices'), chain.ledger.service('prices'), chain.ledger.account(writer.address)];
  await chain.reopen();
  expect([chain.ledger.recordLog('prices'), chain.ledger.service('prices'), chain.ledger.account(writer.address)]).toEqual(kept);
});
