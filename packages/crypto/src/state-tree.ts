/**
 * A sparse Merkle tree over 32-byte keys, kept in pages (see state-page.ts). An empty subtree is 32 zero bytes, a subtree
 * with one key is that leaf, any other is SHA-256(0x01 || left || right), the tree of Jellyfish and Diem. So the root is a function of the
 * set of (key, value hash) alone: not of the order of updates, nor of what was there before.
 */
import { assert, bytesEqual, compareBytes, HASH_BYTES, type Hash, ZERO_HASH } from '@nacre/base';
import { CryptoError } from './errors.ts';
import {
  EMPTY_PAGE,
  EMPTY_SLOT,
  type Leaf,
  leafUnder,
  NODE_EMPTY,
  NODE_LEAF,
  nibbleAt,
  nodeHashOf,
  type Page,
  type PageId,
  replaceSlots,
  type Slot,
  STATE_KEY_BYTES,
} from './state-page.ts';

/** Root of a tree without keys. */
export const EMPTY_STATE_ROOT: Hash = ZERO_HASH;

export interface PageReader {
  /** @returns the page, or undefined if none is stored under the id */
  get(id: PageId): Page | undefined;
}

export interface StateUpdate {
  readonly key: Uint8Array;
  /** null removes the key. */
  readonly valueHash: Hash | null;
}

export interface PageChange {
  readonly id: PageId;
  /** null: the page ceased to be. */
  readonly page: Page | null;
}

export interface UpdatedTree {
  readonly root: Hash;
  /** The pages to write or delete. Every page named is different from before. */
  readonly pages: readonly PageChange[];
}

/**
 * Puts and removes keys, hashing every shared path once. Writes nothing: the caller stores the pages or drops them.
 *
 * @param updates in any order, each key at most once
 * @throws {CryptoError} code `PAGE_MISSING` or `PAGE_DAMAGED` when the pages are not those of `root`
 */
export function updateTree(reader: PageReader, root: Hash, updates: readonly StateUpdate[]): UpdatedTree {
  const sorted = [...updates].sort((a, b) => compareBytes(a.key, b.key));
  sorted.forEach(({ key, valueHash }, i) => {
    assert(
      key.length === STATE_KEY_BYTES && (valueHash === null || valueHash.length === HASH_BYTES),
      'keys and value hashes have 32 bytes',
    );
    assert(i === 0 || !bytesEqual(key, (sorted[i - 1] as StateUpdate).key), 'a batch of updates names a key once');
  });
  const before = rootSlot(root);
  const update = new TreeUpdate(reader);
  const after = update.subtree('', before, sorted);
  return { root: after.kind === 'inner' ? after.hash : EMPTY_STATE_ROOT, pages: update.pages };
}

/** The root page is kept even for a single key, so seen from above a tree is empty or a page. */
export function rootSlot(root: Hash): Slot {
  return bytesEqual(root, EMPTY_STATE_ROOT) ? EMPTY_SLOT : { kind: 'inner', hash: root };
}

/** @throws {CryptoError} code `PAGE_MISSING`, or `PAGE_DAMAGED` if the page is not the one that its parent names by `hash` */
export function readPage(reader: PageReader, id: PageId, hash: Hash): Page {
  const page = reader.get(id);
  const hint = 'The store is damaged: rebuild the state from its entries or fetch a snapshot from a peer.';
  if (page === undefined) throw new CryptoError('PAGE_MISSING', `page "${id}" of the state tree is missing`, { fields: { id }, hint });
  if (!bytesEqual(nodeHashOf(page, 1), hash)) {
    throw new CryptoError('PAGE_DAMAGED', `page "${id}" of the state tree is not the one its parent names`, { fields: { id }, hint });
  }
  return page;
}

class TreeUpdate {
  readonly pages: PageChange[] = [];
  readonly #reader: PageReader;

  constructor(reader: PageReader) {
    this.#reader = reader;
  }

  /**
   * @param id the page that this subtree has if it holds more than one key
   * @param updates sorted, all below `id`, at least one unless the tree is only read
   * @returns `before` itself if nothing changed
   */
  subtree(id: PageId, before: Slot, updates: readonly StateUpdate[]): Slot {
    if (before.kind === 'inner') return this.#page(id, { before, page: readPage(this.#reader, id, before.hash), updates });
    const leaves = updates.flatMap(({ key, valueHash }): Leaf[] => (valueHash === null ? [] : [{ kind: 'leaf', key, valueHash }]));
    if (before.kind === 'leaf' && !updates.some(({ key }) => bytesEqual(key, before.key))) leaves.push(before);
    if (id !== '') {
      const [only] = leaves;
      if (only === undefined) return EMPTY_SLOT;
      if (leaves.length === 1) return before.kind === 'leaf' && isSameLeaf(only, before) ? before : only;
    }
    leaves.sort((a, b) => compareBytes(a.key, b.key));
    return this.#page(id, { before, page: EMPTY_PAGE, updates: leaves });
  }

  #page(id: PageId, { before, page, updates }: { before: Slot; page: Page; updates: readonly StateUpdate[] }): Slot {
    const slots = [...page.slots];
    let changed = 0;
    for (let start = 0, end = 0; start < updates.length; start = end) {
      const nibble = nibbleAt((updates[start] as StateUpdate).key, id.length);
      while (end < updates.length && nibbleAt((updates[end] as StateUpdate).key, id.length) === nibble) end++;
      const old = slots[nibble] as Slot;
      const slot = this.subtree(id + nibble.toString(16), old, updates.slice(start, end));
      if (slot === old) continue;
      slots[nibble] = slot;
      changed |= 1 << nibble;
    }
    if (changed === 0) return before;
    const updated = replaceSlots(page, slots, changed);
    const kind = updated.kinds[1];
    const hasPage = kind !== NODE_EMPTY && (kind !== NODE_LEAF || id === '');
    if (hasPage) this.pages.push({ id, page: updated });
    else if (before.kind === 'inner') this.pages.push({ id, page: null });
    if (hasPage) return { kind: 'inner', hash: nodeHashOf(updated, 1) };
    return kind === NODE_LEAF ? leafUnder(updated, 1) : EMPTY_SLOT;
  }
}

function isSameLeaf(a: Leaf, b: Leaf): boolean {
  return bytesEqual(a.key, b.key) && bytesEqual(a.valueHash, b.valueHash);
}
