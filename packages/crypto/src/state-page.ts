/**
 * Pages of the state tree, of two kinds. A bucket holds all keys below a place in the tree, at most 32, with their value hashes. A
 * branch stands where there are more: it has 16 children, one per value of the next half byte of the key, each a page or nothing.
 * So every place with keys below has one page, and which kind it is follows from their number alone.
 *
 * A bucket is hashed as a whole: SHA-256(0x00 || key || value hash || key || value hash …), ascending. A branch is hashed as a
 * binary tree of four levels over its children: SHA-256(0x01 || left || right), where two halves without keys are none again, 32 zero
 * bytes. The first byte tells the two apart, and a bucket's bytes in the store are exactly what is hashed.
 *
 * Bytes of a bucket: 0x00, then the leaves (64 bytes each). Bytes of a branch: 0x01, then one bit per child that has keys (2 bytes,
 * child 0 in the lowest bit of the first), then the hashes (32 bytes each) of those children in order.
 */
import { fail, HASH_BYTES, type Hash, ok, type Refusal, type Result, ZERO_HASH } from '@nacre/base';
import { sha256Into } from '#sha256';
import { nodeHash } from './log-tree.ts';
import { Slab } from './slab.ts';

/** Bytes of a key. Its half bytes, the upper one of each byte first, lead from the root to its bucket. */
export const STATE_KEY_BYTES = 32;
/** A key and the hash of its value. */
export const LEAF_BYTES = STATE_KEY_BYTES + HASH_BYTES;
/** Most keys of a bucket; more are a branch. */
export const BUCKET_LEAVES_MAX = 32;
/** Children of a branch. */
export const CHILDREN = 16;
/** Binary levels of a branch, which a proof has a sibling for each. */
export const BRANCH_LEVELS = 4;

const BUCKET_PREFIX = 0x00;
const BRANCH_PREFIX = 0x01;
/** Where the leaves begin in the bytes of a bucket. */
const LEAVES_OFFSET = 1;
const CHILD_BITS_OFFSET = 1;
const CHILD_HASHES_OFFSET = CHILD_BITS_OFFSET + CHILDREN / 8;
/** Largest encoded page: a full bucket. */
export const PAGE_BYTES_MAX = LEAVES_OFFSET + BUCKET_LEAVES_MAX * LEAF_BYTES;

/** The half bytes that lead to a page, as lower-case hexadecimal digits; the root page's is the empty string. */
export type PageId = string;

export interface Bucket {
  readonly kind: 'bucket';
  /** Its hash (32 bytes), then its bytes as encoded and as hashed. */
  readonly data: Uint8Array;
}

export interface Branch {
  readonly kind: 'branch';
  /**
   * The hashes of its 31 nodes, numbered as in a heap: the root is 1, the children of i are 2i and 2i + 1, child c of the branch is
   * 16 + c. The hash of node i stands at 32 i, so two that are hashed together stand side by side; node 0 does not exist.
   */
  readonly data: Uint8Array;
}

/**
 * Never changed: an update makes a new one. Its hash was computed from its content. One array each, because thousands are made and
 * forgotten per second, and the garbage collector pays by the object.
 */
export type Page = Bucket | Branch;

const ROOT_NODE = 1;
const NODES_BYTES = 2 * CHILDREN * HASH_BYTES;

const HEX_DIGITS = '0123456789abcdef';

/** The page of child `child` of the branch `id`. */
export function childId(id: PageId, child: number): PageId {
  return id + HEX_DIGITS[child];
}

/** Key under which a page is stored: sorts a page before those below it, so a subtree is one contiguous range. */
export function pageKey(id: PageId): Uint8Array {
  const key = new Uint8Array(id.length);
  for (let i = 0; i < id.length; i++) key[i] = id.charCodeAt(i);
  return key;
}

/** The half byte, at `depth` half bytes, of the key that begins at `offset`: the child of a branch at that depth it belongs to. */
export function nibbleAt(bytes: Uint8Array, offset: number, depth: number): number {
  const byte = bytes[offset + (depth >> 1)] as number;
  return depth % 2 === 0 ? byte >> 4 : byte & 0x0f;
}

/** Pages of one update follow one another and are mostly replaced or forgotten together, so they may share their memory. */
const pageSlab = new Slab(16 * 1024);

/** @param leaves one behind the other, ascending, at least one and at most `BUCKET_LEAVES_MAX` */
export function bucketOf(leaves: Uint8Array): Bucket {
  const data = pageSlab.take(HASH_BYTES + LEAVES_OFFSET + leaves.length);
  data[HASH_BYTES] = BUCKET_PREFIX;
  data.set(leaves, HASH_BYTES + LEAVES_OFFSET);
  sha256Into(data.subarray(HASH_BYTES), data, 0);
  return { kind: 'bucket', data };
}

/** The hash of a page, as a view. */
export function pageHash(page: Page): Hash {
  return page.kind === 'bucket' ? page.data.subarray(0, HASH_BYTES) : hashAt(page.data, ROOT_NODE);
}

/** The leaves of a bucket, as a view. */
export function leavesOf({ data }: Bucket): Uint8Array {
  return data.subarray(HASH_BYTES + LEAVES_OFFSET);
}

export function leafCount({ data }: Bucket): number {
  return (data.length - HASH_BYTES - LEAVES_OFFSET) / LEAF_BYTES;
}

/** A branch without children to begin with; not a page yet. */
export const NO_CHILDREN: Branch = { kind: 'branch', data: new Uint8Array(NODES_BYTES) };

