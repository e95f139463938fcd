import { equivocationToWire } from '@nacre/consensus';
import { describe, expect, test } from 'vitest';
import { operationFromWire } from '../src/operation-wire.ts';
import { EpochChain } from './support/epoch-chain.ts';
import type { TestKey } from './support/test-chain.ts';

const SIX = [1000, 1000, 1000, 1000, 1000, 1000];

async function report(chain: EpochChain, by: TestKey, offender: TestKey, place: Parameters<EpochChain['equivocation']>[1]) {
  return chain.run(by, { kind: 'evidence', equivocation: await chain.equivocation(offender, place) });
}

describe('evidence', () => {
  // @mutation packages/ledger/src/report-evidence.ts
  // - overlay.set(OFFENCE, number, { ...place, provenHeight: height, bodyHash: transaction.bodyHash, operation });
  // + overlay.set(OFFENCE, number, { ...place, provenHeight: place.height, bodyHash: transaction.bodyHash, operation });
  test('by anyone with an account is written down, with where it stands', async () => {
    const chain = await EpochChain.create();
    const someone = chain.key('someone');
    await chain.run(chain.validator(0), { kind: 'account.create', publicKey: someone.signer.publicKey });
    for (const kind of ['prepare', 'commit', 'proposal'] as const) {
      expect(await report(chain, someone, chain.validator(3), { height: 1, round: 2, kind })).toBeNull();
    }
    const offences = chain.ledger.validatorSet.offences({ from: 0, limit: 10 });
    expect(offences.map(({ number, offence }) => [number, offence.kind, offence.height, offence.round, offence.provenHeight])).toEqual([
      [0, 'prepare', 1, 2, 2],
      [1, 'commit', 1, 2, 3],
      [2, 'proposal', 1, 2, 4],
    ]);
    expect(offences[0]?.offence.address).toEqual(chain.validator(3).address);
    const body = chain.ledger.body(offences[2]?.offence.bodyHash as Uint8Array) as Uint8Array;
    expect(chain.ledger.read(body)).toMatchObject({ ok: true, value: { contents: { operations: [{ kind: 'evidence' }] } } });
    expect(chain.ledger.validatorSet.offences({ from: 1, limit: 1 }).map(({ number }) => number)).toEqual([1]);
  });

  // @mutation packages/ledger/src/report-evidence.ts
  // - if (known !== undefined) return
  // + if (known === null) return
  test('of one offence counts once, whatever the two messages are', async () => {
    const chain = await EpochChain.create({ weights: SIX });
    const [a, b, c] = chain.validators as [TestKey, TestKey, TestKey];
    const equivocation = await chain.equivocation(a, { height: 1 });
    expect(await chain.run(b, { kind: 'evidence', equivocation })).toBeNull();
    expect(await chain.run(c, { kind: 'evidence', equivocation })).toBe('EVIDENCE_KNOWN');
    expect(await report(chain, c, a, { height: 1, round: 1 })).toBeNull();
    expect(chain.ledger.validatorSet.registry).toMatchObject({ offenceCount: 2 });
  });

  // @mutation packages/ledger/src/report-evidence.ts
  // - if (at.epoch + parameters.evidenceEpochs < info.epoch) {
  // + if (at.epoch + parameters.evidenceEpochs <= info.epoch) {
  // @mutation packages/ledger/src/report-evidence.ts
  // - if (at.epoch + parameters.evidenceEpochs < info.epoch) {
  // + if (at.epoch + parameters.evidenceEpochs + 1 < info.epoch) {
  test('grows stale with the epochs', async () => {
    const chain = await EpochChain.create({ parameters: { evidenceEpochs: 2 } });
    await chain.enter(2);
    expect(await report(chain, chain.validator(1), chain.validator(0), { height: 1 })).toBeNull();
    await chain.enter(3);
    expect(await report(chain, chain.validator(1), chain.validator(0), { height: 2 })).toBe('EVIDENCE_STALE');
    expect(await report(chain, chain.validator(1), chain.validator(2), { height: 4 })).toBeNull();
  });

  // @mutation packages/ledger/src/block-execution.ts
  // - if (epoch === undefined) return
  // + if (height < 0) return
  test('of a height that is not decided waits; of the height of its own block it does not', async () => {
    const chain = await EpochChain.create();
    const own = await chain.equivocation(chain.validator(0), { height: 1 });
    const ahead = { ...own, first: { ...own.first, height: 2 }, second: { ...own.second, height: 2 } } as typeof own;
    const transaction = await chain.transaction(chain.validator(1), [{ kind: 'evidence', equivocation: ahead }]);
    expect(chain.ledger.includable(transaction, chain.nextTimeMs)).toMatchObject({
      ok: false,
      error: { code: 'EVIDENCE_AHEAD', height: 2 },
    });
    expect(await chain.ledger.verifySignatures([transaction])).toEqual([false]);
    expect(await chain.run(chain.validator(1), { kind: 'evidence', equivocation: own })).toBeNull();
  });

  // @mutation packages/ledger/src/verify-transaction.ts
  // - return (await verifyEquivocation({ committee, context: verifying.context, equivocation, verifier: verifying.verifier })).ok;
  // + return committee.size > 0;
  test('with a false signature, or of another validator, is as good as a transaction with one', async () => {
    const chain = await EpochChain.create();
    const good = await chain.equivocation(chain.validator(0), { height: 1 });
    const { first, second, validator } = good;
    const other = (validator + 1) % 4;
    const doctored = [
      { ...good, second: { ...second, signature: second.signature.toReversed() } },
      { ...good, validator: other, first: { ...first, validator: other }, second: { ...second, validator: other } },
      { ...good, first: { ...first, round: 1 }, second: { ...second, round: 1 } },
    ] as (typeof good)[];
    const transactions = await Promise.all(
      [good, ...doctored].map((equivocation) => chain.transaction(chain.validator(1), [{ kind: 'evidence', equivocation }])),
    );
    expect(await chain.ledger.verifySignatures(transactions)).toEqual([true, false, false, false]);
  });

  // @mutation packages/ledger/src/block-execution.ts
  // - if (validator >= epoch.committee.size) return
  // + if (validator < 0) return
  test('names a validator that the committee had', async () => {
    const chain = await EpochChain.create();
    const good = await chain.equivocation(chain.validator(0), { height: 1 });
    const beyond = {
      ...good,
      validator: 4,
      first: { ...good.first, validator: 4 },
      second: { ...good.second, validator: 4 },
    } as typeof good;
    const transaction = await chain.transaction(chain.validator(1), [{ kind: 'evidence', equivocation: beyond }]);
    expect(chain.ledger.includable(transaction, chain.nextTimeMs)).toMatchObject({ ok: false, error: { code: 'EVIDENCE_VALIDATOR' } });
  });

  // @mutation packages/consensus/src/evidence.ts
  // - return equivocation.first === first ? ok(equivocation) :
  // + return first !== second ? ok(equivocation) :
  // @mutation packages/consensus/src/evidence.ts
  // - if (equivocation === null) return fail({ code: 'EVIDENCE_NO_OFFENCE' });
  // + if (equivocation === null) return fail({ code: 'EVIDENCE_VALIDATOR' });
  test('has one encoding', async () => {
    const chain = await EpochChain.create();
    const wire = equivocationToWire(await chain.equivocation(chain.validator(0), { height: 1 }));
    const { first, second } = wire.value as { first: never; second: never };
    const read = (value: { first: never; second: never }) =>
      operationFromWire({ selector: 12, value: { equivocation: { selector: wire.selector, value } } });
    expect(read({ first, second })).toMatchObject({ ok: true });
    expect(read({ first: second, second: first })).toMatchObject({ ok: false, error: { code: 'EVIDENCE_UNORDERED' } });
    expect(read({ first, second: first })).toMatchObject({ ok: false, error: { code: 'EVIDENCE_NO_OFFENCE' } });
  });

  test('is checked with the key of its time, whatever became of it', async () => {
    const chain = await EpochChain.create();
    const offender = chain.validator(0);
    const equivocation = await chain.equivocation(offender, { height: 1 });
    await chain.run(offender, await chain.rotation(offender, chain.key('next')));
    await chain.enter(3);
    expect(await chain.run(chain.validator(1), { kind: 'evidence', equivocation })).toBeNull();
  });
});

