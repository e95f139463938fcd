/**
 * Pages of the state tree: subtrees of four binary levels, so that a path through a tree of a million keys is five or
 * six pages, not twenty nodes.
 *
 * A page has 16 slots, one per value of the next half byte of the key. A slot is empty, or holds the only key below it (a leaf), or the
 * few keys below it, or is the root of a further page. Pages for two to four keys would be by far the most: four of five pages
 * of a tree of a million keys, and 600 more to read and write for an update of 1,000 of them. Of the nodes between root and slots, only the four quarters are stored, each the root over four neighbouring
 * slots. So an update of one slot hashes its quarter and the three nodes above, not the whole page, and still checks all it
 * uses against the page's root. Storing none makes an update of 1,000 of a million keys hash 48,000 times instead of 31,000; storing
 * all 14 would double the pages of the upper levels to save less than that again.
 *
 * Bytes of a page: version (1), then 16 slot kinds of two bits each, slot 0 in the lowest bits (4, little endian), then
 * the hash (32) of each quarter with more than one key below it, in order, then per slot that is not empty, in order: key (32)
 * and value hash (32) of a leaf; or the number of few leaves (1), and those, ascending; or the hash (32) of the page below.
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
export const LEAF_BYTES = STATE_KEY_BYTES + HASH_BYTES;
/** Quarters of a page: the nodes two levels below its root. */
export const QUARTERS = 4;
/** Slots of a quarter. */
export const QUARTER_SLOTS = SLOTS / QUARTERS;

/** Most keys below a slot that stand in it themselves; more have a page of their own. */
export const FEW_MAX = 4;
/** Largest encoded page: 16 slots of `FEW_MAX` leaves. */
export const PAGE_BYTES_MAX = PAGE_HEADER_BYTES + QUARTERS * HASH_BYTES + SLOTS * (1 + FEW_MAX * LEAF_BYTES);

/** Kinds of slots and nodes, as encoded: no key, exactly one key, more than one. */
export const EMPTY = 0;
export const LEAF = 1;
export const INNER = 2;
/** Of slots only: two to `FEW_MAX` keys, which stand in the slot. As a node it is `INNER`. */
export const FEW = 3;

/** Bytes that a slot of each kind takes in a page; of one with few keys, their number, which says the rest. */
const SLOT_BYTES: readonly number[] = [0, LEAF_BYTES, HASH_BYTES, 1];

/** The half bytes that lead to a page, as lower-case hexadecimal digits; the root page's is the empty string. */
export type PageId = string;

export interface Leaf {
  readonly kind: 'leaf';
  readonly key: Uint8Array;
  readonly valueHash: Hash;
}

export type Slot =
  | { readonly kind: 'empty' }
  | Leaf
  /** Two to `FEW_MAX` keys with their value hashes, one behind the other, ascending. */
  | { readonly kind: 'few'; readonly leaves: Uint8Array }
  | { readonly kind: 'inner'; readonly hash: Hash };

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
const HEX_CODES: readonly number[] = Array.from(HEX_DIGITS, (digit) => digit.charCodeAt(0));

/** The page below slot `slot` of the page `id`. */
export function childId(id: PageId, slot: number): PageId {
  return id + HEX_DIGITS[slot];
}

/** The half byte of `key` at `depth` half bytes: the slot it belongs to in a page at that depth. */
export function nibbleAt(key: Uint8Array, depth: number): number {
  return halfByte(key, 0, depth);
}

function halfByte(bytes: Uint8Array, offset: number, depth: number): number {
  const byte = bytes[offset + (depth >> 1)] as number;
  return depth % 2 === 0 ? byte >> 4 : byte & 0x0f;
}

/** The kinds of the 16 slots, two bits each. */
export function slotKinds({ bytes }: Page): number {
  return ((bytes[1] as number) | ((bytes[2] as number) << 8) | ((bytes[3] as number) << 16) | ((bytes[4] as number) << 24)) >>> 0;
}

export function kindOf(kinds: number, slot: number): number {
  return (kinds >>> (2 * slot)) & 3;
}

/** How many bytes a slot of this kind takes that begins in the page at `offset`. */
export function slotLength({ bytes }: Page, kind: number, offset: number): number {
  return kind === FEW ? 1 + (bytes[offset] as number) * LEAF_BYTES : (SLOT_BYTES[kind] as number);
}

