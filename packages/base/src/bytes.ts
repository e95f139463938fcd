/** 32 bytes: a SHA-256 digest. */
export type Hash = Uint8Array;
/** 32 bytes: the tagged hash of an account's or validator's first public key. */
export type Address = Uint8Array;

/** Length of a SHA-256 digest in bytes. FIPS 180-4. */
export const HASH_BYTES = 32;
/** The all-zero hash: "no block" in votes, "no parent" at height 1, the empty subtree in the state tree. */
export const ZERO_HASH: Hash = new Uint8Array(HASH_BYTES);

/** From this length on the runtime's own comparison, where there is one, beats a loop. Measured: 15 KB in 1 against 90 µs. */
const LONG_BYTES = 64;

export function bytesEqual(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  if (a.length >= LONG_BYTES && typeof Buffer !== 'undefined') return Buffer.compare(a, b) === 0;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Lexicographic order by unsigned bytes; a prefix sorts before what extends it. The order of LevelDB's keys. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shorter = Math.min(a.length, b.length);
  for (let i = 0; i < shorter; i++) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const joined = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}

const HEX: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/**
 * Lower-case hexadecimal, for people; a Map takes `keyOf`. Where there is a runtime's own it is used: text that was added up piece by piece is a
 * chain of pieces, which has to be joined before it can be hashed.
 */
export function toHex(bytes: Uint8Array): string {
  if (typeof Buffer !== 'undefined') return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
  let text = '';
  for (const byte of bytes) text += HEX[byte];
  return text;
}

/** @returns the bytes, or undefined if `text` is not pairs of lower-case hexadecimal digits */
export function fromHex(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/.test(text)) return undefined;
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

/** Arguments of one call, far below what an engine has room for. */
const KEY_CHUNK = 4096;
const textOf = String.fromCharCode as (...codes: readonly unknown[]) => string;

/**
 * Bytes as a key of a Map or Set: one character for each byte. Measured, 32 bytes set and deleted: 0.16 against 0.43 µs in hexadecimal, besides
 * that a short array need not be moved out of the heap for the runtime to read it.
 */
export function keyOf(b: Uint8Array): string {
  // One by one, because an array handed on as arguments takes twice the time.
  // biome-ignore format: a line for every eight bytes
  if (b.length === HASH_BYTES) return textOf(
    b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7],
    b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15],
    b[16], b[17], b[18], b[19], b[20], b[21], b[22], b[23],
    b[24], b[25], b[26], b[27], b[28], b[29], b[30], b[31],
  );
  let key = '';
  for (let i = 0; i < b.length; i += KEY_CHUNK) key += textOf.apply(null, b.subarray(i, i + KEY_CHUNK) as unknown as number[]);
  return key;
}

const textEncoder = new TextEncoder();
const textDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Up to this length a loop over a text of ASCII alone beats the encoder. Measured for 10 characters: a fifth of its time; for 64: half. */
const SHORT_TEXT = 64;

export function utf8(text: string): Uint8Array {
  if (text.length > SHORT_TEXT) return textEncoder.encode(text);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code >= 0x80) return textEncoder.encode(text);
    bytes[i] = code;
  }
  return bytes;
}

/** @returns the text, or undefined if `bytes` is not valid UTF-8 */
export function fromUtf8(bytes: Uint8Array): string | undefined {
  try {
    return textDecoder.decode(bytes);
  } catch {
    return undefined;
  }
}

/** Big-endian unsigned integer below 2^53 in 8 bytes: sorts as a key the way it sorts as a number. */
export function uint64Bytes(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  let rest = value;
  // Byte by byte, because a view and a bigint cost five times as much.
  for (let at = 7; rest > 0; at--) {
    bytes[at] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  return bytes;
}
