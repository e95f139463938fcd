/** Algorithm 1 of arXiv:1807.04938, lines 10 to 32, one by one. Four validators of weight 1; the one under test is 3; validator r proposes round r. */
import { expect, test } from 'vitest';
import { block, TIMEOUTS } from './support/fixtures.ts';
import { lockedOnAIn, Subject, voteContent } from './support/subject.ts';

const A = block('A');
const B = block('B');

// @mutation packages/consensus/src/core.ts
// - this.#startRound(this.round);
// + this.#working = true;
test('line 10: nothing happens before there is work, and then round 0 begins, once', () => {
  const subject = new Subject();
  expect(subject.core.working).toBe(false);
  expect(subject.all.schedule).toEqual([]);
  subject.work().work();
  expect(subject.core).toMatchObject({ working: true, round: 0, currentStep: 'propose' });
  expect(subject.all.schedule).toHaveLength(1);
});

// @mutation packages/consensus/src/core.ts
// - this.#begin();
// - this.#claims.note(vote.validator, vote.round);
// + this.#claims.note(vote.validator, vote.round);
test('line 10: a vote of another validator is work enough', () => {
  expect(new Subject().prepares(0, A, 1).core.working).toBe(true);
});

// @mutation packages/consensus/src/core.ts
// - this.#begin();
// - this.#claims.note(proposer, number);
// + this.#claims.note(proposer, number);
test('line 10: a proposal is work enough', () => {
  expect(new Subject().proposal(0, A).core.working).toBe(true);
});

// @mutation packages/consensus/src/rounds.ts
// - this.#current = this.#rounds.get(number) ?? this.#open(number);
// + this.#current = this.#current ?? this.#open(number);
test('line 12: a new round is the current one', () => {
  expect(new Subject().work().commits(0, null, 0, 1, 2).timeout('commit', 0).core.round).toBe(1);
});

// @mutation packages/consensus/src/core.ts
// - this.#step = 'propose';
// - this.#output.build = null;
// + this.#output.build = null;
test('line 13: a new round begins with step propose', () => {
  const subject = new Subject().work().timeout('propose', 0).commits(0, null, 0, 1, 2);
  expect(subject.core.currentStep).toBe('prepare');
  expect(subject.timeout('commit', 0).core.currentStep).toBe('propose');
});

// @mutation packages/consensus/src/core.ts
// - if (this.#rounds.current.proposer !== this.#self) return;
// + if (this.#self === null) return;
test('line 14: only the proposer of the round proposes', () => {
  expect(new Subject({ self: 0 }).work().all.builds).toEqual([0]);
  const other = new Subject({ self: 1 }).work();
  expect(other.all.builds).toEqual([]);
  expect(other.proposed).toEqual([]);
});

// @mutation packages/consensus/src/core.ts
// - if (this.#lock !== null) this.#propose(this.#lock.validHash, this.#lock.validRound);
// + if (this.#self === null) this.#begin();
test('lines 15-16: a proposer that knows a valid block proposes it again, with its round and its prepares', () => {
  const subject = lockedOnAIn(3);
  expect(subject.all.builds).toEqual([]);
  const [request] = subject.proposed;
  expect(request?.content).toMatchObject({ round: 3, validRound: 0, blockHash: A });
  expect(request?.justification.map(({ validator, round, kind, blockHash }) => ({ validator, round, kind, blockHash }))).toEqual(
    [0, 1, 2].map((validator) => ({ validator, round: 0, kind: 'prepare', blockHash: A })),
  );
});

// @mutation packages/consensus/src/core.ts
// - if (expected && this.#signed.proposal < number) this.#propose(blockHash, -1);
// + if (expected && this.#signed.proposal < number) this.#propose(blockHash, number);
test('lines 17-19: a proposer that knows none builds a new block and proposes it without a valid round, once', () => {
  const subject = new Subject({ self: 0 }).work();
  subject.step({ kind: 'built', round: 0, blockHash: A }).step({ kind: 'built', round: 0, blockHash: A });
  expect(subject.proposed).toEqual([
    { kind: 'proposal', content: { height: 8, round: 0, validRound: -1, blockHash: A }, justification: [] },
  ]);
});

// @mutation packages/consensus/src/core.ts
// - const expected = this.#working && number === current.number && this.#step === 'propose' && current.proposer === this.#self;
// + const expected = this.#working && current.proposer === this.#self;
test('lines 17-19: a block that was built too late for its round is not proposed', () => {
  const timedOut = new Subject({ self: 0 }).work().timeout('propose', 0);
  expect(timedOut.step({ kind: 'built', round: 0, blockHash: A }).proposed).toEqual([]);
});

