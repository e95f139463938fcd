/**
 * A sparse Merkle tree over 32-byte keys, kept in pages (see state-page.ts). An empty subtree is 32 zero bytes, a subtree
 * with one key is that leaf, any other is SHA-256(0x01 || left || right). So the root is a function of the set of
 * (key, value hash) alone: not of the order of updates, nor of what was there before.
 */
import { assert, bytesEqual, compareBytes, HASH_BYTES, type Hash, ZERO_HASH } from '@nacre/base';
import { CryptoError } from './errors.ts';
import {
  ALL_QUARTERS,
  copyOfNodes,
  loadNodes,
  NODES_BYTES,
  nodeHasHash,
  nodeHashAt,
  quarterHashes,
  quartersOf,
  ROOT_NODE,
  updateNodes,
} from './state-nodes.ts';
import {
  childId,
  EMPTY,
  EMPTY_PAGE,
  EMPTY_SLOT,
  FEW,
  FEW_MAX,
  fewAt,
  fewLeavesOf,
  INNER,
  kindOf,
  LEAF,
  LEAF_BYTES,
  type Leaf,
  leafAt,
  leafIn,
  nibbleAt,
  type Page,
  type PageId,
  replaceSlots,
  SLOTS,
  type Slot,
  STATE_KEY_BYTES,
  slotKinds,
} from './state-page.ts';

/** Root of a tree without keys. */
export const EMPTY_STATE_ROOT: Hash = ZERO_HASH;

/**
 * A page with at least so many pages below belongs to the upper levels, which come back with nearly every update, and keeps
 * the hashes of its nodes. The others, by far the most, are hashed anew when needed and take a third of the memory.
 */
const UPPER_PAGES_BELOW = SLOTS / 2 + 1;

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
  /** The pages to write or delete, each once; all of them differ from before. */
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
  for (let i = 0; i < sorted.length; i++) {
    const { key, valueHash } = sorted[i] as StateUpdate;
    assert(
      key.length === STATE_KEY_BYTES && (valueHash === null || valueHash.length === HASH_BYTES),
      'keys and value hashes have 32 bytes',
    );
    assert(i === 0 || !bytesEqual(key, (sorted[i - 1] as StateUpdate).key), 'a batch of updates names a key once');
  }
  const update = new TreeUpdate(reader);
  const after = update.subtree('', rootSlot(root), { updates: sorted, start: 0, end: sorted.length });
  return { root: after.kind === 'inner' ? after.hash : EMPTY_STATE_ROOT, pages: update.pages };
}

/** The root page is kept even for a single key, so seen from above a tree is empty or a page. */
export function rootSlot(root: Hash): Slot {
  return bytesEqual(root, EMPTY_STATE_ROOT) ? EMPTY_SLOT : { kind: 'inner', hash: root };
}

/**
 * Reads a page and fills `nodes` with its nodes, of those below the quarters at least where the given slots lie.
 *
 * @param slots a set of bits
 * @throws {CryptoError} code `PAGE_MISSING`, or `PAGE_DAMAGED` if the page is not the one that its parent names by `hash`
 */
export function openPage(
  reader: PageReader,
  id: PageId,
  { hash, nodes, slots }: { readonly hash: Hash; readonly nodes: Uint8Array; readonly slots: number },
): Page {
  const page = reader.get(id);
  if (page === undefined) throw pageError('PAGE_MISSING', id, 'is missing');
  loadNodes(page, nodes, { quarters: isUpperPage(page) ? ALL_QUARTERS : quartersOf(slots), depth: id.length });
  if (!nodeHasHash(nodes, ROOT_NODE, hash)) throw pageError('PAGE_DAMAGED', id, 'is not the one that the page above it names');
  return page;
}

export function pageError(code: 'PAGE_MISSING' | 'PAGE_DAMAGED', id: PageId, reason: string): CryptoError {
  return new CryptoError(code, `page "${id}" of the state tree ${reason}`, {
    fields: { id, reason },
    hint: 'The store is damaged: rebuild the state from its entries or fetch a snapshot from a peer.',
  });
}

/** Part of a sorted list of updates: from `start` up to `end`, which is excluded. */
interface Batch {
  readonly updates: readonly StateUpdate[];
  readonly start: number;
  readonly end: number;
}

class TreeUpdate {
  readonly pages: PageChange[] = [];
  readonly #reader: PageReader;
  /** The nodes of the pages on the path being worked on, by depth: at most 64. */
  readonly #nodes: Uint8Array[] = [];

  constructor(reader: PageReader) {
    this.#reader = reader;
  }

  /**
   * @param id the page that this subtree has if it holds more than one key
   * @param batch updates of keys below `id`
   * @returns what stands there afterwards: `before` itself if nothing changed
   */
  subtree(id: PageId, before: Slot, batch: Batch): Slot {
    if (before.kind === 'inner') {
      const nodes = this.#nodesAt(id.length);
      const page = openPage(this.#reader, id, { hash: before.hash, nodes, slots: slotsTouched(id, batch) });
      return this.#updatePage(id, { before, page, nodes, batch });
    }
    const leaves = remainingLeaves(leavesOf(before), batch);
    if (id !== '' && leaves.length <= FEW_MAX) {
      const slot = slotOf(leaves);
      return sameSlot(slot, before) ? before : slot;
    }
    const nodes = this.#nodesAt(id.length).fill(0);
    return this.#updatePage(id, { before, page: EMPTY_PAGE, nodes, batch: { updates: leaves, start: 0, end: leaves.length } });
  }

  #nodesAt(depth: number): Uint8Array {
    let nodes = this.#nodes[depth];
    if (nodes === undefined) {
      nodes = new Uint8Array(NODES_BYTES);
      this.#nodes[depth] = nodes;
    }
    return nodes;
  }

