/** RFC 6962, section 2.1, transcribed as it is defined: the oracle for the log's real code. */
import type { Hash } from '@nacre/base';
import { EMPTY_LOG_ROOT, leafHash, nodeHash } from '../src/index.ts';

function splitPoint(count: number): number {
  return 2 ** (Math.ceil(Math.log2(count)) - 1);
}

/** MTH */
export function naiveRoot(leaves: readonly Hash[]): Hash {
  if (leaves.length === 0) return EMPTY_LOG_ROOT;
  if (leaves.length === 1) return leaves[0] as Hash;
  const k = splitPoint(leaves.length);
  return nodeHash(naiveRoot(leaves.slice(0, k)), naiveRoot(leaves.slice(k)));
}

/** PATH */
export function naiveInclusion(m: number, leaves: readonly Hash[]): Hash[] {
  if (leaves.length === 1) return [];
  const k = splitPoint(leaves.length);
  if (m < k) return [...naiveInclusion(m, leaves.slice(0, k)), naiveRoot(leaves.slice(k))];
  return [...naiveInclusion(m - k, leaves.slice(k)), naiveRoot(leaves.slice(0, k))];
}

/** PROOF, by SUBPROOF */
export function naiveConsistency(m: number, leaves: readonly Hash[], isWhole = true): Hash[] {
  if (m === leaves.length) return isWhole ? [] : [naiveRoot(leaves)];
  const k = splitPoint(leaves.length);
  if (m <= k) return [...naiveConsistency(m, leaves.slice(0, k), isWhole), naiveRoot(leaves.slice(k))];
  return [...naiveConsistency(m - k, leaves.slice(k), false), naiveRoot(leaves.slice(0, k))];
}

/** Distinct leaf hashes. */
export function someLeaves(count: number): Hash[] {
  return Array.from({ length: count }, (_, i) => leafHash(Uint8Array.of(i & 0xff, (i >> 8) & 0xff, i >> 16)));
}
