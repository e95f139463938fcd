import { readdir } from 'node:fs/promises';
import { STORE_WRITE_BUFFER_BYTES, type StoreOperation } from '@nacre/base';

/** More than LevelDB's memory table spends on an entry besides key and value: lengths, sequence number, node of the skip list. */
const ENTRY_OVERHEAD_BYTES = 128;
/** Its arena may leave a quarter of each block unused. */
const ARENA_WASTE = 4 / 3;

/**
 * Says which writes must be synced so that LevelDB never begins a new log while the old one holds anything unsynced.
 *
 * When its memory table is full, LevelDB closes the log behind it without a sync. After a power failure the end of that log may be
 * gone while later writes stand in the next one, and recovery would join the two over the gap. A bound of the table's size is
 * kept from above; once it passes the size at which LevelDB changes logs, every write is synced until the new log is seen.
 */
export class MemtableGuard {
  readonly #path: string;
  #newestLog: string;
  /** Upper bound of the bytes in the memory table, by what was issued. */
  #bound = 0;
  /** The part of the bound that is certainly in the table of the newest log that was seen. */
  #settled = 0;

  private constructor(path: string, newestLog: string) {
    this.#path = path;
    this.#newestLog = newestLog;
  }

  /** @param path directory of a database that was just opened: its memory table is empty */
  static async create(path: string): Promise<MemtableGuard> {
    return new MemtableGuard(path, await newestLogIn(path));
  }

  /** Counts a write that is about to be issued. @returns null, or if it must be synced the bound before it, for `written` */
  admit(operations: readonly StoreOperation[]): number | null {
    const before = this.#bound;
    for (const operation of operations) {
      const valueBytes = operation.type === 'put' ? operation.value.length : 0;
      this.#bound += (operation.key.length + valueBytes + ENTRY_OVERHEAD_BYTES) * ARENA_WASTE;
    }
    return this.#bound > STORE_WRITE_BUFFER_BYTES ? before : null;
  }

  /** Call when a write that had to be synced is done: looks whether LevelDB has begun a new log, and then counts anew. */
  async written(before: number): Promise<void> {
    const newest = await newestLogIn(this.#path);
    if (newest === this.#newestLog) {
      // Writes are carried out in the order in which they are issued, so all before this one is in the old log too.
      this.#settled = Math.max(this.#settled, before);
      return;
    }
    this.#newestLog = newest;
    this.#bound -= this.#settled;
    this.#settled = 0;
  }
}

async function newestLogIn(path: string): Promise<string> {
  const logs = (await readdir(path)).filter((name) => name.endsWith('.log'));
  return logs.reduce((newest, name) => (Number.parseInt(name, 10) > Number.parseInt(newest, 10) ? name : newest), '0.log');
}
