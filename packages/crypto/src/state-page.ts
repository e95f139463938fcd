/**
 * Pages of the state tree: subtrees of four binary levels, so that a path through a tree of a million keys is five or
 * six pages, not twenty nodes.
 *
 * A page has 16 slots, one per value of the next half byte of the key. A slot is empty, or the only key below it (a leaf), or the
 * root of a further page. Hashes between the root and the slots are not stored: recomputing them costs 6 microseconds for a page read
 * from disk, storing them doubles every page written, and recomputing them authenticates the page against its parent for free.
 *
 * Bytes of a page: version (1), then 16 slot kinds of two bits each, slot 0 in the lowest bits (4, little endian), then
 * per slot that is not empty, in order: key (32) and value hash (32) of a leaf, or the hash (32) of the page below.
 */

import { assert, fail, HASH_BYTES, type Hash, ok, type Refusal, type Result, utf8, ZERO_HASH } from '@nacre/base';
import { sha256Into } from '#sha256';

/** Bytes of a key. Its bits from the highest of the first byte on choose left (0) or right (1). */
export const STATE_KEY_BYTES = 32;
/** Half bytes of a key, so the depth no page reaches: below it lies exactly one key. */
const KEY_NIBBLES = 2 * STATE_KEY_BYTES;
/** Slots of a page. */
const SLOTS = 16;
const PAGE_VERSION = 1;
const PAGE_HEADER_BYTES = 5;
const LEAF_BYTES = STATE_KEY_BYTES + HASH_BYTES;
/** Largest encoded page: 16 leaves. */
export const PAGE_BYTES_MAX = PAGE_HEADER_BYTES + SLOTS * LEAF_BYTES;

/** The half bytes that lead to a page, as lower-case hexadecimal digits; the root page's is the empty string. */
export type PageId = string;

export interface Leaf {
  readonly kind: 'leaf';
  readonly key: Uint8Array;
  readonly valueHash: Hash;
}

export type Slot = { readonly kind: 'empty' } | Leaf | { readonly kind: 'inner'; readonly hash: Hash };

export const EMPTY_SLOT: Slot = { kind: 'empty' };

/**
 * Kinds of a node, as encoded. `LEAF` is a subtree with exactly one key at any depth: its hash is that leaf's, so that the
 * tree's shape, and its root, depend on its set of keys alone.
 */
export const NODE_EMPTY = 0;
export const NODE_LEAF = 1;
export const NODE_INNER = 2;

/** A decoded page. Never changed: an update makes a new one. */
export interface Page {
  readonly slots: readonly Slot[];
  /** The 31 nodes in heap order: the root is 1, the children of i are 2i and 2i + 1, slot s is 16 + s. */
  readonly kinds: Uint8Array;
  /** Hashes of the same nodes, 32 bytes each at 32 times the node's number, so that two children stand side by side. */
  readonly hashes: Uint8Array;
}

export const EMPTY_PAGE: Page = {
  slots: new Array<Slot>(SLOTS).fill(EMPTY_SLOT),
  kinds: new Uint8Array(2 * SLOTS),
  hashes: new Uint8Array(2 * SLOTS * HASH_BYTES),
};

/** Key under which a page is stored: sorts a page before those below it, so a subtree is one contiguous range. */
export function pageKey(id: PageId): Uint8Array {
  return utf8(id);
}

/** The half byte of `key` at `depth` half bytes: which slot of a page at that depth it belongs to. */
export function nibbleAt(key: Uint8Array, depth: number): number {
  const byte = key[depth >> 1] as number;
  return depth % 2 === 0 ? byte >> 4 : byte & 0x0f;
}

/** Reused, because allocating 65 bytes costs as much as hashing them. */
const hashInput = new Uint8Array(1 + 2 * HASH_BYTES);

