import type { Hash } from '@nacre/base';
import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js';

/** SHA-256 (FIPS 180-4), for browsers and every other runtime without `node:crypto`. */
export function sha256(bytes: Uint8Array): Hash {
  return nobleSha256(bytes);
}

/** Writes the digest of `bytes` to `target` at `offset`. The two may overlap: all is read before anything is written. */
export function sha256Into(bytes: Uint8Array, target: Uint8Array, offset: number): void {
  target.set(nobleSha256(bytes), offset);
}
