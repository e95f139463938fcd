/**
 * Pages of the state tree: subtrees of four binary levels, so that a path through a tree of a million keys is five or
 * six pages, not twenty nodes.
 *
 * A page has 16 slots, one per value of the next half byte of the key. A slot is empty, or the only key below it (a leaf), or the
 * root of a further page. Of the nodes between root and slots, only the four quarters are stored, each the root over four neighbouring
 * slots. So an update of one slot hashes its quarter and the three nodes above, not the whole page, and still checks all it
 * uses against the page's root. Storing none makes an update of 1,000 of a million keys hash 48,000 times instead of 31,000; storing
 * all 14 would double the pages of the upper levels to save less than that again.
 *
 * Bytes of a page: version (1), then 16 slot kinds of two bits each, slot 0 in the lowest bits (4, little endian), then
 * the hash (32) of each quarter with more than one key below it, in order, then per slot that is not empty, in order: key (32)
 * and value hash (32) of a leaf, or the hash (32) of the page below.
 */
import { fail, HASH_BYTES, type Hash, ok, type Refusal, type Result, utf8 } from '@nacre/base';
import { Slab } from './slab.ts';

/** Bytes of a key. Its bits from the highest of the first byte on choose left (0) or right (1). */
export const STATE_KEY_BYTES = 32;
/** Slots of a page. */
export const SLOTS = 16;
/** Half bytes of a key. No page is so deep: below lies exactly one key. */
const KEY_NIBBLES = 2 * STATE_KEY_BYTES;
const PAGE_VERSION = 1;
const PAGE_HEADER_BYTES = 5;
const LEAF_BYTES = STATE_KEY_BYTES + HASH_BYTES;
/** Quarters of a page: the nodes two levels below its root. */
export const QUARTERS = 4;
/** Slots of a quarter. */
export const QUARTER_SLOTS = SLOTS / QUARTERS;
/** Largest encoded page: 16 leaves. */
export const PAGE_BYTES_MAX = PAGE_HEADER_BYTES + QUARTERS * HASH_BYTES + SLOTS * LEAF_BYTES;

/** Kinds of slots and nodes, as encoded: no key, exactly one key, more than one. */
export const EMPTY = 0;
export const LEAF = 1;
export const INNER = 2;

/** Bytes that a slot of each kind takes in a page. */
const SLOT_BYTES: readonly number[] = [0, LEAF_BYTES, HASH_BYTES];

/** The half bytes that lead to a page, as lower-case hexadecimal digits; the root page's is the empty string. */
export type PageId = string;

export interface Leaf {
  readonly kind: 'leaf';
  readonly key: Uint8Array;
  readonly valueHash: Hash;
}

export type Slot = { readonly kind: 'empty' } | Leaf | { readonly kind: 'inner'; readonly hash: Hash };

export const EMPTY_SLOT: Slot = { kind: 'empty' };

/** A checked page. Never changed: an update makes a new one. */
export interface Page {
  /** The page as encoded. */
  readonly bytes: Uint8Array;
  /** The hashes of its nodes (see state-nodes.ts), kept for pages of the upper levels, which nearly every update needs again. */
  readonly nodes?: Uint8Array;
}

/** What a page grows from; never stored. */
export const EMPTY_PAGE: Page = { bytes: Uint8Array.of(PAGE_VERSION, 0, 0, 0, 0) };

/** Key under which a page is stored: sorts a page before those below it, so a subtree is one contiguous range. */
export function pageKey(id: PageId): Uint8Array {
  return utf8(id);
}

const HEX_DIGITS = '0123456789abcdef';

/** The page below slot `slot` of the page `id`. */
export function childId(id: PageId, slot: number): PageId {
  return id + HEX_DIGITS[slot];
}

/** The half byte of `key` at `depth` half bytes: the slot it belongs to in a page at that depth. */
export function nibbleAt(key: Uint8Array, depth: number): number {
  const byte = key[depth >> 1] as number;
  return depth % 2 === 0 ? byte >> 4 : byte & 0x0f;
}

