import { assert } from '@nacre/base';

interface Entry<Key, Value> {
  key: Key;
  /** undefined once deleted; the place is used again when its turn comes. */
  value: Value | undefined;
  wasRead: boolean;
}

/**
 * A map of at most `entriesMax` entries with second-chance eviction (Corbato's clock): a hand goes round the entries, and the
 * first that was not read since the hand last passed makes room. Against least-recently-used order, a read costs one flag instead of
 * moving the entry, and what is written once and never read cannot push out what is read again and again.
 */
export class ClockMap<Key, Value> {
  readonly #entriesMax: number;
  readonly #entries = new Map<Key, Entry<Key, Value>>();
  readonly #ring: Entry<Key, Value>[] = [];
  #hand = 0;

  constructor(entriesMax: number) {
    assert(Number.isSafeInteger(entriesMax) && entriesMax > 0, 'a cache holds at least one entry');
    this.#entriesMax = entriesMax;
  }

  get(key: Key): Value | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    entry.wasRead = true;
    return entry.value;
  }

  set(key: Key, value: Value): void {
    const known = this.#entries.get(key);
    if (known !== undefined) {
      known.value = value;
    } else if (this.#ring.length < this.#entriesMax) {
      const entry = { key, value, wasRead: false };
      this.#ring.push(entry);
      this.#entries.set(key, entry);
    } else {
      const entry = this.#nextVictim();
      this.#entries.delete(entry.key);
      entry.key = key;
      entry.value = value;
      this.#entries.set(key, entry);
    }
  }

  delete(key: Key): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    entry.value = undefined;
    entry.wasRead = false;
  }

  /** Ends: every entry passed over loses its flag, so the second time round there is one without. */
  #nextVictim(): Entry<Key, Value> {
    for (;;) {
      const entry = this.#ring[this.#hand] as Entry<Key, Value>;
      this.#hand = (this.#hand + 1) % this.#entriesMax;
      if (!entry.wasRead) return entry;
      entry.wasRead = false;
    }
  }
}
