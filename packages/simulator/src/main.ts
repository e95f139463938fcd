/** `npm run simulate`: many seeds on all cores, a table of what happened, and every failure with how to see it again. */
import { availableParallelism } from 'node:os';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { assert } from '@nacre/base';
import { checkSeed, REPEATED_EVERY, type SeedOutcome } from './check-seed.ts';
import { parseCommandLine, type SimulateOptions, USAGE } from './command-line.ts';
import { describeEntry } from './describe-entry.ts';
import { describeFailure } from './describe-failure.ts';
import { Summary } from './summary.ts';

/** Failures printed in full; more are only counted. */
const FAILURES_PRINTED_MAX = 20;
/** Time between two lines of progress, in ms. */
const PROGRESS_MS = 10_000;

interface Job {
  readonly seed: number;
  readonly validators: number | null;
  readonly repeat: boolean;
}

function run({ seed, validators, repeat }: Job, options: Parameters<typeof checkSeed>[1] = {}): Promise<SeedOutcome> {
  return checkSeed({ seed, repeat, ...(validators === null ? {} : { validators }) }, options);
}

/** A worker thread: one seed after another as they are handed in. */
function work(): void {
  const port = parentPort;
  assert(port !== null, 'a worker has a port to its parent');
  port.on('message', (job: Job) => {
    void run(job).then((outcome) => port.postMessage(outcome));
  });
}

/** Hands each worker a seed when it is free, until all are run. */
async function runOnAllCores(options: SimulateOptions, take: (outcome: SeedOutcome) => void): Promise<void> {
  const { seeds, start, validators } = options;
  let next = start;
  const end = start + seeds;
  const threads = Math.min(availableParallelism(), seeds);
  const workers = Array.from({ length: threads }, () => {
    const worker = new Worker(new URL(import.meta.url));
    return new Promise<void>((resolve, reject) => {
      const handOut = (): void => {
        if (next === end) {
          void worker.terminate().then(() => resolve());
          return;
        }
        const seed = next++;
        worker.postMessage({ seed, validators, repeat: seed % REPEATED_EVERY === 0 } satisfies Job);
      };
      worker.on('message', (outcome: SeedOutcome) => {
        take(outcome);
        handOut();
      });
      worker.on('error', reject);
      handOut();
    });
  });
  await Promise.all(workers);
}

async function runOne(options: SimulateOptions): Promise<SeedOutcome> {
  const job = { seed: options.start, validators: options.validators, repeat: true };
  if (!options.trace) return run(job);
  const at = (nowMs: number): string => `${nowMs.toFixed(3).padStart(12)} `;
  return run(job, {
    onTrace: (entry) => console.log(at(entry.timeMs) + describeEntry(entry)),
    onLog: (nowMs, node, level, fields, event) => console.log(`${at(nowMs)}node ${node} logs ${level}: ${event} ${JSON.stringify(fields)}`),
  });
}

async function main(): Promise<void> {
  const parsed = parseCommandLine(process.argv.slice(2));
  if (!parsed.ok) {
    console.error(`${parsed.error}\n\n${USAGE}`);
    process.exitCode = 2;
    return;
  }
  const options = parsed.value;
  const summary = new Summary();
  const startedMs = performance.now();
  let printedMs = startedMs;
  const take = (outcome: SeedOutcome): void => {
    summary.add(outcome);
    if (outcome.violations.length > 0 && summary.failed <= FAILURES_PRINTED_MAX) {
      for (const line of describeFailure(outcome, options.validators)) console.log(line);
    }
    if (options.quiet || performance.now() - printedMs < PROGRESS_MS) return;
    printedMs = performance.now();
    console.log(`${summary.seeds} of ${options.seeds} seeds, ${summary.heights} blocks, ${summary.failed} failed`);
  };
  if (options.seeds === 1) take(await runOne(options));
  else await runOnAllCores(options, take);
  const seconds = (performance.now() - startedMs) / 1000;
  for (const line of summary.lines()) console.log(line);
  console.log(`  ${seconds.toFixed(1)} s, ${(summary.heights / seconds).toFixed(0)} blocks/s`);
  const missing = summary.missing();
  if (missing.length > 0) console.log(`never happened, so nothing is proved about it: ${missing.join(', ')}`);
  if (summary.failed > 0 || missing.length > 0) process.exitCode = 1;
  console.log(`${summary.passed} passed, ${summary.failed} failed`);
}

if (isMainThread) await main();
else work();
