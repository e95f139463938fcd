/** Algorithm 1 of arXiv:1807.04938, lines 34 to 67, one by one. Four validators of weight 1; the one under test is 3; validator r proposes round r. */
import { ROUND_MAX } from '@nacre/base';
import { expect, test } from 'vitest';
import { block, committeeOf, TIMEOUTS } from './support/fixtures.ts';
import { lockedOnA, lockedOnAIn, Subject, voteContent } from './support/subject.ts';

const A = block('A');
const B = block('B');

// @mutation packages/consensus/src/core.ts
// - if (this.#step !== 'prepare' || done.prepareTimeout || !prepares.anyQuorum) return false;
// + if (this.#step !== 'prepare' || done.prepareTimeout || prepares.blockQuorum === undefined) return false;
test('line 34: prepares of a quorum, for whatever, start the prepare timeout', () => {
  const subject = new Subject().work().timeout('propose', 0).prepares(0, A, 0).prepares(0, B, 1);
  expect(subject.scheduled('prepare', 0)).toEqual([]);
  expect(subject.prepares(0, null, 3).scheduled('prepare', 0)).toEqual([TIMEOUTS.prepareMs]);
});

// @mutation packages/consensus/src/core.ts
// - if (this.#step !== 'prepare' || done.prepareTimeout || !prepares.anyQuorum) return false;
// + if (this.#step === 'commit' || done.prepareTimeout || !prepares.anyQuorum) return false;
test('line 34: the prepare timeout does not start before we have prepared', () => {
  expect(new Subject().work().prepares(0, A, 0, 1).prepares(0, null, 2).scheduled('prepare', 0)).toEqual([]);
});

// @mutation packages/consensus/src/core.ts
// - if (this.#step !== 'prepare' || done.prepareTimeout || !prepares.anyQuorum) return false;
// + if (this.#step !== 'prepare' || (done.prepareTimeout && this.#decided) || !prepares.anyQuorum) return false;
test('line 34: the prepare timeout starts once', () => {
  const subject = new Subject().work().timeout('propose', 0).prepares(0, A, 0, 1).prepares(0, null, 3).prepares(0, B, 2);
  expect(subject.scheduled('prepare', 0)).toEqual([TIMEOUTS.prepareMs]);
});

// @mutation packages/consensus/src/core.ts
// - this.#keepLock({ ...valid, lockedRound: current.number, lockedHash: quorum.blockHash });
// + this.#keepLock({ ...valid, lockedRound: -1, lockedHash: null });
test('lines 36-41: a prepare quorum for a valid block locks on it and commits to it', () => {
  const subject = lockedOnA();
  expect(subject.lastVote).toEqual(voteContent('commit', 0, A));
  expect(subject.core.currentStep).toBe('commit');
  const last = subject.readies.at(-1);
  expect(last?.sign).toHaveLength(1);
  expect(last?.lock).toMatchObject({ lockedRound: 0, lockedHash: A, validRound: 0, validHash: A });
  expect(last?.lock?.prepares.map(({ validator }) => validator)).toEqual([0, 1, 2]);
});

// @mutation packages/consensus/src/committee.ts
// - return 3 * weight > 2 * this.totalWeight;
// + return 3 * weight >= 2 * this.totalWeight;
test('line 36: exactly two thirds of the weight are no quorum', () => {
  const committee = committeeOf(2, 2, 1, 1);
  const subject = new Subject({ committee }).block(A).proposal(0, A);
  const weightFour = subject.prepares(0, A, 0, 1);
  expect(weightFour.voted).toEqual([expect.objectContaining({ kind: 'prepare' })]);
  expect(weightFour.prepares(0, A, 2).lastVote).toMatchObject({ kind: 'commit', blockHash: A });
});

// @mutation packages/consensus/src/core.ts
// - if (quorum === undefined || this.#blocks.of(quorum.blockHash) !== true) return false;
// + if (quorum === undefined) return false;
test('line 36: no lock on a block that is not here, and then as soon as it is', () => {
  const subject = new Subject().work().timeout('propose', 0).prepares(0, A, 0, 1, 2);
  expect(subject.all.locks).toEqual([]);
  expect(subject.all.wanted).toEqual([A]);
  expect(subject.block(A).lastVote).toEqual(voteContent('commit', 0, A));
});

// @mutation packages/consensus/src/core.ts
// - if (quorum === undefined || this.#blocks.of(quorum.blockHash) !== true) return false;
// + if (quorum === undefined || this.#blocks.of(quorum.blockHash) === undefined) return false;
test('line 36: no lock on an invalid block', () => {
  expect(new Subject().work().timeout('propose', 0).prepares(0, A, 0, 1, 2).block(A, false).all.locks).toEqual([]);
});

