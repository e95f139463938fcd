import { toHex, utf8 } from '@nacre/base';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import * as native from '../src/sha256-node.ts';
import * as portable from '../src/sha256-portable.ts';

/** FIPS 180-4 examples, NIST "SHA256.pdf" and "SHA2_Additional.pdf". */
const VECTORS = [
  { text: '', digest: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855' },
  { text: 'abc', digest: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad' },
  {
    text: 'abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq',
    digest: '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1',
  },
];

describe.each([
  ['node:crypto', native],
  ['the portable one', portable],
])('SHA-256 by %s', (_, { sha256, sha256Into }) => {
  test.each(VECTORS)('gives the published digest of "$text"', ({ text, digest }) => {
    expect(toHex(sha256(utf8(text)))).toBe(digest);
  });

  test('is a plain array with memory of its own', () => {
    const digest = sha256(utf8('abc'));
    expect(digest.constructor).toBe(Uint8Array);
    expect(digest.buffer.byteLength).toBe(32);
  });

  test('writes in place, even over its own input', () => {
    const bytes = utf8('abc'.padEnd(64));
    const digest = sha256(bytes);
    sha256Into(bytes, bytes, 32);
    expect(bytes.subarray(32)).toEqual(digest);
    expect(bytes.subarray(0, 32)).toEqual(utf8('abc'.padEnd(32)));
  });
});

test('both give the same digest of anything', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      expect(native.sha256(bytes)).toEqual(portable.sha256(bytes));
    }),
  );
});
