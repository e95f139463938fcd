/**
 * What a file `packages/NAME/bench/*.bench.ts` exports by default: a suite that measures with what it is handed.
 * `npm run bench` binds `Bench` to the machine's clock and prints one table; the suites know nothing of either.
 */

export interface MeasureOptions {
  /** What one item is, for the table: `signature`, `block`, `leaf`. Default: `call`. */
  readonly unit?: string;
  /** Calls of `run` in each sample. Default: as many as fill a sample of a few milliseconds. */
  readonly iterations?: number;
  /** Items that one call of `run` works through; the figures are per item. Default: 1. */
  readonly perIteration?: number;
}

export interface Bench {
  /**
   * Warms `run` up, then times several samples of it, one row of the table.
   *
   * @returns the median time per item in microseconds, for ratios between rows
   */
  measure(name: string, options: MeasureOptions, run: () => unknown): Promise<number>;
  /** A line under the suite's rows: a ratio, or a condition that the figures depend on. */
  note(text: string): void;
}

export interface BenchmarkSuite {
  readonly name: string;
  /** Sets up, measures one thing after another, and cleans up behind itself. */
  run(bench: Bench): Promise<void>;
}