// @mutation packages/consensus/src/core.ts
// - if (this.#step === 'propose' || current.done.prepareQuorum) return false;
// + if (current.done.prepareQuorum) return false;
test('line 36: no lock before we have prepared', () => {
  const subject = new Subject().work().block(A).prepares(0, A, 0, 1, 2);
  expect(subject.all.locks).toEqual([]);
  expect(subject.timeout('propose', 0).voted).toEqual([voteContent('prepare', 0, null), voteContent('commit', 0, A)]);
});

// @mutation packages/consensus/src/core.ts
// - if (this.#step === 'propose' || current.done.prepareQuorum) return false;
// + if (this.#step === 'propose') return false;
test('line 36: a prepare quorum acts once', () => {
  const subject = lockedOnA().prepares(0, A, 3);
  expect(subject.all.locks).toHaveLength(1);
});

// @mutation packages/consensus/src/core.ts
// - const quorum = current.prepares.blockQuorum;
// + const quorum = current.proposal?.proposal.blockHash === current.prepares.blockQuorum?.blockHash ? current.prepares.blockQuorum : undefined;
test('line 36: a quorum for another block than the proposal that came first locks as well', () => {
  const subject = new Subject().work().block(A).block(B).proposal(0, B).prepares(0, A, 0, 1, 2);
  expect(subject.voted).toEqual([voteContent('prepare', 0, B), voteContent('commit', 0, A)]);
});

// @mutation packages/consensus/src/core.ts
// - this.#keepLock({ ...valid, lockedRound: this.#lock?.lockedRound ?? -1, lockedHash: this.#lock?.lockedHash ?? null });
// + this.#lock ??= null;
test('lines 42-43: a quorum that comes after our commit makes the block valid without locking on it', () => {
  const subject = new Subject().work().block(A).timeout('propose', 0).prepares(0, A, 0, 1).prepares(0, null, 3).timeout('prepare', 0);
  expect(subject.lastVote).toEqual(voteContent('commit', 0, null));
  subject.prepares(0, A, 2);
  expect(subject.all.locks).toEqual([expect.objectContaining({ lockedRound: -1, lockedHash: null, validRound: 0, validHash: A })]);
  for (const round of [0, 1, 2]) subject.commits(round, null, 0, 1, 2).timeout('commit', round);
  expect(subject.proposed.map(({ content }) => content)).toEqual([{ height: 8, round: 3, validRound: 0, blockHash: A }]);
});

// @mutation packages/consensus/src/core.ts
// - this.#keepLock({ ...valid, lockedRound: this.#lock?.lockedRound ?? -1, lockedHash: this.#lock?.lockedHash ?? null });
// + this.#keepLock({ ...valid, lockedRound: -1, lockedHash: null });
test('lines 42-43: a newer valid block leaves the lock as it is', () => {
  const subject = lockedOnAIn(1).timeout('propose', 1).block(B);
  subject.prepares(1, B, 0, 1).prepares(1, null, 3).timeout('prepare', 1).prepares(1, B, 2);
  expect(subject.all.locks.at(-1)).toMatchObject({ lockedRound: 0, lockedHash: A, validRound: 1, validHash: B });
});

// @mutation packages/consensus/src/core.ts
// - if (this.#step !== 'prepare' || !this.#rounds.current.prepares.nullQuorum) return false;
// + if (this.#step !== 'prepare' || !this.#rounds.current.prepares.anyQuorum) return false;
test('lines 44-46: a prepare quorum for no block commits to none', () => {
  const subject = new Subject().work().timeout('propose', 0).prepares(0, null, 0, 1).prepares(0, A, 2);
  expect(subject.core.currentStep).toBe('prepare');
  subject.prepares(0, null, 3);
  expect(subject.lastVote).toEqual(voteContent('commit', 0, null));
  expect(subject.core.currentStep).toBe('commit');
});

// @mutation packages/consensus/src/core.ts
// - if (this.#step !== 'prepare' || !this.#rounds.current.prepares.nullQuorum) return false;
// + if (this.#step === 'commit' || !this.#rounds.current.prepares.nullQuorum) return false;
test('line 44: nothing is committed to before we have prepared', () => {
  expect(new Subject().work().prepares(0, null, 0, 1, 2).voted).toEqual([]);
});

// @mutation packages/consensus/src/core.ts
// - if (done.commitTimeout || !commits.anyQuorum) return false;
// + if (done.commitTimeout || !commits.nullQuorum) return false;
test('lines 47-48: commits of a quorum, for whatever, start the commit timeout, at any step', () => {
  const subject = new Subject().work().commits(0, null, 0).commits(0, A, 1);
  expect(subject.scheduled('commit', 0)).toEqual([]);
  subject.commits(0, B, 2);
  expect(subject.core.currentStep).toBe('propose');
  expect(subject.scheduled('commit', 0)).toEqual([TIMEOUTS.commitMs]);
});

