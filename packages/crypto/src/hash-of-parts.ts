import { concatBytes, type Hash } from '@nacre/base';
import { sha256 } from '#sha256';

/** Reused for inputs up to its length: an array of its own costs V8 more than hashing it, and again when it is collected. */
const shortInput = new Uint8Array(8 * 1024);

/** SHA-256 of the parts, one behind the other. */
export function hashOfParts(...parts: readonly Uint8Array[]): Hash {
  let length = 0;
  for (const part of parts) length += part.length;
  if (length > shortInput.length) return sha256(concatBytes(...parts));
  let offset = 0;
  for (const part of parts) {
    shortInput.set(part, offset);
    offset += part.length;
  }
  return sha256(shortInput.subarray(0, length));
}
