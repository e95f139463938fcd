import type { SeededRandom } from './random.ts';
import type { Scheduler } from './scheduler.ts';

export interface DiskSpeed {
  /** Shortest and longest ordinary time of a synced write, in virtual ms. Measured on an SSD: 0.15 to 0.4. */
  readonly syncMs: readonly [number, number];
  /** The same of an unsynced one. */
  readonly writeMs: readonly [number, number];
  /** The same of a read that goes through a promise. */
  readonly readMs: readonly [number, number];
  /** Share of syncs that stall, and for how long in ms: what a disk does while it writes back or erases. */
  readonly stallChance: number;
  readonly stallMs: readonly [number, number];
}

/** Draws how long each access to one disk takes, and tells who listens when a sync begins, the moment most worth crashing in. */
export class DiskTiming {
  readonly #random: SeededRandom;
  readonly #scheduler: Scheduler;
  readonly #speed: DiskSpeed;
  #onSync: ((durationMs: number) => void) | null = null;

  constructor(speed: DiskSpeed, dependencies: { readonly random: SeededRandom; readonly scheduler: Scheduler }) {
    this.#speed = speed;
    this.#random = dependencies.random;
    this.#scheduler = dependencies.scheduler;
  }

  nowMs(): number {
    return this.#scheduler.nowMs;
  }

  syncMs(): number {
    const { syncMs, stallChance, stallMs } = this.#speed;
    const [min, max] = this.#random.chance(stallChance) ? stallMs : syncMs;
    return this.#random.between(min, max);
  }

  writeMs(): number {
    return this.#random.between(...this.#speed.writeMs);
  }

  readMs(): number {
    return this.#random.between(...this.#speed.readMs);
  }

  /** Calls `listener` when the next sync begins, once, with the ms it will take. Null takes the listener back. */
  onNextSync(listener: ((durationMs: number) => void) | null): void {
    this.#onSync = listener;
  }

  /** The disk says that a sync begins. */
  syncStarted(durationMs: number): void {
    const listener = this.#onSync;
    this.#onSync = null;
    listener?.(durationMs);
  }
}
