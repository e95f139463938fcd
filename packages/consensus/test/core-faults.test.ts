/** What others do wrong: equivocation, quorums that cannot be, messages that do not belong here. */
import { BLOCK_VERDICTS_MAX } from '@nacre/base';
import { Core } from '@nacre/consensus';
import { expect, test } from 'vitest';
import { block, committeeOf, HEIGHT, optionsOf, voteOf } from './support/fixtures.ts';
import { Subject, voteContent } from './support/subject.ts';

const A = block('A');
const B = block('B');
const C = block('C');

// @mutation packages/consensus/src/vote-set.ts
// - if (this.#equivocators.has(validator)) return false;
// +
test('two votes of one validator at one place are evidence, once, and the first one counts', () => {
  const subject = new Subject().work().timeout('propose', 0).prepares(0, null, 0).prepares(0, A, 0).prepares(0, B, 0);
  expect(subject.accused).toHaveLength(1);
  expect(subject.accused[0]).toMatchObject({ kind: 'vote', validator: 0, first: { blockHash: null }, second: { blockHash: A } });
  expect(subject.block(A).prepares(0, A, 1, 2).voted).toEqual([voteContent('prepare', 0, null)]);
});

// @mutation packages/consensus/src/vote-set.ts
// - if (first !== undefined) return sameChoice(first.blockHash, vote.blockHash) ? 'known' : 'conflict';
// + if (first !== undefined) return first === vote ? 'known' : 'conflict';
test('the same vote again, signed anew, is no offence and counts once', () => {
  const subject = new Subject().work().commits(0, A, 0, 1);
  const again = { ...subject.vote('commit', 0, A, 1), signature: new Uint8Array(7) };
  expect(subject.block(A).step({ kind: 'vote', vote: again }).accused).toEqual([]);
  expect(subject.decisions).toEqual([]);
});

// @mutation packages/consensus/src/core.ts
// - round.done.doubleProposal = true;
// +
test('two proposals of one round are evidence, once, and the first one counts', () => {
  const subject = new Subject().work().block(A).block(B).proposal(0, A).proposal(0, B).proposal(0, C);
  expect(subject.accused).toHaveLength(1);
  expect(subject.accused[0]).toMatchObject({ kind: 'proposal', validator: 0 });
  expect(subject.voted).toEqual([voteContent('prepare', 0, A)]);
});

// @mutation packages/consensus/src/core.ts
// - if (sameProposal(first, second) || round.done.doubleProposal) return;
// + if (first === second || round.done.doubleProposal) return;
test('the same proposal again is no offence', () => {
  expect(new Subject().work().proposal(0, A).proposal(0, A).accused).toEqual([]);
});

test('the other block of an equivocating proposer is decided if it has the quorum', () => {
  const subject = new Subject().work().block(B).proposal(0, A).commits(0, B, 0, 1, 2);
  expect(subject.decisions.map(({ certificate }) => certificate.blockHash)).toEqual([B]);
});

// @mutation packages/consensus/src/core.ts
// - this.#halted = true;
// - this.#output.fault = { code: 'DECIDED_INVALID', height: this.height, blockHash };
// + this.#output.fault = { code: 'DECIDED_INVALID', height: this.height, blockHash };
test('a commit quorum for an invalid block is a fault that stops everything', () => {
  const subject = new Subject().work().block(A, false).commits(0, A, 0, 1, 2);
  expect(subject.faults).toEqual([{ code: 'DECIDED_INVALID', height: HEIGHT, blockHash: A }]);
  expect(subject.decisions).toEqual([]);
  expect(subject.timeout('propose', 0).voted).toEqual([]);
});

// @mutation packages/consensus/src/core.ts
// - } else if (!bytesEqual(first.blockHash, certificate.blockHash)) {
// + } else if (this.#self === undefined) {
test('certificates for two blocks of one height are a fault, before the decision and after', () => {
  const fault = { code: 'DECIDED_TWICE', height: HEIGHT, first: A, second: B };
  expect(new Subject().work().certificate(0, A, 0, 1, 2).certificate(1, B, 1, 2, 3).faults).toEqual([fault]);
  expect(new Subject().block(A).certificate(0, A, 0, 1, 2).certificate(1, B, 1, 2, 3).faults).toEqual([fault]);
});

// @mutation packages/consensus/src/core.ts
// - !bytesEqual(this.#certificate.blockHash, quorum.blockHash)
// + this.#certificate === undefined
test('a certificate for one block and commits for another are a fault', () => {
  const subject = new Subject().work().certificate(0, A, 0, 1, 2).commits(1, B, 1, 2, 3);
  expect(subject.faults).toEqual([{ code: 'DECIDED_TWICE', height: HEIGHT, first: A, second: B }]);
});

