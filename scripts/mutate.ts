// npm run mutate [-- PATH_FILTER …] [--jobs N] [--part I/N]
// Applies every mutation that stands above a test and expects that test to fail. Nothing on disk is changed.
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { collectMutations } from './mutation/collect.ts';
import type { FoundMutations, Mutation } from './mutation/mutation.ts';
import { type MutationResult, runMutations } from './mutation/run-mutations.ts';

const TIMEOUT_MS = 60_000;
/** Twice the cores, because a test that a mutation keeps from going on waits for its end. */
const JOBS = Math.min(2 * availableParallelism(), 16);
const root = join(import.meta.dirname, '..');

/** The I-th of N parts of about the same number of test files, I from 1. */
interface Share {
  readonly part: number;
  readonly of: number;
}

function parseShare(text: string): Share | null {
  const [part = 0, of = 0] = (/^(\d{1,3})\/(\d{1,3})$/.exec(text) ?? []).slice(1).map(Number);
  return part >= 1 && part <= of ? { part, of } : null;
}

function shareOf(mutations: readonly Mutation[], { part, of }: Share): Mutation[] {
  const files = [...Map.groupBy(mutations, ({ testPath }) => testPath).values()];
  return files.filter((_, i) => i % of === part - 1).flat();
}

function select(filters: readonly string[]): FoundMutations {
  const { mutations, malformed } = collectMutations(root);
  const selected = (...paths: string[]): boolean =>
    filters.length === 0 || filters.some((filter) => paths.some((path) => path.includes(filter)));
  return {
    mutations: mutations.filter(({ testPath, targetPath }) => selected(testPath, targetPath)),
    malformed: malformed.filter(({ testPath }) => selected(testPath)),
  };
}

function explain({ mutation, verdict }: MutationResult): string {
  const lines = [
    `${verdict.outcome.toUpperCase()}  ${mutation.testPath}:${mutation.testLine}`,
    `    in ${mutation.targetPath}`,
    ...mutation.removed.map((line) => `    - ${line}`),
    ...mutation.added.map((line) => `    + ${line}`),
  ];
  if ('reason' in verdict) lines.push(`    ${verdict.reason}`);
  return lines.join('\n');
}

/** Prints a line per test file when the last of its mutations is done, and on a terminal what is done so far. */
function showProgress(mutations: readonly Mutation[]): (result: MutationResult) => void {
  const waiting = Map.groupBy(mutations, (mutation) => mutation.testPath);
  const done = new Map<string, MutationResult[]>();
  let count = 0;
  return (result) => {
    count++;
    const { testPath } = result.mutation;
    const results = [...(done.get(testPath) ?? []), result];
    done.set(testPath, results);
    if (process.stdout.isTTY) process.stdout.write(`\r\x1b[K${count}/${mutations.length} ${testPath}`);
    if (results.length < (waiting.get(testPath)?.length ?? 0)) return;
    const killed = results.filter(({ verdict }) => verdict.outcome === 'killed').length;
    if (process.stdout.isTTY) process.stdout.write('\r\x1b[K');
    console.log(`${killed === results.length ? 'ok  ' : 'FAIL'} ${testPath}: ${killed} of ${results.length} killed`);
  };
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    options: { jobs: { type: 'string', default: String(JOBS) }, part: { type: 'string', default: '1/1' } },
    allowPositionals: true,
  });
  const jobs = Number(values.jobs);
  if (!Number.isInteger(jobs) || jobs < 1 || jobs > 64) {
    console.error(`--jobs takes a number from 1 to 64, not "${values.jobs}".`);
    return 1;
  }
  const share = parseShare(values.part);
  if (share === null) {
    console.error(`--part takes two numbers such as 1/4, the first of which is not above the second, not "${values.part}".`);
    return 1;
  }
  const startedAt = performance.now();
  const { mutations: all, malformed } = select(positionals);
  const mutations = shareOf(all, share);
  const results = await runMutations(mutations, { root, jobs, timeoutMs: TIMEOUT_MS, onResult: showProgress(mutations) });
  const count = (outcome: string): number => results.filter(({ verdict }) => verdict.outcome === outcome).length;
  for (const result of results) if (result.verdict.outcome !== 'killed') console.log(`\n${explain(result)}`);
  for (const { testPath, line, reason } of malformed) console.log(`\nMALFORMED  ${testPath}:${line}\n    ${reason}`);
  if (results.length + malformed.length === 0) console.error('No mutation matches; nothing was proven.');
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  const bad = `${count('survived')} survived, ${count('stale')} stale, ${count('broken') + malformed.length} broken`;
  console.log(`\n${count('killed')} killed, ${bad} (${seconds} s)`);
  const failed = results.length - count('killed') + malformed.length;
  console.log(`${count('killed')} passed, ${failed} failed`);
  return count('killed') > 0 && failed === 0 ? 0 : 1;
}

process.exitCode = await main();
