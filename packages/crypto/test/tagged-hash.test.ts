import { AssertionError, concatBytes, toHex, utf8 } from '@nacre/base';
import { expect, test } from 'vitest';
import { sha256, taggedHash } from '../src/index.ts';

// @mutation packages/crypto/src/tagged-hash.ts
// -     encoded = utf8(`${tag}\0`);
// +     encoded = utf8(tag);
test('a tagged hash covers the tag, a NUL and the parts', () => {
  const expected = sha256(concatBytes(utf8('nacre/1/test'), Uint8Array.of(0), utf8('one'), utf8('two')));
  expect(taggedHash('nacre/1/test', utf8('one'), utf8('two'))).toEqual(expected);
});

test('a tag that begins with another gives another hash of what looks the same', () => {
  expect(taggedHash('nacre/1/ab', utf8('c'))).not.toEqual(taggedHash('nacre/1/a', utf8('bc')));
});

test.each(['', 'vote', 'nacre', 'nacre/\0'])('tag "%s" is a bug: it could collide with other hashes', (tag) => {
  expect(() => taggedHash(tag)).toThrow(AssertionError);
});

test('wire format: the hash of a known tag and content is pinned', () => {
  expect(toHex(taggedHash('nacre/1/test', utf8('content')))).toBe('8e659112f1f099345bd819bd5228b70866dbbf5974b911640014ef4d4b0a29fb');
});

test('tags made from data are a bug, and found before they fill the memory', () => {
  expect(() => {
    for (let i = 0; i < 300; i++) taggedHash(`nacre/1/${i}`);
  }).toThrow(AssertionError);
});
