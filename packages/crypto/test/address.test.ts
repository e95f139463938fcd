import { compareBytes, fail, utf8 } from '@nacre/base';
import { bech32, bech32m } from '@scure/base';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addressOf, formatAddress, parseAddress, taggedHash } from '../src/index.ts';

const anyAddress = fc.uint8Array({ minLength: 32, maxLength: 32 });
const refused = fail({ code: 'ADDRESS_MALFORMED', hint: expect.stringContaining('nacre1') });

// @mutation packages/crypto/src/address.ts
// -   return taggedHash(ADDRESS_TAG, utf8(scheme), NUL, publicKey);
// +   return taggedHash(ADDRESS_TAG, publicKey);
test('an address covers the scheme as well as the key', () => {
  const key = new Uint8Array(10).fill(1);
  expect(addressOf('ml-dsa-44', key)).toEqual(taggedHash('nacre/1/address', utf8('ml-dsa-44'), Uint8Array.of(0), key));
  expect(compareBytes(addressOf('ml-dsa-44', key), addressOf('ml-dsa-65', key))).not.toBe(0);
});

test('wire format: the text of a known address is pinned', () => {
  expect(formatAddress(addressOf('ml-dsa-44', utf8('key')))).toBe('nacre14xgwt570a7r5y07pdnedun5lh8jkn2utuzryuupznmqz486vzklqsjlzm0');
});

describe('text', () => {
  test('every address reads back', () => {
    fc.assert(
      fc.property(anyAddress, (address) => {
        const text = formatAddress(address);
        expect(text).toMatch(/^nacre1[a-z0-9]{58}$/);
        expect(parseAddress(text)).toEqual({ ok: true, value: address });
      }),
    );
  });

  test('up to four wrong characters are found, and so are one too many or too few', () => {
    fc.assert(
      fc.property(
        anyAddress,
        fc.array(fc.tuple(fc.nat({ max: 63 }), fc.constantFrom(...'qpzry9x8gf2tvdw0s3jn54khce6mua7l1!'.split(''))), {
          minLength: 1,
          maxLength: 4,
        }),
        (address, changes) => {
          const text = formatAddress(address);
          const changed = changes.reduce((result, [at, character]) => result.slice(0, at) + character + result.slice(at + 1), text);
          if (changed !== text) expect(parseAddress(changed)).toEqual(refused);
          expect(parseAddress(text.slice(1))).toEqual(refused);
          expect(parseAddress(`${text}q`)).toEqual(refused);
        },
      ),
    );
  });

  // @mutation packages/crypto/src/address.ts
  // -   return formatAddress(address) === text ? ok(address) : refusal;
  // +   return ok(address);
  test('upper case is refused: it would be a second name', () => {
    expect(parseAddress(formatAddress(new Uint8Array(32)).toUpperCase())).toEqual(refused);
  });

  test('other prefixes, checksums and lengths are refused', () => {
    const words = bech32m.toWords(new Uint8Array(32));
    expect(parseAddress(bech32m.encode('pearl', words))).toEqual(refused);
    expect(parseAddress(bech32.encode('nacre', words))).toEqual(refused);
    expect(parseAddress(bech32m.encode('nacre', words.slice(1)))).toEqual(refused);
    expect(parseAddress(bech32m.encode('nacr', [...words, 0]))).toEqual(refused);
    expect(parseAddress(bech32m.encode('nacre', words.with(51, 1)))).toEqual(refused);
    expect(parseAddress('')).toEqual(refused);
  });

  test('fuzz: any text is read or refused', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ maxLength: 100 }), fc.string({ minLength: 64, maxLength: 64 })), (text) => {
        expect(parseAddress(text)).toEqual(refused);
      }),
    );
  });
});
