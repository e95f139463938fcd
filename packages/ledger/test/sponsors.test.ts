import { describe, expect, test } from 'vitest';
import { EpochChain } from './support/epoch-chain.ts';

/** An account of validator 3, which then leaves. */
async function orphaned() {
  const chain = await EpochChain.create({ weights: [1000, 1000, 1000, 1000, 1000] });
  const account = chain.key('account');
  const create = { kind: 'account.create', publicKey: account.signer.publicKey } as const;
  const another = () => ({ kind: 'service.create', name: 'a', owners: [account.address], writers: [account.address], ...SERVICE }) as const;
  const leaver = chain.validator(3);
  expect(await chain.run(leaver, create)).toBeNull();
  expect(await chain.decideChange({ kind: 'validator.leave', address: leaver.address })).toBeNull();
  return { chain, account, create, another, leaver };
}

const SERVICE = { schemas: [{ name: 'price', version: 1 }], shard: 0, retentionMs: 0 };

async function admission(chain: EpochChain, ...transaction: Parameters<EpochChain['transaction']>): Promise<string> {
  const judged = chain.ledger.admissible(await chain.transaction(...transaction), chain.nextTimeMs);
  return judged.ok ? 'ok' : judged.error.code;
}

describe('an account whose sponsor has left', () => {
  // @mutation packages/ledger/src/execute-operation.ts
  // - const hasQuota = known !== undefined && [address, known.sponsor].some((one) => committee.indexOf(one) !== null);
  // + const hasQuota = known !== undefined;
  test('cannot write before another validator takes it on', async () => {
    const { chain, account, create, another } = await orphaned();
    await chain.enter(2);
    expect(await admission(chain, account, [another()])).toBe('QUOTA_EXCEEDED');
    expect(await chain.run(chain.validator(0), create)).toBeNull();
    expect(chain.ledger.account(account.address)?.sponsor).toEqual(chain.validator(0).address);
    expect(await chain.run(account, another())).toBeNull();
    expect(chain.ledger.service('a')?.sponsor).toEqual(chain.validator(0).address);
  });

  // @mutation packages/ledger/src/execute-operation.ts
  // - [address, known.sponsor].some(
  // + [address].some(
  test('is taken on by one validator, and by none while its sponsor serves', async () => {
    const { chain, account, create, leaver } = await orphaned();
    expect(await chain.run(chain.validator(0), create)).toBe('ACCOUNT_EXISTS');
    await chain.enter(2);
    const both = await Promise.all([0, 1].map((index) => chain.transaction(chain.validator(index), [create])));
    expect(await chain.decide(both)).toEqual([null, 'ACCOUNT_EXISTS']);
    expect(chain.ledger.account(account.address)?.sponsor).toEqual(chain.validator(0).address);
    expect(await admission(chain, leaver, [create])).toBe('QUOTA_EXCEEDED');
  });

  // @mutation packages/ledger/src/execute-operation.ts
  // - { publicKey, retired: null, ...known, sponsor });
  // + { publicKey, retired: null, sponsor });
  test('keeps the key that it has', async () => {
    const { chain, account, create, another } = await orphaned();
    const next = { ...chain.key('next'), address: account.address };
    expect(await chain.run(account, await chain.rotation(account, next))).toBeNull();
    await chain.enter(2);
    expect(await chain.run(chain.validator(0), create)).toBeNull();
    expect(chain.ledger.account(account.address)).toMatchObject({ publicKey: next.signer.publicKey, sponsor: chain.validator(0).address });
    expect(await admission(chain, account, [another()])).toBe('KEY_RETIRED');
    expect(await chain.run(next, another())).toBeNull();
  });
});

test('a validator of the genesis that has left writes again on the quota of another one', async () => {
  const { chain, another, leaver } = await orphaned();
  const { publicKey } = leaver.signer;
  await chain.enter(2);
  expect(await admission(chain, leaver, [another()])).toBe('QUOTA_EXCEEDED');
  expect(await chain.run(chain.validator(0), { kind: 'account.create', publicKey })).toBeNull();
  expect(await admission(chain, leaver, [another()])).toBe('ok');
});

// @mutation packages/ledger/src/execute-operation.ts
// - [address, known.sponsor].some(
// + [known.sponsor].some(
test('a validator whose sponsor has left needs none', async () => {
  const { chain, leaver } = await orphaned();
  const joiner = chain.key('joiner');
  const { publicKey } = joiner.signer;
  const [first, ...others] = chain.validators.filter((validator) => validator !== leaver);
  const join = { kind: 'validator.join', address: joiner.address, publicKey, weight: 100 } as const;
  expect(await chain.decideChange(join, [leaver, ...others])).toBeNull();
  await chain.enter(3);
  expect(chain.ledger.account(joiner.address)?.sponsor).toEqual(leaver.address);
  expect(await chain.run(first ?? expect.unreachable(), { kind: 'account.create', publicKey })).toBe('ACCOUNT_EXISTS');
});
