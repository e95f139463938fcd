import { toHex } from '@nacre/base';
import { proposalId, type SetChange } from '@nacre/ledger';
import { describe, expect, test } from 'vitest';
import { EpochChain } from './support/epoch-chain.ts';
import { GENESIS_MS, type TestKey } from './support/test-chain.ts';

function joining({ signer, address }: TestKey, weight = 1000): SetChange {
  return { kind: 'validator.join', address, publicKey: signer.publicKey, weight };
}

const parameter = (value: number): SetChange => ({ kind: 'parameters.change', name: 'keyBytesMax', value });

/** A proposal of one validator, alone in a block. */
async function opened(chain: EpochChain, by: TestKey, change: SetChange) {
  const transaction = await chain.transaction(by, [await chain.proposing(change)]);
  const [outcome] = await chain.decide([transaction]);
  return { outcome, id: proposalId(transaction.txId, 0) };
}

describe('a proposal', () => {
  // @mutation packages/ledger/src/govern.ts
  // - if (committee.indexOf(proposer) === null) return
  // + if (committee.size === 0) return
  // @mutation packages/ledger/src/govern.ts
  // - if (committee.indexOf(account) === null) return
  // + if (committee.size === 0) return
  test('is opened and approved by validators of the committee only', async () => {
    const chain = await EpochChain.create();
    const someone = chain.key('someone');
    await chain.run(chain.validator(0), { kind: 'account.create', publicKey: someone.signer.publicKey });
    expect((await opened(chain, someone, parameter(64))).outcome).toBe('NOT_A_VALIDATOR');
    const { id } = await opened(chain, chain.validator(0), parameter(64));
    expect(await chain.run(someone, { kind: 'proposal.approve', id })).toBe('NOT_A_VALIDATOR');
    expect(chain.ledger.validatorSet.proposal(id)?.approvals).toHaveLength(1);
  });

  // @mutation packages/ledger/src/govern.ts
  // - return committee.isQuorum(committee.weightOf(places));
  // + return committee.isQuorum(committee.weightOf(places) + 1);
  // @mutation packages/ledger/src/govern.ts
  // - return committee.isQuorum(committee.weightOf(places));
  // + return 2 * committee.weightOf(places) >= committee.totalWeight;
  test('is decided by more than two thirds of the weight', async () => {
    const chain = await EpochChain.create({ weights: [1, 1, 2, 2], allowLargeWeights: true });
    const [a, b, c, d] = chain.validators as [TestKey, TestKey, TestKey, TestKey];
    const { id } = await opened(chain, c, parameter(64));
    expect(await chain.run(d, { kind: 'proposal.approve', id })).toBeNull();
    expect(chain.ledger.validatorSet.proposals()).toMatchObject([{ id, approvedWeight: 4, proposal: { approved: null } }]);
    expect(await chain.run(a, { kind: 'proposal.approve', id })).toBeNull();
    expect(chain.ledger.validatorSet.proposal(id)?.approved).toEqual({ height: 3, actsAtEpoch: 2 });
    expect(await chain.run(b, { kind: 'proposal.approve', id })).toBe('PROPOSAL_DECIDED');
  });

  // @mutation packages/ledger/src/govern.ts
  // - if (!isNew) return
  // + if (account.length === 0) return
  test('is approved once by each', async () => {
    const chain = await EpochChain.create();
    const { id } = await opened(chain, chain.validator(0), parameter(64));
    expect(await chain.run(chain.validator(0), { kind: 'proposal.approve', id })).toBe('ALREADY_APPROVED');
    expect(await chain.run(chain.validator(1), { kind: 'proposal.approve', id: new Uint8Array(32) })).toBe('PROPOSAL_UNKNOWN');
  });

  // @mutation packages/ledger/src/govern.ts
  // - const serving = proposal.approvals.filter((address) => committee.indexOf(address) !== null);
  // + const serving = proposal.approvals;
  test('counts the approvals of those who still serve, with the weight that they have then', async () => {
    const chain = await EpochChain.create({ weights: [1000, 1000, 1000, 1000, 1000] });
    const [a, b, c, d, e] = chain.validators as [TestKey, TestKey, TestKey, TestKey, TestKey];
    expect(await chain.decideChange({ kind: 'validator.leave', address: e.address }, [a, b, c, d])).toBeNull();
    await chain.enter(1);
    const { id } = await opened(chain, e, parameter(64));
    expect(await chain.run(a, { kind: 'proposal.approve', id })).toBeNull();
    await chain.enter(2);
    expect(await chain.run(b, { kind: 'proposal.approve', id })).toBeNull();
    expect(chain.ledger.validatorSet.proposal(id)).toMatchObject({ approved: null, approvals: [a.address, b.address] });
    expect(await chain.run(c, { kind: 'proposal.approve', id })).toBeNull();
    expect(chain.ledger.validatorSet.proposal(id)?.approved).not.toBeNull();
  });

  // @mutation packages/ledger/src/govern.ts
  // - if (timeMs > proposal.expiresMs) return
  // + if (timeMs >= proposal.expiresMs) return
  // @mutation packages/ledger/src/govern.ts
  // - if (timeMs > proposal.expiresMs) return
  // + if (timeMs > proposal.expiresMs + 1) return
  test('expires by block time', async () => {
    const chain = await EpochChain.create({ parameters: { proposalWindowMs: 5000 } });
    const { id } = await opened(chain, chain.validator(0), parameter(64));
    const [last, late] = await Promise.all(
      [1, 2].map((index) => chain.transaction(chain.validator(index), [{ kind: 'proposal.approve', id }])),
    );
    expect(await chain.decide(last && [last], { timeMs: GENESIS_MS + 6000 })).toEqual([null]);
    expect(chain.ledger.validatorSet.proposals()).toHaveLength(1);
    expect(await chain.decide(late && [late], { timeMs: GENESIS_MS + 6001 })).toEqual(['PROPOSAL_EXPIRED']);
    expect(chain.ledger.validatorSet.proposals()).toEqual([]);
    expect(chain.ledger.validatorSet.proposal(id)).toMatchObject({ approved: null, expiresMs: GENESIS_MS + 6000 });
  });

  // @mutation packages/ledger/src/govern.ts
  // - if (isSubject && isSameChange(proposal.change, change)) return
  // + if (own < 0) return
  // @mutation packages/ledger/src/govern.ts
  // - if (isSubject) return fail({ code: 'PROPOSAL_OPEN',
  // + if (own < 0) return fail({ code: 'PROPOSAL_OPEN',
  // @mutation packages/ledger/src/govern.ts
  // - if (!bytesEqual(proposal.proposer, proposer)) continue;
  // + if (own < 0) continue;
  test('is made once for a change, and once for a subject by each; nobody keeps the others from making theirs', async () => {
    const chain = await EpochChain.create();
    await opened(chain, chain.validator(0), parameter(64));
    expect((await opened(chain, chain.validator(1), parameter(64))).outcome).toBe('PROPOSAL_EXISTS');
    expect((await opened(chain, chain.validator(0), parameter(65))).outcome).toBe('PROPOSAL_OPEN');
    expect((await opened(chain, chain.validator(1), parameter(65))).outcome).toBeNull();
  });

  // @mutation packages/ledger/src/govern.ts
  // - if (isSubject) return fail({ code: 'CHANGE_IN_FLIGHT',
  // + if (own < 0) return fail({ code: 'CHANGE_IN_FLIGHT',
  // @mutation packages/ledger/src/govern.ts
  // - if (before !== undefined) {
  // + if (before !== undefined && height < 0) {
  // @mutation packages/ledger/src/proposal-list.ts
  // - epoch < approved.actsAtEpoch;
  // + epoch + 1 < approved.actsAtEpoch;
  test('of a subject waits until what was decided about it is in force', async () => {
    const chain = await EpochChain.create();
    const { id } = await opened(chain, chain.validator(3), parameter(65));
    expect(await chain.decideChange(parameter(64))).toBeNull();
    await chain.enter(1);
    expect((await opened(chain, chain.validator(0), parameter(66))).outcome).toBe('CHANGE_IN_FLIGHT');
    await chain.run(chain.validator(1), { kind: 'proposal.approve', id });
    expect(await chain.run(chain.validator(2), { kind: 'proposal.approve', id })).toBe('CHANGE_IN_FLIGHT');
    await chain.enter(2);
    expect((await opened(chain, chain.validator(0), parameter(66))).outcome).toBeNull();
    expect(await chain.run(chain.validator(2), { kind: 'proposal.approve', id })).toBeNull();
    expect(chain.ledger.validatorSet.scheduledParameters.decided.keyBytesMax).toBe(65);
  });

  // @mutation packages/ledger/src/govern.ts
  // - return own < max ? ok(undefined) : fail({ code: 'PROPOSALS_TOO_MANY', max });
  // + return own <= max ? ok(undefined) : fail({ code: 'PROPOSALS_TOO_MANY', max });
  test('takes one of few places that each validator has', async () => {
    const chain = await EpochChain.create({ parameters: { proposalsPerValidatorMax: 2, proposalWindowMs: 60_000 } });
    const leave = (index: number): SetChange => ({ kind: 'validator.leave', address: chain.validator(index).address });
    const weight: SetChange = { kind: 'validator.weight', address: chain.validator(1).address, weight: 1001 };
    expect((await opened(chain, chain.validator(0), parameter(64))).outcome).toBeNull();
    expect((await opened(chain, chain.validator(0), weight)).outcome).toBeNull();
    const third = { ...weight, address: chain.validator(2).address };
    expect((await opened(chain, chain.validator(0), third)).outcome).toBe('PROPOSALS_TOO_MANY');
    expect((await opened(chain, chain.validator(1), third)).outcome).toBeNull();
    await chain.decide([], { timeMs: chain.nextTimeMs + 60_000 });
    expect((await opened(chain, chain.validator(0), third)).outcome).toBeNull();
    expect((await opened(chain, chain.validator(0), leave(3))).outcome).toBe('SET_THIRD');
  });

  test('of a single validator who holds all is decided at once', async () => {
    const chain = await EpochChain.create({ weights: [1000], allowLargeWeights: true });
    expect((await opened(chain, chain.validator(0), parameter(64))).outcome).toBeNull();
    await chain.enter(2);
    expect(chain.ledger.parameters.keyBytesMax).toBe(64);
  });

  test('that is refused tells the client why before it waits', async () => {
    const chain = await EpochChain.create();
    const leave = await chain.transaction(chain.validator(0), [{ kind: 'validator.leave', address: chain.validator(3).address }]);
    expect(chain.ledger.admissible(leave, chain.nextTimeMs)).toMatchObject({
      ok: false,
      error: { code: 'SET_THIRD', operation: 0, weight: 1000, totalWeight: 3000 },
    });
  });
});

