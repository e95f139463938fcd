/** What round states say and what answers them. */
import { VOTES_PER_REPAIR_MAX } from '@nacre/base';
import { ROUND_STATE_SETS_MAX, type RoundState, roundStateCodec, type Vote } from '@nacre/consensus';
import { expect, test } from 'vitest';
import { block, committeeOf, HEIGHT } from './support/fixtures.ts';
import { Subject } from './support/subject.ts';

const A = block('A');
const B = block('B');

function stateOf(overrides: Partial<RoundState> = {}): RoundState {
  return { height: HEIGHT, round: 0, step: 'propose', working: true, hasProposal: false, votes: [], ...overrides };
}

function places(votes: readonly Vote[]): string[] {
  return votes.map(({ round, kind, validator }) => `${round} ${kind} ${validator}`);
}

test('a round state lists this round, the commits before it, what the proposal stands on, and what came early', () => {
  const subject = new Subject()
    .work()
    .timeout('propose', 0)
    .commits(0, null, 2, 0, 1)
    .timeout('commit', 0)
    .prepares(1, null, 1)
    .prepares(3, B, 2);
  subject.prepares(0, A, 1, 0).proposal(1, A, { validRound: 0 });
  expect(subject.core.roundState()).toEqual({
    height: HEIGHT,
    round: 1,
    step: 'propose',
    working: true,
    hasProposal: true,
    votes: [
      { round: 1, kind: 'prepare', validators: [1] },
      { round: 1, kind: 'commit', validators: [] },
      { round: 0, kind: 'commit', validators: [0, 1, 2] },
      { round: 0, kind: 'prepare', validators: [0, 1] },
      { round: 3, kind: 'prepare', validators: [2] },
    ],
  });
});

test('a round state after a jump asks for the commits of the round before, of which nothing is here', () => {
  const subject = new Subject().work().prepares(5, null, 0, 1);
  expect(subject.core.roundState().votes).toContainEqual({ round: 4, kind: 'commit', validators: [] });
});

// @mutation packages/consensus/src/repair.ts
// - votes: votes.slice(0, ROUND_STATE_SETS_MAX)
// + votes
test('a round state is bounded, the rounds farthest ahead left out', () => {
  const committee = committeeOf(1, 1, 1, 1, 1, 1, 1, 1, 1, 1);
  const subject = new Subject({ committee, self: 9 }).work();
  for (let round = 1; round <= 8; round++) subject.prepares(round, null, 0, 1).commits(round, null, 0, 1);
  const { votes } = subject.core.roundState();
  expect(votes).toHaveLength(ROUND_STATE_SETS_MAX);
  expect(votes.at(-1)).toMatchObject({ round: 7, kind: 'commit' });
  expect(roundStateCodec.decode(roundStateCodec.encode(subject.core.roundState())).ok).toBe(true);
});

// @mutation packages/consensus/src/repair.ts
// - for (const { round, kind, validators } of listed.values()) send(round, kind, validators);
// +
test('a peer gets what is missing at the places that it lists', () => {
  const subject = new Subject().work().prepares(0, A, 0, 1, 2).commits(0, null, 1);
  const votes = [
    { round: 0, kind: 'prepare', validators: [1, 3] },
    { round: 0, kind: 'commit', validators: [] },
  ] as const;
  expect(places(subject.core.votesMissingAt(stateOf({ votes })))).toEqual(['0 prepare 0', '0 prepare 2', '0 commit 1']);
});

test('a peer that is ahead gets what we have of its round', () => {
  const subject = new Subject().work().prepares(2, A, 0);
  expect(places(subject.core.votesMissingAt(stateOf({ round: 2, votes: [{ round: 2, kind: 'prepare', validators: [] }] })))).toEqual([
    '2 prepare 0',
  ]);
});

// @mutation packages/consensus/src/repair.ts
// - [current.number - 1, 'commit'],
// +
// @mutation packages/consensus/src/repair.ts
// - [current.number, 'prepare'],
// +
test('a peer that is behind gets the commits of the round before ours and the votes of ours, so that it jumps', () => {
  const subject = new Subject().work().commits(3, null, 0, 1, 2).timeout('commit', 3).prepares(4, A, 1).commits(4, null, 2);
  expect(subject.core.round).toBe(4);
  const sent = subject.core.votesMissingAt(stateOf({ round: 1, votes: [{ round: 1, kind: 'prepare', validators: [] }] }));
  expect(places(sent)).toEqual(['3 commit 0', '3 commit 1', '3 commit 2', '4 prepare 1', '4 commit 2']);
});

// @mutation packages/consensus/src/repair.ts
// - if (!listed.has(placeOf(round, kind))) send(round, kind, []);
// + send(round, kind, []);
test('a peer that is behind does not get again what came to it early', () => {
  const subject = new Subject().work().prepares(2, null, 0, 1);
  const votes = [{ round: 2, kind: 'prepare', validators: [0] }] as const;
  expect(places(subject.core.votesMissingAt(stateOf({ votes })))).toEqual(['2 prepare 1']);
});