test('a second certificate for the same block changes nothing', () => {
  const subject = new Subject().work().certificate(0, A, 0, 1, 2).commits(1, A, 1, 2, 3).certificate(2, A, 1, 2, 3).block(A);
  expect(subject.faults).toEqual([]);
  expect(subject.decisions.map(({ certificate }) => certificate.round)).toEqual([0]);
});

// @mutation packages/consensus/src/core.ts
// - if (vote.height !== this.height || vote.validator >= this.#committee.size) return;
// + if (vote.validator >= this.#committee.size) return;
test('votes of another height are ignored', () => {
  const subject = new Subject();
  const vote = voteOf(committeeOf(1, 1, 1, 1), 0, { height: HEIGHT + 1, round: 0, kind: 'commit' }, A);
  expect(subject.step({ kind: 'vote', vote }).core.working).toBe(false);
  expect(subject.core.hasVote(vote)).toBe(false);
});

// @mutation packages/consensus/src/core.ts
// - if (vote.height !== this.height || vote.validator >= this.#committee.size) return;
// + if (vote.height !== this.height) return;
test('votes of nobody in the committee are ignored', () => {
  const subject = new Subject();
  const vote = { height: HEIGHT, round: 0, kind: 'commit', blockHash: A, validator: 4, signature: new Uint8Array(1) } as const;
  expect(subject.step({ kind: 'vote', vote }).core.working).toBe(false);
  expect(subject.core.hasVote(vote)).toBe(false);
});

test('a vote that is here is known by its contents', () => {
  const subject = new Subject().work().prepares(0, A, 1);
  expect(subject.core.hasVote({ ...subject.vote('prepare', 0, A, 1), signature: new Uint8Array(3) })).toBe(true);
  expect(subject.core.hasVote(subject.vote('prepare', 0, B, 1))).toBe(false);
  expect(subject.core.hasVote(subject.vote('prepare', 0, A, 2))).toBe(false);
  expect(subject.core.hasVote(subject.vote('prepare', 1, A, 1))).toBe(false);
});

// @mutation packages/consensus/src/rounds.ts
// - if (known < number - PAST_ROUNDS_MAX) this.#rounds.delete(known);
// + if (known < 0) this.#rounds.delete(known);
test('rounds long past are forgotten, and their votes are not kept any more', () => {
  const subject = new Subject().work().commits(0, A, 0, 1).prepares(1, null, 0);
  subject.prepares(9, null, 0, 1);
  expect(subject.core.round).toBe(9);
  expect(subject.core.hasVote(subject.vote('commit', 0, A, 0))).toBe(false);
  expect(subject.core.hasVote(subject.vote('prepare', 1, null, 0))).toBe(true);
  expect(subject.block(A).commits(0, A, 0, 1, 2).decisions).toEqual([]);
});

// @mutation packages/consensus/src/block-verdicts.ts
// - if (this.#verdicts.length === BLOCK_VERDICTS_MAX) this.#verdicts.shift();
// +
test('the oldest block verdict is forgotten at the bound, and the block asked for again', () => {
  const subject = new Subject().work().block(A);
  for (let i = 0; i < BLOCK_VERDICTS_MAX; i++) subject.block(block(`other ${i}`));
  expect(subject.proposal(0, A).all.wanted).toEqual([A]);
});

// @mutation packages/consensus/src/block-verdicts.ts
// - assert(known === undefined || known === valid, 'a block is either valid or not');
// +
test('a second, different verdict on a block is a bug', () => {
  expect(() => new Subject().block(A).block(A).block(A, false)).toThrow('a block is either valid or not');
});

// @mutation packages/consensus/src/core.ts
// - if (!before.some((known) => bytesEqual(known, blockHash))) this.#output.want(blockHash);
// + this.#output.want(blockHash);
test('a wanted block is named once while it is wanted', () => {
  const subject = new Subject().work().proposal(0, A).prepares(0, A, 0, 1, 2).commits(0, A, 0, 1, 2);
  expect(subject.all.wanted).toEqual([A]);
});

test('nothing is ready without an event, and nothing is said twice', () => {
  const core = new Core(optionsOf());
  expect(core.hasReady()).toBe(false);
  core.step({ kind: 'work' });
  expect(core.hasReady()).toBe(true);
  expect(core.takeReady().schedule).toHaveLength(1);
  expect(core.hasReady()).toBe(false);
  expect(core.takeReady().schedule).toEqual([]);
});
