import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  assert,
  bytesEqual,
  HASH_BYTES,
  type Hash,
  STORE_CACHE_BYTES,
  STORE_WRITE_BUFFER_BYTES,
  type Store,
  type StoreEntry,
  type StoreOperation,
  type StoreRange,
  type StoreView,
  toHex,
  utf8,
} from '@nacre/base';
import { ClassicLevel } from 'classic-level';
import { gapInLog } from './level-log.ts';
import { MemtableGuard } from './memtable-guard.ts';
import { StoreError } from './store-error.ts';
import { addOperations, encodePointer, type LevelOperation, plain, readStored } from './stored-value.ts';
import { type LoggedValue, ValueLog, type ValuePointer } from './value-log.ts';
import { ValueReclaimer } from './value-reclaimer.ts';
import { type WriteGroup, WriteQueue } from './write-queue.ts';

export interface LevelStoreOptions {
  /** Version of everything that this program keeps in the store, from 1. */
  readonly formatVersion: number;
  readonly genesisHash: Hash;
  /** Opens also what has lost something from its midst, to take out what is still there. Nothing that has to be whole may rely on it. */
  readonly salvage?: boolean;
}

/** Where the store says what it is. */
const FORMAT_KEY = utf8('\0format');
/** The record of format 1, whose values were followed by a checksum alone: version, genesis hash, checksum. */
const FORMAT_1_BYTES = 4 + HASH_BYTES + 4;
/** Directory of the value log, within LevelDB's, which leaves names alone that are not its own. */
const VALUES = 'values';
/** Entries looked at before others get their turn. */
const POINTERS_PER_TURN = 256;
/** LevelDB's file that names its manifest. */
const CURRENT = 'CURRENT';
/** Values of this length and more may go to the value log, in bytes. Shorter: the pointer and its second read are not worth it. */
const LOGGED_VALUE_BYTES_MIN = 1024;
/** They do so where a synced write has so many bytes of them: for less, a second sync costs more than LevelDB's merging. */
const LOGGED_WRITE_BYTES_MIN = 32 * 1024;
/** How LevelDB, as an I/O error, reports a table that was cut short or removed. */
const LOST_TABLE = /\.(ldb|sst): (Invalid argument|No such file or directory)$/;
const MEND_HINT = 'Start the node: it sets the store aside and fetches the chain from its peers. The key and the vote journal stay.';
const REFETCH_HINT = 'Move the store away and start again: the node fetches the chain from its peers. Keep the key and the vote journal.';

type Database = ClassicLevel<Uint8Array, Uint8Array>;
type Snapshot = ReturnType<Database['snapshot']>;

/**
 * LevelDB as the store of a node.
 *
 * Every value carries a CRC-32 over key and value: LevelDB has checksums per block, but neither it nor its binding compares
 * them on reads, so a damaged disk would hand out damaged values (0.3 µs on a read of 1.6 µs and 500 bytes). After a failed
 * write nothing more is written until the store is opened again, because LevelDB would append behind a torn record and lose
 * on recovery what it said was durable.
 *
 * Of a large synced write, the large values go to the value log and only their places to LevelDB: they are synced first, so that what LevelDB
 * points at is always there. What is written without a sync stays in LevelDB, whose log loses its end as a whole or not at all.
 */
export class LevelStore implements Store {
  readonly #database: Database;
  readonly #path: string;
  readonly #format: Uint8Array;
  readonly #guard: MemtableGuard;
  readonly #values: ValueLog;
  readonly #reclaimer: ValueReclaimer;
  readonly #queue = new WriteQueue((group) => this.#carryOut(group));
  #failure: StoreError | null = null;
  /** Whether the next write ends the segment of the value log that is being filled. */
  #endsSegment = false;

