/** The state tree as it is defined, over a plain map and without pages: the oracle for the real one. */
import { compareBytes, concatBytes, fromHex, type Hash, toHex, ZERO_HASH } from '@nacre/base';
import { encodePage, type Page, type PageReader, type StateProof, type StateUpdate, sha256, updateTree } from '../src/index.ts';

export interface Entry {
  readonly key: Uint8Array;
  readonly valueHash: Hash;
}

function hashOf(...parts: Uint8Array[]): Hash {
  return sha256(concatBytes(...parts));
}

function nibble(key: Uint8Array, depth: number): number {
  return Number.parseInt(toHex(key)[depth] ?? '', 16);
}

function join(left: Hash, right: Hash): Hash {
  return toHex(left) === toHex(ZERO_HASH) && toHex(right) === toHex(ZERO_HASH) ? ZERO_HASH : hashOf(Uint8Array.of(1), left, right);
}

/** The levels of the binary tree over some hashes, from those up to the root. */
function levelsOver(hashes: readonly Hash[]): Hash[][] {
  const levels = [[...hashes]];
  for (let level = levels[0] as Hash[]; level.length > 1; levels.push(level)) {
    level = Array.from({ length: level.length / 2 }, (_, i) => join(level[2 * i] as Hash, level[2 * i + 1] as Hash));
  }
  return levels;
}

function childrenOf(entries: readonly Entry[], depth: number): Entry[][] {
  return Array.from({ length: 16 }, (_, child) => entries.filter(({ key }) => nibble(key, depth) === child));
}

/** @param entries ascending */
export function naiveStateRoot(entries: readonly Entry[], depth = 0): Hash {
  if (entries.length === 0) return ZERO_HASH;
  if (entries.length <= 32) return hashOf(Uint8Array.of(0), ...entries.flatMap(({ key, valueHash }) => [key, valueHash]));
  const levels = levelsOver(childrenOf(entries, depth).map((child) => naiveStateRoot(child, depth + 1)));
  return levels.at(-1)?.[0] as Hash;
}

/** @param entries ascending */
export function naiveStateProof(entries: readonly Entry[], key: Uint8Array, depth = 0): StateProof {
  if (entries.length <= 32) return { siblings: [], others: entries.filter((entry) => toHex(entry.key) !== toHex(key)) };
  const children = childrenOf(entries, depth);
  const levels = levelsOver(children.map((child) => naiveStateRoot(child, depth + 1)));
  const child = nibble(key, depth);
  const siblings = [3, 2, 1, 0].map((level) => levels[level]?.[(child >> level) ^ 1] as Hash);
  const below = naiveStateProof(children[child] as Entry[], key, depth + 1);
  return { siblings: [...siblings, ...below.siblings], others: below.others };
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
