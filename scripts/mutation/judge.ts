import type { Mutation } from './mutation.ts';

/** What one test did in one run. */
export interface TestReport {
  readonly name: string;
  readonly line: number | undefined;
  readonly state: 'passed' | 'failed' | 'skipped' | 'pending';
  readonly durationMs: number;
  /** `Name: message` of each error that failed it. */
  readonly errors: readonly string[];
}

/** What one run of a test file did. */
export interface RunReport {
  /** Whether the mutated file was loaded; false in a run without a mutation. */
  readonly mutated: boolean;
  /** What failed outside of tests, for example a module that does not parse or a hook of a suite. */
  readonly fileErrors: readonly string[];
  readonly tests: readonly TestReport[];
}

/**
 * - `killed`: the test ran on the mutated code and failed.
 * - `survived`: it passed; the rule it is named after is not tested.
 * - `broken`: the experiment proves nothing, for example because the mutated code does not parse.
 */
export type Verdict = { readonly outcome: 'killed' | 'survived' } | { readonly outcome: 'broken'; readonly reason: string };

/** A mutation that cannot even be evaluated would be "caught" by any test that loads the file. */
const NOT_EVALUATED = /^ReferenceError: \S+ is not defined|^SyntaxError|PARSE_ERROR/;

/** @returns why the test says nothing about any mutation, or undefined if it passes without one */
export function judgeBaseline(testLine: number, report: RunReport): string | undefined {
  const tests = report.tests.filter((test) => test.line === testLine);
  const failed = tests.find((test) => test.state === 'failed');
  if (failed !== undefined) return `the test fails without the mutation: ${failed.errors[0] ?? 'no error given'}`;
  if (report.fileErrors.length > 0) return `something outside of the test fails without the mutation: ${report.fileErrors[0]}`;
  if (tests.length === 0) return `no test starts at line ${testLine}`;
  if (tests.some((test) => test.state !== 'passed')) return 'the test is skipped';
  return undefined;
}

export function judgeMutated(mutation: Mutation, report: RunReport): Verdict {
  if (report.fileErrors.length > 0) return { outcome: 'broken', reason: `something outside of the test failed: ${report.fileErrors[0]}` };
  if (!report.mutated) return { outcome: 'broken', reason: `the test never loads ${mutation.targetPath}` };
  const tests = report.tests.filter((test) => test.line === mutation.testLine && (test.state === 'passed' || test.state === 'failed'));
  if (tests.length === 0) return { outcome: 'broken', reason: 'the test did not run' };
  const failed = tests.filter((test) => test.state === 'failed');
  if (failed.length === 0) return { outcome: 'survived' };
  const errors = failed.flatMap((test) => test.errors);
  const senseless = errors.find((error) => NOT_EVALUATED.test(error));
  if (senseless !== undefined) return { outcome: 'broken', reason: `the mutated code makes no sense: ${senseless}` };
  return { outcome: 'killed' };
}
