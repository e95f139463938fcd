import { array, assert, constantFrom, integer, oneof, property, string, uint8Array } from 'fast-check';
import { expect, test, vi } from 'vitest';
import {
  bytesEqual,
  compareBytes,
  concatBytes,
  fromHex,
  fromUtf8,
  HASH_BYTES,
  keyOf,
  toHex,
  uint64Bytes,
  utf8,
  ZERO_HASH,
} from '../src/index.ts';

/** Short and of few values, so that equal bytes, prefixes and differences in the last byte all come up often. */
const fewBytes = uint8Array({ maxLength: 4, max: 2 });
const anyBytes = uint8Array({ maxLength: 80 });

// @mutation packages/base/src/bytes.ts
// - if (a.length !== b.length) return false;
// + if (a.length > b.length) return false;
// @mutation packages/base/src/bytes.ts
// - if (a[i] !== b[i]) return false;
// + if (i > 0 && a[i] !== b[i]) return false;
test('bytes are equal when Buffer says so', () => {
  assert(
    property(fewBytes, fewBytes, (a, b) => bytesEqual(a, b) === Buffer.from(a).equals(b)),
    { numRuns: 1000 },
  );
  assert(property(anyBytes, (bytes) => bytesEqual(bytes, bytes.slice())));
});

// @mutation packages/base/src/bytes.ts
// - return a.length - b.length;
// + return b.length - a.length;
// @mutation packages/base/src/bytes.ts
// - const difference = (a[i] as number) - (b[i] as number);
// + const difference = (((a[i] as number) << 24) >> 24) - (((b[i] as number) << 24) >> 24);
test('bytes sort as unsigned numbers, a prefix before what extends it, as Buffer sorts them', () => {
  assert(property(fewBytes, fewBytes, (a, b) => Math.sign(compareBytes(a, b)) === Buffer.compare(a, b)));
  assert(property(anyBytes, anyBytes, (a, b) => Math.sign(compareBytes(a, b)) === Buffer.compare(a, b)));
});

// @mutation packages/base/src/bytes.ts
// - offset += part.length;
// + offset += 1;
test('joined bytes are what Buffer.concat joins, in memory of their own', () => {
  assert(
    property(array(anyBytes, { maxLength: 6 }), (parts) => {
      const joined = concatBytes(...parts);
      return Buffer.from(joined).equals(Buffer.concat(parts)) && parts.every((part) => part.buffer !== joined.buffer);
    }),
  );
});

// @mutation packages/base/src/bytes.ts
// - Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
// + Buffer.from(bytes.buffer)
test('hexadecimal is that of Buffer and comes back, for bytes within others too', () => {
  assert(
    property(anyBytes, integer({ min: 0, max: 80 }), (whole, start) => {
      const bytes = whole.subarray(Math.min(start, whole.length));
      const text = toHex(bytes);
      return text === Buffer.from(bytes).toString('hex') && bytesEqual(fromHex(text) as Uint8Array, bytes);
    }),
  );
});

// @mutation packages/base/src/bytes.ts
// - b[24], b[25], b[26], b[27], b[28], b[29], b[30], b[31],
// + b[24], b[25], b[26], b[27], b[28], b[29], b[30],
// @mutation packages/base/src/bytes.ts
// - b.subarray(i, i + KEY_CHUNK)
// + b.subarray(0, KEY_CHUNK)
test('the key of bytes in a map is one character for each, whatever their number', () => {
  const anyLength = oneof(anyBytes, uint8Array({ minLength: HASH_BYTES, maxLength: HASH_BYTES }), uint8Array({ maxLength: 10_000 }));
  assert(property(anyLength, (bytes) => keyOf(bytes) === Buffer.from(bytes).toString('latin1')));
  expect(keyOf(new Uint8Array(10_000).map((_, i) => i / 40))).toHaveLength(10_000);
  expect(keyOf(new Uint8Array(10_000).map((_, i) => i / 40)).charCodeAt(9_999)).toBe(249);
});

// @mutation packages/base/src/bytes.ts
// - byte.toString(16).padStart(2, '0')
// + byte.toString(16)
test('hexadecimal is the same where there is no Buffer, as in a browser', () => {
  assert(
    property(anyBytes, (bytes) => {
      const text = toHex(bytes);
      vi.stubGlobal('Buffer', undefined);
      try {
        return toHex(bytes) === text;
      } finally {
        vi.unstubAllGlobals();
      }
    }),
  );
});

// @mutation packages/base/src/bytes.ts
// - text.length % 2 !== 0 ||
// +
// @mutation packages/base/src/bytes.ts
// - !/^[0-9a-f]*$/.test(text)
// + !/^[0-9a-f]*$/i.test(text)
// @mutation packages/base/src/bytes.ts
// - !/^[0-9a-f]*$/.test(text)
// + !/[0-9a-f]*$/.test(text)
test('only pairs of lower-case hexadecimal digits are read, so that bytes have one spelling', () => {
  for (const text of ['a', 'abc', 'AB', '0x', 'g0', ' ab', 'ab ', '-1', '１１']) expect(fromHex(text)).toBeUndefined();
  assert(
    property(string({ unit: constantFrom('0', '9', 'a', 'f', 'F', 'g', '-', ' ', '\n'), maxLength: 6 }), (text) => {
      const bytes = fromHex(text);
      return bytes === undefined ? !/^([0-9a-f]{2})*$/.test(text) : toHex(bytes) === text;
    }),
  );
});

// @mutation packages/base/src/bytes.ts
// - fatal: true
// + fatal: false
test('bytes that are no UTF-8 give no text', () => {
  for (const hex of ['80', 'c0af', 'eda080', 'f4908080', 'e282']) expect(fromUtf8(fromHex(hex) as Uint8Array)).toBeUndefined();
});

// @mutation packages/base/src/bytes.ts
// - ignoreBOM: true
// + ignoreBOM: false
test('text that is read back is the text that was written, a byte order mark included', () => {
  expect(fromUtf8(utf8('\u{feff}price'))).toBe('\u{feff}price');
  assert(
    property(string({ unit: 'grapheme' }), (text) => Buffer.from(utf8(text)).equals(Buffer.from(text)) && fromUtf8(utf8(text)) === text),
  );
  assert(
    property(anyBytes, (bytes) => {
      const text = fromUtf8(bytes);
      return text === undefined || bytesEqual(utf8(text), bytes);
    }),
  );
});

// @mutation packages/base/src/bytes.ts
// -     bytes[at] = rest % 256;
// +     bytes[7 - at] = rest % 256;
test('numbers up to 2^53 sort as keys the way they sort as numbers', () => {
  const number = integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
  assert(property(number, number, (a, b) => Math.sign(compareBytes(uint64Bytes(a), uint64Bytes(b))) === Math.sign(a - b)));
  expect(toHex(uint64Bytes(Number.MAX_SAFE_INTEGER))).toBe('001fffffffffffff');
});

test('the zero hash is as long as a digest', () => {
  expect(ZERO_HASH).toEqual(new Uint8Array(HASH_BYTES));
});
