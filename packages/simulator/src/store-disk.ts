import { assert, NacreError, type Store, type StoreEntry, type StoreOperation, type StoreRange, type StoreView, toHex } from '@nacre/base';
import type { DiskTiming } from './disk-timing.ts';
import type { FaultTally } from './fault-tally.ts';
import type { ProcessLife } from './process-life.ts';
import type { SeededRandom } from './random.ts';
import { SortedKeys } from './sorted-keys.ts';

interface Change {
  readonly key: string;
  readonly value: Uint8Array | undefined;
}

interface WriteInFlight {
  readonly changes: readonly Change[];
  readonly sync: boolean;
}

export interface StoreDiskDependencies {
  readonly random: SeededRandom;
  readonly timing: DiskTiming;
  readonly tally: FaultTally;
}

/**
 * What a LevelDB folder holds, across the lives of the processes that open it.
 *
 * LevelDB's log is one sequence: a synced write makes every earlier one durable, and a crash leaves a prefix of what was
 * not synced. So the disk keeps, for each completed and unsynced batch, what it replaced; a crash undoes a random number
 * of them from the end, or, if it undoes none, may complete writes that were under way.
 */
export class StoreDisk {
  readonly #values = new Map<string, Uint8Array>();
  readonly #keys = new SortedKeys();
  readonly #dependencies: StoreDiskDependencies;
  /** For each completed batch that no synced write followed yet, oldest first: what puts the former values back. */
  #undo: Change[][] = [];
  #inFlight: WriteInFlight[] = [];
  #lastCompletionMs = 0;
  #holder: ProcessLife | null = null;
  /** Keys whose values fail their checksum: reading one throws until it is written anew. True: the store can say which value it is. */
  readonly #unreadable = new Map<string, boolean>();
  #hasRefused = false;

  constructor(dependencies: StoreDiskDependencies) {
    this.#dependencies = dependencies;
  }

  get size(): number {
    return this.#values.size;
  }

  /** Whether something in it cannot be read. */
  get isDamaged(): boolean {
    return this.#unreadable.size > 0;
  }

