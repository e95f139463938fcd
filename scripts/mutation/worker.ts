// A process of the mutation runner: one vitest, kept for its whole life, runs one test file after another, each in
// a fresh thread. What costs most of a vitest start (the server, the transformed modules) is paid once.
import { resolve } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { type CliOptions, createVitest, type TestModule, type TestSpecification, type Vitest } from 'vitest/node';
import type { RunReport, TestReport } from './judge.ts';
import { applyMutation, type Mutation } from './mutation.ts';

/** Runs tests of one file, without a mutation or with one. */
export interface WorkerRequest {
  readonly testPath: string;
  /** Lines on which the tests start. */
  readonly testLines: readonly number[];
  /** Longest that a test or a hook may take that names no time of its own. */
  readonly timeoutMs: number;
  readonly mutation?: Mutation;
}

const root = process.cwd();
let mutation: Mutation | undefined;
let mutated = false;

async function start(): Promise<Vitest> {
  const options: CliOptions = {
    root,
    watch: false,
    setupFiles: [resolve(import.meta.dirname, 'setup.ts')],
    includeTaskLocation: true,
    // Threads, because they end with this process when a mutation made an endless loop and the runner ends it.
    pool: 'threads',
    maxWorkers: 1,
    // The cache is keyed by what is on disk, and a mutation never is.
    fsModuleCache: false,
    reporters: [{}],
  };
  return createVitest(options, { plugins: [{ name: 'nacre-mutation', enforce: 'pre', transform: mutate }] });
}

function mutate(code: string, id: string): string | undefined {
  if (mutation === undefined || id !== resolve(root, mutation.targetPath)) return undefined;
  const changed = applyMutation(mutation, code);
  mutated = true;
  return changed;
}

async function run(vitest: Vitest, request: WorkerRequest): Promise<RunReport> {
  const specification = vitest.getRootProject().createSpecification(resolve(root, request.testPath), [...request.testLines]);
  // One case of a table that fails says enough; each of the others might take its whole time to fail.
  vitest.config.bail = request.mutation === undefined ? 0 : 1;
  // What is polled for and does not come under a mutation fails before the test's time is up, and so with the better reason.
  const limits = { testTimeout: request.timeoutMs, hookTimeout: request.timeoutMs, expect: { poll: { timeout: request.timeoutMs / 2 } } };
  Object.assign(vitest.getRootProject().config, limits);
  if (request.mutation === undefined) return report(vitest, specification);
  const target = resolve(root, request.mutation.targetPath);
  mutation = request.mutation;
  mutated = false;
  vitest.invalidateFile(target);
  try {
    return await report(vitest, specification);
  } finally {
    mutation = undefined;
    vitest.invalidateFile(target);
  }
}

async function report(vitest: Vitest, specification: TestSpecification): Promise<RunReport> {
  const { testModules } = await vitest.runTestSpecifications([specification]);
  const module = testModules.find((candidate) => candidate.moduleId === specification.moduleId);
  if (module === undefined) return { mutated: false, fileErrors: ['vitest did not run the file'], tests: [] };
  const errors = [module, ...module.children.allSuites()].flatMap((part) => part.errors());
  return { mutated: mutation !== undefined && mutated, fileErrors: errors.map(describe), tests: reportTests(module) };
}

function reportTests(module: TestModule): TestReport[] {
  return [...module.children.allTests()].map((test) => {
    const { state, errors = [] } = test.result();
    const durationMs = test.diagnostic()?.duration ?? 0;
    return { name: test.fullName, line: test.location?.line, state, durationMs, errors: errors.map(describe) };
  });
}

function describe(error: { readonly name?: string; readonly message: string }): string {
  const text = stripVTControlCharacters(`${error.name ?? 'Error'}: ${error.message}`);
  return text.split('\n').slice(0, 3).join(' ').slice(0, 300);
}

const vitest = start();
process.on('message', (request: WorkerRequest) => {
  void vitest
    .then((started) => run(started, request))
    .catch((error: unknown): RunReport => ({ mutated: false, fileErrors: [`vitest failed: ${String(error)}`], tests: [] }))
    .then((answer) => process.send?.(answer));
});
