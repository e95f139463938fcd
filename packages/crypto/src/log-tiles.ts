/**
 * An append-only RFC 6962 log kept in tiles: groups of 64 neighbouring hashes of every sixth level of the tree, after the
 * idea of Russ Cox ("Transparent Logs for Skeptical Clients") and C2SP's tlog-tiles, with 64 instead of 256 hashes so that
 * an append rewrites 2 KB instead of 8. Hashes between tile levels are recomputed, which is at most 63 per tile.
 *
 * Entry j of tile level L is the root of the 64^L leaves from j * 64^L on; tile i holds the entries 64 i .. 64 i + 63. The last
 * tile of a level grows in place and all others never change, so any earlier size of the log can still be read and proven.
 */
import { assert, concatBytes, HASH_BYTES, type Hash } from '@nacre/base';
import { CryptoError } from './errors.ts';
import { LOG_SIZE_MAX } from './log-proof.ts';
import { EMPTY_LOG_ROOT, nodeHash, perfectRoot } from './log-tree.ts';

/** Levels of the tree that one tile spans. Fixed by the store's format. */
export const TILE_HEIGHT = 6;
/** Hashes in a full tile. */
export const TILE_HASHES = 2 ** TILE_HEIGHT;

/** Gives a tile's bytes, its hashes concatenated, or undefined if it was never written. */
export type TileReader = (level: number, index: number) => Uint8Array | undefined;

/**
 * Roots of the perfect trees that a log falls into, the largest and oldest first: one for each one in its size in binary. Whoever appends again and
 * again keeps them, because reading them from tiles hashes up to 63 times for each level.
 */
export type LogPeaks = readonly Hash[];

/** A log as of `size` entries; the tiles may already hold more. */
export interface TiledLog {
  readonly size: number;
  readonly readTile: TileReader;
}

/** A log that is appended to. */
export interface GrowingLog extends TiledLog {
  /** Those of this very size, where they are known; else they are read from its tiles. */
  readonly peaks?: LogPeaks | undefined;
}

export interface Tile {
  readonly level: number;
  readonly index: number;
  readonly bytes: Uint8Array;
}

export interface AppendedLog {
  readonly size: number;
  readonly root: Hash;
  readonly peaks: LogPeaks;
  /** The tiles to write: new ones, and those that grew. */
  readonly tiles: readonly Tile[];
}

/**
 * Adds entries behind the log's `size`, without writing anything: the caller stores the tiles or drops them.
 *
 * @throws {CryptoError} code `TILE_MISSING` when the store is damaged
 */
export function appendToLog(log: GrowingLog, leafHashes: readonly Hash[]): AppendedLog {
  const size = log.size + leafHashes.length;
  assert(size <= LOG_SIZE_MAX, 'a log holds fewer than 2^53 entries');
  assert(
    leafHashes.every((hash) => hash.length === HASH_BYTES),
    'a leaf hash has 32 bytes',
  );
  const view = new LogView(log.readTile);
  const { peaks, entries } = joinPeaks(log.peaks ?? view.peaks(log.size), log.size, leafHashes);
  const tiles: Tile[] = [];
  let start = log.size;
  for (const [level, added] of entries.entries()) {
    const first = Math.floor(start / TILE_HASHES);
    for (let index = first, taken = 0; taken < added.length; index++) {
      const kept = index === first ? start % TILE_HASHES : 0;
      const hashes = added.slice(taken, taken + TILE_HASHES - kept);
      taken += hashes.length;
      const before = kept === 0 ? [] : [view.entries(level, index, kept)];
      tiles.push({ level, index, bytes: concatBytes(...before, ...hashes) });
    }
    start = first;
  }
  return { size, root: rootOfPeaks(peaks), peaks, tiles };
}

