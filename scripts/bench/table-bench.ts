import type { Bench, MeasureOptions } from '@nacre/base/benchmark';
import { quantile } from './quantile.ts';

const WARM_UP_MS = 200;
/** One warm-up call at least, however long it takes; this many at most. */
const WARM_UP_CALLS_MAX = 10_000;
/** Long against the clock's resolution, short enough for many samples. */
const SAMPLE_MS = 5;
const SAMPLES_MIN = 11;
/** Of what takes longer than a whole row should. */
const LONG_SAMPLES = 5;
const SAMPLES_MAX = 200;
/** After the fewest samples, no new one starts when a row has taken this long. */
const ROW_MS = 1500;

/** Measures with the machine's clock and prints each row as soon as it is known. */
export class TableBench implements Bench {
  readonly #print: (line: string) => void;

  constructor(print: (line: string) => void) {
    this.#print = print;
  }

  async measure(name: string, options: MeasureOptions, run: () => unknown): Promise<number> {
    const callMs = await this.#warmUp(run);
    const iterations = options.iterations ?? Math.max(1, Math.round(SAMPLE_MS / Math.max(callMs, 1e-6)));
    const items = iterations * (options.perIteration ?? 1);
    const samples: number[] = [];
    const startedAt = performance.now();
    const samplesMin = callMs > ROW_MS ? LONG_SAMPLES : SAMPLES_MIN;
    while (samples.length < samplesMin || (samples.length < SAMPLES_MAX && performance.now() - startedAt < ROW_MS)) {
      samples.push((1000 * (await timeMs(run, iterations))) / items);
    }
    const median = quantile(samples, 0.5);
    const spread = `${format(quantile(samples, 0.1))} … ${format(quantile(samples, 0.9))}`;
    this.#print(
      `  ${name.padEnd(52)} ${format(median).padStart(9)}  (${spread})`.padEnd(90) +
        ` per ${options.unit ?? 'call'}, ${samples.length} samples`,
    );
    return median;
  }

  note(text: string): void {
    this.#print(`    ${text}`);
  }

  /** @returns the time of one call in ms, of the later and faster half of the warm-up */
  async #warmUp(run: () => unknown): Promise<number> {
    let calls = 0;
    let batch = 1;
    let callMs = 0;
    const startedAt = performance.now();
    do {
      callMs = (await timeMs(run, batch)) / batch;
      calls += batch;
      batch = Math.min(2 * batch, WARM_UP_CALLS_MAX);
    } while (performance.now() - startedAt < WARM_UP_MS && calls < WARM_UP_CALLS_MAX);
    return callMs;
  }
}

/** Synchronous calls are not awaited: a turn of the microtask queue would cost more than what is measured. */
async function timeMs(run: () => unknown, calls: number): Promise<number> {
  const startedAt = performance.now();
  for (let i = 0; i < calls; i++) {
    const result = run();
    if (result instanceof Promise) await result;
  }
  return performance.now() - startedAt;
}

/** Three significant digits, in the unit that keeps them before the point or just after it. */
function format(microseconds: number): string {
  if (microseconds < 1) return `${(1000 * microseconds).toPrecision(3)} ns`;
  if (microseconds < 1000) return `${microseconds.toPrecision(3)} µs`;
  if (microseconds < 1_000_000) return `${(microseconds / 1000).toPrecision(3)} ms`;
  return `${(microseconds / 1_000_000).toPrecision(3)} s`;
}
