import {
  assert,
  type Clock,
  concatBytes,
  type Hash,
  REQUEST_ID_KEEP_MS,
  REQUEST_IDS_MAX,
  type Store,
  type StoreOperation,
  type Timer,
  uint64Bytes,
} from '@nacre/base';
import { requestKey, requestName, requestNameOf, requestsBefore, requestTimeKey } from '@nacre/ledger';

/** Entries read or deleted in one step. */
const PAGE = 1000;
/** How often what is too old is deleted, in ms. */
const PURGE_INTERVAL_MS = 3600 * 1000;
const ENTRY_VERSION = 1;
const ENTRY_BYTES = 1 + 8 + 32 + 32;
const EMPTY = new Uint8Array(0);

/** What was made of a request. */
export interface RequestEntry {
  /** Over all that the client asked for under this id. */
  readonly fingerprint: Hash;
  readonly txId: Hash;
  readonly validUntilMs: number;
}

/** The request ids that clients have used here, kept in the store for `REQUEST_ID_KEEP_MS`. */
export class RequestIds {
  readonly #store: Store;
  readonly #clock: Clock;
  #count = 0;
  #timer: Timer | null = null;
  #closed = false;
  #purging: Promise<void> = Promise.resolve();

  private constructor(store: Store, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** Drops what is too old and counts the rest. */
  static async open(store: Store, clock: Clock): Promise<RequestIds> {
    const ids = new RequestIds(store, clock);
    await ids.#purge();
    ids.#count = await ids.#counted();
    ids.#schedule();
    return ids;
  }

  get isFull(): boolean {
    return this.#count >= REQUEST_IDS_MAX;
  }

  find(service: string, requestId: string): RequestEntry | undefined {
    const value = this.#store.get(requestKey(requestName(service, requestId)));
    return value && decodeEntry(value);
  }

  /** What stores an entry; call `added` once it is written. */
  operations(service: string, requestId: string, entry: RequestEntry): StoreOperation[] {
    const name = requestName(service, requestId);
    return [
      { type: 'put', key: requestKey(name), value: encodeEntry(entry) },
      { type: 'put', key: requestTimeKey(this.#clock.nowMs(), name), value: EMPTY },
    ];
  }

  added(): void {
    this.#count++;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await this.#purging;
  }

  #schedule(): void {
    if (this.#closed) return;
    this.#timer = this.#clock.schedule(PURGE_INTERVAL_MS, () => {
      // A store that fails here fails at the next block's write, which stops the node.
      this.#purging = this.#purge().catch(() => {});
      void this.#purging.then(() => this.#schedule());
    });
  }

  async #purge(): Promise<void> {
    const range = requestsBefore(this.#clock.nowMs() - REQUEST_ID_KEEP_MS);
    while (!this.#closed) {
      const stale = await this.#store.scan({ ...range, limit: PAGE });
      if (stale.length === 0) return;
      const operations = stale.flatMap(({ key }): StoreOperation[] => [
        { type: 'delete', key },
        { type: 'delete', key: requestKey(requestNameOf(key)) },
      ]);
      await this.#store.write(operations, { sync: false });
      this.#count -= stale.length;
    }
  }

  async #counted(): Promise<number> {
    let { gte, lt } = requestsBefore(Number.MAX_SAFE_INTEGER);
    for (let count = 0; ; ) {
      const page = await this.#store.scan({ gte, lt, limit: PAGE });
      count += page.length;
      const last = page.at(-1);
      if (page.length < PAGE || last === undefined) return count;
      gte = concatBytes(last.key, Uint8Array.of(0));
    }
  }
}

function encodeEntry({ fingerprint, txId, validUntilMs }: RequestEntry): Uint8Array {
  return concatBytes(Uint8Array.of(ENTRY_VERSION), uint64Bytes(validUntilMs), fingerprint, txId);
}

function decodeEntry(value: Uint8Array): RequestEntry {
  assert(value.length === ENTRY_BYTES && value[0] === ENTRY_VERSION, 'the store checks its values, and only we write this one');
  const validUntilMs = Number(new DataView(value.buffer, value.byteOffset).getBigUint64(1));
  return { validUntilMs, fingerprint: value.slice(9, 41), txId: value.slice(41) };
}
