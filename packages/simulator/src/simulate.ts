import { existsSync, readFileSync } from 'node:fs';
import { runCampaign } from './campaign.ts';
import { checkSeed, type SeedOutcome } from './check-seed.ts';
import { parseCommandLine, type SimulateOptions, USAGE } from './command-line.ts';
import { describeEntry } from './describe-entry.ts';
import { describeFailure } from './describe-failure.ts';
import { ProgressBar } from './progress-bar.ts';
import { investigate } from './report/investigate.ts';
import { checkFork } from './run-fork.ts';
import { type RunOptions, runScenario } from './run-seed.ts';
import type { Scenario } from './scenario.ts';
import { Summary } from './summary.ts';
import { traceHashes } from './trace-hashes.ts';
import { describeCaught, huntVariants } from './variants/hunt-variants.ts';
import type { Variant } from './variants/variants.ts';

/** Failures printed in full; more are only counted. */
const FAILURES_PRINTED_MAX = 20;
/** Failures that are shrunk and drawn: each takes many runs. */
const INVESTIGATED_MAX = 3;
/** Seeds below belong to people and to recorded runs; fresh ones lie above, and start at another place every ten seconds. */
const FRESH_SEEDS_FROM = 100_000_000;
const FRESH_SEEDS_SPAN = 800_000_000;
const FRESH_SEEDS_STEP_MS = 10_000;
const FRESH_SEEDS_STEP = 1_000;

/** Carries out one command line. @returns the exit code */
export async function simulate(args: readonly string[], variant: Variant | null): Promise<number> {
  const parsed = parseCommandLine(args, freshSeed(Date.now()));
  if (!parsed.ok) {
    console.error(`${parsed.error}\n\n${USAGE}`);
    return 2;
  }
  const options = parsed.value;
  if (options.hashes) {
    console.log(JSON.stringify(await traceHashes(), null, 2));
    return 0;
  }
  if (options.variants) return huntAll();
  if (options.replay !== null) return replay(options.replay);
  return options.scenario === 'fork' ? forkAll(options) : runAll(options, variant);
}

function freshSeed(nowMs: number): number {
  return FRESH_SEEDS_FROM + ((Math.floor(nowMs / FRESH_SEEDS_STEP_MS) * FRESH_SEEDS_STEP) % FRESH_SEEDS_SPAN);
}

async function replay(path: string): Promise<number> {
  if (!existsSync(path)) {
    console.error(`there is no file ${path}; a failure's scenario is written to where --output says`);
    return 2;
  }
  const { violations, heights } = await runScenario(JSON.parse(readFileSync(path, 'utf8')) as Scenario, printing);
  for (const { code, atMs, detail } of violations) console.log(`${code} at ${atMs.toFixed(1)} ms: ${detail}`);
  console.log(`${heights} heights, ${violations.length > 0 ? '0 passed, 1 failed' : '1 passed, 0 failed'}`);
  return violations.length > 0 ? 1 : 0;
}

async function huntAll(): Promise<number> {
  const caught = await huntVariants((each) => console.log(describeCaught(each)));
  const missed = caught.filter(({ seeds }) => seeds === null).length;
  console.log(`${caught.length - missed} passed, ${missed} failed`);
  return missed === 0 ? 0 : 1;
}

/** Above a third Byzantine, a run is good if the fork is found and its makers are named. */
async function forkAll({ start, seeds, validators }: SimulateOptions): Promise<number> {
  let failed = 0;
  for (let seed = start; seed < start + seeds; seed++) {
    const { problem, heights, guilty, guiltyWeight, totalWeight } = await checkFork(seed, validators);
    if (problem !== null) failed++;
    const verdict =
      problem ??
      `forked after ${heights} heights; validators ${guilty.join(', ')} with ${guiltyWeight} of ${totalWeight} are proven guilty`;
    console.log(`seed ${seed}: ${verdict}`);
  }
  console.log(`${seeds - failed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

async function runAll(options: SimulateOptions, variant: Variant | null): Promise<number> {
  const summary = new Summary();
  const startedMs = performance.now();
  const bar = new ProgressBar(options.seeds, process.stdout, startedMs);
  const failures: SeedOutcome[] = [];
  let finished = 0;
  const done = (outcome: SeedOutcome): void => {
    finished++;
    if (outcome.violations.length > 0) {
      failures.push(outcome);
      bar.clear();
      if (failures.length <= FAILURES_PRINTED_MAX) for (const line of describeFailure(outcome, options)) console.log(line);
    }
    if (!options.quiet) bar.show(finished, performance.now(), `${summary.heights} heights, ${summary.failed} failed`);
  };
  if (options.fresh) console.log(`fresh seeds from ${options.start} on: --start ${options.start} --seeds ${options.seeds} runs them again`);
  if (options.seeds === 1) {
    const outcome = await runOne(options);
    summary.add(outcome);
    done(outcome);
  } else {
    await runCampaign(options, { summary, variant, done });
  }
  // In order of their seeds, so that two runs of one range look into the same failures.
  failures.sort((a, b) => a.seed - b.seed);
  for (const { seed, scenario } of failures.slice(0, INVESTIGATED_MAX)) {
    for (const line of await investigate({ seed, name: scenario, validators: options.validators }, options.output)) console.log(line);
  }
  for (const line of [...summary.lines(), '', ...(options.markdown ? summary.markdown() : summary.table())]) console.log(line);
  console.log(`\n${((performance.now() - startedMs) / 1000).toFixed(1)} s`);
  const missing = summary.missing();
  if (missing.length > 0) console.log(`never happened, so nothing is proved about it: ${missing.join(', ')}`);
  console.log(`${summary.passed} passed, ${summary.failed} failed`);
  return summary.failed > 0 || missing.length > 0 ? 1 : 0;
}

function runOne(options: SimulateOptions): Promise<SeedOutcome> {
  const { start: seed, validators, scenario, trace } = options;
  const job = { seed, repeat: true, ...(validators === null ? {} : { validators }), ...(scenario === null ? {} : { name: scenario }) };
  return trace ? checkSeed(job, printing) : checkSeed(job);
}

const at = (nowMs: number): string => `${nowMs.toFixed(3).padStart(12)} `;

/** Prints all that happens. */
const printing: RunOptions = {
  onTrace: (entry) => console.log(at(entry.timeMs) + describeEntry(entry)),
  onLog: (nowMs, node, level, fields, event) => console.log(`${at(nowMs)}node ${node} logs ${level}: ${event} ${JSON.stringify(fields)}`),
};
