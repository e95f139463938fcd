/** The state tree as it is defined, over a plain map and without pages: the oracle for the real one. */
import { compareBytes, concatBytes, fromHex, type Hash, toHex, ZERO_HASH } from '@nacre/base';
import { encodePage, type Page, type PageReader, type StateProof, type StateUpdate, sha256, updateTree } from '../src/index.ts';

export interface Entry {
  readonly key: Uint8Array;
  readonly valueHash: Hash;
}

function bit(key: Uint8Array, index: number): number {
  return ((key[Math.floor(index / 8)] as number) >> (7 - (index % 8))) & 1;
}

function hashOf(...parts: Uint8Array[]): Hash {
  return sha256(concatBytes(...parts));
}

export function naiveStateRoot(entries: readonly Entry[], depth = 0): Hash {
  const [only] = entries;
  if (only === undefined) return ZERO_HASH;
  if (entries.length === 1) return hashOf(Uint8Array.of(0), only.key, only.valueHash);
  const [left, right] = [0, 1].map((side) => entries.filter(({ key }) => bit(key, depth) === side));
  return hashOf(Uint8Array.of(1), naiveStateRoot(left ?? [], depth + 1), naiveStateRoot(right ?? [], depth + 1));
}

export function naiveStateProof(entries: readonly Entry[], key: Uint8Array, depth = 0): StateProof {
  const [only] = entries;
  if (only === undefined) return { siblings: [], terminal: { kind: 'empty' } };
  if (entries.length === 1) return { siblings: [], terminal: { kind: 'leaf', ...only } };
  const side = bit(key, depth);
  const below = naiveStateProof(
    entries.filter((entry) => bit(entry.key, depth) === side),
    key,
    depth + 1,
  );
  const sibling = naiveStateRoot(
    entries.filter((entry) => bit(entry.key, depth) !== side),
    depth + 1,
  );
  return { siblings: [sibling, ...below.siblings], terminal: below.terminal };
}

/** A tree on a map of pages, with the map of entries that it should be equal to. */
export class StoredTree implements PageReader {
  readonly pages = new Map<string, Page>();
  readonly values = new Map<string, Hash>();
  root: Hash = ZERO_HASH;

  get(id: string): Page | undefined {
    return this.pages.get(id);
  }

  entries(): Entry[] {
    return [...this.values]
      .map(([key, valueHash]) => ({ key: fromHex(key) as Uint8Array, valueHash }))
      .sort((a, b) => compareBytes(a.key, b.key));
  }

  /** All pages as text, for comparison. */
  dump(): string[] {
    return [...this.pages].map(([id, page]) => `${id}:${toHex(encodePage(page))}`).sort();
  }

  /** @returns the ids of the pages written and deleted */
  update(updates: readonly StateUpdate[]): string[] {
    const { root, pages } = updateTree(this, this.root, updates);
    this.root = root;
    for (const { id, page } of pages) {
      if (page === null) this.pages.delete(id);
      else this.pages.set(id, page);
    }
    for (const { key, valueHash } of updates) {
      if (valueHash === null) this.values.delete(toHex(key));
      else this.values.set(toHex(key), valueHash);
    }
    return pages.map(({ id }) => id);
  }
}

/** A key of 32 bytes that begins with the given ones and ends in zeros. */
export function keyOf(...start: readonly number[]): Uint8Array {
  const key = new Uint8Array(32);
  key.set(start);
  return key;
}

/** A key spread like a hash. */
export function hashedKey(number: number): Uint8Array {
  return sha256(Uint8Array.of(number & 0xff, (number >> 8) & 0xff, (number >> 16) & 0xff));
}