/** The kinds of the 16 slots, two bits each. */
export function slotKinds({ bytes }: Page): number {
  return ((bytes[1] as number) | ((bytes[2] as number) << 8) | ((bytes[3] as number) << 16) | ((bytes[4] as number) << 24)) >>> 0;
}

export function kindOf(kinds: number, slot: number): number {
  return (kinds >>> (2 * slot)) & 3;
}

/** How many bytes a slot of this kind takes in a page. */
export function slotBytes(kind: number): number {
  return SLOT_BYTES[kind] as number;
}

/** By the kinds of its four slots, one byte: the kind of a quarter. */
const QUARTER_KIND = Uint8Array.from({ length: 256 }, (_, kinds) => {
  const keys = kindOf(kinds, 0) + kindOf(kinds, 1) + kindOf(kinds, 2) + kindOf(kinds, 3);
  return Math.min(keys, INNER);
});

/** By the same byte: how many bytes the four slots take in a page. */
const QUARTER_SLOT_BYTES = Uint16Array.from({ length: 256 }, (_, kinds) => {
  let bytes = 0;
  for (let s = 0; s < QUARTER_SLOTS; s++) bytes += SLOT_BYTES[kindOf(kinds, s)] ?? 0;
  return bytes;
});

/** The kind of a quarter: as with a slot, how many keys are below it. */
export function quarterKind(kinds: number, quarter: number): number {
  return QUARTER_KIND[(kinds >>> (8 * quarter)) & 0xff] as number;
}

/** How many bytes the slots of a quarter take. */
export function quarterSlotBytes(kinds: number, quarter: number): number {
  return QUARTER_SLOT_BYTES[(kinds >>> (8 * quarter)) & 0xff] as number;
}

/** Where the hashes of the quarters of kind `INNER` begin in the bytes of a page. */
export const QUARTERS_OFFSET = PAGE_HEADER_BYTES;

/** Where the content of a slot begins in the bytes of a page with these kinds. */
export function slotOffset(kinds: number, slot: number): number {
  let offset = QUARTERS_OFFSET;
  for (let q = 0; q < QUARTERS; q++) if (quarterKind(kinds, q) === INNER) offset += HASH_BYTES;
  for (let s = 0; s < slot; s++) offset += slotBytes(kindOf(kinds, s));
  return offset;
}

/** The key and value hash of a slot of kind `LEAF`, as views of the page. */
export function leafAt(page: Page, slot: number): Leaf {
  const offset = slotOffset(slotKinds(page), slot);
  return {
    kind: 'leaf',
    key: page.bytes.subarray(offset, offset + STATE_KEY_BYTES),
    valueHash: page.bytes.subarray(offset + STATE_KEY_BYTES, offset + LEAF_BYTES),
  };
}

/** Pages of one update follow one another and are mostly replaced or forgotten together, so they may share their memory. */
const pageSlab = new Slab(16 * 1024);

/**
 * The bytes of `page` with other content in the slots that `replaced` gives.
 *
 * @param quarters the hashes of all four quarters as they are then, one behind the other
 */
export function replaceSlots(page: Page, replaced: readonly (Slot | undefined)[], quarters: Uint8Array): Uint8Array {
  const oldKinds = slotKinds(page);
  let kinds = 0;
  for (let s = 0; s < SLOTS; s++) {
    const slot = replaced[s];
    kinds |= (slot === undefined ? kindOf(oldKinds, s) : kindCode(slot)) << (2 * s);
  }
  kinds >>>= 0;
  // Mostly known keys get new values: nothing moves, and one copy of the whole is cheaper than sixteen of its parts.
  const bytes = pageSlab.take(slotOffset(kinds, SLOTS));
  if (kinds === oldKinds) bytes.set(page.bytes);
  else moveSlots(page, bytes, { kinds, replaced });
  let offset = QUARTERS_OFFSET;
  for (let q = 0; q < QUARTERS; q++) {
    if (quarterKind(kinds, q) !== INNER) continue;
    for (let i = 0; i < HASH_BYTES; i++) bytes[offset + i] = quarters[q * HASH_BYTES + i] as number;
    offset += HASH_BYTES;
  }
  for (let s = 0; s < SLOTS; s++) {
    const slot = replaced[s];
    if (slot !== undefined) writeSlot(slot, bytes, offset);
    offset += slotBytes(kindOf(kinds, s));
  }
  return bytes;
}

