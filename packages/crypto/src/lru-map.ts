import { assert } from '@nacre/base';

/** A map of at most `entriesMax` entries; the one unused for longest makes room. A Map keeps the order of insertion, so using is reinserting. */
export class LruMap<Key, Value extends NonNullable<unknown>> {
  readonly #entriesMax: number;
  readonly #entries = new Map<Key, Value>();

  constructor(entriesMax: number) {
    assert(Number.isSafeInteger(entriesMax) && entriesMax > 0, 'a cache holds at least one entry');
    this.#entriesMax = entriesMax;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: Key): Value | undefined {
    const value = this.#entries.get(key);
    if (value !== undefined) {
      this.#entries.delete(key);
      this.#entries.set(key, value);
    }
    return value;
  }

  set(key: Key, value: Value): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    if (this.#entries.size > this.#entriesMax) this.#entries.delete(this.#entries.keys().next().value as Key);
  }

  delete(key: Key): void {
    this.#entries.delete(key);
  }
}
