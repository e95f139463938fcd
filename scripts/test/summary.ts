import { relative } from 'node:path';

/** The part of vitest's JSON report that counts. */
export interface JsonReport {
  readonly testResults: readonly {
    /** Absolute path. */
    readonly name: string;
    readonly status: string;
    readonly message: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      /** What went wrong, with stacks; empty or absent where nothing did. */
      readonly failureMessages?: readonly string[];
    }[];
  }[];
}

export interface Summary {
  readonly passed: number;
  readonly failed: number;
  /** The failed tests, each with the beginning of what it said. */
  readonly failures: readonly string[];
  readonly skipped: readonly string[];
  /** Files that failed as a whole, and why. */
  readonly notLoaded: readonly string[];
  /** Files in which no test ran. */
  readonly idle: readonly string[];
}

/** Of what a failed test said. Differences of long arrays can take thousands of lines. */
const MESSAGE_LINES_MAX = 12;
const MESSAGE_LINE_LENGTH_MAX = 300;

/** Counts the tests, and names what would go unnoticed in the counts: files that did not load or ran nothing. */
export function summarize(report: JsonReport, root: string): Summary {
  const files = report.testResults.map((file) => ({ ...file, path: relative(root, file.name) }));
  const tests = files.flatMap(({ path, assertionResults }) => assertionResults.map((test) => ({ ...test, path })));
  const count = (status: string): number => tests.filter((test) => test.status === status).length;
  const empty = files.filter(({ assertionResults }) => !assertionResults.some(({ status }) => ran(status)));
  return {
    passed: count('passed'),
    failed: count('failed'),
    failures: tests
      .filter(({ status }) => status === 'failed')
      .map(({ path, fullName, failureMessages = [] }) =>
        [`${path}: ${fullName}`, ...beginningOf(failureMessages.join('\n'))].join('\n    '),
      ),
    skipped: tests.filter(({ status }) => !ran(status)).map(({ path, fullName }) => `${path}: ${fullName}`),
    notLoaded: empty
      .filter(({ status }) => status === 'failed')
      .map(({ path, message }) => `${path} did not load: ${message.split('\n')[0]}`),
    idle: empty.filter(({ status }) => status !== 'failed').map(({ path }) => `${path} ran no test`),
  };
}

function ran(status: string): boolean {
  return status === 'passed' || status === 'failed';
}

function beginningOf(message: string): string[] {
  if (message === '') return [];
  return message
    .split('\n')
    .slice(0, MESSAGE_LINES_MAX)
    .map((line) => line.slice(0, MESSAGE_LINE_LENGTH_MAX));
}
