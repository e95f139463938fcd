import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
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
  toHex,
  utf8,
} from '@nacre/base';
import { type ChainedBatch, ClassicLevel } from 'classic-level';
import { MemtableGuard } from './memtable-guard.ts';
import { StoreError } from './store-error.ts';

export interface LevelStoreOptions {
  /** Version of everything that this program keeps in the store, from 1. */
  readonly formatVersion: number;
  readonly genesisHash: Hash;
}

/** Where the store says what it is. */
const FORMAT_KEY = utf8('\0format');
const CHECKSUM_BYTES = 4;
/** How LevelDB, as an I/O error, reports a table that was cut short or removed. */
const LOST_TABLE = /\.(ldb|sst): (Invalid argument|No such file or directory)$/;
const REFETCH_HINT = 'Move the store away and start again: the node fetches the chain from its peers. Keep the key and the vote journal.';

type Database = ClassicLevel<Uint8Array, Uint8Array>;
type Batch = ChainedBatch<Database, Uint8Array, Uint8Array>;

/**
 * LevelDB as the store of a node.
 *
 * Every value carries a CRC-32 over key and value: LevelDB has checksums per block, but neither it nor its binding compares
 * them on reads, so a damaged disk would hand out damaged values (0.3 µs on a read of 1.6 µs and 500 bytes). After a failed
 * write nothing more is written until the store is opened again, because LevelDB would append behind a torn record and lose
 * on recovery what it said was durable.
 */
export class LevelStore implements Store {
  readonly #database: Database;
  readonly #path: string;
  readonly #format: Uint8Array;
  readonly #guard: MemtableGuard;
  #failure: StoreError | null = null;

  private constructor(database: Database, path: string, format: Uint8Array, guard: MemtableGuard) {
    this.#database = database;
    this.#path = path;
    this.#format = format;
    this.#guard = guard;
  }

  /**
   * Opens the store in the directory `path`, or makes it.
   *
   * @throws {StoreError} any code but `STORE_CLOSED`
   */
  static async open(path: string, options: LevelStoreOptions): Promise<LevelStore> {
    await refuseHeadless(path);
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
      const store = new LevelStore(database, path, encodeFormat(options), await MemtableGuard.create(path));
      await store.#checkFormat(options);
      return store;
    } catch (error) {
      await database.close();
      throw error;
    }
  }

  /** @throws {StoreError} `STORE_DAMAGED`, `STORE_FAILED`, `STORE_CLOSED` */
  get(key: Uint8Array): Uint8Array | undefined {
    let stored: Uint8Array | undefined;
    try {
      stored = this.#database.getSync(key);
    } catch (error) {
      throw storeError(error, this.#path);
    }
    return stored && this.#checked(key, stored);
  }

  /** @throws {StoreError} as `get` */
  async scan(range: StoreRange): Promise<StoreEntry[]> {
    let rows: [Uint8Array, Uint8Array][];
    try {
      rows = await this.#database.iterator(range).all();
    } catch (error) {
      throw storeError(error, this.#path);
    }
    return rows.map(([key, stored]) => ({ key: plain(key, key.length), value: this.#checked(key, stored) }));
  }

  /** @throws {StoreError} `STORE_FAILED`, `STORE_CLOSED` */
  async write(operations: readonly StoreOperation[], { sync }: { readonly sync: boolean }): Promise<void> {
    if (this.#failure !== null) throw this.#failure;
    if (operations.length === 0 && !sync) return;
    try {
      const batch = this.#database.batch();
      addOperations(batch, operations);
      // LevelDB skips an empty batch and with it the sync of what was written before.
      if (operations.length === 0) addOperations(batch, [{ type: 'put', key: FORMAT_KEY, value: this.#format }]);
      const nearlyFull = this.#guard.admit(operations);
      await batch.write({ sync: sync || nearlyFull !== null });
      if (nearlyFull !== null) await this.#guard.written(nearlyFull);
    } catch (error) {
      const failure = storeError(error, this.#path);
      if (failure.code !== 'STORE_CLOSED') this.#failure = failure;
      throw failure;
    }
  }

  async close(): Promise<void> {
    await this.#database.close();
  }

  async #checkFormat({ formatVersion, genesisHash }: LevelStoreOptions): Promise<void> {
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
    if (version !== formatVersion || format.length !== 4 + HASH_BYTES)
      throw damaged(this.#path, 'its format record is unreadable', { version });
    const found = format.subarray(4);
    if (!bytesEqual(found, genesisHash)) {
      throw new StoreError('STORE_FOREIGN', `the store in ${this.#path} belongs to another network`, {
        fields: { path: this.#path, genesisHash: toHex(genesisHash), found: toHex(found) },
        hint: 'Start with the genesis file this store was made with, or with an empty data directory.',
      });
    }
  }

  #checked(key: Uint8Array, stored: Uint8Array): Uint8Array {
    const length = stored.length - CHECKSUM_BYTES;
    const value = plain(stored, Math.max(0, length));
    if (length < 0 || checksumOf(key, value) !== new DataView(stored.buffer, stored.byteOffset).getUint32(length)) {
      throw damaged(this.#path, 'a value does not match its checksum', { key: toHex(key) });
    }
    return value;
  }
}

function checksumOf(key: Uint8Array, value: Uint8Array): number {
  return crc32(value, crc32(key));
}

/**
 * Adds operations one by one, which spares LevelDB's binding to copy each of them as an object. Keys, values and checksums stand behind one
 * another in one array: an array for each would cost V8 more than filling it, and a checksum over two pieces takes two calls.
 */
function addOperations(batch: Batch, operations: readonly StoreOperation[]): void {
  let length = 0;
  for (const operation of operations) {
    if (operation.type === 'put') length += operation.key.length + operation.value.length + CHECKSUM_BYTES;
  }
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const operation of operations) {
    const { key } = operation;
    if (operation.type === 'delete') {
      batch.del(key);
      continue;
    }
    const value = at + key.length;
    const checksum = value + operation.value.length;
    bytes.set(key, at);
    bytes.set(operation.value, value);
    view.setUint32(checksum, crc32(bytes.subarray(at, checksum)));
    batch.put(key, bytes.subarray(value, checksum + CHECKSUM_BYTES));
    at = checksum + CHECKSUM_BYTES;
  }
}

/** LevelDB's binding returns Buffers, whose `slice` shares memory where that of any other store's values copies. */
function plain(bytes: Uint8Array, length: number): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, length);
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
  if (!names.includes('CURRENT') && names.some((name) => /^\d+\.(ldb|log|sst)$/.test(name))) {
    throw damaged(path, `${join(path, 'CURRENT')} is missing`, {});
  }
}

function damaged(path: string, what: string, fields: Readonly<Record<string, unknown>>, cause?: unknown): StoreError {
  return new StoreError('STORE_DAMAGED', `the store in ${path} is damaged: ${what}`, {
    cause,
    fields: { path, ...fields },
    hint: REFETCH_HINT,
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
