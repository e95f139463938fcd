import { bytesEqual, compareBytes, type Hash, type StoreEntry, type StoreView } from '@nacre/base';
import { STATE_KEY_BYTES } from '@nacre/crypto';
import { numberAtEnd, recordKeyKey } from './keys.ts';
import { LATEST_RECORD } from './state-kinds.ts';

/** Entries read at once, so that a walk over a large state does not ask the store for each of them. */
const READ_MAX = 512;
/** Where keys have many records each, nearly all that is read ahead is in vain. */
const READ_MIN = 8;

const LAST_STATE_KEY: Hash = new Uint8Array(STATE_KEY_BYTES).fill(0xff);

/** State key that a key made by `recordKeyKey` is about. */
const stateKeyOf = ({ key }: StoreEntry): Hash => key.subarray(1, 1 + STATE_KEY_BYTES);

/** Finds the entries of latest records, which are not stored as values (see `recordKeyKey`), for whoever asks in ascending order. */
export class LatestRecords {
  readonly #view: StoreView;
  /** What was read last: all entries from the key on that it was read for, as far as it goes. */
  #read: readonly StoreEntry[] = [];
  /** The first entry of those that no key before has passed. */
  #next = 0;
  /** Whether there may be entries behind those. */
  #hasMore = true;
  #readCount = READ_MIN;

  constructor(view: StoreView) {
    this.#view = view;
  }

  /** @param key above each one asked for before @returns the value of the state, or undefined if the key has no record */
  async find(key: Hash): Promise<Uint8Array | undefined> {
    const last = this.#read.at(-1);
    if (this.#hasMore && (last === undefined || compareBytes(stateKeyOf(last), key) < 0)) await this.#readFrom(key);
    const isBelow = (entry: StoreEntry | undefined) => entry !== undefined && compareBytes(stateKeyOf(entry), key) < 0;
    const isOf = (entry: StoreEntry | undefined) => entry !== undefined && bytesEqual(stateKeyOf(entry), key);
    while (isBelow(this.#read[this.#next])) this.#next++;
    let found: StoreEntry | undefined;
    for (; isOf(this.#read[this.#next]); this.#next++) found = this.#read[this.#next];
    // The newest of this key may stand behind what was read.
    if (found !== undefined && this.#next === this.#read.length && this.#hasMore) found = await this.#newest(key);
    return found && LATEST_RECORD.codec.encode({ index: numberAtEnd(found.key), leafHash: found.value });
  }

  async #readFrom(key: Hash): Promise<void> {
    const keys = this.#read.filter(
      (entry, i) => i === 0 || !bytesEqual(stateKeyOf(entry), stateKeyOf(this.#read[i - 1] as StoreEntry)),
    ).length;
    const isWorthIt = 4 * keys > this.#read.length;
    this.#readCount = isWorthIt ? Math.min(2 * this.#readCount, READ_MAX) : Math.max(this.#readCount / 2, READ_MIN);
    const range = { gte: recordKeyKey(key, 0), lt: recordKeyKey(LAST_STATE_KEY, Number.MAX_SAFE_INTEGER), limit: this.#readCount };
    this.#read = await this.#view.scan(range);
    this.#next = 0;
    this.#hasMore = this.#read.length === this.#readCount;
  }

  async #newest(key: Hash): Promise<StoreEntry | undefined> {
    const range = { gte: recordKeyKey(key, 0), lt: recordKeyKey(key, Number.MAX_SAFE_INTEGER), reverse: true, limit: 1 };
    const [newest] = await this.#view.scan(range);
    return newest;
  }
}
