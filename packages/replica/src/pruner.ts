import type { Clock, Log, Store, StoreRange, Timer } from '@nacre/base';
import { type Ledger, PRUNED_RANGES, prunableBlocks, pruneOperations, type Retention } from '@nacre/ledger';

/** Blocks removed with one write. */
const BLOCKS_PER_TURN = 32;
/** Between two writes, in ms: others read and write meanwhile. */
const TURN_MS = 20;
/** So much is removed at least before the disk gets its room back, in bytes: that rewrites what is left, and is not worth it for less. */
const RECLAIMED_BYTES_MIN = 64 * 1024 * 1024;
/** And so large a part of what is left, as a divisor. */
const RECLAIMED_SHARE_DIVISOR = 4;

interface Dependencies {
  readonly ledger: Ledger;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  /** Gives the room of what was deleted in these ranges back to the disk. */
  readonly reclaim: (ranges: readonly Pick<StoreRange, 'gte' | 'lt'>[]) => Promise<void>;
  readonly fail: (error: unknown) => void;
}

/** Removes blocks that are older than what this node keeps, beside everything else, and sees to it that the disk gets their room back. */
export class Pruner {
  readonly #retention: Retention;
  readonly #dependencies: Dependencies;
  #timer: Timer | null = null;
  #turn: Promise<void> = Promise.resolve();
  #stopped = false;
  /** Of values that were removed since the disk got room back. */
  #bytes = 0;
  #blocks = 0;
  /** Since pruning last looked. */
  #decided = 0;

  constructor(retention: Retention, dependencies: Dependencies) {
    this.#retention = retention;
    this.#dependencies = dependencies;
  }

  start(): void {
    this.#schedule();
  }

  /** Call after each block. */
  afterBlock(): void {
    if (++this.#decided >= BLOCKS_PER_TURN) this.#schedule();
  }

  /** Waits for the write under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#turn;
  }

  #schedule(): void {
    const { blocks, ageMs } = this.#retention;
    if (this.#timer !== null || this.#stopped || (blocks === 0 && ageMs === 0)) return;
    this.#timer = this.#dependencies.clock.schedule(TURN_MS, () => {
      this.#turn = this.#prune().catch((error: unknown) => this.#dependencies.fail(error));
    });
  }

  async #prune(): Promise<void> {
    const { ledger, store } = this.#dependencies;
    this.#decided = 0;
    const due = prunableBlocks(ledger, this.#retention, BLOCKS_PER_TURN);
    if (due > 0) {
      const { operations, bytes } = pruneOperations(ledger, ledger.firstHeight + due);
      // Not synced: what a crash brings back is removed again.
      await store.write(operations, { sync: false });
      this.#bytes += bytes;
      this.#blocks += due;
    }
    if (due < BLOCKS_PER_TURN) await this.#reclaim();
    this.#timer = null;
    if (due === BLOCKS_PER_TURN) this.#schedule();
  }

  async #reclaim(): Promise<void> {
    const { ledger, log, reclaim } = this.#dependencies;
    const held = ledger.tip.height - ledger.firstHeight + 1;
    const heldBytes = (this.#bytes / Math.max(1, this.#blocks)) * held;
    if (this.#stopped || this.#bytes < Math.max(RECLAIMED_BYTES_MIN, heldBytes / RECLAIMED_SHARE_DIVISOR)) return;
    log.info({ firstHeight: ledger.firstHeight, blocks: this.#blocks, bytes: this.#bytes }, 'blocks pruned, giving their room back');
    this.#bytes = 0;
    this.#blocks = 0;
    await reclaim(PRUNED_RANGES);
  }
}
