/** Continuing after a restart with what the vote journal holds: nothing is signed twice, nothing promised is forgotten. */

import type { Lock, OwnMessage } from '@nacre/consensus';
import { expect, test } from 'vitest';
import { block, committeeOf, HEIGHT, TIMEOUTS, voteOf } from './support/fixtures.ts';
import { Subject, voteContent } from './support/subject.ts';

const A = block('A');
const B = block('B');
const committee = committeeOf(1, 1, 1, 1);

function own(kind: 'prepare' | 'commit', round: number, blockHash: Uint8Array | null): OwnMessage {
  return { kind: 'vote', content: voteContent(kind, round, blockHash) };
}

function ownProposal(round: number, blockHash: Uint8Array): OwnMessage {
  return { kind: 'proposal', content: { height: HEIGHT, round, validRound: -1, blockHash } };
}

function lockOn(blockHash: Uint8Array, round: number): Lock {
  const prepares = [0, 1, 2].map((validator) => voteOf(committee, validator, { round, kind: 'prepare' }, blockHash));
  return { lockedRound: round, lockedHash: blockHash, validRound: round, validHash: blockHash, prepares };
}

function restored(messages: OwnMessage[], lock: Lock | null = null, self = 3): Subject {
  return new Subject({ self, restored: { messages, lock } });
}

// @mutation packages/consensus/src/core.ts
// - this.#step = last.kind === 'vote' ? last.content.kind : 'propose';
// +
test('restart after a prepare: no second prepare in that round, and the commit still follows', () => {
  const subject = restored([own('prepare', 0, A)]);
  expect(subject.core).toMatchObject({ round: 0, currentStep: 'prepare', working: true });
  subject.block(B).proposal(0, B).timeout('propose', 0).block(A).prepares(0, A, 0, 1, 3);
  expect(subject.voted).toEqual([voteContent('commit', 0, A)]);
});

// @mutation packages/consensus/src/last-message.ts
// - return message.content.kind === 'prepare' ? 1 : 2;
// + return message.content.kind === 'prepare' ? 2 : 1;
test('restart after a commit: no second commit in that round', () => {
  const subject = restored([own('prepare', 0, A), own('commit', 0, A)], lockOn(A, 0));
  expect(subject.core.currentStep).toBe('commit');
  expect(subject.block(A).prepares(0, A, 0, 1, 2).timeout('prepare', 0).voted).toEqual([]);
});

// @mutation packages/consensus/src/last-message.ts
// - return a.content.round > b.content.round || (
// + return a.content.round < b.content.round || (
test('restart in a later round: the core resumes at the highest round, whatever the order of the messages', () => {
  const subject = restored([own('prepare', 2, null), own('commit', 0, null), own('prepare', 0, A)]);
  expect(subject.core).toMatchObject({ round: 2, currentStep: 'prepare' });
});

// @mutation packages/consensus/src/core.ts
// - const last = lastOf(restored?.messages ?? []);
// + const last = lastOf([]);
test('restart after a proposal: it is not made again, and its round goes on', () => {
  const subject = restored([ownProposal(3, A)]);
  expect(subject.core).toMatchObject({ round: 3, currentStep: 'propose' });
  expect(subject.all.builds).toEqual([]);
  subject.step({ kind: 'built', round: 3, blockHash: B });
  expect(subject.proposed).toEqual([]);
  expect(subject.block(A).proposal(3, A).voted).toEqual([voteContent('prepare', 3, A)]);
});

// @mutation packages/consensus/src/core.ts
// - if (this.#step === 'propose') this.#schedule('propose', this.#timeouts.proposeMs);
// +
test('restart at step propose: its timeout is scheduled again', () => {
  expect(restored([ownProposal(3, A)]).scheduled('propose', 3)).toEqual([TIMEOUTS.proposeMs + 3 * TIMEOUTS.growthMs]);
  expect(restored([own('prepare', 3, A)]).all.schedule).toEqual([]);
});

// @mutation packages/consensus/src/core.ts
// - this.#lock = restored?.lock ?? null;
// + this.#lock = null;
test('restart while locked: another block is refused, and the locked one is fetched from where it is stored', () => {
  const subject = restored([own('prepare', 0, A), own('commit', 0, A)], lockOn(A, 0));
  expect(subject.all.wanted).toEqual([A]);
  subject.commits(0, null, 0, 1, 2).timeout('commit', 0).block(B).proposal(1, B);
  expect(subject.lastVote).toEqual(voteContent('prepare', 1, null));
});

// @mutation packages/consensus/src/core.ts
// - justification: validRound < 0 ? [] : (this.#lock?.prepares ?? [])
// + justification: []
test('restart while locked: the valid block is proposed again with the prepares that the journal kept', () => {
  const subject = restored([own('prepare', 2, A), own('commit', 2, A)], lockOn(A, 2))
    .commits(2, null, 0, 1, 2)
    .timeout('commit', 2);
  const [request] = subject.proposed;
  expect(request?.content).toMatchObject({ round: 3, validRound: 2, blockHash: A });
  expect(request?.justification).toHaveLength(3);
});

// @mutation packages/consensus/src/core.ts
// - const prepares = this.#lock?.validRound === validRound ? this.#lock.prepares : [];
// + const prepares: Vote[] = [];
test('restart while locked: the prepares that the journal kept justify another proposer too', () => {
  const subject = restored([own('commit', 0, A)], lockOn(A, 0))
    .block(A)
    .commits(0, null, 0, 1, 2)
    .timeout('commit', 0);
  expect(subject.proposal(1, A, { validRound: 0 }).lastVote).toEqual(voteContent('prepare', 1, A));
});

// @mutation packages/consensus/src/core.ts
// - this.#signed[kind] = Math.max(this.#signed[kind], message.content.round);
// +
test('restart after a proposal: a block that is built for the same round after all is not proposed', () => {
  expect(restored([ownProposal(3, A)]).step({ kind: 'built', round: 3, blockHash: B }).proposed).toEqual([]);
});

test('restart with an empty journal: round 0 waits for work', () => {
  expect(restored([]).core).toMatchObject({ round: 0, working: false });
});

// @mutation packages/consensus/src/core.ts
// - if (this.#self === null) return;
// - this.#claimPlace(kind, this.round);
// + this.#claimPlace(kind, this.round);
test('an observer follows the rounds and decides without asking for a signature or a lock', () => {
  const subject = new Subject({ self: null }).work().block(A).proposal(0, A).prepares(0, A, 0, 1, 2).commits(0, A, 0, 1, 2);
  expect(subject.all.sign).toEqual([]);
  expect(subject.all.locks).toEqual([]);
  expect(subject.decisions).toHaveLength(1);
});

// @mutation packages/consensus/src/core.ts
// - if (this.#self !== null) this.#output.lock = lock;
// + this.#output.lock = lock;
test('an observer has no lock to be journaled', () => {
  expect(new Subject({ self: null }).work().block(A).proposal(0, A).prepares(0, A, 0, 1, 2).all.locks).toEqual([]);
});