/** By the kinds of its four slots, one byte: the kind of a quarter. */
const QUARTER_KIND = Uint8Array.from({ length: 256 }, (_, kinds) => {
  const keys = kindOf(kinds, 0) + kindOf(kinds, 1) + kindOf(kinds, 2) + kindOf(kinds, 3);
  return Math.min(keys, INNER);
});

/** The kind of a quarter: as with a slot, how many keys are below it. */
export function quarterKind(kinds: number, quarter: number): number {
  return QUARTER_KIND[(kinds >>> (8 * quarter)) & 0xff] as number;
}

/** Where the hashes of the quarters of kind `INNER` begin in the bytes of a page. */
export const QUARTERS_OFFSET = PAGE_HEADER_BYTES;

/** Where the content of the slots begins in the bytes of a page with these kinds. */
export function slotsOffset(kinds: number): number {
  let offset = QUARTERS_OFFSET;
  for (let q = 0; q < QUARTERS; q++) if (quarterKind(kinds, q) === INNER) offset += HASH_BYTES;
  return offset;
}

/** Where the content of a slot begins. */
function slotOffset(page: Page, slot: number): number {
  const kinds = slotKinds(page);
  let offset = slotsOffset(kinds);
  for (let s = 0; s < slot; s++) offset += slotLength(page, kindOf(kinds, s), offset);
  return offset;
}

/** The key and value hash of a slot of kind `LEAF`, as views of the page. */
export function leafAt(page: Page, slot: number): Leaf {
  return leafIn(page.bytes, slotOffset(page, slot));
}

/** The leaves of a slot of kind `FEW`, as a view of the page. */
export function fewAt(page: Page, slot: number): Uint8Array {
  const offset = slotOffset(page, slot);
  return page.bytes.subarray(offset + 1, offset + slotLength(page, FEW, offset));
}

/** The leaf that begins at `offset`, as views. */
export function leafIn(bytes: Uint8Array, offset: number): Leaf {
  const key = bytes.subarray(offset, offset + STATE_KEY_BYTES);
  return { kind: 'leaf', key, valueHash: bytes.subarray(offset + STATE_KEY_BYTES, offset + LEAF_BYTES) };
}

/** The keys of a page, in order, if it has no pages below and at most `FEW_MAX`: it is then not to be a page of its own. Else null. */
export function fewLeavesOf(page: Page): Leaf[] | null {
  const kinds = slotKinds(page);
  const leaves: Leaf[] = [];
  let offset = slotsOffset(kinds);
  for (let s = 0; s < SLOTS; s++) {
    const kind = kindOf(kinds, s);
    if (kind === INNER) return null;
    const end = offset + slotLength(page, kind, offset);
    for (let at = kind === FEW ? offset + 1 : offset; at < end; at += LEAF_BYTES) {
      if (leaves.length === FEW_MAX) return null;
      leaves.push(leafIn(page.bytes, at));
    }
    offset = end;
  }
  return leaves;
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
  const moved = kinds !== oldKinds || replaced.some((slot) => slot?.kind === 'few');
  // Mostly known keys get new values: nothing moves, and one copy of the whole is cheaper than sixteen of its parts.
  const bytes = moved ? movedSlots(page, kinds, replaced) : pageSlab.take(page.bytes.length);
  if (!moved) bytes.set(page.bytes);
  let offset = QUARTERS_OFFSET;
  for (let q = 0; q < QUARTERS; q++) {
    if (quarterKind(kinds, q) !== INNER) continue;
    for (let i = 0; i < HASH_BYTES; i++) bytes[offset + i] = quarters[q * HASH_BYTES + i] as number;
    offset += HASH_BYTES;
  }
  for (let s = 0; s < SLOTS; s++) {
    const slot = replaced[s];
    if (slot !== undefined) writeSlot(slot, bytes, offset);
    offset += slotLength({ bytes }, kindOf(kinds, s), offset);
  }
  return bytes;
}