/** SHA-256(0x00 || key || valueHash). */
export function stateLeafHash(key: Uint8Array, valueHash: Hash): Hash {
  const digest = new Uint8Array(HASH_BYTES);
  stateLeafHashInto({ key, valueHash }, digest, 0);
  return digest;
}

function stateLeafHashInto(leaf: { readonly key: Uint8Array; readonly valueHash: Hash }, target: Uint8Array, offset: number): void {
  assert(leaf.key.length === STATE_KEY_BYTES && leaf.valueHash.length === HASH_BYTES, 'a leaf has a key and a value hash of 32 bytes');
  hashInput[0] = 0x00;
  hashInput.set(leaf.key, 1);
  hashInput.set(leaf.valueHash, 1 + STATE_KEY_BYTES);
  sha256Into(hashInput, target, offset);
}

/** A page with other content in the slots that `changed` has a bit for; only the nodes above those are hashed again. */
export function replaceSlots(page: Page, slots: readonly Slot[], changed: number): Page {
  const kinds = page.kinds.slice();
  const hashes = page.hashes.slice();
  for (let s = 0; s < SLOTS; s++) {
    if ((changed & (1 << s)) !== 0) placeSlot(slots[s] as Slot, SLOTS + s, { kinds, hashes });
  }
  let touched = changed;
  for (let width = SLOTS / 2; width >= 1; width /= 2) {
    let above = 0;
    for (let i = 0; i < width; i++) {
      if ((touched & (3 << (2 * i))) === 0) continue;
      above |= 1 << i;
      joinChildren(width + i, { kinds, hashes });
    }
    touched = above;
  }
  return { slots, kinds, hashes };
}

type Nodes = Pick<Page, 'kinds' | 'hashes'>;

function placeSlot(slot: Slot, node: number, { kinds, hashes }: Nodes): void {
  const offset = node * HASH_BYTES;
  switch (slot.kind) {
    case 'empty':
      kinds[node] = NODE_EMPTY;
      hashes.set(ZERO_HASH, offset);
      return;
    case 'leaf':
      kinds[node] = NODE_LEAF;
      stateLeafHashInto(slot, hashes, offset);
      return;
    case 'inner':
      kinds[node] = NODE_INNER;
      hashes.set(slot.hash, offset);
  }
}

function joinChildren(node: number, { kinds, hashes }: Nodes): void {
  const left = 2 * node;
  const leftKind = kinds[left] as number;
  const rightKind = kinds[left + 1] as number;
  const offset = node * HASH_BYTES;
  if (leftKind !== NODE_INNER && rightKind !== NODE_INNER && leftKind + rightKind < 2) {
    // No key, or exactly one: the node is its only child, whatever the depth.
    const child = leftKind === NODE_EMPTY ? left + 1 : left;
    kinds[node] = kinds[child] as number;
    hashes.copyWithin(offset, child * HASH_BYTES, (child + 1) * HASH_BYTES);
  } else {
    kinds[node] = NODE_INNER;
    hashInput[0] = 0x01;
    hashInput.set(hashes.subarray(left * HASH_BYTES, (left + 2) * HASH_BYTES), 1);
    sha256Into(hashInput, hashes, offset);
  }
}

/** Hash of a node of the page, as an array of its own. */
export function nodeHashOf(page: Page, node: number): Hash {
  return page.hashes.slice(node * HASH_BYTES, (node + 1) * HASH_BYTES);
}

/** The only key under a node of kind `NODE_LEAF`. */
export function leafUnder(page: Page, node: number): Leaf {
  let first = node;
  let width = 1;
  for (; first < SLOTS; width *= 2) first *= 2;
  const leaf = page.slots.slice(first - SLOTS, first - SLOTS + width).find((slot) => slot.kind === 'leaf');
  assert(leaf !== undefined, 'a leaf node has a leaf among its slots');
  return leaf;
}

