import type { Clock, Log } from '@nacre/base';
import { type Ledger, type Snapshots, takeSnapshot } from '@nacre/ledger';

/**
 * Pause after every few hundred entries of the state, in ms, in which the node does what it is there for: at least so long, and as long as they took, which
 * is the longer the more there is to do. So this takes half of what would be idle time, and little of any other.
 */
const PAUSE_MS_MIN = 1;
/** A clock that was set on must not stop it for longer. */
const PAUSE_MS_MAX = 100;

export interface SnapshotMakingOptions {
  /** A snapshot is made at the first block that it can be made of from each multiple of this height on; 0: none is made. */
  readonly snapshotIntervalBlocks: number;
  /** How many are kept. */
  readonly snapshotsKept: number;
}

interface Dependencies {
  readonly ledger: Ledger;
  readonly snapshots: Snapshots;
  readonly clock: Clock;
  readonly log: Log;
}

class Stopped extends Error {}

/** Makes snapshots for others in the background, at the same heights on every node, so that their parts can come from all of them. */
export class SnapshotMaking {
  readonly #options: SnapshotMakingOptions;
  readonly #dependencies: Dependencies;
  #making: Promise<void> | null = null;
  /** Whether nothing is to be made. */
  #ended = false;
  /** Number of the interval of which there is a snapshot, or was none to be made. */
  #interval: number;

  constructor(options: SnapshotMakingOptions, dependencies: Dependencies) {
    this.#options = options;
    this.#dependencies = dependencies;
    this.#interval = this.#intervalOf(dependencies.ledger.tip.height);
  }

  /** Call after each block. Nothing waits for what it begins. */
  afterBlock(): void {
    const interval = this.#intervalOf(this.#dependencies.ledger.tip.height);
    if (this.#ended || this.#making !== null || interval <= this.#interval) return;
    this.#making = this.#make(interval).finally(() => {
      this.#making = null;
    });
  }

  /** Gives up what is being made, for as long as something else needs the snapshots' place; the next block after that begins it anew. */
  async without(work: () => Promise<void>): Promise<void> {
    this.#ended = true;
    await this.#making;
    await work();
    this.#ended = false;
  }

  /** For good. */
  async end(): Promise<void> {
    this.#ended = true;
    await this.#making;
  }

  async #make(interval: number): Promise<void> {
    const { ledger, snapshots, clock, log } = this.#dependencies;
    const startedMs = clock.nowMs();
    let resumedMs = startedMs;
    const pace = () =>
      new Promise<void>((resolve, reject) => {
        const pauseMs = Math.min(Math.max(clock.nowMs() - resumedMs, PAUSE_MS_MIN), PAUSE_MS_MAX);
        clock.schedule(pauseMs, () => {
          resumedMs = clock.nowMs();
          if (this.#ended) reject(new Stopped());
          else resolve();
        });
      });
    try {
      const taken = await takeSnapshot(ledger, snapshots, { keep: this.#options.snapshotsKept, pace });
      if (!taken.ok) return; // The next block may do.
      this.#interval = interval;
      const { height, bytes, stateParts } = taken.value;
      log.info({ height, bytes, parts: stateParts, tookMs: clock.nowMs() - startedMs }, 'made a snapshot');
    } catch (error) {
      if (error instanceof Stopped) return;
      // It is for others: this node goes on without. What is damaged is found where it is needed.
      this.#interval = interval;
      log.error({ error: error instanceof Error ? error.message : String(error) }, 'no snapshot could be made');
    }
  }

  #intervalOf(height: number): number {
    const { snapshotIntervalBlocks } = this.#options;
    return snapshotIntervalBlocks === 0 ? 0 : Math.floor(height / snapshotIntervalBlocks);
  }
}
