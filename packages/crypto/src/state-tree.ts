/**
 * A Merkle tree over 32-byte keys, kept in pages (see state-page.ts): branches of 16 children down to where at most 32 keys are left,
 * and those in a bucket. The root is a function of the set of (key, value hash) alone: not of the order of updates, nor of what was
 * there before.
 */
import { assert, bytesEqual, compareBytes, concatBytes, HASH_BYTES, type Hash, ZERO_HASH } from '@nacre/base';
import { CryptoError } from './errors.ts';
import {
  type Branch,
  BUCKET_LEAVES_MAX,
  branchOf,
  bucketOf,
  CHILDREN,
  childHash,
  childId,
  isEmptyHash,
  LEAF_BYTES,
  leafCount,
  leavesOf,
  NO_CHILDREN,
  nibbleAt,
  type Page,
  type PageId,
  pageHash,
  STATE_KEY_BYTES,
} from './state-page.ts';

/** Root of a tree without keys. */
export const EMPTY_STATE_ROOT: Hash = ZERO_HASH;

const NO_LEAVES = new Uint8Array(0);

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
  const after = update.subtree('', root, { updates: sorted, start: 0, end: sorted.length });
  return { root: after, pages: Array.from(update.changed, ([id, page]) => ({ id, page })) };
}

/**
 * Reads the page that stands at `id`.
 *
 * @throws {CryptoError} code `PAGE_MISSING`, or `PAGE_DAMAGED` if it is not the one that the page above names by `hash`
 */
export function openPage(reader: PageReader, id: PageId, hash: Hash): Page {
  const page = reader.get(id);
  if (page === undefined) throw pageError('PAGE_MISSING', id, 'is missing');
  if (!bytesEqual(pageHash(page), hash)) throw pageError('PAGE_DAMAGED', id, 'is not the one that the page above it names');
  return page;
}

export function pageError(code: 'PAGE_MISSING' | 'PAGE_DAMAGED', id: PageId, reason: string): CryptoError {
  return new CryptoError(code, `page "${id}" of the state tree ${reason}`, {
    fields: { id, reason },
    hint: 'The store is damaged: rebuild the state from its entries or fetch a snapshot from a peer.',
  });
}

/**
 * The subtree at `id` of a tree with more keys elsewhere, or the whole tree at the root, from its leaves alone.
 *
 * @param leaves one behind the other, ascending, all of them below `id`; at least one
 * @returns its hash as the page above names it, and its pages
 */
export function buildSubtree(id: PageId, leaves: Uint8Array): UpdatedTree {
  assert(leaves.length > 0 && leaves.length % LEAF_BYTES === 0, 'leaves are whole');
  const update = new TreeUpdate({ get: () => undefined });
  const root = update.place(id, leaves);
  return { root, pages: Array.from(update.changed, ([at, page]) => ({ id: at, page })) };
}

/** Part of a sorted list of updates: from `start` up to `end`, which is excluded. */
interface Batch {
  readonly updates: readonly StateUpdate[];
  readonly start: number;
  readonly end: number;
}

class TreeUpdate {
  readonly changed = new Map<PageId, Page | null>();
  readonly #reader: PageReader;

  constructor(reader: PageReader) {
    this.#reader = reader;
  }

  /**
   * @param before the hash of what stands at `id`, zeros for nothing
   * @param batch updates of keys below `id`
   * @returns the hash of what stands there afterwards: `before` itself if nothing changed
   */
  subtree(id: PageId, before: Hash, batch: Batch): Hash {
    const page = isEmptyHash(before) ? null : openPage(this.#reader, id, before);
    if (page?.kind === 'branch') return this.#updateBranch(id, page, batch) ?? before;
    const leaves = page === null ? NO_LEAVES : leavesOf(page);
    const after = mergeLeaves(leaves, batch);
    if (bytesEqual(after, leaves)) return before;
    if (after.length > 0) return this.place(id, after);
    this.changed.set(id, null);
    return EMPTY_STATE_ROOT;
  }

  /** @returns null if nothing changed */
  #updateBranch(id: PageId, before: Branch, { updates, start, end }: Batch): Hash | null {
    const replaced = new Array<Hash | undefined>(CHILDREN).fill(undefined);
    let isChanged = false;
    let mayShrink = false;
    for (let from = start, to = start; from < end; from = to) {
      const child = nibbleAt((updates[from] as StateUpdate).key, 0, id.length);
      for (; to < end; to++) {
        const { key, valueHash } = updates[to] as StateUpdate;
        if (nibbleAt(key, 0, id.length) !== child) break;
        mayShrink ||= valueHash === null;
      }
      const old = childHash(before, child);
      const hash = this.subtree(childId(id, child), old, { updates, start: from, end: to });
      if (hash === old) continue;
      replaced[child] = hash;
      isChanged = true;
    }
    if (!isChanged) return null;
    const after = branchOf(before, replaced);
    const few = mayShrink ? this.#fewLeaves(id, after) : null;
    if (few === null) {
      this.changed.set(id, after);
      return pageHash(after);
    }
    for (let child = 0; child < CHILDREN; child++) {
      // What this same update put there was never stored, so there is nothing to delete.
      if (isEmptyHash(childHash(before, child))) this.changed.delete(childId(id, child));
      else this.changed.set(childId(id, child), null);
    }
    if (few.length > 0) return this.place(id, few);
    this.changed.set(id, null);
    return EMPTY_STATE_ROOT;
  }

