import type { StoreOperation } from '@nacre/base';

/** Writes carried out as one. More wait for the next turn, so that nobody waits for a write without end. */
const GROUP_WRITES_MAX = 256;

export interface Write {
  readonly operations: readonly StoreOperation[] | (() => readonly StoreOperation[]);
  /** Whether it must be durable when it is done. */
  readonly sync: boolean;
}

export interface WriteGroup {
  readonly operations: readonly StoreOperation[];
  readonly sync: boolean;
}

interface Waiting extends Write {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Carries out writes in the order of their calls: one group at a time, each made of all that was called for while the one before was under way.
 *
 * LevelDB's binding does each write on whichever thread is free, so that of two which are under way at once the later can come first. One at a
 * time costs no speed: LevelDB lets one thread write and the others wait, and joins their writes as is done here.
 */
export class WriteQueue {
  readonly #carryOut: (group: WriteGroup) => Promise<void>;
  #waiting: Waiting[] = [];
  #running: Promise<void> | null = null;

  /** @param carryOut the writes of one group all fail with its error */
  constructor(carryOut: (group: WriteGroup) => Promise<void>) {
    this.#carryOut = carryOut;
  }

  /**
   * @param write operations given as a function are asked for in its turn, when all writes before it are done
   * @returns settles as its group did
   */
  write(write: Write): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.push({ ...write, resolve, reject });
    this.#running ??= this.#run();
    return promise;
  }

  /** Resolves when nothing is under way or waits. */
  async idle(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    // What is called for in the same turn of the event loop is one group.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const group = this.#takeGroup();
      try {
        const operations = group.flatMap((write) => (typeof write.operations === 'function' ? write.operations() : write.operations));
        await this.#carryOut({ operations, sync: group.some(({ sync }) => sync) });
        for (const { resolve } of group) resolve();
      } catch (error) {
        for (const { reject } of group) reject(error);
      }
    }
    this.#running = null;
  }

  /** Whoever decides in its turn what to write comes first in a group: it must see what was written before. */
  #takeGroup(): Waiting[] {
    const end = this.#waiting.findIndex(({ operations }, i) => i > 0 && typeof operations === 'function');
    return this.#waiting.splice(0, Math.min(end === -1 ? this.#waiting.length : end, GROUP_WRITES_MAX));
  }
}