// @mutation packages/consensus/src/core.ts
// - if (done.commitTimeout || !commits.anyQuorum) return false;
// + if ((done.commitTimeout && commits.votes().length < 4) || !commits.anyQuorum) return false;
test('line 47: the commit timeout starts once', () => {
  const subject = new Subject().work().commits(0, null, 0, 1).commits(0, A, 2, 3);
  expect(subject.scheduled('commit', 0)).toEqual([TIMEOUTS.commitMs]);
});

// @mutation packages/consensus/src/core.ts
// - this.#output.decide = { certificate: this.#certificate };
// +
test('lines 49-51: a commit quorum and the valid block decide, once', () => {
  const subject = lockedOnA().commits(0, A, 0, 1);
  expect(subject.decisions).toEqual([]);
  subject.commits(0, A, 3, 2);
  expect(subject.decisions).toHaveLength(1);
  expect(subject.core.decided).toBe(true);
  expect(subject.decisions[0]?.certificate).toMatchObject({ height: 8, round: 0, blockHash: A });
  expect(subject.decisions[0]?.certificate.commits.map(({ validator }) => validator)).toEqual([0, 1, 3]);
});

// @mutation packages/consensus/src/core.ts
// - if (outcome === 'added' && vote.kind === 'commit') this.#settleBy(votes);
// + if (outcome === 'added' && vote.kind === 'commit' && vote.round === this.round) this.#settleBy(votes);
test('line 49: commits of an earlier round decide as well', () => {
  const subject = lockedOnAIn(1).commits(0, A, 3);
  expect(subject.decisions).toEqual([]);
  const slow = new Subject().work().block(A).commits(0, A, 0, 1).prepares(1, null, 1, 2);
  expect(slow.core.round).toBe(1);
  expect(slow.commits(0, A, 2).decisions).toHaveLength(1);
});

// @mutation packages/consensus/src/core.ts
// - if (valid === undefined) return false;
// +
test('line 49: a decided block that is not here is fetched first', () => {
  const subject = new Subject().work().commits(0, A, 0, 1, 2);
  expect(subject.decisions).toEqual([]);
  expect(subject.all.wanted).toEqual([A]);
  expect(subject.core.missingBlocks()).toEqual([A]);
  expect(subject.block(A).decisions).toHaveLength(1);
  expect(subject.core.missingBlocks()).toEqual([]);
});

// @mutation packages/consensus/src/vote-set.ts
// - return this.#tallies.find((tally): tally is BlockTally => tally.blockHash !== null && tally.isQuorum);
// + return this.#tallies.find((tally): tally is BlockTally => tally.isQuorum);
test('line 49: a commit quorum for no block decides nothing', () => {
  const subject = new Subject().work().commits(0, null, 0, 1, 2);
  expect(subject.decisions).toEqual([]);
  expect(subject.core.decided).toBe(false);
});

// @mutation packages/consensus/src/core.ts
// - return this.#settle(event.certificate);
// + return;
test('line 49: a verified certificate of any round decides, before there is any work', () => {
  const subject = new Subject().block(A).certificate(7, A, 0, 1, 2);
  expect(subject.decisions.map(({ certificate }) => certificate.round)).toEqual([7]);
});

// @mutation packages/consensus/src/core.ts
// - if (this.#decided) {
// + if (this.#decided && event.kind === 'certificate') {
test('line 52: after the decision nothing more is said at this height', () => {
  const subject = new Subject().block(A).certificate(0, A, 0, 1, 2);
  const before = subject.readies.length;
  subject.work().proposal(0, A).prepares(0, A, 0, 1, 2).timeout('propose', 0).certificate(1, A, 0, 1, 2);
  for (const ready of subject.readies.slice(before)) expect(ready).toMatchObject({ sign: [], schedule: [], decide: null, fault: null });
});

// @mutation packages/consensus/src/committee.ts
// - return 3 * weight > this.totalWeight;
// + return 3 * weight >= this.totalWeight;
test('line 55: exactly one third of the weight in a later round is not enough to jump', () => {
  const committee = committeeOf(2, 2, 1, 1);
  const subject = new Subject({ committee }).work().prepares(4, null, 0);
  expect(subject.core.round).toBe(0);
  expect(subject.prepares(4, null, 2).core.round).toBe(4);
});

// @mutation packages/consensus/src/core.ts
// - this.#startRound(target);
// +
test('line 56: more than a third in a later round makes us begin that round', () => {
  const subject = new Subject().work().prepares(2, null, 0).commits(2, A, 1);
  expect(subject.core).toMatchObject({ round: 2, currentStep: 'propose' });
  expect(subject.scheduled('propose', 2)).toHaveLength(1);
});

