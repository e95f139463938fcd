/** The hashes of RFC 6962, section 2.1: a Merkle tree over an append-only list of entries. */

import { assert, HASH_BYTES, type Hash } from '@nacre/base';
import { sha256, sha256Into } from '#sha256';
import { hashOfParts } from './hash-of-parts.ts';

/** Root of a log without entries: the hash of the empty string. RFC 6962, section 2.1. */
export const EMPTY_LOG_ROOT: Hash = sha256(new Uint8Array(0));

const LEAF_PREFIX = Uint8Array.of(0x00);
const NODE_PREFIX = 0x01;

/** SHA-256(0x00 || data): an entry as it stands in the tree. */
export function leafHash(data: Uint8Array): Hash {
  return hashOfParts(LEAF_PREFIX, data);
}

/** Reused, because allocating 65 bytes costs as much as hashing them. */
const nodeInput = new Uint8Array(1 + 2 * HASH_BYTES);
nodeInput[0] = NODE_PREFIX;

/** SHA-256(0x01 || left || right): an inner node. */
export function nodeHash(left: Hash, right: Hash): Hash {
  assert(left.length === HASH_BYTES && right.length === HASH_BYTES, 'an inner node has two children of 32 bytes');
  nodeInput.set(left, 1);
  nodeInput.set(right, 1 + HASH_BYTES);
  return sha256(nodeInput);
}

/**
 * Root over a whole list at once.
 *
 * Joining neighbours level by level and carrying an odd last one up gives the tree of RFC 6962, which splits at the
 * largest power of two below the length.
 *
 * @param leafHashes hashes as made by {@link leafHash}, not the entries themselves
 */
export function logRoot(leafHashes: readonly Hash[]): Hash {
  if (leafHashes.length === 0) return EMPTY_LOG_ROOT;
  let level = leafHashes;
  while (level.length > 1) {
    const above: Hash[] = [];
    for (let i = 0; i + 1 < level.length; i += 2) above.push(nodeHash(level[i] as Hash, level[i + 1] as Hash));
    if (level.length % 2 === 1) above.push(level[level.length - 1] as Hash);
    level = above;
  }
  return level[0] as Hash;
}

/** Root over hashes that stand one behind the other in one array, a power of two of them. */
export function perfectRoot(hashes: Uint8Array): Hash {
  // Every pair is replaced by the node above it, at the front of a copy, until one is left.
  const nodes = hashes.slice();
  for (let width = hashes.length / (2 * HASH_BYTES); width >= 1; width /= 2) {
    for (let i = 0; i < width; i++) {
      nodeInput.set(nodes.subarray(2 * i * HASH_BYTES, 2 * (i + 1) * HASH_BYTES), 1);
      sha256Into(nodeInput, nodes, i * HASH_BYTES);
    }
  }
  return nodes.slice(0, HASH_BYTES);
}
