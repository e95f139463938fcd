import { assert, type Clock, type Timer } from '@nacre/base';
import type { Scheduler } from './scheduler.ts';

export interface ProcessLifeOptions {
  /** Index of the node whose process this is. */
  readonly node: number;
  /** Counts the node's processes from 0. */
  readonly generation: number;
  /** Wall clock at virtual time 0, ms since 1970. */
  readonly epochMs: number;
  /** How far this machine's wall clock is off, in ms. */
  readonly clockOffsetMs: number;
}

/**
 * One process from start to crash, and its clock. Whatever was under way for it (timers, writes, frames, requests) holds
 * this object; once the life has ended none of it happens any more, as after a power cut.
 */
export class ProcessLife implements Clock {
  readonly node: number;
  readonly generation: number;
  readonly #scheduler: Scheduler;
  readonly #wallOriginMs: number;
  #alive = true;

  constructor(options: ProcessLifeOptions, dependencies: { readonly scheduler: Scheduler }) {
    this.node = options.node;
    this.generation = options.generation;
    this.#wallOriginMs = options.epochMs + options.clockOffsetMs;
    this.#scheduler = dependencies.scheduler;
  }

  get alive(): boolean {
    return this.#alive;
  }

  /** The power cut. */
  end(): void {
    this.#alive = false;
  }

  nowMs(): number {
    this.assertAlive('the clock');
    return Math.floor(this.#wallOriginMs + this.#scheduler.nowMs);
  }

  /** As the port says; nothing happens if the life has ended by then. */
  schedule(delayMs: number, action: () => void): Timer {
    return this.at(this.#scheduler.nowMs + Math.max(0, delayMs), action);
  }

  /** The same at a point of virtual time. */
  at(virtualMs: number, action: () => void): Timer {
    this.assertAlive('a timer');
    return this.#scheduler.at(virtualMs, () => {
      if (this.#alive) action();
    });
  }

  /** Code of a dead process that still runs would be a hole in the simulation: everything it could wait for is gone. */
  assertAlive(what: string): void {
    assert(this.#alive, `process ${this.node}.${this.generation} used ${what} after its crash`);
  }
}
