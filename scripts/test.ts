// npm test [-- PATH_FILTER …] [OPTION OF VITEST …]
// Runs the tests and ends with "N passed, N failed". Without an argument, or with packages/NAME, also holds the
// packages that others rely on to their coverage.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CoverageSummary, packageCoverage } from './test/coverage.ts';
import { isWhole, lanesOf, type Part } from './test/parts.ts';
import { type JsonReport, summarize } from './test/summary.ts';

const root = join(import.meta.dirname, '..');
/** Where Node.js keeps what it compiled. Tests start hundreds of processes of the same program: measured, each then takes half as long to start. */
const COMPILED = join(root, 'node_modules/.cache/nacre-compiled');
/** Beyond, the list is of tests that the command line left out, and says nothing. */
const SKIPPED_SHOWN_MAX = 20;

function checkCoverage(packages: readonly string[], directory: string): string[] {
  const path = join(directory, 'coverage-summary.json');
  if (!existsSync(path)) return ['vitest wrote no coverage report'];
  const summary = JSON.parse(readFileSync(path, 'utf8')) as CoverageSummary;
  const percent = (ratio: number): string => `${(100 * ratio).toFixed(1)} %`;
  console.log('\nCoverage        files      lines   branches');
  return packages.flatMap((name) => {
    const { files, lines, branches, enough } = packageCoverage(name, summary, root);
    console.log(
      `${name.padEnd(16)}${String(files).padStart(5)}${percent(lines).padStart(11)}${percent(branches).padStart(11)}${enough ? '' : '   too low'}`,
    );
    return enough ? [] : [`packages/${name}: more than 90 % of lines and of branches must run in tests`];
  });
}

interface Outcome {
  readonly passed: number;
  readonly failed: number;
  readonly failures: readonly string[];
  readonly skipped: readonly string[];
  /** What makes the run a failure besides failed tests. */
  readonly problems: readonly string[];
}

const running = new Set<ChildProcess>();
let stopped = false;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    stopped = true;
    for (const vitest of running) vitest.kill(signal);
  });
}

interface RunOptions {
  /** For its reports. */
  readonly directory: string;
  /** Whether files may run nothing. */
  readonly canBeIdle: boolean;
  /** File descriptor for what it prints, or ours. */
  readonly output: number | 'inherit';
}

async function run({ command, toCover }: Part, { directory, canBeIdle, output }: RunOptions): Promise<Outcome> {
  const jsonPath = join(directory, 'report.json');
  const options = ['--reporter=default', '--reporter=json', `--outputFile.json=${jsonPath}`];
  if (toCover.length > 0) options.push('--coverage.enabled', `--coverage.reportsDirectory=${directory}`);
  options.push(...toCover.map((name) => `--coverage.include=packages/${name}/src/**/*.ts`));
  const vitest = spawn(join(root, 'node_modules/.bin/vitest'), ['run', ...options, ...command], {
    cwd: root,
    env: { NODE_COMPILE_CACHE: COMPILED, ...process.env },
    stdio: ['inherit', output, output],
  });
  running.add(vitest);
  const [status] = (await once(vitest, 'close')) as [number | null];
  running.delete(vitest);
  if (!existsSync(jsonPath))
    return { passed: 0, failed: 0, failures: [], skipped: [], problems: [`vitest wrote no report (exit code ${status})`] };
  const summary = summarize(JSON.parse(readFileSync(jsonPath, 'utf8')) as JsonReport, root);
  const problems = [...summary.notLoaded, ...(canBeIdle ? [] : summary.idle)];
  if (summary.passed + summary.failed === 0) problems.push('no test ran; nothing was proven');
  if (toCover.length > 0) problems.push(...checkCoverage(toCover, directory));
  if (status !== 0 && summary.failed + problems.length === 0) problems.push(`vitest ended with code ${status}; see its output`);
  return { ...summary, problems };
}

/** Runs the parts of a lane. What any but the first lane prints is printed when it is done. */
async function runLane(parts: readonly Part[], options: { readonly canBeIdle: boolean; readonly isFirst: boolean }): Promise<Outcome[]> {
  const directory = mkdtempSync(join(tmpdir(), 'nacre-test-'));
  const outputPath = join(directory, 'output');
  const output = options.isFirst ? 'inherit' : openSync(outputPath, 'w');
  try {
    const outcomes: Outcome[] = [];
    for (const [i, part] of parts.entries()) {
      if (stopped) break;
      const ofPart = join(directory, String(i));
      mkdirSync(ofPart);
      outcomes.push(await run(part, { directory: ofPart, canBeIdle: options.canBeIdle, output }));
    }
    return outcomes;
  } finally {
    if (typeof output === 'number') {
      closeSync(output);
      process.stdout.write(readFileSync(outputPath));
    }
    rmSync(directory, { recursive: true });
  }
}

async function main(command: readonly string[]): Promise<number> {
  const canBeIdle = !isWhole(command);
  const lanes = await Promise.all(lanesOf(command).map((parts, i) => runLane(parts, { canBeIdle, isFirst: i === 0 })));
  const outcomes = lanes.flat();
  const skipped = outcomes.flatMap((outcome) => outcome.skipped);
  const problems = outcomes.flatMap((outcome) => outcome.problems);
  if (stopped) problems.push('the run was stopped');
  if (skipped.length > 0 && skipped.length <= SKIPPED_SHOWN_MAX)
    console.log(`\nSkipped:\n${skipped.map((name) => `  ${name}`).join('\n')}`);
  const failures = outcomes.flatMap((outcome) => outcome.failures);
  if (failures.length > 0) console.log(`\nFailed:\n${failures.map((failure) => `  ${failure}`).join('\n')}`);
  if (problems.length > 0) console.log(`\nFailed besides tests:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
  const passed = outcomes.reduce((sum, outcome) => sum + outcome.passed, 0);
  // A problem counts as one failure, so that the last line never reads as success when the exit code does not.
  const failed = outcomes.reduce((sum, outcome) => sum + outcome.failed, problems.length);
  console.log(`\n${passed} passed, ${failed} failed${skipped.length > 0 ? `, ${skipped.length} skipped` : ''}`);
  return failed === 0 ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
