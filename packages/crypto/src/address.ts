import { type Address, fail, HASH_BYTES, ok, type Refusal, type Result, utf8 } from '@nacre/base';
import { bech32m } from '@scure/base';
import type { SignatureScheme } from './schemes.ts';
import { taggedHash } from './tagged-hash.ts';

const ADDRESS_TAG = 'nacre/1/address';
const ADDRESS_PREFIX = 'nacre';
/** `nacre1`, 52 characters for 32 bytes, and a checksum of 6. */
const ADDRESS_TEXT_LENGTH = 64;
const NUL = new Uint8Array(1);

/**
 * The address of an account or validator whose first key this is; it stays when keys rotate.
 *
 * A scheme's name holds no NUL, so the one behind it separates name and key without ambiguity.
 */
export function addressOf(scheme: SignatureScheme, publicKey: Uint8Array): Address {
  return taggedHash(ADDRESS_TAG, utf8(scheme), NUL, publicKey);
}

/** Bech32m (BIP 350) with the prefix `nacre`: 64 lower-case characters whose checksum finds any four wrong ones. */
export function formatAddress(address: Address): string {
  return bech32m.encode(ADDRESS_PREFIX, bech32m.toWords(address));
}

/** Reads what {@link formatAddress} writes and nothing else: upper case, which bech32m allows, would be a second name. */
export function parseAddress(text: string): Result<Address, Refusal<'ADDRESS_MALFORMED'>> {
  const refusal = fail({
    code: 'ADDRESS_MALFORMED' as const,
    hint: `An address is ${ADDRESS_TEXT_LENGTH} characters and starts with ${ADDRESS_PREFIX}1.`,
  });
  if (text.length !== ADDRESS_TEXT_LENGTH) return refusal;
  const decoded = bech32m.decodeUnsafe(text);
  if (decoded === undefined || decoded.prefix !== ADDRESS_PREFIX) return refusal;
  const address = bech32m.fromWordsUnsafe(decoded.words);
  if (!(address instanceof Uint8Array) || address.length !== HASH_BYTES) return refusal;
  return formatAddress(address) === text ? ok(address) : refusal;
}
