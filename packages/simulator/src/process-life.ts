import { assert, type Clock, type Timer } from '@nacre/base';
import type { ClockPlan } from './scenario.ts';
import type { Scheduler } from './scheduler.ts';

/** A clock that is right. */
export const TRUE_CLOCK: ClockPlan = { offsetMs: 0, driftPpm: 0, steps: [] };

export interface ProcessLifeOptions {
  /** Index of the node whose process this is. */
  readonly node: number;
  /** Counts the node's processes from 0. */
  readonly generation: number;
  /** Wall clock at virtual time 0, ms since 1970. */
  readonly epochMs: number;
  /** How this machine's wall clock errs. */
  readonly clock: ClockPlan;
}

/**
 * One process from start to crash, and its clock. Whatever was under way for it (timers, writes, frames, requests) holds
 * this object; once the life has ended none of it happens any more, as after a power cut.
 */
export class ProcessLife implements Clock {
  readonly node: number;
  readonly generation: number;
  readonly #scheduler: Scheduler;
  readonly #epochMs: number;
  readonly #clock: ClockPlan;
  /** Local time that passes in one unit of virtual time. */
  readonly #rate: number;
  #alive = true;

  constructor(options: ProcessLifeOptions, dependencies: { readonly scheduler: Scheduler }) {
    this.node = options.node;
    this.generation = options.generation;
    this.#epochMs = options.epochMs;
    this.#clock = options.clock;
    this.#rate = 1 + options.clock.driftPpm / 1e6;
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
    const { nowMs } = this.#scheduler;
    let offsetMs = this.#clock.offsetMs;
    for (const { atMs, byMs } of this.#clock.steps) if (nowMs >= atMs) offsetMs += byMs;
    return Math.floor(this.#epochMs + offsetMs + nowMs * this.#rate);
  }

  /** As the port says; nothing happens if the life has ended by then. */
  schedule(delayMs: number, action: () => void): Timer {
    return this.at(this.#scheduler.nowMs + Math.max(0, delayMs) / this.#rate, action);
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