/** A page of the given kinds with the slots of `page` that stay; its quarters and other slots are left open. */
function movedSlots(page: Page, kinds: number, replaced: readonly (Slot | undefined)[]): Uint8Array {
  const oldKinds = slotKinds(page);
  let length = slotsOffset(kinds);
  let from = slotsOffset(oldKinds);
  for (let s = 0; s < SLOTS; s++) {
    const slot = replaced[s];
    const oldLength = slotLength(page, kindOf(oldKinds, s), from);
    length += slot === undefined ? oldLength : contentLength(slot);
    from += oldLength;
  }
  const bytes = pageSlab.take(length);
  bytes[0] = PAGE_VERSION;
  for (let i = 0; i < 4; i++) bytes[1 + i] = kinds >>> (8 * i);
  from = slotsOffset(oldKinds);
  let to = slotsOffset(kinds);
  for (let s = 0; s < SLOTS; s++) {
    const slot = replaced[s];
    const next = from + slotLength(page, kindOf(oldKinds, s), from);
    if (slot === undefined && next > from) bytes.set(page.bytes.subarray(from, next), to);
    to += slot === undefined ? next - from : contentLength(slot);
    from = next;
  }
  return bytes;
}

const KIND_CODES = { empty: EMPTY, leaf: LEAF, inner: INNER, few: FEW } as const;

function kindCode(slot: Slot): number {
  return KIND_CODES[slot.kind];
}

function contentLength(slot: Slot): number {
  return (SLOT_BYTES[kindCode(slot)] as number) + (slot.kind === 'few' ? slot.leaves.length : 0);
}

function writeSlot(slot: Slot, bytes: Uint8Array, offset: number): void {
  if (slot.kind === 'leaf') {
    bytes.set(slot.key, offset);
    bytes.set(slot.valueHash, offset + STATE_KEY_BYTES);
  } else if (slot.kind === 'inner') {
    bytes.set(slot.hash, offset);
  } else if (slot.kind === 'few') {
    bytes[offset] = slot.leaves.length / LEAF_BYTES;
    bytes.set(slot.leaves, offset + 1);
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
  let offset = slotsOffset(kinds);
  let leaves = 0;
  let pages = 0;
  for (let slot = 0; slot < SLOTS; slot++) {
    const kind = kindOf(kinds, slot);
    const end = offset + slotLength(page, kind, offset);
    // Written so that it is also refused where the number of keys itself lies behind the end.
    if (!(end <= bytes.length)) return refuse('it ends inside a slot');
    const first = kind === FEW ? offset + 1 : offset;
    if (kind === FEW && !isFew((end - first) / LEAF_BYTES)) return refuse('it counts other than a few keys in a slot');
    if (kind === LEAF || kind === FEW) {
      for (let at = first; at < end; at += LEAF_BYTES) {
        leaves++;
        if (!belongsTo(page.bytes, at, { id, slot })) return refuse('it holds a key of another page');
        if (at > first && !ascends(page.bytes, at)) return refuse('it holds keys in another order');
      }
    }
    if (kind === INNER) pages++;
    offset = end;
  }
  if (offset !== bytes.length) return refuse('bytes follow its last slot');
  if (pages > 0 && id.length + 1 >= KEY_NIBBLES) return refuse('it names a page deeper than any key');
  if (pages === 0 && leaves <= (id === '' ? 0 : FEW_MAX)) return refuse('it holds too few keys for a page of its own');
  return ok(page);
}

function isFew(count: number): boolean {
  return count >= 2 && count <= FEW_MAX;
}

/** Is the key at `offset` above that of the leaf before it? */
function ascends(bytes: Uint8Array, offset: number): boolean {
  for (let i = offset; i < offset + STATE_KEY_BYTES; i++) {
    const difference = (bytes[i] as number) - (bytes[i - LEAF_BYTES] as number);
    if (difference !== 0) return difference > 0;
  }
  return false;
}

/** Does the key at `offset` begin with the half bytes of the page `id`, and then of its slot? */
function belongsTo(bytes: Uint8Array, offset: number, { id, slot }: { readonly id: PageId; readonly slot: number }): boolean {
  for (let depth = 0; depth < id.length; depth++) if (HEX_CODES[halfByte(bytes, offset, depth)] !== id.charCodeAt(depth)) return false;
  return halfByte(bytes, offset, id.length) === slot;
}