export function encodePage(page: Page): Uint8Array {
  let bits = 0;
  let length = PAGE_HEADER_BYTES;
  page.slots.forEach((slot, s) => {
    if (slot.kind === 'empty') return;
    const isLeaf = slot.kind === 'leaf';
    bits |= (isLeaf ? NODE_LEAF : NODE_INNER) << (2 * s);
    length += isLeaf ? LEAF_BYTES : HASH_BYTES;
  });
  const bytes = new Uint8Array(length);
  bytes[0] = PAGE_VERSION;
  new DataView(bytes.buffer).setUint32(1, bits >>> 0, true);
  let offset = PAGE_HEADER_BYTES;
  for (const slot of page.slots) {
    if (slot.kind === 'leaf') {
      bytes.set(slot.key, offset);
      bytes.set(slot.valueHash, offset + STATE_KEY_BYTES);
      offset += LEAF_BYTES;
    } else if (slot.kind === 'inner') {
      bytes.set(slot.hash, offset);
      offset += HASH_BYTES;
    }
  }
  return bytes;
}

/**
 * Reads a page that was stored under `id`. One encoding per page: whatever {@link encodePage} would not write is refused.
 * That the content is the right one shows when its root is compared with the hash in its parent.
 *
 * @returns the page (which keeps views of `bytes`), or `PAGE_DAMAGED` with the reason
 */
export function decodePage(id: PageId, bytes: Uint8Array): Result<Page, Refusal<'PAGE_DAMAGED'>> {
  const refuse = (reason: string) => fail({ code: 'PAGE_DAMAGED' as const, id, reason });
  if (bytes.length < PAGE_HEADER_BYTES) return refuse('it is shorter than its header');
  if (bytes[0] !== PAGE_VERSION) return refuse('its version is unknown');
  const bits = new DataView(bytes.buffer, bytes.byteOffset).getUint32(1, true);
  const slots: Slot[] = [];
  let offset = PAGE_HEADER_BYTES;
  let leaves = 0;
  let changed = 0;
  for (let s = 0; s < SLOTS; s++) {
    const kind = (bits >>> (2 * s)) & 3;
    if (kind === NODE_EMPTY) {
      slots.push(EMPTY_SLOT);
      continue;
    }
    const end = offset + (kind === NODE_LEAF ? LEAF_BYTES : HASH_BYTES);
    if (end > bytes.length) return refuse('it ends inside a slot');
    if (kind === NODE_LEAF) {
      const key = plainView(bytes, offset, STATE_KEY_BYTES);
      if (!belongsTo(key, id, s)) return refuse('it holds a key of another page');
      slots.push({ kind: 'leaf', key, valueHash: plainView(bytes, offset + STATE_KEY_BYTES, HASH_BYTES) });
      leaves++;
    } else if (kind === NODE_INNER && id.length + 1 < KEY_NIBBLES) {
      slots.push({ kind: 'inner', hash: plainView(bytes, offset, HASH_BYTES) });
    } else {
      return refuse('it has a slot of an impossible kind');
    }
    changed |= 1 << s;
    offset = end;
  }
  if (offset !== bytes.length) return refuse('bytes follow its last slot');
  const holdsPages = changed !== 0 && leaves < countBits(changed);
  if (!holdsPages && leaves < (id === '' ? 1 : 2)) return refuse('it holds too few keys for a page of its own');
  return ok(replaceSlots(EMPTY_PAGE, slots, changed));
}

/** A plain array over the same memory: what a store returns may be a Buffer, and hashes of this package never are. */
function plainView(bytes: Uint8Array, offset: number, length: number): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset + offset, length);
}

function belongsTo(key: Uint8Array, id: PageId, slot: number): boolean {
  for (let depth = 0; depth < id.length; depth++) if (nibbleAt(key, depth) !== Number.parseInt(id[depth] as string, 16)) return false;
  return nibbleAt(key, id.length) === slot;
}

function countBits(value: number): number {
  let count = 0;
  for (let rest = value; rest !== 0; rest &= rest - 1) count++;
  return count;
}
