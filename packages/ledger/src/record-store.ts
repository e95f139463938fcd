import { assert, type Hash, RECORDS_PAGE_BYTES_MAX, RECORDS_PAGE_MAX, type Store, type StoreEntry, toHex } from '@nacre/base';
import type { BlockStore } from './block-store.ts';
import { type StoredRun, storedRunCodec } from './effect-operations.ts';
import { LedgerError } from './errors.ts';
import { numberAtEnd, recordKeyKey, recordRangeKey } from './keys.ts';
import type { RecordQuery } from './ledger-types.ts';
import type { ServiceRecord } from './record.ts';
import { LATEST_RECORD } from './state-kinds.ts';
import type { Transaction } from './transaction.ts';

/** Runs looked at at once for the next record that is here. */
const RUNS_PER_SCAN = 64;

export interface RecordPage {
  readonly records: readonly ServiceRecord[];
  /** Where the next page begins, or null at the end. */
  readonly nextIndex: number | null;
}

interface Run extends StoredRun {
  readonly firstIndex: number;
}

/** Records, found by run: one entry of the store per operation that appended some, not one per record. */
export class RecordStore {
  readonly #store: Store;
  readonly #blocks: BlockStore;

  constructor(store: Store, blocks: BlockStore) {
    this.#store = store;
    this.#blocks = blocks;
  }

