import type { WriteStream } from 'node:tty';

const BAR_WIDTH = 30;
/** Where there is no terminal, a line for each tenth. */
const STEPS = 10;

/** How far the feed is: a bar that moves on a terminal, plain lines anywhere else. */
export class Progress {
  readonly #total: number;
  readonly #stream: Pick<WriteStream, 'write' | 'isTTY'>;
  #step = -1;
  #problem: string | null = null;
  #open = false;

  constructor(total: number, stream: Pick<WriteStream, 'write' | 'isTTY'>) {
    this.#total = total;
    this.#stream = stream;
  }

  show(rows: number, problem: string | null): void {
    if (this.#stream.isTTY) return this.#draw(rows, problem);
    const step = Math.floor((STEPS * rows) / this.#total);
    if (step > this.#step) this.#stream.write(`recorded ${rows} of ${this.#total} rows\n`);
    if (problem !== null && problem !== this.#problem) this.#stream.write(`waiting: ${problem}\n`);
    this.#step = Math.max(step, this.#step);
    this.#problem = problem;
  }

  /** Leaves the line of the bar. */
  end(): void {
    if (this.#open) this.#stream.write('\n');
    this.#open = false;
  }

  #draw(rows: number, problem: string | null): void {
    const filled = Math.round((BAR_WIDTH * rows) / this.#total);
    const bar = '#'.repeat(filled).padEnd(BAR_WIDTH, '.');
    this.#stream.write(`\r\u001b[K[${bar}] ${rows} of ${this.#total} rows${problem === null ? '' : `, waiting: ${problem}`}`);
    this.#open = true;
  }
}