describe('an offender', () => {
  // @mutation packages/ledger/src/registry.ts
  // - return held?.verdict === 'quarantined';
  // + return held?.verdict === 'serving';
  test('is out of the committee from the next epoch on, and out of the schedule', async () => {
    const chain = await EpochChain.create();
    expect(await report(chain, chain.validator(0), chain.validator(3), { height: 1 })).toBeNull();
    expect(chain.weights()).toHaveProperty('v3');
    await chain.enter(1);
    expect(chain.weights()).toEqual({ v0: 1000, v1: 1000, v2: 1000 });
    await chain.enter(3);
    expect(chain.weights()).toEqual({ v0: 1000, v1: 1000, v2: 1000 });
    const held = chain.ledger.validatorSet.registry.members.flatMap((member) => member.held ?? []);
    expect(held).toEqual([{ offence: 0, verdict: 'quarantined', epoch: 1 }]);
  });

  // @mutation packages/ledger/src/quarantine.ts
  // - const goes = 3 * (removed + weight) < scheduled.totalWeight;
  // + const goes = 3 * (removed + weight) <= scheduled.totalWeight;
  // @mutation packages/ledger/src/quarantine.ts
  // - const goes = 3 * (removed + weight) < scheduled.totalWeight;
  // + const goes = 3 * weight < scheduled.totalWeight;
  // @mutation packages/ledger/src/quarantine.ts
  // - .sort((a, b) => (a.held?.offence ?? 0) - (b.held?.offence ?? 0));
  // + .sort((a, b) => (b.held?.offence ?? 0) - (a.held?.offence ?? 0));
  test('serves on, marked, where a third of the weight would go at once', async () => {
    const chain = await EpochChain.create({ weights: SIX });
    const [a, b, c] = chain.validators as [TestKey, TestKey, TestKey];
    await report(chain, a, b, { height: 1 });
    await report(chain, a, c, { height: 1 });
    await chain.enter(1);
    expect(Object.keys(chain.weights())).toEqual(['v0', 'v2', 'v3', 'v4', 'v5']);
    const verdict = (key: TestKey) =>
      chain.ledger.validatorSet.registry.members.find(({ address }) => address.join() === key.address.join())?.held;
    expect([verdict(b), verdict(c)]).toMatchObject([{ verdict: 'quarantined' }, { verdict: 'serving', epoch: 1 }]);
    await chain.enter(4);
    expect(Object.keys(chain.weights())).toEqual(['v0', 'v2', 'v3', 'v4', 'v5']);
  });

  // @mutation packages/ledger/src/decide-change.ts
  // - return ok({ ...member, held: null, pardonedHeight: height });
  // + return ok({ ...member, held: null });
  // @mutation packages/ledger/src/report-evidence.ts
  // - place.height <= member.pardonedHeight;
  // + place.height < member.pardonedHeight - 100;
  test('comes back by a decision two epochs later, forgiven for what was before it', async () => {
    const chain = await EpochChain.create();
    const [a, b, c, d] = chain.validators as [TestKey, TestKey, TestKey, TestKey];
    await report(chain, a, d, { height: 1 });
    await chain.enter(1);
    expect(await chain.decideChange({ kind: 'validator.rehabilitate', address: d.address }, [a, b, c])).toBeNull();
    expect(await report(chain, a, d, { height: 2 })).toBeNull();
    await chain.enter(2);
    expect(chain.weights()).not.toHaveProperty('v3');
    await chain.enter(3);
    expect(chain.weights()).toHaveProperty('v3');
    expect(await report(chain, a, d, { height: chain.ledger.tip.height + 1 })).toBeNull();
    await chain.enter(4);
    expect(chain.weights()).not.toHaveProperty('v3');
  });

  // @mutation packages/ledger/src/end-epoch.ts
  // - !hasLeft(member) || committee.indexOf(member.address) !== null;
  // + !hasLeft(member);
  test('that is leaving is quarantined all the same', async () => {
    const chain = await EpochChain.create({ weights: SIX });
    const [a, b] = chain.validators as [TestKey, TestKey];
    expect(await chain.decideChange({ kind: 'validator.leave', address: b.address })).toBeNull();
    expect(await report(chain, a, b, { height: 1 })).toBeNull();
    await chain.enter(1);
    expect(chain.weights()).not.toHaveProperty('v1');
    const late = await EpochChain.create({ weights: SIX, parameters: { epochBlocksMin: 4 } });
    await late.decideChange({ kind: 'validator.leave', address: late.validator(1).address });
    await late.enter(1);
    expect(await report(late, late.validator(0), late.validator(1), { height: 1 })).toBeNull();
    expect(late.ledger.validatorSet.registry.members.some(({ held }) => held !== null)).toBe(true);
  });

  test('of a single validator’s network serves on', async () => {
    const chain = await EpochChain.create({ weights: [1000], allowLargeWeights: true });
    await report(chain, chain.validator(0), chain.validator(0), { height: 1 });
    await chain.enter(3);
    expect(chain.weights()).toEqual({ v0: 1000 });
  });

  // @mutation packages/ledger/src/set-limits.ts
  // - return BigInt(weight) * BigInt(total(before)) > BigInt(heaviest(before).weight) * BigInt(totalWeight);
  // + return weight > 0;
  test('that leaves another with a third lets the set take every step that lessens it', async () => {
    const chain = await EpochChain.create({ weights: [1200, 1000, 1000, 1000] });
    const [a, b, c, d] = chain.validators as [TestKey, TestKey, TestKey, TestKey];
    await report(chain, a, d, { height: 1 });
    await chain.enter(1);
    expect(chain.weights()).toEqual({ v0: 1200, v1: 1000, v2: 1000 });
    const joiner = chain.key('joiner');
    const join = { kind: 'validator.join', address: joiner.address, publicKey: joiner.signer.publicKey, weight: 100 } as const;
    expect(await chain.decideChange(join, [a, b, c])).toBeNull();
    const weighing = (weight: number) => ({ kind: 'validator.weight', address: a.address, weight }) as const;
    expect(chain.ledger.validatorSet.dryRun(weighing(1199))).toMatchObject({ ok: true });
    expect(chain.ledger.validatorSet.dryRun(weighing(1201))).toMatchObject({ ok: false, error: { code: 'SET_THIRD' } });
  });
});