/** Writes the head of a page of the given kinds, and the slots of `page` that stay; the quarters and other slots are left open. */
function moveSlots(
  page: Page,
  bytes: Uint8Array,
  { kinds, replaced }: { readonly kinds: number; readonly replaced: readonly (Slot | undefined)[] },
): void {
  const oldKinds = slotKinds(page);
  bytes[0] = PAGE_VERSION;
  for (let i = 0; i < 4; i++) bytes[1 + i] = kinds >>> (8 * i);
  let from = slotOffset(oldKinds, 0);
  let to = slotOffset(kinds, 0);
  for (let s = 0; s < SLOTS; s++) {
    const next = from + slotBytes(kindOf(oldKinds, s));
    if (replaced[s] === undefined && next > from) bytes.set(page.bytes.subarray(from, next), to);
    from = next;
    to += slotBytes(kindOf(kinds, s));
  }
}

function kindCode(slot: Slot): number {
  return slot.kind === 'empty' ? EMPTY : slot.kind === 'leaf' ? LEAF : INNER;
}

function writeSlot(slot: Slot, bytes: Uint8Array, offset: number): void {
  if (slot.kind === 'leaf') {
    bytes.set(slot.key, offset);
    bytes.set(slot.valueHash, offset + STATE_KEY_BYTES);
  } else if (slot.kind === 'inner') {
    bytes.set(slot.hash, offset);
  }
}

export function encodePage(page: Page): Uint8Array {
  return page.bytes;
}

/**
 * Reads a page that was stored under `id`. One encoding per page: whatever {@link encodePage} would not write is refused.
 * That the content is the right one shows when its root is compared with the hash in its parent, which every use of the page does.
 *
 * @returns the page, which keeps `bytes`; or `PAGE_DAMAGED` with the reason
 */
export function decodePage(id: PageId, bytes: Uint8Array): Result<Page, Refusal<'PAGE_DAMAGED'>> {
  const refuse = (reason: string) => fail({ code: 'PAGE_DAMAGED' as const, id, reason });
  if (bytes.length < PAGE_HEADER_BYTES) return refuse('it is shorter than its header');
  if (bytes[0] !== PAGE_VERSION) return refuse('its version is unknown');
  // A plain array over the same memory: what a store returns may be a Buffer, and the arrays of this package never are.
  const page: Page = { bytes: new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length) };
  const kinds = slotKinds(page);
  let offset = slotOffset(kinds, 0);
  let leaves = 0;
  let pages = 0;
  for (let slot = 0; slot < SLOTS; slot++) {
    const kind = kindOf(kinds, slot);
    const length = SLOT_BYTES[kind];
    if (length === undefined) return refuse('it has a slot of an unknown kind');
    if (offset + length > bytes.length) return refuse('it ends inside a slot');
    if (kind === LEAF) {
      leaves++;
      if (!belongsTo(page.bytes, offset, childId(id, slot))) return refuse('it holds a key of another page');
    }
    if (kind === INNER) pages++;
    offset += length;
  }
  if (offset !== bytes.length) return refuse('bytes follow its last slot');
  if (pages > 0 && id.length + 1 >= KEY_NIBBLES) return refuse('it names a page deeper than any key');
  if (pages === 0 && leaves < (id === '' ? 1 : 2)) return refuse('it holds too few keys for a page of its own');
  return ok(page);
}

/** Does the key at `offset` begin with the half bytes of `prefix`? */
function belongsTo(bytes: Uint8Array, offset: number, prefix: PageId): boolean {
  for (let i = 0; i < prefix.length; i++) {
    const byte = bytes[offset + (i >> 1)] as number;
    if (HEX_DIGITS[i % 2 === 0 ? byte >> 4 : byte & 0x0f] !== prefix[i]) return false;
  }
  return true;
}
