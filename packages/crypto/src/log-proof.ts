/** Verification of log proofs by the algorithms of RFC 9162, sections 2.1.3.2 and 2.1.4.2 (the trees are those of RFC 6962). */
import { bytesEqual, HASH_BYTES, type Hash } from '@nacre/base';
import { EMPTY_LOG_ROOT, nodeHash } from './log-tree.ts';

/** Entries a log may hold: sizes are exact in a double. */
export const LOG_SIZE_MAX = Number.MAX_SAFE_INTEGER;
/** Longest inclusion proof: one sibling per level of a log of 2^53 entries. Longer ones are refused unread. */
export const INCLUSION_PROOF_MAX = 53;
/** Longest consistency proof: one hash more than the levels, for an old size that is no power of two. */
export const CONSISTENCY_PROOF_MAX = 54;

export interface InclusionClaim {
  readonly leafHash: Hash;
  readonly index: number;
  readonly size: number;
  /** Siblings from the leaf up. */
  readonly proof: readonly Hash[];
  readonly root: Hash;
}

export interface ConsistencyClaim {
  readonly oldSize: number;
  readonly oldRoot: Hash;
  readonly newSize: number;
  readonly newRoot: Hash;
  readonly proof: readonly Hash[];
}

/**
 * Does the log of `size` entries under `root` hold the leaf at `index`? False for anything malformed; never throws.
 *
 * Size and root must come from the same trusted place: a root does not commit to its size, and the same proof can hold for
 * two sizes of similar shape.
 */
export function verifyInclusion(claim: InclusionClaim): boolean {
  const { index, size, proof } = claim;
  if (!isSize(index) || !isSize(size) || index >= size) return false;
  if (proof.length > INCLUSION_PROOF_MAX || !proof.every(isHash) || !isHash(claim.leafHash)) return false;
  let position = index;
  let last = size - 1;
  let root = claim.leafHash;
  for (const sibling of proof) {
    if (last === 0) return false;
    if (position % 2 === 1 || position === last) {
      root = nodeHash(sibling, root);
      // A last node without a right sibling is carried up unchanged; those levels have no entry in the proof.
      while (position % 2 === 0 && position !== 0) {
        position = half(position);
        last = half(last);
      }
    } else {
      root = nodeHash(root, sibling);
    }
    position = half(position);
    last = half(last);
  }
  return last === 0 && bytesEqual(root, claim.root);
}

/**
 * Does the log under `newRoot` start with all entries of the log under `oldRoot`, in their order? False for anything
 * malformed; never throws. Nothing (size 0) is a prefix of every log, by the empty proof. Each size must come from where its root does.
 */
export function verifyConsistency(claim: ConsistencyClaim): boolean {
  const { oldSize, newSize, oldRoot, newRoot, proof } = claim;
  if (!isSize(oldSize) || !isSize(newSize) || oldSize > newSize) return false;
  if (proof.length > CONSISTENCY_PROOF_MAX || !proof.every(isHash) || !isHash(oldRoot) || !isHash(newRoot)) return false;
  if (oldSize === newSize) return proof.length === 0 && bytesEqual(oldRoot, newRoot);
  if (oldSize === 0) return proof.length === 0 && bytesEqual(oldRoot, EMPTY_LOG_ROOT);
  let position = oldSize - 1;
  let last = newSize - 1;
  while (position % 2 === 1) {
    position = half(position);
    last = half(last);
  }
  // If the old log is one perfect subtree of the new, its root is known already and not repeated in the proof.
  const path = position === 0 ? [oldRoot, ...proof] : proof;
  const [start, ...rest] = path;
  if (start === undefined) return false;
  let oldFold = start;
  let newFold = start;
  for (const sibling of rest) {
    if (last === 0) return false;
    if (position % 2 === 1 || position === last) {
      oldFold = nodeHash(sibling, oldFold);
      newFold = nodeHash(sibling, newFold);
      while (position % 2 === 0 && position !== 0) {
        position = half(position);
        last = half(last);
      }
    } else {
      newFold = nodeHash(newFold, sibling);
    }
    position = half(position);
    last = half(last);
  }
  return last === 0 && bytesEqual(oldFold, oldRoot) && bytesEqual(newFold, newRoot);
}

// Shifts would cut sizes to 32 bits.
function half(value: number): number {
  return Math.floor(value / 2);
}

function isSize(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function isHash(value: Uint8Array): boolean {
  return value.length === HASH_BYTES;
}