// @mutation packages/consensus/src/core.ts
// - this.#output.build = null;
// +
test('lines 17-19: a block is not asked for any more when the round is over before the driver looked', () => {
  const subject = new Subject({ self: 0 });
  for (const validator of [1, 2]) subject.core.step({ kind: 'vote', vote: subject.vote('prepare', 1, null, validator) });
  expect(subject.core.takeReady().build).toBeNull();
});

// @mutation packages/consensus/src/core.ts
// - this.#schedule('propose', this.#timeouts.proposeMs);
// - if (this.#rounds.current.proposer !== this.#self) return;
// + if (this.#rounds.current.proposer !== this.#self) return;
test('line 21: everyone waits for the proposal no longer than the propose timeout', () => {
  expect(new Subject().work().scheduled('propose', 0)).toEqual([TIMEOUTS.proposeMs]);
  expect(new Subject({ self: 0 }).work().scheduled('propose', 0)).toEqual([TIMEOUTS.proposeMs]);
});

// @mutation packages/consensus/src/core.ts
// - baseMs + round * this.#timeouts.growthMs
// + baseMs
test('line 21: timeouts grow with the round', () => {
  expect(lockedOnAIn(2).scheduled('propose', 2)).toEqual([TIMEOUTS.proposeMs + 2 * TIMEOUTS.growthMs]);
});

// @mutation packages/consensus/src/core.ts
// - proposer !== this.#committee.proposer(height, number)
// + proposer >= this.#committee.size
test('line 22: a proposal of anyone but the proposer of the round is ignored', () => {
  const subject = new Subject().work().block(A);
  const proposal = { height: 8, round: 0, validRound: -1, blockHash: A, proposer: 1, signature: new Uint8Array(1) };
  subject.step({ kind: 'proposal', proposal, header: { timeMs: 1_000_000, proposer: 1 }, arrivalMs: 1_000_000 });
  expect(subject.voted).toEqual([]);
  expect(subject.core.roundState().hasProposal).toBe(false);
});

// @mutation packages/consensus/src/core.ts
// - if (height !== this.height || validRound >= number || proposer
// + if (validRound >= number || proposer
test('line 22: a proposal for another height is ignored', () => {
  const subject = new Subject().work().block(A);
  const proposal = { height: 12, round: 0, validRound: -1, blockHash: A, proposer: 0, signature: new Uint8Array(1) };
  subject.step({ kind: 'proposal', proposal, header: { timeMs: 1_000_000, proposer: 0 }, arrivalMs: 1_000_000 });
  expect(subject.voted).toEqual([]);
});

// @mutation packages/consensus/src/core.ts
// - this.#prepare(verdict === 'accept' ? proposal.proposal.blockHash : null);
// + this.#prepare(null);
test('lines 22-24: a new, valid block is prepared', () => {
  const subject = new Subject().work().block(A).proposal(0, A);
  expect(subject.voted).toEqual([voteContent('prepare', 0, A)]);
});

// @mutation packages/consensus/src/core.ts
// - if (valid === undefined) return 'wait';
// + if (valid === undefined) return 'accept';
test('lines 22-24: a block is not prepared before it is here and durable', () => {
  const subject = new Subject().work().proposal(0, A);
  expect(subject.voted).toEqual([]);
  expect(subject.all.wanted).toEqual([A]);
  expect(subject.block(A).voted).toEqual([voteContent('prepare', 0, A)]);
});

// @mutation packages/consensus/src/core.ts
// - return valid ? 'accept' : 'reject';
// + return 'accept';
test('lines 25-26: an invalid block is answered with a prepare for none', () => {
  expect(new Subject().work().proposal(0, A).block(A, false).voted).toEqual([voteContent('prepare', 0, null)]);
});

// @mutation packages/consensus/src/core.ts
// - if (!acceptable || !this.#lockAllows(blockHash, validRound)) return 'reject';
// + if (!acceptable) return 'reject';
test('lines 23-26: a new block is refused while locked on another', () => {
  const subject = lockedOnAIn(1).block(B).proposal(1, B);
  expect(subject.lastVote).toEqual(voteContent('prepare', 1, null));
});

// @mutation packages/consensus/src/core.ts
// - return lock.lockedRound <= validRound || bytesEqual(lock.lockedHash, blockHash);
// + return lock.lockedRound <= validRound;
test('line 23: the block that we are locked on is prepared even if proposed as new', () => {
  expect(lockedOnAIn(1).proposal(1, A).lastVote).toEqual(voteContent('prepare', 1, A));
});

// @mutation packages/consensus/src/core.ts
// - this.#step = 'prepare';
// - this.#vote('prepare', blockHash);
// + this.#vote('prepare', blockHash);
test('line 27: whoever prepared waits for prepares', () => {
  expect(new Subject().work().block(A).proposal(0, A).core.currentStep).toBe('prepare');
});