  private constructor(database: Database, path: string, format: Uint8Array, { guard, values }: { guard: MemtableGuard; values: ValueLog }) {
    this.#database = database;
    this.#path = path;
    this.#format = format;
    this.#guard = guard;
    this.#values = values;
    this.#reclaimer = new ValueReclaimer({
      values,
      isLive: (key, pointer) => this.#pointsAt(key, pointer),
      move: (values) => this.#move(values),
      pointsInto: (segment, isStopped) => this.#pointsInto(segment, isStopped),
    });
  }

  /**
   * Opens the store in the directory `path`, or makes it.
   *
   * @throws {StoreError} any code but `STORE_CLOSED`
   */
  static async open(path: string, options: LevelStoreOptions): Promise<LevelStore> {
    await refuseHeadless(path);
    if (options.salvage !== true) await refuseGaps(path);
    const database: Database = new ClassicLevel(path, {
      keyEncoding: 'view',
      valueEncoding: 'view',
      cacheSize: STORE_CACHE_BYTES,
      writeBufferSize: STORE_WRITE_BUFFER_BYTES,
    });
    try {
      await database.open();
    } catch (error) {
      throw storeError(error, path);
    }
    try {
      const [guard, values] = await Promise.all([MemtableGuard.create(path), ValueLog.open(join(path, VALUES))]);
      const store = new LevelStore(database, path, encodeFormat(options), { guard, values });
      await store.#checkFormat(options);
      return store;
    } catch (error) {
      await database.close();
      throw error instanceof StoreError ? error : storeError(error, path);
    }
  }

  /** @throws {StoreError} `STORE_DAMAGED`, `STORE_FAILED`, `STORE_CLOSED` */
  get(key: Uint8Array): Uint8Array | undefined {
    const stored = this.#stored(key);
    if (stored === undefined) return undefined;
    const value = this.#pointed(key, stored);
    if (value === undefined) throw damaged(this.#path, 'a value of the value log is missing or another one', { key: toHex(key) });
    return value;
  }

  /** @throws {StoreError} as `get` */
  async scan(range: StoreRange): Promise<StoreEntry[]> {
    return this.#scan(range);
  }

  /**
   * Large values that the value log has moved since are read where they are now; one that was overwritten or deleted since is gone. Its methods
   * throw as those of the store.
   */
  view(): StoreView {
    let snapshot: Snapshot;
    try {
      snapshot = this.#database.snapshot();
    } catch (error) {
      throw storeError(error, this.#path);
    }
    return {
      get: (key) => {
        const stored = this.#stored(key, snapshot);
        return stored === undefined ? undefined : (this.#pointed(key, stored) ?? this.get(key));
      },
      scan: (range) => this.#scan(range, snapshot),
      close: () => snapshot.close(),
    };
  }

  async #scan(range: StoreRange, snapshot?: Snapshot): Promise<StoreEntry[]> {
    let rows: [Uint8Array, Uint8Array][];
    try {
      rows = await this.#database.iterator({ ...range, snapshot }).all();
    } catch (error) {
      throw storeError(error, this.#path);
    }
    return rows.flatMap(([key, stored]) => {
      // A value may have been moved since LevelDB was asked; then its place now is asked for.
      const value = this.#pointed(key, stored) ?? this.get(key);
      return value === undefined ? [] : [{ key: plain(key, key.length), value }];
    });
  }

  /** @throws {StoreError} `STORE_FAILED`, `STORE_CLOSED` */
  async write(operations: readonly StoreOperation[], { sync }: { readonly sync: boolean }): Promise<void> {
    if (operations.length > 0 || sync) await this.#queue.write({ operations, sync });
  }

  /**
   * Gives the room of what was deleted in these ranges back to the disk. LevelDB would do so when it next merges tables there, which for keys
   * that nobody writes near any more is never; and the value log as it is filled anew. Costs as much as is left there.
   *
   * @throws {StoreError} `STORE_FAILED`, `STORE_DAMAGED`, `STORE_CLOSED`
   */
  async reclaim(ranges: readonly Pick<StoreRange, 'gte' | 'lt'>[]): Promise<void> {
    try {
      for (const { gte, lt } of ranges) await this.#database.compactRange(gte, lt);
    } catch (error) {
      throw storeError(error, this.#path);
    }
    this.#endsSegment = true;
    await this.#queue.write({ operations: [], sync: true });
    await this.#reclaimer.all();
  }

  async close(): Promise<void> {
    await this.#reclaimer.stop();
    await this.#queue.idle();
    await this.#database.close();
    await this.#values.close();
  }

  async #carryOut({ operations, sync }: WriteGroup): Promise<void> {
    try {
      if (this.#failure !== null) throw this.#failure;
      if (this.#endsSegment) await this.#values.end();
      this.#endsSegment = false;
      await this.#hand(sync ? await this.#logLarge(operations) : operations, sync);
    } catch (error) {
      const failure = error instanceof StoreError ? error : storeError(error, this.#path);
      if (failure.code !== 'STORE_CLOSED') this.#failure ??= failure;
      throw failure;
    }
  }

  /** Puts the large values of a large write into the value log, and their places into the operations. */
  async #logLarge(operations: readonly StoreOperation[]): Promise<readonly LevelOperation[]> {
    const large: LoggedValue[] = [];
    let bytes = 0;
    for (const operation of operations) {
      if (operation.type === 'delete' || operation.value.length < LOGGED_VALUE_BYTES_MIN) continue;
      large.push(operation);
      bytes += operation.value.length;
    }
    if (bytes < LOGGED_WRITE_BYTES_MIN) return operations;
    const { pointers, closedOne } = await this.#values.append(large);
    if (closedOne) this.#reclaimer.start();
    const places = new Map(large.map((operation, i) => [operation, pointers[i] as ValuePointer]));
    return operations.map((operation) => {
      const place = operation.type === 'put' ? places.get(operation) : undefined;
      return place === undefined ? operation : { type: 'put', key: operation.key, value: encodePointer(place), isPointer: true };
    });
  }

  async #hand(operations: readonly LevelOperation[], sync: boolean): Promise<void> {
    const batch = this.#database.batch();
    // LevelDB skips an empty batch and with it the sync of what was written before.
    addOperations(batch, operations.length > 0 ? operations : [{ type: 'put', key: FORMAT_KEY, value: this.#format }]);
    const nearlyFull = this.#guard.admit(operations);
    await batch.write({ sync: sync || nearlyFull !== null });
    if (nearlyFull !== null) await this.#guard.written(nearlyFull);
  }

  /** Writes values anew whose place is still the one given. */
  async #move(values: readonly (LoggedValue & { readonly pointer: ValuePointer })[]): Promise<void> {
    const stillThere = (): StoreOperation[] =>
      values
        .filter(({ key, pointer }) => this.#pointsAt(key, pointer))
        .map(({ key, value }) => ({ type: 'put', key: Uint8Array.from(key), value }));
    await this.#queue.write({ operations: stillThere, sync: true });
  }

  #pointsAt(key: Uint8Array, { segment, offset }: ValuePointer): boolean {
    const stored = this.#stored(key);
    const content = stored === undefined ? null : readStored(key, stored);
    return content !== null && 'segment' in content && content.segment === segment && content.offset === offset;
  }

  async #pointsInto(segment: number, isStopped: () => boolean): Promise<boolean> {
    const iterator = this.#database.iterator({ fillCache: false });
    try {
      for (let rows = await iterator.nextv(POINTERS_PER_TURN); rows.length > 0; rows = await iterator.nextv(POINTERS_PER_TURN)) {
        if (isStopped()) return true;
        for (const [key, stored] of rows) {
          const content = readStored(key, stored);
          // Of an entry that cannot be read nobody knows where it points.
          if (content === null || ('segment' in content && content.segment === segment)) return true;
        }
      }
      return false;
    } finally {
      await iterator.close();
    }
  }

  async #checkFormat({ formatVersion, genesisHash }: LevelStoreOptions): Promise<void> {
    if (this.#stored(FORMAT_KEY)?.length === FORMAT_1_BYTES) throw older(this.#path, { version: 1, formatVersion });
    const format = this.get(FORMAT_KEY);
    if (format === undefined) {
      const [any] = await this.#database.keys({ limit: 1 }).all();
      if (any !== undefined) throw damaged(this.#path, 'it holds values but does not say of which network', {});
      await this.write([{ type: 'put', key: FORMAT_KEY, value: this.#format }], { sync: true });
      return;
    }
    const version = format.length < 4 ? 0 : new DataView(format.buffer, format.byteOffset).getUint32(0);
    if (version > formatVersion) {
      throw new StoreError('STORE_NEWER', `the store in ${this.#path} has format ${version}, this program knows ${formatVersion}`, {
        fields: { path: this.#path, version, formatVersion },
        hint: 'Run the newer program that wrote it.',
      });
    }
    if (version === 0 || format.length !== 4 + HASH_BYTES) throw damaged(this.#path, 'its format record is unreadable', { version });
    if (version < formatVersion) throw older(this.#path, { version, formatVersion });
    const found = format.subarray(4);
    if (!bytesEqual(found, genesisHash)) {
      throw new StoreError('STORE_FOREIGN', `the store in ${this.#path} belongs to another network`, {
        fields: { path: this.#path, genesisHash: toHex(genesisHash), found: toHex(found) },
        hint: 'Start with the genesis file this store was made with, or with an empty data directory.',
      });
    }
  }

  #stored(key: Uint8Array, snapshot?: Snapshot): Uint8Array | undefined {
    try {
      return this.#database.getSync(key, { snapshot });
    } catch (error) {
      throw storeError(error, this.#path);
    }
  }

  /** The value that LevelDB's entry is or points at; undefined if nothing of the kind stands there. */
  #pointed(key: Uint8Array, stored: Uint8Array): Uint8Array | undefined {
    const content = readStored(key, stored);
    if (content === null) throw damaged(this.#path, 'a value does not match its checksum', { key: toHex(key) });
    if (content instanceof Uint8Array) return content;
    try {
      return this.#values.read(key, content);
    } catch (error) {
      throw storeError(error, this.#path);
    }
  }
}

function encodeFormat({ formatVersion, genesisHash }: LevelStoreOptions): Uint8Array {
  assert(Number.isInteger(formatVersion) && formatVersion > 0, 'format versions count from 1');
  const format = new Uint8Array(4 + HASH_BYTES);
  new DataView(format.buffer).setUint32(0, formatVersion);
  format.set(genesisHash, 4);
  return format;
}

/** LevelDB takes a directory without its CURRENT file for a new store and deletes the tables it finds there. */
async function refuseHeadless(path: string): Promise<void> {
  let names: string[];
  try {
    names = await readdir(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return;
    throw storeError(error, path);
  }
  if (!names.some((name) => name === VALUES || name === CURRENT || /^\d+\.(ldb|log|sst)$/.test(name))) return;
  if (!names.includes(CURRENT)) throw damaged(path, `${join(path, CURRENT)} is missing`, {});
  // What it names LevelDB would take for a matter of permissions, as any other file that cannot be opened.
  const named = (await readFile(join(path, CURRENT), 'latin1')).trimEnd();
  if (!names.includes(named)) throw damaged(path, `${join(path, CURRENT)} names no file that is here`, {});
}

/**
 * On opening LevelDB takes over what its logs hold and passes over what it cannot read there: a store without a block in the midst of
 * others, and nothing says so. It reads the whole of these files then anyway; this costs 4 ms per MB, of 16 MiB at most.
 */
async function refuseGaps(path: string): Promise<void> {
  const names = await readdir(path).catch(() => []);
  for (const name of names.filter((one) => /^(\d+\.log|MANIFEST-\d+)$/.test(one))) {
    const offset = gapInLog(await readFile(join(path, name)));
    if (offset !== null) throw damaged(path, `${name} cannot be read from byte ${offset} on, and goes on after that`, { name, offset });
  }
}

function older(path: string, { version, formatVersion }: { readonly version: number; readonly formatVersion: number }): StoreError {
  return new StoreError('STORE_OLDER', `the store in ${path} has format ${version}, this program writes ${formatVersion}`, {
    fields: { path, version, formatVersion },
    hint: REFETCH_HINT,
  });
}

function damaged(path: string, what: string, fields: Readonly<Record<string, unknown>>, cause?: unknown): StoreError {
  return new StoreError('STORE_DAMAGED', `the store in ${path} is damaged: ${what}`, {
    cause,
    fields: { path, ...fields },
    hint: MEND_HINT,
  });
}

function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** What LevelDB's binding throws, by its code; an error at opening stands in the cause of another. */
function storeError(error: unknown, path: string): StoreError {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  const reason = cause instanceof Error ? cause.message : String(cause);
  if (LOST_TABLE.test(reason)) return damaged(path, reason, {}, cause);
  switch (errnoOf(cause) ?? '') {
    case 'LEVEL_LOCKED':
      return new StoreError('STORE_LOCKED', `another process has the store in ${path} open`, {
        cause,
        fields: { path, lock: join(path, 'LOCK') },
        hint: 'Stop the other node, or give this one its own home. The lock ends with its process; never delete the file.',
      });
    case 'LEVEL_CORRUPTION':
      return damaged(path, reason, {}, cause);
    case 'LEVEL_DATABASE_NOT_OPEN':
    case 'LEVEL_ITERATOR_NOT_OPEN':
      return new StoreError('STORE_CLOSED', `the store in ${path} is closed`, { cause, fields: { path } });
    default:
      return new StoreError('STORE_FAILED', `the store in ${path} cannot be used: ${reason}`, {
        cause,
        fields: { path, reason },
        hint: 'Check free space, permissions and health of the disk, then restart the node.',
      });
  }
}