describe('a validator', () => {
  test('joins, is weighted up and leaves, each time two epochs after the decision', async () => {
    const chain = await EpochChain.create();
    const joiner = chain.key('joiner');
    const { address } = joiner;
    const all = [...chain.validators, joiner];
    expect(await chain.decideChange(joining(joiner))).toBeNull();
    await chain.enter(1);
    expect(chain.weights()).not.toHaveProperty('joiner');
    await chain.enter(2);
    expect(chain.weights()).toEqual({ v0: 1000, v1: 1000, v2: 1000, v3: 1000, joiner: 1000 });
    expect(await chain.decideChange({ kind: 'validator.weight', address, weight: 1500 }, all)).toBeNull();
    await chain.enter(4);
    expect(chain.weights()).toMatchObject({ joiner: 1500 });
    expect(await chain.decideChange({ kind: 'validator.leave', address }, all)).toBeNull();
    await chain.enter(6);
    expect(chain.weights()).toEqual({ v0: 1000, v1: 1000, v2: 1000, v3: 1000 });
    expect(chain.ledger.validatorSet.registry.members).toHaveLength(4);
  });

  // @mutation packages/ledger/src/govern.ts
  // - overlay.set(ACCOUNT, change.address, { publicKey: change.publicKey, sponsor: proposal.proposer, retired: null });
  // + overlay.set(ACCOUNT, change.address, { publicKey: change.publicKey, sponsor: change.address, retired: null });
  // @mutation packages/ledger/src/block-execution.ts
  // - const sponsor = committee.indexOf(account) === null ? signer.sponsor : account;
  // + const sponsor = signer.sponsor;
  test('has an account from the decision on, on the quota of who proposed it until it serves', async () => {
    const chain = await EpochChain.create({ parameters: { quotaWindowMs: 1000, quotaBytesPerWindow: 2 ** 20 } });
    const joiner = chain.key('joiner');
    await chain.decideChange(joining(joiner, 100));
    expect(chain.ledger.account(joiner.address)?.sponsor).toEqual(chain.validator(0).address);
    const create = (name: string) => ({ kind: 'account.create', publicKey: chain.key(name).signer.publicKey }) as const;
    expect(await chain.run(joiner, create('a'))).toBe('NOT_A_VALIDATOR');
    await chain.enter(2);
    expect(await chain.run(joiner, create('a'))).toBeNull();
    // A share of 100 of 4,100 is 25 KB.
    const large = {
      kind: 'service.create',
      name: 's',
      owners: [joiner.address],
      schemas: [{ name: 'a', version: 1 }],
      shard: 0,
      retentionMs: 0,
    } as const;
    const writers = Array.from({ length: 900 }, (_, i) => new Uint8Array(32).fill(i >> 8, 0, 1).fill(i & 255, 1));
    const transaction = await chain.transaction(joiner, [{ ...large, writers }]);
    expect(chain.ledger.admissible(transaction, chain.nextTimeMs)).toMatchObject({ ok: false, error: { code: 'QUOTA_EXCEEDED' } });
  });

  // @mutation packages/ledger/src/decide-change.ts
  // - if (!fits) return
  // + if (publicKey.length === 0) return
  test('joins with the key of its account, and proves that it has it', async () => {
    const chain = await EpochChain.create();
    const [joiner, other] = [chain.key('joiner'), chain.key('other')];
    const foreign = { ...joining(joiner), address: other.address } as SetChange;
    expect((await opened(chain, chain.validator(0), foreign)).outcome).toBe('KEY_MISMATCH');
    const operation = await chain.proposing(joining(joiner));
    if (operation.kind !== 'validator.join') return expect.unreachable();
    const forged = [
      { ...operation, proofOfPossession: operation.proofOfPossession.toReversed() },
      { ...operation, proofOfPossession: await chain.possession(joiner.signer.publicKey, joiner.address, 'rotate') },
      { ...operation, proofOfPossession: await chain.possession(joiner.signer.publicKey, other.address, 'join') },
    ];
    const transactions = await Promise.all(forged.map((one) => chain.transaction(chain.validator(0), [one])));
    expect(await chain.ledger.verifySignatures(transactions)).toEqual([false, false, false]);
  });

  test('that is none, or is one already, is refused', async () => {
    const chain = await EpochChain.create();
    const { address } = chain.key('nobody');
    const proposer = chain.validator(0);
    expect((await opened(chain, proposer, joining(chain.validator(1)))).outcome).toBe('VALIDATOR_EXISTS');
    expect((await opened(chain, proposer, { kind: 'validator.leave', address })).outcome).toBe('VALIDATOR_UNKNOWN');
    expect((await opened(chain, proposer, { kind: 'validator.rehabilitate', address })).outcome).toBe('VALIDATOR_UNKNOWN');
    const known = chain.validator(1).address;
    expect((await opened(chain, proposer, { kind: 'validator.rehabilitate', address: known })).outcome).toBe('VALIDATOR_NOT_HELD');
    expect((await opened(chain, proposer, { kind: 'validator.weight', address: known, weight: 1000 })).outcome).toBe('CHANGE_NONE');
  });

  test('that has left may come again', async () => {
    const chain = await EpochChain.create({ weights: [1000, 1000, 1000, 1000, 1000] });
    const last = chain.validator(4);
    await chain.decideChange({ kind: 'validator.leave', address: last.address });
    await chain.enter(3);
    expect(chain.ledger.validatorSet.registry.members).toHaveLength(4);
    expect(await chain.decideChange(joining(last, 900), chain.validators.slice(0, 4))).toBeNull();
    await chain.enter(5);
    expect(chain.weights()).toMatchObject({ v4: 900 });
  });
});