// @mutation packages/consensus/src/core.ts
// - if (validRound >= 0 && !justification.isQuorum) return 'wait';
// + if (validRound >= 0 && justification.votes.length === 0) return 'wait';
test('line 28: a re-proposal waits for the prepare quorum of its valid round', () => {
  const subject = new Subject().work().block(A).timeout('propose', 0).commits(0, null, 0, 1, 2).timeout('commit', 0);
  subject.proposal(1, A, { validRound: 0 }).prepares(0, A, 0, 1);
  expect(subject.core.currentStep).toBe('propose');
  expect(subject.prepares(0, A, 2).lastVote).toEqual(voteContent('prepare', 1, A));
});

// @mutation packages/consensus/src/rounds.ts
// - if (prepare.round !== proposal.validRound || prepare.blockHash === null) return;
// + if (prepare.blockHash === null) return;
test('line 28: prepares of another round than the valid round do not justify', () => {
  const subject = new Subject().block(A);
  for (const round of [0, 1]) subject.work().timeout('propose', round).commits(round, null, 0, 1, 2).timeout('commit', round);
  subject.proposal(2, A, { validRound: 0 }).prepares(1, A, 0, 1, 2);
  expect(subject.core).toMatchObject({ round: 2, currentStep: 'propose' });
});

// @mutation packages/consensus/src/rounds.ts
// - if (bytesEqual(prepare.blockHash, proposal.blockHash)) justification.add(prepare);
// + justification.add(prepare);
test('line 28: prepares for another block do not justify', () => {
  const subject = new Subject().work().block(A).timeout('propose', 0).commits(0, null, 0, 1, 2).timeout('commit', 0);
  subject.prepares(0, B, 0, 1, 2).proposal(1, A, { validRound: 0 });
  expect(subject.core).toMatchObject({ round: 1, currentStep: 'propose' });
});

// @mutation packages/consensus/src/core.ts
// - if (outcome === 'unkept' && vote.kind === 'prepare') this.#rounds.keepStray(vote);
// +
test('line 28: prepares that came before their re-proposal justify it even if they contradict what came first', () => {
  const subject = new Subject().work().block(A).timeout('propose', 0).prepares(0, null, 1).commits(0, null, 0, 1, 2).timeout('commit', 0);
  subject.prepares(0, A, 0, 1, 2).proposal(1, A, { validRound: 0 });
  expect(subject.lastVote).toEqual(voteContent('prepare', 1, A));
});

// @mutation packages/consensus/src/rounds.ts
// - for (const prepare of [...kept, ...options.prepares, ...this.#strays]) if
// + for (const prepare of [...kept, ...options.prepares]) if
test('line 28: prepares of a round too long ago to be kept justify the re-proposal that they come with', () => {
  const subject = new Subject().work().block(A).prepares(32, null, 0, 1);
  subject.prepares(2, A, 0, 1, 2).proposal(32, A, { validRound: 2 });
  expect(subject.lastVote).toEqual(voteContent('prepare', 32, A));
});

// @mutation packages/consensus/src/core.ts
// - if (height !== this.height || validRound >= number || proposer
// + if (height !== this.height || proposer
test('line 28: a proposal whose valid round is not an earlier one is ignored', () => {
  const subject = new Subject().work().block(A).proposal(0, A, { validRound: 0 }).prepares(0, A, 0, 1, 2);
  expect(subject.core.roundState().hasProposal).toBe(false);
});

// @mutation packages/consensus/src/core.ts
// - return lock.lockedRound <= validRound || bytesEqual(lock.lockedHash, blockHash);
// + return lock.lockedRound < validRound - 1 || bytesEqual(lock.lockedHash, blockHash);
test('lines 29-30: a prepare quorum of a later round releases the lock', () => {
  const subject = lockedOnAIn(1).timeout('propose', 1).commits(1, null, 0, 1, 2).timeout('commit', 1);
  subject.block(B).prepares(1, B, 0, 1, 2).proposal(2, B, { validRound: 1 });
  expect(subject.lastVote).toEqual(voteContent('prepare', 2, B));
});

// @mutation packages/consensus/src/core.ts
// - return lock.lockedRound <= validRound || bytesEqual(lock.lockedHash, blockHash);
// + return validRound >= 0 || bytesEqual(lock.lockedHash, blockHash);
test('lines 29-32: a prepare quorum of a round before the lock does not release it', () => {
  const subject = new Subject().work().timeout('propose', 0).commits(0, null, 0, 1, 2).timeout('commit', 0);
  subject.block(A).proposal(1, A).prepares(1, A, 0, 1, 2).commits(1, null, 0, 1, 2).timeout('commit', 1);
  expect(subject.all.locks.at(-1)).toMatchObject({ lockedRound: 1, lockedHash: A });
  subject.block(B).prepares(0, B, 0, 1, 2).proposal(2, B, { validRound: 0 });
  expect(subject.lastVote).toEqual(voteContent('prepare', 2, null));
});
