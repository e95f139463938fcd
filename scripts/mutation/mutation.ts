/** One planted bug, written above the test that must notice it. */
export interface Mutation {
  /** Test file, relative to the repository. */
  readonly testPath: string;
  /** Line on which the test starts, counted from 1. */
  readonly testLine: number;
  /** File that gets the bug, relative to the repository. */
  readonly targetPath: string;
  /** Lines that must occur once in the target, each without its indentation. */
  readonly removed: readonly string[];
  /** Lines that take their place; none deletes. */
  readonly added: readonly string[];
}

/** A block that says something the runner cannot carry out. */
export interface MalformedMutation {
  readonly testPath: string;
  readonly line: number;
  readonly reason: string;
}

export interface FoundMutations {
  readonly mutations: Mutation[];
  readonly malformed: MalformedMutation[];
}

const HEADER = /^\s*\/\/ @mutation (\S+)$/;
const LOOKS_LIKE_HEADER = /^\s*\/\/\s*@mutation\b/;
const REMOVED = /^\s*\/\/ - (.*)$/;
const ADDED = /^\s*\/\/ \+(?: (.*))?$/;
const SKIPPED = /^\s*(\/\/.*)?$/;
const TEST = /^\s*(test|it)\b/;
/** Asked for by its line, vitest runs such a test all the same, and it would prove what no other run proves. */
const SELDOM_RUN = /^\s*(test|it)\.(skip|skipIf|runIf|todo)\b/;

/**
 * Reads the blocks of one test file:
 *
 * ```
 * // @mutation packages/consensus/src/committee.ts
 * // - return 3 * weight > 2 * this.totalWeight;
 * // + return 3 * weight >= 2 * this.totalWeight;
 * test('a quorum is strictly more than two thirds of the weight', …
 * ```
 */
export function findMutations(testPath: string, text: string): FoundMutations {
  const lines = text.split('\n');
  const mutations: Mutation[] = [];
  const malformed: MalformedMutation[] = [];
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i] as string;
    if (!LOOKS_LIKE_HEADER.test(line)) continue;
    const refuse = (reason: string): number => malformed.push({ testPath, line: i + 1, reason });
    const targetPath = HEADER.exec(line)?.[1];
    if (targetPath === undefined) {
      refuse('the first line must read "// @mutation PATH"');
      continue;
    }
    const removed = matchesFrom(lines, i + 1, REMOVED);
    const added = matchesFrom(lines, i + 1 + removed.length, ADDED);
    const testLine = testBelow(lines, i + 1 + removed.length + added.length);
    if (removed.join('') === '') refuse('no "// - TEXT" line follows');
    else if (added.length === 0) refuse('no "// + TEXT" line follows ("// +" alone deletes)');
    else if (removed.join('\n') === added.join('\n')) refuse('the bug is the same text as the original');
    else if (testLine === undefined) refuse('no test follows directly below');
    else if (SELDOM_RUN.test(lines[testLine - 1] as string)) refuse('the test below is skipped, at least sometimes');
    else mutations.push({ testPath, testLine, targetPath, removed, added });
  }
  return { mutations, malformed };
}

/** What `pattern` captures on the lines from `start` on, until one does not match. */
function matchesFrom(lines: readonly string[], start: number, pattern: RegExp): string[] {
  const texts: string[] = [];
  for (let i = start; i < lines.length; i++) {
    const match = pattern.exec(lines[i] as string);
    if (match === null) break;
    texts.push((match[1] ?? '').trim());
  }
  return texts;
}

function testBelow(lines: readonly string[], start: number): number | undefined {
  for (let i = start; i < lines.length; i++) {
    const line = lines[i] as string;
    if (TEST.test(line)) return i + 1;
    if (!SKIPPED.test(line)) return undefined;
  }
  return undefined;
}

/** How often the text to be replaced occurs; anything but 1 makes the mutation stale. */
export function countOccurrences(mutation: Pick<Mutation, 'removed'>, source: string): number {
  return source.match(pattern(mutation))?.length ?? 0;
}

/** @throws {Error} when the text does not occur exactly once */
export function applyMutation(mutation: Mutation, source: string): string {
  const count = countOccurrences(mutation, source);
  if (count !== 1) throw new Error(`${mutation.targetPath} holds the text to be mutated ${count} times`);
  return source.replace(pattern(mutation), () => mutation.added.join('\n'));
}

function pattern(mutation: Pick<Mutation, 'removed'>): RegExp {
  const lines = mutation.removed.map((line) => line.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(lines.join('\\n[ \\t]*'), 'g');
}
