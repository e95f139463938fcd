/** Keys of one chunk. Insertion moves at most this many; the outer list stays short for the sizes of a simulated store. */
const CHUNK_KEYS_MAX = 512;

export interface KeyRange {
  readonly gte: string;
  readonly lt: string;
  readonly reverse: boolean;
  readonly limit: number;
}

/**
 * A set of strings in order of their code units, in chunks: insertion and deletion move part of one chunk only.
 * With bytes written as Latin-1 this is the order of LevelDB's keys.
 */
export class SortedKeys {
  readonly #chunks: string[][] = [];

  insert(key: string): void {
    const chunks = this.#chunks;
    if (chunks.length === 0) {
      chunks.push([key]);
      return;
    }
    const chunkIndex = this.#chunkOf(key);
    const chunk = chunks[chunkIndex] as string[];
    const at = lowerBound(chunk, key);
    if (chunk[at] === key) return;
    chunk.splice(at, 0, key);
    if (chunk.length > CHUNK_KEYS_MAX) chunks.splice(chunkIndex + 1, 0, chunk.splice(chunk.length >> 1));
  }

  delete(key: string): void {
    if (this.#chunks.length === 0) return;
    const chunkIndex = this.#chunkOf(key);
    const chunk = this.#chunks[chunkIndex] as string[];
    const at = lowerBound(chunk, key);
    if (chunk[at] !== key) return;
    chunk.splice(at, 1);
    if (chunk.length === 0) this.#chunks.splice(chunkIndex, 1);
  }

  range({ gte, lt, reverse, limit }: KeyRange): string[] {
    const keys: string[] = [];
    if (this.#chunks.length === 0 || gte >= lt) return keys;
    const step = reverse ? -1 : 1;
    let chunkIndex = this.#chunkOf(reverse ? lt : gte);
    let chunk = this.#chunks[chunkIndex];
    let at = chunk === undefined ? 0 : lowerBound(chunk, reverse ? lt : gte) - (reverse ? 1 : 0);
    while (chunk !== undefined && keys.length < limit) {
      const key = chunk[at];
      if (key === undefined) {
        chunkIndex += step;
        chunk = this.#chunks[chunkIndex];
        at = reverse && chunk !== undefined ? chunk.length - 1 : 0;
        continue;
      }
      if (reverse ? key < gte : key >= lt) break;
      keys.push(key);
      at += step;
    }
    return keys;
  }

  /** Index of the last chunk whose first key is not above `key`, or 0. */
  #chunkOf(key: string): number {
    let low = 0;
    let high = this.#chunks.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (((this.#chunks[middle] as string[])[0] as string) <= key) low = middle;
      else high = middle;
    }
    return low;
  }
}

/** Index of the first key that is not below `key`. */
function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((keys[middle] as string) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