// @mutation packages/consensus/src/repair.ts
// - if (state.height !== view.height) return missing;
// +
test('a peer at another height gets nothing from this one', () => {
  const subject = new Subject().work().proposal(0, A).prepares(0, A, 0);
  const state = stateOf({ height: HEIGHT + 1, votes: [{ round: 0, kind: 'prepare', validators: [] }] });
  expect(subject.core.votesMissingAt(state)).toEqual([]);
  expect(subject.core.proposalMissingAt(state)).toBeNull();
});

// @mutation packages/consensus/src/repair.ts
// - && missing.length < VOTES_PER_REPAIR_MAX) missing.push(vote);
// + ) missing.push(vote);
test('an answer is bounded', () => {
  const committee = committeeOf(...new Array<number>(100).fill(1));
  const subject = new Subject({ committee, self: 99 }).work();
  const everyone = [...Array(100).keys()];
  const votes = [0, 1, 2].map((round) => ({ round, kind: 'prepare' as const, validators: [] }));
  for (const { round } of votes) subject.prepares(round, null, ...everyone.slice(0, 90));
  expect(subject.core.votesMissingAt(stateOf({ round: 2, votes }))).toHaveLength(VOTES_PER_REPAIR_MAX);
});

// @mutation packages/consensus/src/repair.ts
// - const listed = new Map(state.votes.map((held) => [placeOf(held.round, held.kind), held]));
// + const listed = new Map(state.votes.map((held) => [held, held]));
test('a place that is listed twice is answered once', () => {
  const subject = new Subject().work().prepares(0, A, 0);
  const held = { round: 0, kind: 'prepare', validators: [] } as const;
  expect(subject.core.votesMissingAt(stateOf({ votes: [held, { ...held }] }))).toHaveLength(1);
});

// @mutation packages/consensus/src/repair.ts
// - if (view.lock?.validRound === round) for (const vote of view.lock.prepares) votes.set(vote.validator, vote);
// +
test('of an equivocator, a peer gets the prepare that our lock stands on', () => {
  const lock = { lockedRound: 0, lockedHash: A, validRound: 0, validHash: A };
  const prepares = [0, 1, 2].map((validator) => new Subject().vote('prepare', 0, A, validator));
  const subject = new Subject({ restored: { messages: [], lock: { ...lock, prepares } } }).work().prepares(0, null, 1);
  const sent = subject.core.votesMissingAt(stateOf({ votes: [{ round: 0, kind: 'prepare', validators: [0] }] }));
  expect(sent.map(({ validator, blockHash }) => [validator, blockHash])).toEqual([
    [1, A],
    [2, A],
  ]);
});

// @mutation packages/consensus/src/repair.ts
// - if (proposal?.proposal.validRound === round) for (const vote of proposal.justification.votes) votes.set(vote.validator, vote);
// +
test('of an equivocator, a peer gets the prepare that the proposal of the round stands on', () => {
  const subject = new Subject().work().timeout('propose', 0).prepares(0, null, 1).commits(0, null, 0, 1, 2).timeout('commit', 0);
  subject.proposal(1, A, { validRound: 0 }).prepares(0, A, 1);
  const [sent] = subject.core.votesMissingAt(stateOf({ round: 1, votes: [{ round: 0, kind: 'prepare', validators: [0, 2, 3] }] }));
  expect(sent).toMatchObject({ validator: 1, blockHash: A });
});

// @mutation packages/consensus/src/repair.ts
// - return received === null ? null : { proposal: received.proposal, justification: received.justification.votes };
// + return null;
test('a peer that waits for the proposal of its round gets it, with the prepares that justify it', () => {
  const subject = new Subject().work().timeout('propose', 0).commits(0, null, 0, 1, 2).timeout('commit', 0);
  subject.prepares(0, A, 0, 1, 2).proposal(1, A, { validRound: 0 });
  const relayed = subject.core.proposalMissingAt(stateOf({ round: 1 }));
  expect(relayed?.proposal).toMatchObject({ round: 1, validRound: 0, blockHash: A });
  expect(places(relayed?.justification ?? [])).toEqual(['0 prepare 0', '0 prepare 1', '0 prepare 2']);
});

// @mutation packages/consensus/src/repair.ts
// - if (state.height !== view.height || state.hasProposal || state.step !== 'propose') return null;
// + if (state.height !== view.height) return null;
test('a peer that has the proposal, or does not wait for it any more, does not get it', () => {
  const subject = new Subject().work().proposal(0, A);
  expect(subject.core.proposalMissingAt(stateOf())).not.toBeNull();
  expect(subject.core.proposalMissingAt(stateOf({ hasProposal: true }))).toBeNull();
  expect(subject.core.proposalMissingAt(stateOf({ step: 'prepare' }))).toBeNull();
  expect(subject.core.proposalMissingAt(stateOf({ round: 1 }))).toBeNull();
});
