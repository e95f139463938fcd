import { staleReason } from './collect.ts';
import { judgeBaseline, judgeMutated, type RunReport, type Verdict } from './judge.ts';
import type { Mutation } from './mutation.ts';
import { WorkerProcess } from './worker-process.ts';

/** `stale`: the text to be replaced is not in the target exactly once. */
export type MutationVerdict = Verdict | { readonly outcome: 'stale'; readonly reason: string };

export interface MutationResult {
  readonly mutation: Mutation;
  readonly verdict: MutationVerdict;
}

export interface RunOptions {
  /** The repository; paths in mutations are relative to it. */
  readonly root: string;
  /** Processes at a time. */
  readonly jobs: number;
  /**
   * For one mutated run of one test, and ten times what it took without the mutation: a busy machine must not look like a
   * mutation that was noticed. All tests of a file that have mutations, unmutated, get ten times this.
   */
  readonly timeoutMs: number;
  readonly onResult: (result: MutationResult) => void;
}

/** A test that a mutation keeps from going on, and the hook that cleans up after it, end by their timeouts before the run does. */
const TIMEOUTS_MAX = 3;

/** Runs every test once without and once with each of its mutations. */
export async function runMutations(mutations: readonly Mutation[], options: RunOptions): Promise<MutationResult[]> {
  const results: MutationResult[] = [];
  const settle = (mutation: Mutation, verdict: MutationVerdict): void => {
    const result = { mutation, verdict };
    results.push(result);
    options.onResult(result);
  };
  const fresh = mutations.filter((mutation) => {
    const reason = staleReason(options.root, mutation);
    if (reason !== undefined) settle(mutation, { outcome: 'stale', reason });
    return reason === undefined;
  });
  const workers = Array.from({ length: options.jobs }, () => new WorkerProcess(options.root));
  try {
    const files = await drain([...Map.groupBy(fresh, ({ testPath }) => testPath)], workers, async ([testPath, ofFile], worker) => {
      const startedMs = performance.now();
      const testLines = [...new Set(ofFile.map(({ testLine }) => testLine))];
      const limitMs = 10 * options.timeoutMs;
      const baseline = await worker.run({ testPath, testLines, timeoutMs: limitMs / TIMEOUTS_MAX }, limitMs);
      return { ofFile, baseline, tookMs: performance.now() - startedMs };
    });
    // The longest first, so that no worker is left with one at the end.
    const ordered = files.sort((a, b) => b.tookMs - a.tookMs);
    const planned = ordered.flatMap(({ ofFile, baseline }) => ofFile.map((mutation) => ({ mutation, baseline })));
    await drain(planned, workers, async ({ mutation, baseline }, worker) => {
      const { testPath, testLine } = mutation;
      if (typeof baseline === 'string') return settle(mutation, { outcome: 'broken', reason: baseline });
      const reason = judgeBaseline(testLine, baseline);
      if (reason !== undefined) return settle(mutation, { outcome: 'broken', reason });
      const limitMs = options.timeoutMs + 10 * durationOf(testLine, baseline);
      const report = await worker.run({ testPath, testLines: [testLine], timeoutMs: limitMs / TIMEOUTS_MAX, mutation }, limitMs);
      settle(mutation, typeof report === 'string' ? { outcome: 'broken', reason: report } : judgeMutated(mutation, report));
    });
  } finally {
    for (const worker of workers) worker.stop();
  }
  return results;
}

function durationOf(testLine: number, { tests }: RunReport): number {
  return tests.filter(({ line }) => line === testLine).reduce((sum, { durationMs }) => sum + durationMs, 0);
}

/** Every worker takes the next item when it is done with one. */
async function drain<Item, Result>(
  items: readonly Item[],
  workers: readonly WorkerProcess[],
  work: (item: Item, worker: WorkerProcess) => Promise<Result>,
): Promise<Result[]> {
  const queue = items.values();
  const results = await Promise.all(
    workers.map(async (worker) => {
      const own: Result[] = [];
      for (const item of queue) own.push(await work(item, worker));
      return own;
    }),
  );
  return results.flat();
}
