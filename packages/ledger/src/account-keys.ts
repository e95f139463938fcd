import { type Address, bytesEqual } from '@nacre/base';
import type { ChainContext } from '@nacre/consensus';
import { taggedHash } from '@nacre/crypto';
import type { Account } from './state-kinds.ts';
import { KEY_ID_BYTES } from './wire.ts';

const KEY_ID_TAG = 'nacre/1/key-id';

/** Domain of proofs that whoever asks for a key to be registered holds it. */
export const POSSESSION_CONTEXT = 'nacre/1/possession';
const POSSESSION_TAG = 'nacre/1/possession';
/** What a key is to be: one proof must not do for the other. */
const PURPOSE = { join: Uint8Array.of(1), rotate: Uint8Array.of(2) };

/** Hashing a key takes microseconds, and the same few sign everything: kept for as long as the key itself is. */
const keyIds = new WeakMap<Uint8Array, Uint8Array>();

/** What a transaction says of the key that signed it. Of 8 bytes, because it only has to tell an account's own keys apart. */
export function keyIdOf(publicKey: Uint8Array): Uint8Array {
  let keyId = keyIds.get(publicKey);
  if (keyId === undefined) {
    keyId = taggedHash(KEY_ID_TAG, publicKey).slice(0, KEY_ID_BYTES);
    keyIds.set(publicKey, keyId);
  }
  return keyId;
}

/** What the new key signs, in `POSSESSION_CONTEXT`: otherwise anyone could register anyone's key as a validator's. */
export function possessionMessage({ genesisHash }: ChainContext, address: Address, purpose: keyof typeof PURPOSE): Uint8Array {
  return taggedHash(POSSESSION_TAG, genesisHash, PURPOSE[purpose], address);
}

/** The key of an account that a signature is for; undefined if it has none such, or its time is over. */
export function signingKey(
  account: Account,
  { keyId, validUntilMs }: { readonly keyId: Uint8Array; readonly validUntilMs: number },
): { readonly publicKey: Uint8Array; readonly isRetired: boolean } | undefined {
  const { publicKey, retired } = account;
  if (bytesEqual(keyId, keyIdOf(publicKey))) return { publicKey, isRetired: false };
  // What was signed in its time still gets its final status. Whoever has it now could as well have signed it then, and it has no effect.
  if (retired === null || validUntilMs > retired.untilMs || !bytesEqual(keyId, keyIdOf(retired.publicKey))) return undefined;
  return { publicKey: retired.publicKey, isRetired: true };
}