describe('the limits of the set', () => {
  // @mutation packages/ledger/src/set-limits.ts
  // - if (3 * weight < totalWeight) return false;
  // + if (3 * weight <= totalWeight) return false;
  test('nobody comes to a third of the weight', async () => {
    const chain = await EpochChain.create();
    const { address } = chain.validator(0);
    const weighing = (weight: number): SetChange => ({ kind: 'validator.weight', address, weight });
    expect(chain.ledger.validatorSet.dryRun(weighing(1500))).toMatchObject({ ok: false, error: { code: 'SET_THIRD' } });
    expect(chain.ledger.validatorSet.dryRun(weighing(1499))).toMatchObject({ ok: true });
    const large = await EpochChain.create({ weights: [1000, 1000, 1000], allowLargeWeights: true });
    const leave: SetChange = { kind: 'validator.leave', address: large.validator(2).address };
    expect(large.ledger.validatorSet.dryRun(leave)).toMatchObject({ ok: true });
  });

  // @mutation packages/ledger/src/set-limits.ts
  // - return 3 * staying > 2 * totalWeight ?
  // + return 3 * staying >= 2 * totalWeight ?
  test('newcomers alone never have a third, counted over all that was decided in the epoch', async () => {
    const chain = await EpochChain.create();
    const [a, b] = [chain.key('a'), chain.key('b')];
    expect(chain.ledger.validatorSet.dryRun(joining(a, 2000))).toMatchObject({ ok: false, error: { code: 'SET_THIRD' } });
    expect(await chain.decideChange(joining(a))).toBeNull();
    expect(chain.ledger.validatorSet.dryRun(joining(b, 1000))).toMatchObject({
      ok: false,
      error: { code: 'SET_DISCONTINUOUS', staying: 4000, totalWeight: 6000 },
    });
    expect(chain.ledger.validatorSet.dryRun(joining(b, 999))).toMatchObject({ ok: true });
  });

  // @mutation packages/ledger/src/govern.ts
  // - const decided = decideChange(change, overlay, changePlace(scope));
  // - if (!decided.ok) return decided;
  // + const decided = decideChange(change, overlay, changePlace(scope));
  // + if (!decided.ok) return ok(undefined);
  test('are asked again when the last approval comes', async () => {
    const chain = await EpochChain.create({ parameters: { epochBlocksMin: 5 } });
    const [a, b] = [chain.key('a'), chain.key('b')];
    const { id } = await opened(chain, chain.validator(0), joining(b, 1000));
    expect(await chain.decideChange(joining(a))).toBeNull();
    await chain.run(chain.validator(1), { kind: 'proposal.approve', id });
    expect(await chain.run(chain.validator(2), { kind: 'proposal.approve', id })).toBe('SET_DISCONTINUOUS');
    await chain.enter(1);
    expect(await chain.run(chain.validator(2), { kind: 'proposal.approve', id })).toBeNull();
    await chain.enter(3);
    expect(chain.weights()).toMatchObject({ a: 1000, b: 1000 });
  });

  test('the last one stays, and the total stays exact', async () => {
    const chain = await EpochChain.create({ weights: [2 ** 48, 2 ** 48, 2 ** 48, 2 ** 48 - 1], allowLargeWeights: true });
    const weighing: SetChange = { kind: 'validator.weight', address: chain.validator(3).address, weight: 2 ** 48 + 1 };
    expect(chain.ledger.validatorSet.dryRun(weighing)).toMatchObject({ ok: false, error: { code: 'SET_WEIGHT_OVERFLOW' } });
    const alone = await EpochChain.create({ weights: [1], allowLargeWeights: true });
    const leave: SetChange = { kind: 'validator.leave', address: alone.validator(0).address };
    expect(alone.ledger.validatorSet.dryRun(leave)).toMatchObject({ ok: false, error: { code: 'SET_EMPTY' } });
  });

  // @mutation packages/ledger/src/set-limits.ts
  // - if (limits.registered > COMMITTEE_SIZE_MAX) return
  // + if (limits.registered > COMMITTEE_SIZE_MAX + 1) return
  test('a hundred are enough', async () => {
    const chain = await EpochChain.create({ weights: Array.from({ length: 100 }, () => 10) });
    expect(chain.ledger.validatorSet.dryRun(joining(chain.key('joiner'), 10))).toMatchObject({
      ok: false,
      error: { code: 'SET_TOO_LARGE', size: 101 },
    });
  });

  // @mutation packages/ledger/src/validator-set.ts
  // - const weight = Math.ceil(totalWeight / 3) - 1;
  // + const weight = Math.floor(totalWeight / 3);
  test('a dry run tells the set, its epoch, and how much of it may fail', async () => {
    const chain = await EpochChain.create();
    expect(chain.ledger.validatorSet.dryRun(joining(chain.key('joiner'), 500))).toMatchObject({
      ok: true,
      value: { actsAtEpoch: 2, totalWeight: 4500, faultTolerance: { weight: 1499, validators: 1 } },
    });
    const seven = await EpochChain.create({ weights: [3, 3, 3, 3, 3, 3] });
    const dry = seven.ledger.validatorSet.dryRun(joining(seven.key('joiner'), 3));
    expect(dry).toMatchObject({ ok: true, value: { faultTolerance: { weight: 6, validators: 2 } } });
    expect(dry.ok && dry.value.validators).toHaveLength(7);
  });
});

