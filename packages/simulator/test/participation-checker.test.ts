import { utf8 } from '@nacre/base';
import { taggedHash } from '@nacre/crypto';
import type { Block } from '@nacre/ledger';
import { beforeEach, expect, test } from 'vitest';
import type { Member } from '../src/committee-book.ts';
import { ParticipationChecker, type Standing } from '../src/participation-checker.ts';

const NAMES = ['a', 'b', 'c', 'd'];
/** With the first eleven blocks, the certificates of heights 1 to 10 are there, and late commits can come for all above 3. */
const LENGTH = 11;
const COUNTED = 3;

const addressOf = (name: string): Uint8Array => taggedHash('nacre/1/test', utf8(name));
const committee: readonly Member[] = NAMES.map((name) => ({ address: addressOf(name), publicKey: addressOf(name), weight: 1000n }));
const standing = (name: string, more: Partial<Standing> = {}): Standing => ({
  address: addressOf(name),
  weight: 1000,
  baseWeight: 1000,
  performance: null,
  ...more,
});
const BEFORE = NAMES.map((name) => standing(name));

let problems: string[];
let checker: ParticipationChecker;

beforeEach(() => {
  problems = [];
  checker = new ParticipationChecker((code) => problems.push(code));
});

/** A block over a parent that was signed by all, or by these. */
function block(height: number, { signers = [0, 1, 2, 3], late = [] as { height: number; validators: number[] }[] } = {}): Block {
  const commits = signers.map((validator) => ({ validator }));
  const parentCertificate = height === 1 ? null : { height: height - 1, commits };
  return { header: { height, epoch: 0, lateCommits: late }, parentCertificate } as unknown as Block;
}

/** An epoch of which the last validator signed so many of the heights that count; the registry says what is given. */
function epoch(signed: number, end: (performance: NonNullable<Standing['performance']>) => readonly Standing[], isLate = false): void {
  for (let height = 1; height <= LENGTH; height++) {
    const signers = height - 1 <= signed && !isLate ? [0, 1, 2, 3] : [0, 1, 2];
    const late = isLate && height > 2 && height - 2 <= signed ? [{ height: height - 2, validators: [3] }] : [];
    const endsEpoch = height === LENGTH;
    const standings = endsEpoch ? end({ epoch: 0, heights: COUNTED, commits: COUNTED }) : BEFORE;
    checker.decided({ block: block(height, { signers, late }), endsEpoch, standings, committee });
  }
}

const after =
  (commits: number, last: Partial<Standing> = {}) =>
  (all: NonNullable<Standing['performance']>) =>
    NAMES.map((name) =>
      name === 'd' ? standing(name, { performance: { ...all, commits }, ...last }) : standing(name, { performance: all }),
    );

test('who signed what is counted up to where a late commit could still come', () => {
  epoch(2, after(2));
  expect(problems).toEqual([]);
});

// @mutation packages/simulator/src/participation-checker.ts
// - for (const { height, validators } of header.lateCommits) for (const validator of validators) this.#signed.get(height)?.add(validator);
// +
test('a commit that a later block shows counts as well', () => {
  epoch(3, after(3), true);
  expect(problems).toEqual([]);
});

test('a registry that counts otherwise is seen', () => {
  epoch(3, after(2));
  expect(problems).toEqual(['WEIGHT']);
});

test('a weight falls for less than half of the heights, and not for more', () => {
  epoch(1, after(1, { weight: 900 }));
  expect(problems).toEqual([]);
});

// @mutation packages/simulator/src/participation-checker.ts
// - if (isFall !== 2 * own.commits < own.heights)
// + if (isFall !== 2 * own.commits <= own.heights * 2)
test('a weight that falls for half of the heights and more is seen', () => {
  epoch(2, after(2, { weight: 900 }));
  expect(problems).toEqual(['WEIGHT']);
});

// @mutation packages/simulator/src/participation-checker.ts
// - if (20 * moved > total && moved > 0)
// + if (moved > total)
test('weights that move by more than a twentieth together are seen', () => {
  epoch(1, after(1, { weight: 799 }));
  expect(problems).toEqual(['WEIGHT']);
});

// @mutation packages/simulator/src/participation-checker.ts
// - if (own === undefined) return this.#report(
// + if (own === null) return this.#report(
test('a weight that moves within an epoch is seen', () => {
  checker.decided({ block: block(1), endsEpoch: false, standings: BEFORE, committee });
  checker.decided({ block: block(2), endsEpoch: false, standings: [...BEFORE.slice(0, 3), standing('d', { weight: 990 })], committee });
  expect(problems).toEqual(['WEIGHT']);
});

test('a decided weight moves both, and is nothing to see', () => {
  checker.decided({ block: block(1), endsEpoch: false, standings: BEFORE, committee });
  const decided = standing('d', { weight: 500, baseWeight: 500 });
  checker.decided({ block: block(2), endsEpoch: false, standings: [...BEFORE.slice(0, 3), decided], committee });
  expect(problems).toEqual([]);
});
