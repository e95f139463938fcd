import { utf8 } from '@nacre/base';
import { taggedHash } from '@nacre/crypto';
import { beforeEach, expect, test } from 'vitest';
import type { Member } from '../src/committee-book.ts';
import { KeyChecker } from '../src/key-checker.ts';

const keyOf = (name: string): Uint8Array => taggedHash('nacre/1/test', utf8(name));
const member = (name: string, publicKey = keyOf(name)): Member => ({ address: keyOf(`address of ${name}`), publicKey, weight: 1000n });
const [a, b] = [member('a'), member('b')];
const next = keyOf('the next key of a');

let problems: string[];
let checker: KeyChecker;

beforeEach(() => {
  problems = [];
  checker = new KeyChecker([a, b], (code) => problems.push(code));
});

// @mutation packages/simulator/src/key-checker.ts
// - const DELAY_EPOCHS = 2;
// + const DELAY_EPOCHS = 1;
test('a new key acts in the second epoch behind the one that decided it', () => {
  checker.rotated(a.address, { publicKey: next, epoch: 3 });
  checker.began(4, [a, b]);
  checker.began(5, [member('a', next), b]);
  expect(problems).toEqual([]);
});

// @mutation packages/simulator/src/key-checker.ts
// - else if (!bytesEqual(expected, publicKey)) this.#report(
// + else if (expected.length !== publicKey.length) this.#report(
test('a new key that acts sooner or later, and another one, are seen', () => {
  checker.rotated(a.address, { publicKey: next, epoch: 3 });
  checker.began(4, [member('a', next), b]);
  expect(problems).toHaveLength(1);
  checker.began(5, [a, b]);
  expect(problems).toHaveLength(2);
  checker.began(5, [member('a', keyOf('the key of a stranger')), b]);
  expect(problems).toEqual(['COMMITTEE', 'COMMITTEE', 'COMMITTEE']);
});

// @mutation packages/simulator/src/key-checker.ts
// - if (places.has(name)) this.#report('COMMITTEE', `epoch ${epoch}: ${name} has two places`);
// +
test('a validator with two places is seen', () => {
  checker.began(1, [a, a, b]);
  expect(problems).toEqual(['COMMITTEE']);
});

test('a member whom nobody knows is seen', () => {
  checker.began(1, [a, b, member('c')]);
  expect(problems).toEqual(['COMMITTEE']);
});