describe('a parameter', () => {
  // @mutation packages/ledger/src/parameter-stages.ts
  // - ({ name, inForce: scheduled, scheduled: decided, decided })
  // + ({ name, inForce: decided, scheduled: decided, decided })
  test('changes two epochs after the decision, for what is decoded as well as for what a block may hold', async () => {
    const chain = await EpochChain.create();
    const [owner] = chain.validators as [TestKey];
    const schemas = [{ name: 'a', version: 1 }];
    await chain.run(owner, {
      kind: 'service.create',
      name: 's',
      owners: [owner.address],
      writers: [owner.address],
      schemas,
      shard: 0,
      retentionMs: 0,
    });
    const append = (key: string) =>
      chain.transaction(owner, [
        {
          kind: 'record.append',
          service: 's',
          schema: 'a',
          schemaVersion: 1,
          mediaType: 'a/b',
          records: [{ key, payload: new Uint8Array(1) }],
        },
      ]);
    const [fits, exceeds] = await Promise.all([append('1234'), append('12345')]);
    expect(await chain.decideChange(parameter(4))).toBeNull();
    await chain.enter(1);
    expect(chain.ledger.validatorSet.scheduledParameters.scheduled.keyBytesMax).toBe(4);
    expect(chain.ledger.decode(exceeds.bytes)).toMatchObject({ ok: true });
    expect(chain.ledger.includable(exceeds, chain.nextTimeMs)).toMatchObject({ ok: true });
    await chain.enter(2);
    expect(chain.ledger.parameters.keyBytesMax).toBe(4);
    expect(chain.ledger.decode(exceeds.bytes)).toMatchObject({ ok: false, error: { code: 'KEY_TOO_LONG' } });
    expect(chain.ledger.includable(exceeds, chain.nextTimeMs)).toMatchObject({ ok: false, error: { code: 'KEY_TOO_LONG' } });
    expect(chain.propose([exceeds, fits]).transactions).toEqual([fits]);
    expect(chain.ledger.read(exceeds.bytes)).toMatchObject({ ok: true });
    expect(await chain.decide([fits])).toEqual([null]);
  });

  // @mutation packages/ledger/src/block-execution.ts
  // - const within = transaction.limits === parameters ? ok(undefined) : checkLimits(transaction, { scheme: genesis.scheme, parameters });
  // + const within = ok(undefined) ?? checkLimits(transaction, { scheme: genesis.scheme, parameters });
  test('of an earlier epoch lets nothing into a block', async () => {
    const chain = await EpochChain.create();
    const refused = await chain.transaction(chain.validator(0), [
      { kind: 'account.create', publicKey: chain.key('a').signer.publicKey },
      { kind: 'account.create', publicKey: chain.key('b').signer.publicKey },
    ]);
    await chain.decideChange({ kind: 'parameters.change', name: 'operationsMax', value: 1 });
    await chain.enter(2);
    expect(chain.propose([refused]).transactions).toEqual([]);
  });

  test('stays within its range and fits the others', async () => {
    const chain = await EpochChain.create();
    const changing = (name: 'keyBytesMax' | 'blockBytesMax' | 'protocolVersion', value: number) =>
      chain.ledger.validatorSet.dryRun({ kind: 'parameters.change', name, value });
    await expect(opened(chain, chain.validator(0), parameter(0))).rejects.toMatchObject({
      fields: { refusal: { code: 'PARAMETER_OUT_OF_RANGE', operation: 0 } },
    });
    expect(changing('keyBytesMax', 256)).toMatchObject({ ok: false, error: { code: 'CHANGE_NONE' } });
    expect(changing('blockBytesMax', 65_536)).toMatchObject({ ok: false, error: { code: 'PARAMETERS_INCONSISTENT' } });
  });

  // @mutation packages/ledger/src/ledger.ts
  // - if (protocolVersion <= PROTOCOL_VERSION_MAX) return;
  // + if (protocolVersion <= PROTOCOL_VERSION_MAX + 1) return;
  // @mutation packages/ledger/src/decide-change.ts
  // - if (name === 'protocolVersion' && value < decided) return
  // + if (name === 'protocolVersion' && value < 0) return
  test('that asks for newer rules is decided by any program, and stops those that do not know them at its epoch', async () => {
    const chain = await EpochChain.create();
    expect(await chain.decideChange({ kind: 'parameters.change', name: 'protocolVersion', value: 2 })).toBeNull();
    expect(chain.ledger.validatorSet.dryRun({ kind: 'parameters.change', name: 'protocolVersion', value: 1 })).toMatchObject({
      ok: false,
      error: { code: 'PROTOCOL_VERSION_LOWER' },
    });
    await chain.enter(1);
    expect(chain.ledger.validatorSet.scheduledParameters.scheduled.protocolVersion).toBe(2);
    await chain.enter(2);
    const stopped = expect.objectContaining({ code: 'PROTOCOL_UNKNOWN', fields: { protocolVersion: 2, known: 1, epoch: 2 } });
    expect(() => chain.ledger.requireKnownProtocol()).toThrow(stopped);
    expect(() => chain.propose([])).toThrow(stopped);
    await expect(chain.reopen()).rejects.toEqual(stopped);
    expect(toHex(chain.ledger.tip.blockHash)).toBe(toHex(chain.follower.tip.blockHash));
  });
});
