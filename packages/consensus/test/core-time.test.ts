/** Proposer-based time, protocol section 5. Precision 200 ms, delay 1,000 ms, growing by 500 ms a round. */
import { expect, test } from 'vitest';
import { block } from './support/fixtures.ts';
import { ARRIVAL_MS, Subject, voteContent } from './support/subject.ts';

const A = block('A');

function prepared(round: number, timeMs: number): boolean {
  const subject = new Subject().work().block(A);
  for (let r = 0; r < round; r++) subject.timeout('propose', r).commits(r, null, 0, 1, 2).timeout('commit', r);
  const { lastVote } = subject.proposal(round, A, { timeMs });
  expect(lastVote).toMatchObject({ kind: 'prepare', round });
  return lastVote?.blockHash === A;
}

// @mutation packages/consensus/src/core.ts
// - timeMs <= arrivalMs + precisionMs
// + timeMs <= arrivalMs
test('a new block may be ahead of our clock by the precision, and no more', () => {
  expect(prepared(0, ARRIVAL_MS + 200)).toBe(true);
  expect(prepared(0, ARRIVAL_MS + 201)).toBe(false);
});

// @mutation packages/consensus/src/core.ts
// - const oldestMs = arrivalMs - (delayMs + round * delayGrowthMs) - precisionMs;
// + const oldestMs = arrivalMs - (delayMs + round * delayGrowthMs);
test('a new block may be as old as the delay and the precision, and no older', () => {
  expect(prepared(0, ARRIVAL_MS - 1200)).toBe(true);
  expect(prepared(0, ARRIVAL_MS - 1201)).toBe(false);
});

// @mutation packages/consensus/src/core.ts
// - const oldestMs = arrivalMs - (delayMs + round * delayGrowthMs) - precisionMs;
// + const oldestMs = arrivalMs - delayMs - precisionMs;
test('the delay grows with the round', () => {
  expect(prepared(2, ARRIVAL_MS - 2200)).toBe(true);
  expect(prepared(2, ARRIVAL_MS - 2201)).toBe(false);
});

// @mutation packages/consensus/src/core.ts
// - const acceptable = validRound >= 0 || (header.proposer
// + const acceptable = (header.proposer
test('a re-proposal with its prepare quorum skips the check of time and of the header proposer', () => {
  const subject = new Subject().work().block(A).timeout('propose', 0).commits(0, null, 0, 1, 2).timeout('commit', 0);
  subject.prepares(0, A, 0, 1, 2).proposal(1, A, { validRound: 0, timeMs: 5, headerProposer: 0 });
  expect(subject.lastVote).toEqual(voteContent('prepare', 1, A));
});

// @mutation packages/consensus/src/core.ts
// - (header.proposer === proposer && this.#isTimely(number, header.timeMs, arrivalMs))
// + this.#isTimely(number, header.timeMs, arrivalMs)
test('a new block must be proposed by whom its header names', () => {
  for (const headerProposer of [1, null]) {
    expect(new Subject().work().block(A).proposal(0, A, { headerProposer }).voted).toEqual([voteContent('prepare', 0, null)]);
  }
});

// @mutation packages/consensus/src/core.ts
// - if (round.proposal?.acceptable) name(round.proposal.proposal.blockHash);
// + if (round.proposal) name(round.proposal.proposal.blockHash);
test('an untimely block is answered at once, without fetching it', () => {
  const subject = new Subject().work().proposal(0, A, { timeMs: 0 });
  expect(subject.voted).toEqual([voteContent('prepare', 0, null)]);
  expect(subject.all.wanted).toEqual([]);
});
