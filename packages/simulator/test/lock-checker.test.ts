import { utf8 } from '@nacre/base';
import { taggedHash } from '@nacre/crypto';
import { beforeEach, expect, test } from 'vitest';
import { LockChecker } from '../src/lock-checker.ts';

const X = taggedHash('nacre/1/test', utf8('X'));
const Y = taggedHash('nacre/1/test', utf8('Y'));

let codes: string[] = [];
let checker: LockChecker;
/** Four validators of one weight each; the last one breaks the rules. */
beforeEach(() => {
  codes = [];
  const members = [true, true, true, false].map((isHonest) => ({ weight: 1000, isHonest }));
  checker = new LockChecker(
    () => members,
    (code) => codes.push(code),
  );
});

function say(validator: number, kind: 'prepare' | 'commit', round: number, blockHash: Uint8Array | null): void {
  checker.see({ validator, kind, height: 1, round, blockHash, validRound: -1 });
}

test('commits to what a quorum prepared, and prepares of the same block, are fine', () => {
  for (const validator of [0, 1, 2]) say(validator, 'prepare', 0, X);
  for (const validator of [0, 1]) say(validator, 'commit', 0, X);
  say(2, 'commit', 0, null);
  for (const validator of [0, 1, 2]) say(validator, 'prepare', 1, X);
  expect(codes).toEqual([]);
});

// @mutation packages/simulator/src/lock-checker.ts
// - return weight + weight + weight > totalWeight + totalWeight;
// + return weight + weight + weight >= totalWeight;
test('a commit without a quorum of prepares is seen', () => {
  say(0, 'prepare', 0, X);
  say(0, 'commit', 0, X);
  expect(codes).toEqual(['LOCK']);
});

test('what a Byzantine validator may have told one alone counts as said', () => {
  for (const validator of [0, 1]) say(validator, 'prepare', 0, X);
  say(0, 'commit', 0, X);
  expect(codes).toEqual([]);
});

// @mutation packages/simulator/src/lock-checker.ts
// - if (last === undefined || last.block === block || this.#isReleased(known, block, last.round, round)) return;
// + if (last === undefined || last.block !== block || this.#isReleased(known, block, last.round, round)) return;
test('a prepare of another block after a commit is seen', () => {
  for (const validator of [0, 1]) say(validator, 'prepare', 0, X);
  say(0, 'commit', 0, X);
  say(0, 'prepare', 1, Y);
  expect(codes).toEqual(['LOCK']);
});

test('a quorum of prepares in a later round releases a lock', () => {
  for (const validator of [0, 1]) say(validator, 'prepare', 0, X);
  say(0, 'commit', 0, X);
  for (const validator of [1, 2]) say(validator, 'prepare', 1, Y);
  say(0, 'prepare', 2, Y);
  expect(codes).toEqual([]);
});

test('an earlier quorum does not release it', () => {
  for (const validator of [1, 2]) say(validator, 'prepare', 0, Y);
  for (const validator of [0, 1]) say(validator, 'prepare', 1, X);
  say(0, 'commit', 1, X);
  say(0, 'prepare', 2, Y);
  expect(codes).toEqual(['LOCK']);
});

test('of a Byzantine validator nothing is asked', () => {
  say(3, 'commit', 0, X);
  say(3, 'prepare', 1, Y);
  expect(codes).toEqual([]);
});