  #updatePage(
    id: PageId,
    { before, page, nodes, batch: { updates, start, end } }: { before: Slot; page: Page; nodes: Uint8Array; batch: Batch },
  ): Slot {
    const replaced = new Array<Slot | undefined>(SLOTS).fill(undefined);
    let isChanged = false;
    for (let from = start, to = start; from < end; from = to) {
      const nibble = nibbleAt((updates[from] as StateUpdate).key, id.length);
      while (to < end && nibbleAt((updates[to] as StateUpdate).key, id.length) === nibble) to++;
      const old = slotAt(page, nodes, nibble);
      const slot = this.subtree(childId(id, nibble), old, { updates, start: from, end: to });
      if (slot === old) continue;
      replaced[nibble] = slot;
      isChanged = true;
    }
    if (!isChanged) return before;
    updateNodes(nodes, replaced, id.length);
    const bytes = replaceSlots(page, replaced, quarterHashes(nodes));
    // A page that just became an upper one may lack some of its nodes; it gets them with its next update.
    const isWhole = page === EMPTY_PAGE || isUpperPage(page);
    const updated: Page = isWhole && isUpperPage({ bytes }) ? { bytes, nodes: copyOfNodes(nodes) } : { bytes };
    const few = fewLeavesOf(updated);
    if (few === null || (id === '' && few.length > 0)) {
      this.pages.push({ id, page: updated });
      return { kind: 'inner', hash: nodeHashAt(nodes, ROOT_NODE) };
    }
    // So few keys are left that there was a page: what is made anew here holds more.
    this.pages.push({ id, page: null });
    return slotOf(few);
  }
}

/** The keys, in order, that a subtree without pages holds after a batch of updates. */
function remainingLeaves(before: readonly Leaf[], { updates, start, end }: Batch): Leaf[] {
  const leaves: Leaf[] = [];
  let next = 0;
  for (let i = start; i < end; i++) {
    const { key, valueHash } = updates[i] as StateUpdate;
    for (let leaf = before[next]; leaf !== undefined; leaf = before[next]) {
      const order = compareBytes(key, leaf.key);
      if (order < 0) break;
      if (order > 0) leaves.push(leaf);
      next++;
    }
    if (valueHash !== null) leaves.push({ kind: 'leaf', key, valueHash });
  }
  while (next < before.length) leaves.push(before[next++] as Leaf);
  return leaves;
}

/** The keys of a slot without a page. */
function leavesOf(slot: Slot): Leaf[] {
  if (slot.kind === 'leaf') return [slot];
  const leaves: Leaf[] = [];
  if (slot.kind === 'few') for (let at = 0; at < slot.leaves.length; at += LEAF_BYTES) leaves.push(leafIn(slot.leaves, at));
  return leaves;
}

/** The slot that holds at most `FEW_MAX` keys, given in order. */
function slotOf(leaves: readonly Leaf[]): Slot {
  const [only] = leaves;
  if (only === undefined) return EMPTY_SLOT;
  if (leaves.length === 1) return only;
  const bytes = new Uint8Array(leaves.length * LEAF_BYTES);
  for (const [i, { key, valueHash }] of leaves.entries()) {
    bytes.set(key, i * LEAF_BYTES);
    bytes.set(valueHash, i * LEAF_BYTES + STATE_KEY_BYTES);
  }
  return { kind: 'few', leaves: bytes };
}

function sameSlot(a: Slot, b: Slot): boolean {
  if (a.kind === 'few') return b.kind === 'few' && bytesEqual(a.leaves, b.leaves);
  if (a.kind === 'leaf') return b.kind === 'leaf' && bytesEqual(a.key, b.key) && bytesEqual(a.valueHash, b.valueHash);
  return a.kind === b.kind;
}

function slotAt(page: Page, nodes: Uint8Array, slot: number): Slot {
  switch (kindOf(slotKinds(page), slot)) {
    case EMPTY:
      return EMPTY_SLOT;
    case LEAF:
      return leafAt(page, slot);
    case FEW:
      return { kind: 'few', leaves: fewAt(page, slot) };
    default:
      return { kind: 'inner', hash: nodeHashAt(nodes, SLOTS + slot) };
  }
}

/** The slots, as a set of bits, that updates of keys below the page `id` lie in. */
function slotsTouched(id: PageId, { updates, start, end }: Batch): number {
  let slots = 0;
  for (let i = start; i < end; i++) slots |= 1 << nibbleAt((updates[i] as StateUpdate).key, id.length);
  return slots;
}

function isUpperPage(page: Page): boolean {
  const kinds = slotKinds(page);
  let pagesBelow = 0;
  for (let s = 0; s < SLOTS; s++) if (kindOf(kinds, s) === INNER) pagesBelow++;
  return pagesBelow >= UPPER_PAGES_BELOW;
}