/** Adds leaves one by one. @returns the new peaks, and the hashes that each level of tiles gets */
function joinPeaks(before: LogPeaks, size: number, leafHashes: readonly Hash[]): { readonly peaks: LogPeaks; readonly entries: Hash[][] } {
  const peaks = [...before];
  const entries: Hash[][] = [[...leafHashes]];
  for (const [i, leaf] of leafHashes.entries()) {
    let node = leaf;
    let height = 0;
    // Each one at the end of the size in binary is a peak as high as the one that has come out.
    for (let rest = size + i; rest % 2 === 1; rest = Math.floor(rest / 2)) {
      const left = peaks.pop();
      assert(left !== undefined, 'a log has a peak for each one in its size');
      node = nodeHash(left, node);
      height++;
      if (height % TILE_HEIGHT !== 0) continue;
      const level = height / TILE_HEIGHT;
      entries[level] ??= [];
      entries[level].push(node);
    }
    peaks.push(node);
  }
  return { peaks, entries };
}

/** RFC 6962 splits a log at its largest peak, and what is left again. */
function rootOfPeaks(peaks: LogPeaks): Hash {
  let root = peaks.at(-1);
  if (root === undefined) return EMPTY_LOG_ROOT;
  for (let i = peaks.length - 2; i >= 0; i--) root = nodeHash(peaks[i] as Hash, root);
  return root;
}

/**
 * All that a log needs to grow, and to prove what comes: the hashes of the tiles that are not full yet, from level 0 up.
 *
 * @throws {CryptoError} code `TILE_MISSING` when the store is damaged
 */
export function logFrontier(log: TiledLog): Uint8Array {
  const view = new LogView(log.readTile);
  return concatBytes(...openTiles(log.size).map(({ level, index, hashes }) => view.entries(level, index, hashes)));
}

/** @returns the tiles that `logFrontier` has put together for a log of this size, or undefined if they are not as many bytes */
export function frontierTiles(size: number, frontier: Uint8Array): readonly Tile[] | undefined {
  let at = 0;
  const tiles = openTiles(size).map(({ level, index, hashes }) => {
    const start = at;
    at += hashes * HASH_BYTES;
    return { level, index, bytes: frontier.slice(start, at) };
  });
  return at === frontier.length ? tiles : undefined;
}

/** Above the longest frontier in bytes: 63 hashes of each level that a log of 2^53 entries has. */
export const LOG_FRONTIER_BYTES_MAX = 9 * (TILE_HASHES - 1) * HASH_BYTES;

function openTiles(size: number): { readonly level: number; readonly index: number; readonly hashes: number }[] {
  const open: { level: number; index: number; hashes: number }[] = [];
  for (let level = 0, entries = size; entries > 0; level++, entries = Math.floor(entries / TILE_HASHES)) {
    const hashes = entries % TILE_HASHES;
    if (hashes > 0) open.push({ level, index: Math.floor(entries / TILE_HASHES), hashes });
  }
  return open;
}

/** @throws {CryptoError} code `TILE_MISSING` when the store is damaged */
export function logRootAt(log: TiledLog): Hash {
  return new LogView(log.readTile).root(log.size);
}

/**
 * Proof that the entry at `index` is in the log, from the leaf up: RFC 6962, section 2.1.1.
 *
 * @param index below the log's size
 * @throws {CryptoError} code `TILE_MISSING` when the store is damaged
 */
export function inclusionProof(log: TiledLog, index: number): Hash[] {
  assert(Number.isSafeInteger(index) && index >= 0 && index < log.size, `entry ${index} is not in a log of ${log.size}`);
  const view = new LogView(log.readTile);
  const proof: Hash[] = [];
  let start = 0;
  let count = log.size;
  while (count > 1) {
    const left = splitPoint(count);
    if (index < start + left) {
      proof.push(view.rangeRoot(start + left, count - left));
      count = left;
    } else {
      proof.push(view.rangeRoot(start, left));
      start += left;
      count -= left;
    }
  }
  return proof.reverse();
}

/**
 * Proof that the log begins with the log of `oldSize` entries: RFC 6962, section 2.1.2. Empty for size 0 and for the log's own size.
 *
 * @param oldSize at most the log's size
 * @throws {CryptoError} code `TILE_MISSING` when the store is damaged
 */