  /** @param recordCount how many records the service has; 0 if there is no such service */
  async page(query: RecordQuery, recordCount: number): Promise<RecordPage> {
    const { limit, order = 'ascending' } = query;
    assert(Number.isInteger(limit) && limit >= 1 && limit <= RECORDS_PAGE_MAX, `a page has 1 to ${RECORDS_PAGE_MAX} records`);
    const descending = order === 'descending';
    const from = Math.min(query.fromIndex ?? (descending ? recordCount - 1 : 0), descending ? recordCount - 1 : recordCount);
    if (from < 0 || from >= recordCount) return { records: [], nextIndex: null };
    const indexes =
      query.key === undefined
        ? consecutive({ from, recordCount, descending, count: limit + 1 })
        : await this.#indexesOf({ service: query.service, key: query.key }, { from, recordCount, descending, count: limit + 1 });
    const reader = new RunReader(this.#store, this.#blocks, query.service);
    const records: ServiceRecord[] = [];
    let bytes = 0;
    for (const index of indexes.slice(0, limit)) {
      if (bytes >= RECORDS_PAGE_BYTES_MAX) break;
      const record = await reader.record(index).catch((error: unknown) => {
        // What is here is handed out first; the next page begins with what is not, and is refused.
        if (records.length > 0 && error instanceof LedgerError && error.code === 'RECORD_PRUNED') return null;
        throw error;
      });
      if (record === null) break;
      records.push(record);
      bytes += record.payload.length;
    }
    return { records, nextIndex: indexes[records.length] ?? null };
  }

  /** @param index below the service's record count */
  record(service: string, index: number): Promise<ServiceRecord> {
    return new RunReader(this.#store, this.#blocks, service).record(index);
  }

  /** The latest record under a key. */
  async latest(service: string, key: string): Promise<ServiceRecord | undefined> {
    const window = { from: Number.MAX_SAFE_INTEGER - 1, recordCount: Number.MAX_SAFE_INTEGER, descending: true, count: 1 };
    const [index] = await this.#indexesOf({ service, key }, window);
    return index === undefined ? undefined : this.record(service, index);
  }

  async #indexesOf(identity: { readonly service: string; readonly key: string }, window: Window): Promise<number[]> {
    const { from, recordCount, descending, count } = window;
    const stateKey = LATEST_RECORD.stateKey(identity);
    const first = descending ? 0 : from;
    const end = descending ? from + 1 : recordCount;
    const range = { gte: recordKeyKey(stateKey, first), lt: recordKeyKey(stateKey, end), reverse: descending, limit: count };
    return (await this.#store.scan(range)).map(({ key }) => numberAtEnd(key));
  }
}

interface Window {
  readonly from: number;
  readonly recordCount: number;
  readonly descending: boolean;
  readonly count: number;
}

function consecutive({ from, recordCount, descending, count }: Window): number[] {
  const available = descending ? from + 1 : recordCount - from;
  return Array.from({ length: Math.min(count, available) }, (_, i) => (descending ? from - i : from + i));
}

/** Reads records of one service; neighbours come from one run and one transaction, which are kept. */
class RunReader {
  readonly #store: Store;
  readonly #blocks: BlockStore;
  readonly #service: string;
  #run: Run | null = null;
  #transaction: Transaction | null = null;

  constructor(store: Store, blocks: BlockStore, service: string) {
    this.#store = store;
    this.#blocks = blocks;
    this.#service = service;
  }

  async record(index: number): Promise<ServiceRecord> {
    const run = await this.#runOf(index);
    const { txId, contents } = this.#transactionOf(run.bodyHash);
    const operation = contents.operations[run.operation];
    const source = operation?.kind === 'record.append' ? operation.records[index - run.firstIndex] : undefined;
    if (operation?.kind !== 'record.append' || source === undefined) throw this.#damaged(index);
    const { service, schema, schemaVersion, mediaType } = operation;
    const { height, timeMs } = run;
    return { service, index, height, timeMs, txId, account: contents.account, schema, schemaVersion, mediaType, ...source };
  }

  async #runOf(index: number): Promise<Run> {
    const kept = this.#run;
    if (kept !== null && index >= kept.firstIndex && index < kept.firstIndex + kept.count) return kept;
    const range = { gte: recordRangeKey(this.#service, 0), lt: recordRangeKey(this.#service, index + 1), reverse: true, limit: 1 };
    const [entry] = await this.#store.scan(range);
    const run = entry === undefined ? undefined : decodeRun(entry);
    if (entry !== undefined && run === undefined) throw this.#damaged(index);
    const { firstHeight } = this.#blocks;
    const isHeld = run !== undefined && index < run.firstIndex + run.count;
    if (!isHeld && firstHeight === 1) throw this.#damaged(index);
    const isPruned = !isHeld || (run.height < firstHeight && this.#blocks.body(run.bodyHash) === undefined);
    if (isPruned) throw LedgerError.pruned({ service: this.#service, index, nextIndex: await this.#nextHeld(index), firstHeight });
    this.#run = run;
    return run;
  }

  /** Index of the first record above that is in a block that is here; one more than this where there is none. */
  async #nextHeld(index: number): Promise<number> {
    const { firstHeight } = this.#blocks;
    let above = index + 1;
    for (;;) {
      const end = recordRangeKey(this.#service, Number.MAX_SAFE_INTEGER);
      const entries = await this.#store.scan({ gte: recordRangeKey(this.#service, above), lt: end, limit: RUNS_PER_SCAN });
      for (const entry of entries) {
        const run = decodeRun(entry);
        if (run === undefined) throw this.#damaged(above);
        if (run.height >= firstHeight) return run.firstIndex;
        above = run.firstIndex + run.count;
      }
      if (entries.length < RUNS_PER_SCAN) return above;
    }
  }

  #transactionOf(bodyHash: Hash): Transaction {
    if (this.#transaction === null || toHex(this.#transaction.bodyHash) !== toHex(bodyHash)) {
      this.#transaction = this.#blocks.transaction(bodyHash);
    }
    return this.#transaction;
  }

  #damaged(index: number): LedgerError {
    return LedgerError.damaged('a record is not where its index says', { fields: { service: this.#service, index } });
  }
}

function decodeRun({ key, value }: StoreEntry): Run | undefined {
  const decoded = storedRunCodec.decode(value);
  return decoded.ok ? { ...decoded.value, firstIndex: numberAtEnd(key) } : undefined;
}
