import type { Clock, Random, Timer } from '@nacre/base';

/** Time that passes when a test says so. */
export class FakeClock implements Clock {
  #nowMs = 1_000_000;
  #waiting: { readonly atMs: number; readonly action: () => void }[] = [];

  nowMs(): number {
    return this.#nowMs;
  }

  schedule(delayMs: number, action: () => void): Timer {
    const entry = { atMs: this.#nowMs + delayMs, action };
    this.#waiting.push(entry);
    return {
      cancel: () => {
        this.#waiting = this.#waiting.filter((other) => other !== entry);
      },
    };
  }

  /** Whether something waits for so long from now. */
  isWaiting(delayMs: number): boolean {
    return this.#waiting.some(({ atMs }) => atMs === this.#nowMs + delayMs);
  }

  /** Runs what becomes due on the way, in order, each at its time. */
  advance(ms: number): void {
    const endMs = this.#nowMs + ms;
    for (;;) {
      const due = this.#waiting.filter(({ atMs }) => atMs <= endMs).sort((a, b) => a.atMs - b.atMs)[0];
      if (due === undefined) break;
      this.#waiting = this.#waiting.filter((other) => other !== due);
      this.#nowMs = Math.max(this.#nowMs, due.atMs);
      due.action();
    }
    this.#nowMs = endMs;
  }

  /** The process stands still, or the system's clock is set: nothing runs on the way. */
  jump(ms: number): void {
    this.#nowMs += ms;
  }
}

/** Chance that always falls the same way. */
export function constantRandom(byte: number): Random {
  return { bytes: (length) => new Uint8Array(length).fill(byte) };
}
