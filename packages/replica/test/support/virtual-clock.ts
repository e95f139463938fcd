import { assert, type Clock, type Timer } from '@nacre/base';

interface Waiting {
  readonly atMs: number;
  readonly action: () => void;
}

/** Time that moves only when a test says so. Whatever is due at one moment runs in the order in which it was scheduled. */
export class VirtualClock implements Clock {
  #nowMs: number;
  readonly #waiting = new Set<Waiting>();

  constructor(startMs: number) {
    this.#nowMs = startMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  schedule(delayMs: number, action: () => void): Timer {
    const waiting = { atMs: this.#nowMs + Math.max(delayMs, 0), action };
    this.#waiting.add(waiting);
    return { cancel: () => this.#waiting.delete(waiting) };
  }

  /** Lets everything happen that happens within the next `ms`. */
  async run(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    await settled();
    for (let next = this.#next(endMs); next !== undefined; next = this.#next(endMs)) {
      this.#waiting.delete(next);
      this.#nowMs = next.atMs;
      next.action();
      await settled();
    }
    this.#nowMs = endMs;
  }

  /** Runs until `condition` holds; fails if it still does not `limitMs` from now. */
  async until(condition: () => boolean, limitMs = 60_000): Promise<void> {
    const endMs = this.#nowMs + limitMs;
    await settled();
    while (!condition()) {
      const next = this.#next(endMs);
      assert(next !== undefined, `still not so after ${limitMs} ms: ${condition.toString()}`);
      await this.run(next.atMs - this.#nowMs);
    }
  }

  #next(endMs: number): Waiting | undefined {
    let next: Waiting | undefined;
    for (const waiting of this.#waiting) {
      if (waiting.atMs <= endMs && (next === undefined || waiting.atMs < next.atMs)) next = waiting;
    }
    return next;
  }
}

/** Resolves when no promise that waits for nothing but promises is left. */
export function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
