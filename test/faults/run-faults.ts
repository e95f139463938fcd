import { existsSync, readFileSync, rmSync } from 'node:fs';
import { type FaultsOptions, parseCommandLine, USAGE } from './command-line.ts';
import { failureDirectory } from './keep-failure.ts';
import { missingRequirements, thisMachine } from './requirements.ts';
import { ResultsFile } from './results-file.ts';
import { ownDirectory, type Places, removeLeftovers, runApart } from './run-apart.ts';
import type { Outcome } from './run-schedule.ts';
import { drawSchedule, type Schedule } from './schedule.ts';
import { Summary } from './summary.ts';

/** Seeds below belong to people and to recorded runs; fresh ones lie above, and start at another place every ten seconds. */
const FRESH_SEEDS_FROM = 100_000_000;
const FRESH_SEEDS_SPAN = 800_000_000;
const FRESH_SEEDS_STEP_MS = 10_000;
const FRESH_SEEDS_STEP = 1_000;
/** Without `--nodes`, every so manieth seed has the larger network, which takes twice as long. */
const LARGE_EVERY = 4;
const NODES_SMALL = 4;
const NODES_LARGE = 7;

/** Carries out one command line. @returns the exit code */
export async function runFaults(args: readonly string[]): Promise<number> {
  const parsed = parseCommandLine(args, freshSeed(Date.now()));
  if (!parsed.ok) return refuse(`${parsed.error}\n\n${USAGE}`);
  const options = parsed.value;
  const missing = missingRequirements(thisMachine());
  if (missing.length > 0)
    return refuse(`cannot run real nodes through faults here:\n${missing.map((line) => `  ${line}`).join('\n')}\n0 passed, 1 failed`);
  if (options.replay !== null && !existsSync(options.replay))
    return refuse(`there is no file ${options.replay}; a failure's schedule is written to where --output says`);
  const stop = new AbortController();
  const interrupt = (): void => stop.abort();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, interrupt);
  removeLeftovers();
  // Where the caller keeps compiled modules they may be there already.
  const kept = process.env.NODE_COMPILE_CACHE;
  const compiled = kept ?? ownDirectory('compiled');
  try {
    return await runAll(options, { failures: options.output, compiled }, stop.signal);
  } finally {
    if (kept === undefined) rmSync(compiled, { recursive: true, force: true });
  }
}

async function runAll(options: FaultsOptions, places: Places, stop: AbortSignal): Promise<number> {
  const results = options.results === null ? null : new ResultsFile(options.results);
  const summary = new Summary();
  if (options.resume) for (const outcome of results?.outcomes ?? []) summary.add(outcome);
  if (options.fresh) console.log(`fresh seeds from ${options.start} on: --start ${options.start} --seeds ${options.seeds} runs them again`);
  const schedules = schedulesOf(options);
  // Each takes the next one from the same iterator.
  const worker = async (): Promise<void> => {
    for (const schedule of schedules) {
      if (options.resume && results?.has(schedule.seed, schedule.nodes)) continue;
      const outcome = await runApart(schedule, places, stop);
      if (stop.aborted) return;
      results?.append(outcome);
      summary.add(outcome);
      for (const line of describe(outcome, options.output)) console.log(line);
    }
  };
  await Promise.all(Array.from({ length: options.jobs }, worker));
  for (const line of ['', ...(options.markdown ? summary.markdown() : summary.table())]) console.log(line);
  const missing = summary.missing();
  if (missing.length > 0) console.log(`never happened, so nothing is proved about it: ${missing.join(', ')}`);
  if (stop.aborted) console.log('interrupted');
  const failed = summary.failed + (missing.length > 0 ? 1 : 0) + (stop.aborted ? 1 : 0);
  console.log(`${summary.passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

function* schedulesOf({ replay, start, seeds, nodes, variant }: FaultsOptions): Generator<Schedule, void, void> {
  if (replay !== null) {
    yield JSON.parse(readFileSync(replay, 'utf8')) as Schedule;
    return;
  }
  for (let seed = start; seed < start + seeds; seed++) {
    yield drawSchedule(seed, nodes ?? (seed % LARGE_EVERY === 0 ? NODES_LARGE : NODES_SMALL), variant);
  }
}

function describe({ seed, nodes, violations, faults, ...rest }: Outcome, output: string): string[] {
  const happened = Object.entries(faults).filter(([, count]) => count > 0);
  const what = happened.map(([kind, count]) => `${count} ${kind}`).join(', ');
  const line = `seed ${seed}, ${nodes} nodes: ${what}; ${rest.heights} heights, ${rest.acknowledged} acknowledged, ${(rest.tookMs / 1000).toFixed(1)} s`;
  if (violations.length === 0) return [line];
  const kept = failureDirectory(output, { seed, nodes });
  const again = `npm run faults -- --seed ${seed} --nodes ${nodes} draws the same faults`;
  return [
    `${line}: FAILED`,
    ...violations.map(({ code, detail }) => `  ${code}: ${detail}`),
    existsSync(kept) ? `  kept in ${kept}; ${again}, --replay ${kept}/schedule.json runs them` : `  ${again}`,
  ];
}

function freshSeed(nowMs: number): number {
  // One beyond a multiple of `LARGE_EVERY`: of ten fresh seeds two have the larger network.
  return FRESH_SEEDS_FROM + 1 + ((Math.floor(nowMs / FRESH_SEEDS_STEP_MS) * FRESH_SEEDS_STEP) % FRESH_SEEDS_SPAN);
}

function refuse(text: string): number {
  console.error(text);
  return 2;
}