// @mutation packages/consensus/src/round-claims.ts
// - ahead.sort((a, b) => (this.#rounds[b] as number) - (this.#rounds[a] as number));
// + ahead.sort((a, b) => (this.#rounds[a] as number) - (this.#rounds[b] as number));
test('line 55: claims of different later rounds add up to the highest that enough validators reached', () => {
  const subject = new Subject({ committee: committeeOf(1, 1, 1, 1, 1, 1, 1), self: 6 }).work();
  subject.prepares(2, null, 0).prepares(5, null, 1);
  expect(subject.core.round).toBe(0);
  expect(subject.prepares(4, null, 2).core.round).toBe(2);
  expect(subject.prepares(9, null, 0).core.round).toBe(4);
});

// @mutation packages/consensus/src/rounds.ts
// - return inside ? (this.#rounds.get(number) ?? this.#open(number)) : null;
// + return this.#rounds.get(number) ?? this.#open(number);
test('line 55: votes far ahead are not kept, but say where their validators are', () => {
  const subject = new Subject().work().commits(900, A, 0);
  expect(subject.core.roundState().votes.map(({ round }) => round)).toEqual([0, 0]);
  expect(subject.commits(1000, A, 1).core.round).toBe(900);
});

// @mutation packages/consensus/src/core.ts
// - if (kind === 'propose' && this.#step === 'propose') this.#prepare(null);
// + if (kind === 'propose' && this.#step === 'propose') this.#commit(null);
test('lines 57-60: the propose timeout prepares none', () => {
  const subject = new Subject().work().timeout('propose', 0);
  expect(subject.voted).toEqual([voteContent('prepare', 0, null)]);
  expect(subject.core.currentStep).toBe('prepare');
});

// @mutation packages/consensus/src/core.ts
// - if (kind === 'propose' && this.#step === 'propose') this.#prepare(null);
// + if (kind === 'propose' && this.#step !== 'commit') this.#prepare(null);
test('line 58: the propose timeout does nothing after we have prepared', () => {
  const subject = new Subject().work().block(A).proposal(0, A).timeout('propose', 0);
  expect(subject.voted).toEqual([voteContent('prepare', 0, A)]);
});

// @mutation packages/consensus/src/core.ts
// - if (height !== this.height || round !== this.round || !this.#working) return;
// + if (height !== this.height || !this.#working) return;
test('line 58: a timeout of an earlier round does nothing', () => {
  const subject = new Subject().work().commits(0, null, 0, 1, 2).timeout('commit', 0).timeout('propose', 0).timeout('commit', 0);
  expect(subject.core.round).toBe(1);
  expect(subject.voted).toEqual([]);
});

// @mutation packages/consensus/src/core.ts
// - if (height !== this.height || round !== this.round || !this.#working) return;
// + if (round !== this.round || !this.#working) return;
test('line 58: a timeout of another height does nothing', () => {
  expect(new Subject().work().timeout('propose', 0, 7).voted).toEqual([]);
});

// @mutation packages/consensus/src/core.ts
// - if (kind === 'prepare' && this.#step === 'prepare') this.#commit(null);
// +
test('lines 61-64: the prepare timeout commits to none', () => {
  const subject = new Subject().work().timeout('propose', 0).prepares(0, A, 0).prepares(0, null, 1, 3).timeout('prepare', 0);
  expect(subject.lastVote).toEqual(voteContent('commit', 0, null));
  expect(subject.core.currentStep).toBe('commit');
});

// @mutation packages/consensus/src/core.ts
// - if (kind === 'prepare' && this.#step === 'prepare') this.#commit(null);
// + if (kind === 'prepare') this.#commit(null);
test('line 62: the prepare timeout does nothing after we have committed', () => {
  const subject = lockedOnA();
  expect(subject.timeout('prepare', 0).lastVote).toEqual(voteContent('commit', 0, A));
});

// @mutation packages/consensus/src/core.ts
// - if (kind === 'commit' && round < ROUND_MAX) this.#startRound(round + 1);
// + if (kind === 'commit' && this.#step === 'commit') this.#startRound(round + 1);
test('lines 65-67: the commit timeout begins the next round, whatever the step', () => {
  const subject = new Subject().work().commits(0, null, 0, 1, 2).timeout('commit', 0);
  expect(subject.core).toMatchObject({ round: 1, currentStep: 'propose' });
});

// @mutation packages/consensus/src/core.ts
// - if (kind === 'commit' && round < ROUND_MAX) this.#startRound(round + 1);
// + if (kind === 'commit') this.#startRound(round + 1);
test('lines 65-67: there is no round after the last one that a message can name', () => {
  const subject = new Subject().work().prepares(ROUND_MAX, null, 0, 1);
  expect(subject.timeout('commit', ROUND_MAX).core.round).toBe(ROUND_MAX);
});
