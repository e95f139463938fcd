import { type Equivocation, equivocationOf, type Proposal, type Vote, verifyEquivocation } from '@nacre/consensus';
import { expect, test } from 'vitest';
import { block, CONTEXT, committeeOf, FAKE_VERIFIER, proposalOf, voteOf } from './support/fixtures.ts';

const A = block('A');
const B = block('B');
const FOUR = committeeOf(1, 1, 1, 1);
const place = { round: 1, kind: 'commit' } as const;

function offence(a: Vote | Proposal, b: Vote | Proposal): Equivocation {
  const equivocation = equivocationOf(a, b);
  if (equivocation === null) throw new Error('no offence');
  return equivocation;
}

async function verdict(equivocation: Equivocation, committee = FOUR, context = CONTEXT): Promise<string> {
  const result = await verifyEquivocation({ committee, context, equivocation, verifier: FAKE_VERIFIER });
  return result.ok ? 'proven' : result.error.code;
}

test('two votes at one place with different contents are an offence, in one order', () => {
  for (const [a, b] of [
    [A, B],
    [A, null],
  ] as const) {
    const one = voteOf(FOUR, 2, place, a);
    const other = voteOf(FOUR, 2, place, b);
    expect(offence(one, other)).toEqual(offence(other, one));
    expect(offence(one, other)).toMatchObject({ kind: 'vote', validator: 2 });
  }
  expect(offence(voteOf(FOUR, 2, place, A), voteOf(FOUR, 2, place, null)).first.blockHash).toBeNull();
});

test('two proposals of one round with different contents are an offence, in one order', () => {
  const one = proposalOf(FOUR, { round: 1, blockHash: A });
  for (const other of [proposalOf(FOUR, { round: 1, blockHash: B }), proposalOf(FOUR, { round: 1, blockHash: A, validRound: 0 })]) {
    expect(offence(one, other)).toEqual(offence(other, one));
    expect(offence(one, other)).toMatchObject({ kind: 'proposal', validator: one.proposer });
  }
});

// @mutation packages/consensus/src/evidence.ts
// - const onePlace = a.validator === b.validator && a.height === b.height && a.round === b.round && a.kind === b.kind;
// + const onePlace = a.validator === b.validator && a.height === b.height && a.round === b.round;
// @mutation packages/consensus/src/evidence.ts
// - const onePlace = a.validator === b.validator && a.height === b.height && a.round === b.round && a.kind === b.kind;
// + const onePlace = a.validator === b.validator && a.height === b.height && a.kind === b.kind;
// @mutation packages/consensus/src/evidence.ts
// - const onePlace = a.validator === b.validator && a.height === b.height && a.round === b.round && a.kind === b.kind;
// + const onePlace = a.height === b.height && a.round === b.round && a.kind === b.kind;
test('votes of different places or validators are no offence', () => {
  const vote = voteOf(FOUR, 2, place, A);
  for (const other of [
    voteOf(FOUR, 1, place, B),
    voteOf(FOUR, 2, { ...place, round: 2 }, B),
    voteOf(FOUR, 2, { ...place, kind: 'prepare' }, B),
    voteOf(FOUR, 2, { ...place, height: 9 }, B),
  ]) {
    expect(equivocationOf(vote, other)).toBeNull();
  }
});

// @mutation packages/consensus/src/evidence.ts
// - if (!onePlace || sameChoice(a.blockHash, b.blockHash)) return null;
// + if (!onePlace) return null;
test('one vote signed twice is no offence: signing is randomised', () => {
  const vote = voteOf(FOUR, 2, place, A);
  expect(equivocationOf(vote, { ...vote, signature: new Uint8Array(3) })).toBeNull();
});

// @mutation packages/consensus/src/evidence.ts
// - if (!onePlace || sameProposal(a, b)) return null;
// + if (!onePlace) return null;
test('one proposal signed twice, or proposals of different rounds, heights or validators, are no offence', () => {
  const proposal = proposalOf(FOUR, { round: 1, blockHash: A });
  for (const other of [
    { ...proposal, signature: new Uint8Array(3) },
    { ...proposal, round: 2, blockHash: B },
    { ...proposal, height: 9, blockHash: B },
    { ...proposal, proposer: 3, blockHash: B },
  ]) {
    expect(equivocationOf(proposal, other)).toBeNull();
  }
});

test('a vote and a proposal are no offence', () => {
  expect(equivocationOf(voteOf(FOUR, 1, place, A), proposalOf(FOUR, { round: 1, blockHash: B }))).toBeNull();
  expect(equivocationOf(proposalOf(FOUR, { round: 1, blockHash: B }), voteOf(FOUR, 1, place, A))).toBeNull();
});

test('signed offences of both kinds are proven', async () => {
  expect(await verdict(offence(voteOf(FOUR, 2, place, A), voteOf(FOUR, 2, place, B)))).toBe('proven');
  expect(await verdict(offence(proposalOf(FOUR, { round: 1, blockHash: A }), proposalOf(FOUR, { round: 1, blockHash: B })))).toBe('proven');
});

// @mutation packages/consensus/src/evidence.ts
// - return verdicts.every(Boolean) ?
// + return verdicts.some(Boolean) ?
test('both signatures must be true', async () => {
  const forged = { ...voteOf(FOUR, 2, place, B), signature: new Uint8Array(32) };
  expect(await verdict(offence(voteOf(FOUR, 2, place, A), forged))).toBe('EVIDENCE_SIGNATURE');
  const proposal = { ...proposalOf(FOUR, { round: 1, blockHash: B }), signature: new Uint8Array(32) };
  expect(await verdict(offence(proposalOf(FOUR, { round: 1, blockHash: A }), proposal))).toBe('EVIDENCE_SIGNATURE');
});

test('an offence on another network or chain is none here', async () => {
  const equivocation = offence(voteOf(FOUR, 2, place, A), voteOf(FOUR, 2, place, B));
  expect(await verdict(equivocation, FOUR, { ...CONTEXT, chain: 3 })).toBe('EVIDENCE_SIGNATURE');
});

// @mutation packages/consensus/src/evidence.ts
// - if (proven.first !== first) return
// + if (proven.first === proven.second) return
test('the other order is refused, so that one offence has one encoding', async () => {
  const { kind, validator, first, second } = offence(voteOf(FOUR, 2, place, A), voteOf(FOUR, 2, place, B));
  expect(await verdict({ kind, validator, first: second, second: first } as Equivocation)).toBe('EVIDENCE_UNORDERED');
});

// @mutation packages/consensus/src/evidence.ts
// - if (proven === null || proven.validator !== validator) return
// + if (proven === null) return
test('the offence must be one, and of the validator that it names', async () => {
  const equivocation = offence(voteOf(FOUR, 2, place, A), voteOf(FOUR, 2, place, B));
  expect(await verdict({ ...equivocation, validator: 1 })).toBe('EVIDENCE_NO_OFFENCE');
  expect(await verdict({ ...equivocation, second: equivocation.first } as Equivocation)).toBe('EVIDENCE_NO_OFFENCE');
});

// @mutation packages/consensus/src/evidence.ts
// - if (validator >= committee.size) return fail({ code: 'EVIDENCE_VALIDATOR', validator });
// +
test('the offender must be of the committee', async () => {
  const five = committeeOf(1, 1, 1, 1, 1);
  expect(await verdict(offence(voteOf(five, 4, place, A), voteOf(five, 4, place, B)))).toBe('EVIDENCE_VALIDATOR');
});
