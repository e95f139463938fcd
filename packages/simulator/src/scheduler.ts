import { assert, type Timer } from '@nacre/base';
import { EventHeap, type ScheduledEvent } from './event-heap.ts';

export interface RunLimits {
  /** Runs nothing later than this virtual time, and leaves the clock there. */
  readonly untilMs: number;
  /** Asked after every event; the run ends when it says true. */
  readonly until?: () => boolean;
  /** Most events of one run: what ends a replica that answers itself for ever at one point of time. */
  readonly eventsMax: number;
}

/**
 * Why a run ended: its condition holds (`reached`), the time is over (`time`), nothing is left that could ever happen
 * (`idle`), too many events (`events`), or something threw or rejected without anyone listening (`failed`).
 */
export type RunEnd = { readonly kind: 'reached' | 'time' | 'idle' | 'events' } | { readonly kind: 'failed'; readonly error: unknown };

/** Lets every promise that can go on do so: microtasks drain before the event loop reaches its immediates. */
function settle(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/**
 * Virtual time. One event runs, all promises that it woke settle, then comes the next: nothing else interleaves, so a
 * run is decided by its seed. Every simulated part waits on this and on nothing else.
 */
export class Scheduler {
  readonly #heap = new EventHeap();
  #nowMs = 0;
  #sequence = 0;
  #eventsRun = 0;
  #running = false;
  #failure: { readonly error: unknown } | null = null;

  /** Virtual ms since the start of the run, with fractions. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Events run so far. */
  get eventsRun(): number {
    return this.#eventsRun;
  }

  schedule(delayMs: number, action: () => void): Timer {
    return this.at(this.#nowMs + delayMs, action);
  }

  /** Runs `action` at a point of virtual time. What must keep an order uses this: now + (t - now) need not be t in doubles. */
  at(timeMs: number, action: () => void): Timer {
    assert(timeMs >= this.#nowMs && timeMs < Number.POSITIVE_INFINITY, 'an event lies in the future and at a finite time');
    const event: ScheduledEvent = { timeMs, sequence: this.#sequence++, action };
    this.#heap.push(event);
    return {
      cancel: () => {
        event.action = null;
      },
    };
  }

  /** Ends the run as `failed`, for checks that find something wrong inside an event. The first failure counts. */
  fail(error: unknown): void {
    this.#failure ??= { error };
  }

  /**
   * Runs events in order. While it runs, rejections and exceptions that nobody handles belong to the run: they end it
   * as `failed` instead of the process.
   */
  async run(limits: RunLimits): Promise<RunEnd> {
    assert(!this.#running, 'a scheduler runs one run at a time');
    this.#running = true;
    const restore = divertUnhandled((error) => this.fail(error));
    try {
      await settle();
      return await this.#loop(limits);
    } finally {
      restore();
      this.#running = false;
    }
  }

  async #loop(limits: RunLimits): Promise<RunEnd> {
    for (let count = 0; ; count++) {
      if (this.#failure !== null) return { kind: 'failed', error: this.#failure.error };
      if (limits.until?.() === true) return { kind: 'reached' };
      const event = this.#nextEvent();
      if (event === undefined) return { kind: 'idle' };
      if (event.timeMs > limits.untilMs) {
        this.#nowMs = Math.max(this.#nowMs, limits.untilMs);
        return { kind: 'time' };
      }
      if (count === limits.eventsMax) return { kind: 'events' };
      this.#heap.pop();
      this.#nowMs = event.timeMs;
      this.#eventsRun++;
      try {
        event.action?.();
      } catch (error) {
        this.fail(error);
      }
      await settle();
    }
  }

  /** The next event that was not cancelled; cancelled ones before it are dropped and never run, nor waited for. */
  #nextEvent(): ScheduledEvent | undefined {
    for (;;) {
      const event = this.#heap.peek();
      if (event === undefined || event.action !== null) return event;
      this.#heap.pop();
    }
  }
}

const UNHANDLED = ['unhandledRejection', 'uncaughtException'] as const;

/** Puts one listener in place of all others for what nobody handles. @returns what puts them back */
function divertUnhandled(listener: (error: unknown) => void): () => void {
  const diverted = UNHANDLED.map((name) => {
    const former = process.rawListeners(name);
    process.removeAllListeners(name);
    process.on(name, listener);
    return { name, former };
  });
  return () => {
    for (const { name, former } of diverted) {
      process.removeListener(name, listener);
      for (const each of former) process.on(name, each as (error: unknown) => void);
    }
  };
}
