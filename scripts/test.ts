// npm test [-- PATH_FILTER …] [OPTION OF VITEST …]
// Runs the tests and ends with "N passed, N failed". Without an argument, or with packages/NAME, also holds the
// packages that others rely on to their coverage.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CoverageSummary, packageCoverage, packagesToCover } from './test/coverage.ts';
import { type JsonReport, summarize } from './test/summary.ts';

const root = join(import.meta.dirname, '..');
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
  readonly skipped: readonly string[];
  /** What makes the run a failure besides failed tests. */
  readonly problems: readonly string[];
}

function run(command: readonly string[], directory: string): Outcome {
  // An option can select tests within files, and then neither coverage nor idle files say anything.
  const isWhole = command.every((argument) => !argument.startsWith('-'));
  const toCover = isWhole ? packagesToCover(command) : [];
  const jsonPath = join(directory, 'report.json');
  const options = ['--reporter=default', '--reporter=json', `--outputFile.json=${jsonPath}`];
  if (toCover.length > 0) options.push('--coverage.enabled', `--coverage.reportsDirectory=${directory}`);
  options.push(...toCover.map((name) => `--coverage.include=packages/${name}/src/**/*.ts`));
  const vitest = spawnSync(join(root, 'node_modules/.bin/vitest'), ['run', ...options, ...command], { cwd: root, stdio: 'inherit' });
  if (!existsSync(jsonPath))
    return { passed: 0, failed: 0, skipped: [], problems: [`vitest wrote no report (exit code ${vitest.status})`] };
  const summary = summarize(JSON.parse(readFileSync(jsonPath, 'utf8')) as JsonReport, root);
  const problems = [...summary.notLoaded, ...(isWhole ? summary.idle : [])];
  if (summary.passed + summary.failed === 0) problems.push('no test ran; nothing was proven');
  if (toCover.length > 0) problems.push(...checkCoverage(toCover, directory));
  if (vitest.status !== 0 && summary.failed + problems.length === 0)
    problems.push(`vitest ended with code ${vitest.status}; see its output`);
  return { ...summary, problems };
}

function main(command: readonly string[]): number {
  const directory = mkdtempSync(join(tmpdir(), 'nacre-test-'));
  const { passed, failed, skipped, problems } = run(command, directory);
  rmSync(directory, { recursive: true });
  if (skipped.length > 0 && skipped.length <= SKIPPED_SHOWN_MAX)
    console.log(`\nSkipped:\n${skipped.map((name) => `  ${name}`).join('\n')}`);
  if (problems.length > 0) console.log(`\nFailed besides tests:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
  // A problem counts as one failure, so that the last line never reads as success when the exit code does not.
  const failures = failed + problems.length;
  console.log(`\n${passed} passed, ${failures} failed${skipped.length > 0 ? `, ${skipped.length} skipped` : ''}`);
  return failures === 0 ? 0 : 1;
}

process.exitCode = main(process.argv.slice(2));