  /** @returns the leaves below a branch if they are few enough for a bucket, else null */
  #fewLeaves(id: PageId, branch: Branch): Uint8Array | null {
    const buckets: Uint8Array[] = [];
    let count = 0;
    for (let child = 0; child < CHILDREN; child++) {
      const hash = childHash(branch, child);
      if (isEmptyHash(hash)) continue;
      const page = this.changed.get(childId(id, child)) ?? openPage(this.#reader, childId(id, child), hash);
      if (page.kind === 'branch') return null;
      count += leafCount(page);
      if (count > BUCKET_LEAVES_MAX) return null;
      buckets.push(leavesOf(page));
    }
    return concatBytes(...buckets);
  }

  /** Makes the pages for leaves where there was none, or one bucket. @returns the hash of the uppermost */
  place(id: PageId, leaves: Uint8Array): Hash {
    const page =
      leaves.length <= BUCKET_LEAVES_MAX * LEAF_BYTES ? bucketOf(leaves) : branchOf(NO_CHILDREN, this.#placeChildren(id, leaves));
    this.changed.set(id, page);
    return pageHash(page);
  }

  #placeChildren(id: PageId, leaves: Uint8Array): (Hash | undefined)[] {
    const children = new Array<Hash | undefined>(CHILDREN).fill(undefined);
    for (let from = 0, to = 0; from < leaves.length; from = to) {
      const child = nibbleAt(leaves, from, id.length);
      while (to < leaves.length && nibbleAt(leaves, to, id.length) === child) to += LEAF_BYTES;
      children[child] = this.place(childId(id, child), leaves.subarray(from, to));
    }
    return children;
  }
}

/** Where the leaves of a bucket and a few more are merged: allocating an array each time would cost as much as merging. */
const merged = new Uint8Array(2 * BUCKET_LEAVES_MAX * LEAF_BYTES);

/** @returns the leaves, one behind the other and ascending, after a batch of updates; mostly a view that the next call overwrites */
function mergeLeaves(before: Uint8Array, { updates, start, end }: Batch): Uint8Array {
  const lengthMax = before.length + (end - start) * LEAF_BYTES;
  const after = lengthMax <= merged.length ? merged : new Uint8Array(lengthMax);
  let length = 0;
  let next = 0;
  for (let i = start; i < end; i++) {
    const { key, valueHash } = updates[i] as StateUpdate;
    const from = next;
    let order = 1;
    while (next < before.length) {
      order = compareKeyAt(before, next, key);
      if (order >= 0) break;
      next += LEAF_BYTES;
    }
    after.set(before.subarray(from, next), length);
    length += next - from;
    if (order === 0) next += LEAF_BYTES;
    if (valueHash === null) continue;
    after.set(key, length);
    after.set(valueHash, length + STATE_KEY_BYTES);
    length += LEAF_BYTES;
  }
  after.set(before.subarray(next), length);
  return after.subarray(0, length + before.length - next);
}

/** Compares the key that begins at `at` with another. */
function compareKeyAt(bytes: Uint8Array, at: number, key: Uint8Array): number {
  for (let i = 0; i < STATE_KEY_BYTES; i++) {
    const difference = (bytes[at + i] as number) - (key[i] as number);
    if (difference !== 0) return difference;
  }
  return 0;
}
