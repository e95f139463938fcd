/** Time between two lines where no terminal shows a bar, and between two of its pictures, in ms. */
const LINE_MS = 10_000;
const BAR_MS = 200;
const BAR_WIDTH = 30;

interface Output {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** Shows how far a run is: a bar on a terminal, a line now and then elsewhere. */
export class ProgressBar {
  readonly #total: number;
  readonly #output: Output;
  #shownMs: number;

  constructor(total: number, output: Output, nowMs: number) {
    this.#total = total;
    this.#output = output;
    this.#shownMs = nowMs;
  }

  show(done: number, nowMs: number, rest: string): void {
    const onTerminal = this.#output.isTTY === true;
    if (nowMs - this.#shownMs < (onTerminal ? BAR_MS : LINE_MS) && done < this.#total) return;
    this.#shownMs = nowMs;
    if (!onTerminal) {
      if (done < this.#total) this.#output.write(`${done} of ${this.#total} seeds, ${rest}\n`);
      return;
    }
    const filled = Math.floor((BAR_WIDTH * done) / this.#total);
    this.#output.write(`\r\x1b[K[${'#'.repeat(filled).padEnd(BAR_WIDTH, '.')}] ${done} of ${this.#total} seeds, ${rest}`);
    if (done === this.#total) this.#output.write('\r\x1b[K');
  }

  /** Makes room for a line of something else. */
  clear(): void {
    if (this.#output.isTTY === true) this.#output.write('\r\x1b[K');
  }
}
