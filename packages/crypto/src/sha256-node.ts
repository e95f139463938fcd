import { hash } from 'node:crypto';
import { HASH_BYTES, type Hash } from '@nacre/base';

/**
 * SHA-256 (FIPS 180-4).
 *
 * The digest crosses from OpenSSL as a one-byte-per-character string, because that takes a third of the time of asking for a Buffer;
 * and it becomes an array of its own, not a slice of Node's shared 8 KB pool, which a single kept hash would hold on to.
 */
export function sha256(bytes: Uint8Array): Hash {
  const digest = new Uint8Array(HASH_BYTES);
  sha256Into(bytes, digest, 0);
  return digest;
}

/** Writes the digest of `bytes` to `target` at `offset`. The two may overlap: all is read before anything is written. */
export function sha256Into(bytes: Uint8Array, target: Uint8Array, offset: number): void {
  const digest = hash('sha256', bytes, 'binary');
  for (let i = 0; i < HASH_BYTES; i++) target[offset + i] = digest.charCodeAt(i);
}