export function consistencyProof(log: TiledLog, oldSize: number): Hash[] {
  assert(Number.isSafeInteger(oldSize) && oldSize >= 0 && oldSize <= log.size, `a log of ${log.size} never had size ${oldSize} before`);
  if (oldSize === 0 || oldSize === log.size) return [];
  const view = new LogView(log.readTile);
  const proof: Hash[] = [];
  let start = 0;
  let count = log.size;
  while (start + count !== oldSize) {
    const left = splitPoint(count);
    if (oldSize <= start + left) {
      proof.push(view.rangeRoot(start + left, count - left));
      count = left;
    } else {
      proof.push(view.rangeRoot(start, left));
      start += left;
      count -= left;
    }
  }
  // Whoever verifies knows the old root, so it is repeated only where it is not a subtree of the new log by itself.
  if (start > 0) proof.push(view.rangeRoot(start, count));
  return proof.reverse();
}

/** Largest power of two below `count`, which is at least 2: where RFC 6962 divides a list. */
function splitPoint(count: number): number {
  let power = 1;
  while (2 * power < count) power *= 2;
  return power;
}

/** The tiles of one log during one call; each is read once. */
class LogView {
  readonly #readTile: TileReader;
  /** By level, then by index. Bounded by what one call touches: two tiles a level. */
  readonly #levels: Map<number, Uint8Array>[] = [];

  constructor(readTile: TileReader) {
    this.#readTile = readTile;
  }

  /** The first `count` hashes of a tile, as one array. */
  entries(level: number, index: number, count: number): Uint8Array {
    return this.#tile(level, index, count).subarray(0, count * HASH_BYTES);
  }

  root(size: number): Hash {
    assert(Number.isSafeInteger(size) && size >= 0, 'a log has a whole number of entries');
    return size === 0 ? EMPTY_LOG_ROOT : this.rangeRoot(0, size);
  }

  peaks(size: number): LogPeaks {
    const peaks: Hash[] = [];
    let width = 1;
    while (2 * width <= size) width *= 2;
    for (let start = 0; start < size; width /= 2) {
      if (size - start < width) continue;
      peaks.push(this.rangeRoot(start, width));
      start += width;
    }
    return peaks;
  }

  /** Root over `count` entries from `start` on, where `start` is a multiple of the smallest power of two not below `count`. */
  rangeRoot(start: number, count: number): Hash {
    let height = 0;
    let width = 1;
    for (; width < count; width *= 2) height++;
    if (width === count) return this.perfectRoot(height, start / count);
    const left = width / 2;
    return nodeHash(this.rangeRoot(start, left), this.rangeRoot(start + left, count - left));
  }

  /**
   * Root of the perfect subtree of `height`, the `index`-th of its kind, from the highest level of tiles that is not above it.
   */
  perfectRoot(height: number, index: number): Hash {
    const tileLevel = Math.floor(height / TILE_HEIGHT);
    const count = 2 ** (height - tileLevel * TILE_HEIGHT);
    const position = (index * count) % TILE_HASHES;
    const tile = this.#tile(tileLevel, Math.floor((index * count) / TILE_HASHES), position + count);
    return perfectRoot(tile.subarray(position * HASH_BYTES, (position + count) * HASH_BYTES));
  }

  #level(level: number): Map<number, Uint8Array> {
    let tiles = this.#levels[level];
    if (tiles === undefined) {
      tiles = new Map();
      this.#levels[level] = tiles;
    }
    return tiles;
  }

  /** A tile that holds at least `needed` hashes. */
  #tile(level: number, index: number, needed: number): Uint8Array {
    const tiles = this.#level(level);
    let bytes = tiles.get(index);
    if (bytes === undefined) {
      const read = this.#readTile(level, index);
      if (read === undefined) throw tileMissing({ level, index, hashes: 0, needed });
      // A plain array over the same memory: what a store returns may be a Buffer, and hashes of this package never are.
      bytes = new Uint8Array(read.buffer, read.byteOffset, read.length);
      tiles.set(index, bytes);
    }
    if (bytes.length < needed * HASH_BYTES) throw tileMissing({ level, index, hashes: Math.floor(bytes.length / HASH_BYTES), needed });
    return bytes;
  }
}

function tileMissing(fields: { level: number; index: number; hashes: number; needed: number }): CryptoError {
  return new CryptoError('TILE_MISSING', `log tile ${fields.level}/${fields.index} is missing or too short`, {
    fields,
    hint: 'The store is damaged: rebuild this log from its entries or fetch its tiles from a peer.',
  });
}