/** @returns the hash of a child, as a view; zeros if it has no keys */
export function childHash({ data }: Branch, child: number): Hash {
  return hashAt(data, CHILDREN + child);
}

/** @returns the hash of the node beside the path to `child`, `level` levels above the children, as a view */
export function siblingHash({ data }: Branch, child: number, level: number): Hash {
  return hashAt(data, ((CHILDREN + child) >> level) ^ 1);
}

function hashAt(nodes: Uint8Array, node: number): Hash {
  return nodes.subarray(node * HASH_BYTES, (node + 1) * HASH_BYTES);
}

/** A branch with other children in the places that `replaced` gives; hashes each node above them once. */
export function branchOf(before: Branch, replaced: readonly (Hash | undefined)[]): Branch {
  const nodes = pageSlab.take(NODES_BYTES);
  nodes.set(before.data);
  let touched = 0;
  for (let child = 0; child < CHILDREN; child++) {
    const hash = replaced[child];
    if (hash === undefined) continue;
    touched |= 1 << child;
    nodes.set(hash, (CHILDREN + child) * HASH_BYTES);
  }
  // `touched` has a bit for every node of a level that has changed, from the children up to the root.
  for (let width = CHILDREN / 2; width >= 1; width /= 2) {
    let above = 0;
    for (let pair = 0; pair < width; pair++) {
      if ((touched & (3 << (2 * pair))) === 0) continue;
      above |= 1 << pair;
      joinChildren(nodes, width + pair);
    }
    touched = above;
  }
  return { kind: 'branch', data: nodes };
}

/** Reused, because allocating 65 bytes costs as much as hashing them. */
const joinInput = new Uint8Array(1 + 2 * HASH_BYTES);
joinInput[0] = BRANCH_PREFIX;

/** Hashes the two children of a node into it; if neither has keys, it has none. */
function joinChildren(nodes: Uint8Array, node: number): void {
  const children = 2 * node * HASH_BYTES;
  // A loop, because a view for `set` costs as much and leaves garbage behind.
  let any = 0;
  for (let i = 0; i < 2 * HASH_BYTES; i++) {
    const byte = nodes[children + i] as number;
    joinInput[1 + i] = byte;
    any |= byte;
  }
  if (any === 0) nodes.fill(0, node * HASH_BYTES, (node + 1) * HASH_BYTES);
  else sha256Into(joinInput, nodes, node * HASH_BYTES);
}

/** The hash of a node of a branch, from those of its halves. */
export function joinHashes(left: Hash, right: Hash): Hash {
  return isEmptyHash(left) && isEmptyHash(right) ? ZERO_HASH : nodeHash(left, right);
}

/** Whether the subtree of this hash has no keys. */
export function isEmptyHash(hash: Hash): boolean {
  for (let i = 0; i < HASH_BYTES; i++) if (hash[i] !== 0) return false;
  return true;
}

export function encodePage(page: Page): Uint8Array {
  if (page.kind === 'bucket') return page.data.subarray(HASH_BYTES);
  const bytes = pageSlab.take(CHILD_HASHES_OFFSET + CHILDREN * HASH_BYTES);
  bytes[0] = BRANCH_PREFIX;
  let end = CHILD_HASHES_OFFSET;
  for (let child = 0; child < CHILDREN; child++) {
    const hash = childHash(page, child);
    if (isEmptyHash(hash)) continue;
    const at = CHILD_BITS_OFFSET + (child >> 3);
    bytes[at] = (bytes[at] as number) | (1 << (child & 7));
    bytes.set(hash, end);
    end += HASH_BYTES;
  }
  return end === bytes.length ? bytes : bytes.slice(0, end);
}

/**
 * Reads a page that was stored under `id` and hashes it. That it is the right one shows when its hash is compared with the one in the
 * page above, which every use of the page does: so nothing is asked of its content here but that it can be read.
 *
 * @returns the page, which keeps nothing of `bytes`; or `PAGE_DAMAGED` with the reason
 */
export function decodePage(id: PageId, bytes: Uint8Array): Result<Page, Refusal<'PAGE_DAMAGED'>> {
  const refuse = (reason: string) => fail({ code: 'PAGE_DAMAGED' as const, id, reason });
  if (bytes[0] === BUCKET_PREFIX) {
    const leaves = (bytes.length - LEAVES_OFFSET) / LEAF_BYTES;
    if (!Number.isInteger(leaves) || leaves < 1 || leaves > BUCKET_LEAVES_MAX) return refuse('its length is not that of a bucket');
    return ok(bucketOf(bytes.subarray(LEAVES_OFFSET)));
  }
  if (bytes[0] !== BRANCH_PREFIX) return refuse('it is neither a bucket nor a branch');
  const children: (Hash | undefined)[] = [];
  let at = CHILD_HASHES_OFFSET;
  for (let child = 0; child < CHILDREN; child++) {
    if ((((bytes[CHILD_BITS_OFFSET + (child >> 3)] ?? 0) >> (child & 7)) & 1) === 0) continue;
    children[child] = bytes.subarray(at, at + HASH_BYTES);
    at += HASH_BYTES;
  }
  if (at !== bytes.length || at === CHILD_HASHES_OFFSET) return refuse('its length is not that of a branch');
  // Decoded and encoded again it would have other bytes; a page has one encoding.
  if (children.some((hash) => hash !== undefined && isEmptyHash(hash))) return refuse('it names a child without keys');
  return ok(branchOf(NO_CHILDREN, children));
}
