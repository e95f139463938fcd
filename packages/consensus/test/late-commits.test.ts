import { LATE_COMMITS_MAX } from '@nacre/base';
import { CommitCollector, type Committee, certificateFrom, type Vote } from '@nacre/consensus';
import { expect, test } from 'vitest';
import { block, committeeOf, voteOf } from './support/fixtures.ts';

const FIVE = committeeOf(1, 1, 1, 1, 1);
const HEIGHTS = 8;

function commit(height: number, validator: number, options: { round?: number; name?: string; committee?: Committee } = {}): Vote {
  const { round = 0, name = `at ${height}`, committee = FIVE } = options;
  return voteOf(committee, validator, { height, round, kind: 'commit' }, block(name));
}

/** Heights `from` to `to` decided in round 0 by validators 0 to 3. */
function collectorOf(from: number, to: number): CommitCollector {
  const collector = new CommitCollector(HEIGHTS);
  for (let height = from; height <= to; height++) {
    collector.decided(height, certificateFrom([0, 1, 2, 3].map((validator) => commit(height, validator))));
  }
  return collector;
}

const places = (votes: readonly Vote[]): string[] => votes.map(({ height, validator }) => `${height}/${validator}`);
const creditedBelow = (limit: number) => (_: number, validator: number) => validator < limit;

test('the parent certificate holds every commit of the deciding round that came', () => {
  const collector = collectorOf(10, 10);
  expect(collector.add(commit(10, 4))).toBe(true);
  expect(collector.parentCertificate(10)?.commits.map(({ validator }) => validator)).toEqual([0, 1, 2, 3, 4]);
  expect(collector.parentCertificate(11)).toBeNull();
});

// @mutation packages/consensus/src/late-commits.ts
// - return certificateFrom([...decided.commits.values()].filter((vote) => vote.round === decided.round));
// + return certificateFrom([...decided.commits.values()]);
test('a commit of another round is credited, but is not part of the parent certificate', () => {
  const collector = collectorOf(10, 10);
  expect(collector.add(commit(10, 4, { round: 1 }))).toBe(true);
  expect(collector.parentCertificate(10)?.commits).toHaveLength(4);
  expect(places(collector.lateCommits(12, creditedBelow(4)))).toEqual(['10/4']);
});

// @mutation packages/consensus/src/late-commits.ts
// - return known === undefined || (known.round !== decided.round && vote.round === decided.round);
// + return known === undefined;
test('a commit of the deciding round takes the place of another', () => {
  const collector = collectorOf(10, 10);
  collector.add(commit(10, 4, { round: 1 }));
  expect(collector.add(commit(10, 4, { round: 2 }))).toBe(false);
  expect(collector.add(commit(10, 4))).toBe(true);
  expect(collector.add(commit(10, 4, { round: 1 }))).toBe(false);
  expect(collector.parentCertificate(10)?.commits).toHaveLength(5);
});

// @mutation packages/consensus/src/late-commits.ts
// - if (!bytesEqual(vote.blockHash, decided.blockHash)) return false;
// +
test('commits for another block or for none, prepares, and votes of heights not held are not wanted', () => {
  const collector = collectorOf(10, 12);
  for (const vote of [
    commit(10, 4, { name: 'another' }),
    voteOf(FIVE, 4, { height: 10, round: 0, kind: 'commit' }, null),
    voteOf(FIVE, 4, { height: 10, round: 0, kind: 'prepare' }, block('at 10')),
    commit(9, 4),
    commit(13, 4),
    commit(10, 0),
  ]) {
    expect(collector.wants(vote)).toBe(false);
    expect(collector.add(vote)).toBe(false);
  }
});

// @mutation packages/consensus/src/late-commits.ts
// - for (let height = forHeight - this.#heights; height < forHeight - 1; height++) {
// + for (let height = forHeight - this.#heights; height < forHeight; height++) {
test('late are the commits of the heights before the parent that nobody has credited', () => {
  const collector = collectorOf(10, 13);
  for (const height of [10, 11, 12, 13]) collector.add(commit(height, 4));
  expect(places(collector.lateCommits(14, (height, validator) => validator < 4 || height === 11))).toEqual(['10/4', '12/4']);
});

// @mutation packages/consensus/src/late-commits.ts
// - for (const known of this.#decided.keys()) if (known <= height - this.#heights) this.#decided.delete(known);
// +
test('heights too long ago for a header to credit are dropped', () => {
  const collector = collectorOf(10, 17);
  expect(collector.wants(commit(10, 4))).toBe(true);
  expect(places(collector.lateCommits(18, creditedBelow(3)))).toEqual([10, 11, 12, 13, 14, 15, 16].map((height) => `${height}/3`));
  collector.decided(18, certificateFrom([0, 1, 2, 3].map((validator) => commit(18, validator))));
  expect(collector.wants(commit(10, 4))).toBe(false);
  expect(collector.parentCertificate(10)).toBeNull();
});

// @mutation packages/consensus/src/late-commits.ts
// - return late.slice(0, LATE_COMMITS_MAX);
// + return late;
test('one header credits a bounded number of late commits, the oldest heights first', () => {
  const committee = committeeOf(...new Array<number>(60).fill(1));
  const collector = new CommitCollector(HEIGHTS);
  for (const height of [10, 11, 12, 13]) {
    collector.decided(height, certificateFrom(Array.from({ length: 50 }, (_, validator) => commit(height, validator, { committee }))));
  }
  const late = collector.lateCommits(14, () => false);
  expect(late).toHaveLength(LATE_COMMITS_MAX);
  expect(late[0]?.height).toBe(10);
  expect(late.at(-1)?.height).toBe(12);
});

test('a second certificate for a height adds its commits', () => {
  const collector = collectorOf(10, 10);
  collector.decided(10, certificateFrom([commit(10, 4)]));
  expect(collector.parentCertificate(10)?.commits).toHaveLength(5);
});