  /** Of everything in it that cannot be read. */
  get damagedKeys(): Uint8Array[] {
    return Array.from(this.#unreadable.keys(), keyBytes);
  }

  /** Whether the process that holds it, or the last one that did, has met with damage. */
  get hasRefused(): boolean {
    return this.#hasRefused;
  }

  /** Batches that a crash now could take back. */
  get unsyncedBatches(): number {
    return this.#undo.length + this.#inFlight.length;
  }

  /** Opens the store for one process; the one before must have crashed or closed it. */
  open(life: ProcessLife): Store {
    assert(this.#holder === null, `the store of node ${life.node} is opened while another process holds it`);
    this.#holder = life;
    this.#hasRefused = false;
    let closed = false;
    const check = (): void => {
      life.assertAlive('its store');
      assert(!closed, 'a closed store is used');
    };
    return {
      get: (key) => {
        check();
        return this.#get(key);
      },
      scan: (range) => {
        check();
        return this.#scan(life, range);
      },
      write: (operations, { sync }) => {
        check();
        return this.#write(life, operations, sync);
      },
      view: () => {
        check();
        return this.#view(life);
      },
      close: async () => {
        check();
        assert(this.#inFlight.length === 0, 'a store is closed while writes are under way');
        closed = true;
        this.#holder = null;
      },
    };
  }

  /** The power cut: discards a random end of what was not synced. */
  crash(): void {
    const { random, tally } = this.#dependencies;
    const completed = this.#undo.length;
    const kept = random.int(completed + this.#inFlight.length + 1);
    for (let i = completed - 1; i >= kept; i--) for (const change of this.#undo[i] as Change[]) this.#set(change);
    for (let i = 0; i < this.#inFlight.length; i++) {
      if (completed + i < kept) {
        for (const change of (this.#inFlight[i] as WriteInFlight).changes) this.#set(change);
        tally.add('storeWriteUnacknowledged');
      } else {
        tally.add('storeWriteLost');
      }
    }
    if (kept < completed) tally.add('storeRolledBack');
    this.#undo = [];
    this.#inFlight = [];
    this.#lastCompletionMs = 0;
    this.#holder = null;
  }

  /**
   * The disk has damaged some value, within these ranges or anywhere; which one, chance decides.
   *
   * @param isNamed whether the store will be able to say which one
   * @returns whether there was any
   */
  damage({ ranges, isNamed }: { readonly ranges?: readonly Pick<StoreRange, 'gte' | 'lt'>[]; readonly isNamed: boolean }): boolean {
    const limit = this.#values.size;
    const keys = ranges?.flatMap(({ gte, lt }) => this.#keys.range({ gte: keyText(gte), lt: keyText(lt), reverse: false, limit })) ?? [
      ...this.#values.keys(),
    ];
    if (keys.length > 0) this.#unreadable.set(this.#dependencies.random.pick(keys), isNamed);
    return keys.length > 0;
  }

  /** An operator has put an empty folder in its place. No process may hold it. */
  wipe(): void {
    assert(this.#holder === null, 'a store is emptied while a process holds it');
    for (const key of [...this.#values.keys()]) this.#set({ key, value: undefined });
    this.#undo = [];
    this.#unreadable.clear();
  }

  #write(life: ProcessLife, operations: readonly StoreOperation[], sync: boolean): Promise<void> {
    const { timing } = this.#dependencies;
    // LevelDB has copied everything when the call returns; the caller may use its buffers again.
    const changes = operations.map(({ key, ...rest }) => ({
      key: keyText(key),
      value: rest.type === 'put' ? rest.value.slice() : undefined,
    }));
    const write: WriteInFlight = { changes, sync };
    this.#inFlight.push(write);
    const nowMs = timing.nowMs();
    const durationMs = sync ? timing.syncMs() : timing.writeMs();
    // One log: a write completes after those issued before it.
    this.#lastCompletionMs = Math.max(this.#lastCompletionMs, nowMs + durationMs);
    if (sync) timing.syncStarted(this.#lastCompletionMs - nowMs);
    return new Promise((resolve) => {
      life.at(this.#lastCompletionMs, () => {
        assert(this.#inFlight.shift() === write, 'writes complete in the order they were issued in');
        this.#complete(write);
        resolve();
      });
    });
  }

  #complete({ changes, sync }: WriteInFlight): void {
    for (const { key, value } of this.#unreadable.size === 0 ? [] : changes)
      if (value !== undefined && this.#unreadable.has(key)) this.#dependencies.tally.add('storeMended');
    if (sync) {
      for (const change of changes) this.#set(change);
      this.#undo = [];
      return;
    }
    const undo: Change[] = [];
    for (const change of changes) {
      undo.push({ key: change.key, value: this.#values.get(change.key) });
      this.#set(change);
    }
    // A batch may name a key twice: undone from the end, the first value comes back last.
    this.#undo.push(undo.reverse());
  }

  #get(key: Uint8Array): Uint8Array | undefined {
    const text = keyText(key);
    if (this.#unreadable.has(text)) throw this.#refuse(text);
    return this.#values.get(text);
  }

  #refuse(key: string): NacreError {
    this.#hasRefused = true;
    if (this.#unreadable.get(key) !== true) return new NacreError('STORE_DAMAGED', 'a part of the store fails its checksum');
    return new NacreError('STORE_DAMAGED', 'a value does not match its checksum', { fields: { key: toHex(keyBytes(key)) } });
  }

  #set({ key, value }: Change): void {
    this.#unreadable.delete(key);
    if (value === undefined) {
      if (this.#values.delete(key)) this.#keys.delete(key);
      return;
    }
    if (!this.#values.has(key)) this.#keys.insert(key);
    this.#values.set(key, value);
  }

  #view(life: ProcessLife): StoreView {
    const then = new StoreDisk(this.#dependencies);
    for (const [key, value] of this.#values) then.#set({ key, value });
    for (const [key, isNamed] of this.#unreadable) then.#unreadable.set(key, isNamed);
    return {
      get: (key) => then.#get(key),
      scan: (range) => then.#scan(life, range),
      close: async () => {},
    };
  }

  /** The entries as of the call, like a LevelDB snapshot, told a little later. */
  #scan(life: ProcessLife, range: StoreRange): Promise<StoreEntry[]> {
    const keys = this.#keys.range({ gte: keyText(range.gte), lt: keyText(range.lt), reverse: range.reverse === true, limit: range.limit });
    const spoilt = this.#unreadable.size === 0 ? undefined : keys.find((key) => this.#unreadable.has(key));
    if (spoilt !== undefined) return Promise.reject(this.#refuse(spoilt));
    const entries = keys.map((key) => ({ key: keyBytes(key), value: this.#values.get(key) as Uint8Array }));
    return new Promise((resolve) => {
      life.schedule(this.#dependencies.timing.readMs(), () => resolve(entries));
    });
  }
}

/** Bytes as a string of code units 0 to 255: hashed and compared faster than any structure over arrays. */
function keyText(key: Uint8Array): string {
  return String.fromCharCode.apply(null, key as unknown as number[]);
}

function keyBytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}
