/** Proofs that the state tree holds a key with a value, or does not hold it. */
import { assert, bytesEqual, compareBytes, concatBytes, HASH_BYTES, type Hash } from '@nacre/base';
import {
  BRANCH_LEVELS,
  BUCKET_LEAVES_MAX,
  bucketOf,
  childHash,
  childId,
  isEmptyHash,
  joinHashes,
  LEAF_BYTES,
  leavesOf,
  nibbleAt,
  type PageId,
  pageHash,
  STATE_KEY_BYTES,
  siblingHash,
} from './state-page.ts';
import { EMPTY_STATE_ROOT, openPage, type PageReader } from './state-tree.ts';

/** Longest proof: one sibling per bit of the key. */
export const STATE_PROOF_SIBLINGS_MAX = 8 * STATE_KEY_BYTES;
/** Other keys that may stand in the bucket of one that is absent. */
export const STATE_PROOF_OTHERS_MAX = BUCKET_LEAVES_MAX;

export interface StateLeaf {
  readonly key: Uint8Array;
  readonly valueHash: Hash;
}

export interface StateProof {
  /** The hashes beside the path, from the root's child down: four per branch. */
  readonly siblings: readonly Hash[];
  /** What else stands in the bucket where the key's path ends, ascending. */
  readonly others: readonly StateLeaf[];
}

export interface StateClaim {
  readonly root: Hash;
  readonly key: Uint8Array;
  /** null: the tree does not hold the key. */
  readonly valueHash: Hash | null;
  readonly proof: StateProof;
}

/**
 * @returns the proof of what the tree holds under the key, and that: null for nothing
 * @throws {CryptoError} code `PAGE_MISSING` or `PAGE_DAMAGED` when the pages are not those of `root`
 */
export function proveKey(reader: PageReader, root: Hash, key: Uint8Array): { readonly valueHash: Hash | null; readonly proof: StateProof } {
  assert(key.length === STATE_KEY_BYTES, 'a key has 32 bytes');
  const siblings: Hash[] = [];
  let id: PageId = '';
  let hash = root;
  while (!isEmptyHash(hash)) {
    const page = openPage(reader, id, hash);
    if (page.kind === 'bucket') {
      const { leaves, valueHash } = split(leavesOf(page), key);
      return { valueHash, proof: { siblings, others: leaves } };
    }
    const child = nibbleAt(key, 0, id.length);
    for (let level = BRANCH_LEVELS - 1; level >= 0; level--) siblings.push(siblingHash(page, child, level).slice());
    hash = childHash(page, child);
    id = childId(id, child);
  }
  return { valueHash: null, proof: { siblings, others: [] } };
}

/** The leaves of a bucket without that of `key`, and its value hash. */
function split(bytes: Uint8Array, key: Uint8Array): { readonly leaves: StateLeaf[]; readonly valueHash: Hash | null } {
  const leaves: StateLeaf[] = [];
  let valueHash: Hash | null = null;
  for (let at = 0; at < bytes.length; at += LEAF_BYTES) {
    const leaf = { key: bytes.slice(at, at + STATE_KEY_BYTES), valueHash: bytes.slice(at + STATE_KEY_BYTES, at + LEAF_BYTES) };
    if (bytesEqual(leaf.key, key)) valueHash = leaf.valueHash;
    else leaves.push(leaf);
  }
  return { leaves, valueHash };
}

/**
 * Checks a proof against a root. For a root and a key exactly one claim holds, with exactly one proof: hashes of buckets, branches and
 * nothing cannot be taken for each other, so the path ends where the tree says, and a bucket's hash fixes its leaves and their order.
 *
 * @returns whether the proof shows the claim; never throws
 */
export function verifyStateProof({ root, key, valueHash, proof: { siblings, others } }: StateClaim): boolean {
  const depth = siblings.length;
  if (root.length !== HASH_BYTES || key.length !== STATE_KEY_BYTES || (valueHash !== null && valueHash.length !== HASH_BYTES)) return false;
  if (depth > STATE_PROOF_SIBLINGS_MAX || depth % BRANCH_LEVELS !== 0 || siblings.some(({ length }) => length !== HASH_BYTES)) return false;
  // Below nothing there is nothing again, so a path could go on for ever; it ends at the first branch that has keys elsewhere.
  if (valueHash === null && others.length === 0 && depth > 0 && siblings.slice(-BRANCH_LEVELS).every(isEmptyHash)) return false;
  const bucket = bucketHash({ key, valueHash }, others);
  if (bucket === null) return false;
  let hash = bucket;
  for (let level = depth - 1; level >= 0; level--) {
    const sibling = siblings[level] as Hash;
    hash = bitAt(key, level) === 0 ? joinHashes(hash, sibling) : joinHashes(sibling, hash);
  }
  return bytesEqual(hash, root);
}

/** The hash of the bucket that holds `others` and, if it has a value, the key; null if there is no such bucket. */
function bucketHash({ key, valueHash }: Pick<StateClaim, 'key' | 'valueHash'>, others: readonly StateLeaf[]): Hash | null {
  const count = others.length + (valueHash === null ? 0 : 1);
  if (count > BUCKET_LEAVES_MAX) return null;
  if (count === 0) return EMPTY_STATE_ROOT;
  const leaves: StateLeaf[] = [...others];
  if (others.some((leaf) => leaf.key.length !== STATE_KEY_BYTES || leaf.valueHash.length !== HASH_BYTES)) return null;
  if (others.some((leaf) => bytesEqual(leaf.key, key))) return null;
  if (valueHash !== null) {
    const above = others.findIndex((leaf) => compareBytes(leaf.key, key) > 0);
    leaves.splice(above === -1 ? leaves.length : above, 0, { key, valueHash });
  }
  return pageHash(bucketOf(concatBytes(...leaves.flatMap((leaf) => [leaf.key, leaf.valueHash]))));
}

function bitAt(key: Uint8Array, index: number): number {
  return ((key[index >> 3] as number) >> (7 - (index & 7))) & 1;
}
