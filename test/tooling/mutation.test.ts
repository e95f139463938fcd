import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { judgeBaseline, judgeMutated, type RunReport } from '../../scripts/mutation/judge.ts';
import { applyMutation, countOccurrences, findMutations, type Mutation } from '../../scripts/mutation/mutation.ts';
import { type MutationVerdict, runMutations } from '../../scripts/mutation/run-mutations.ts';
import { Miniature } from './miniature.ts';

/** Built from parts, so that the runner does not take this file's own examples for mutations. */
const MARK = `// @${'mutation'}`;

const mutation: Mutation = { testPath: 'a.test.ts', testLine: 4, targetPath: 'src/a.ts', removed: ['a < b'], added: ['a <= b'] };

describe('a block above a test', () => {
  test('names the file, the text, the bug and the test', () => {
    const text = [`${MARK} src/a.ts`, '// - a < b', '// + a <= b', "test('orders', () => {"].join('\n');
    expect(findMutations('a.test.ts', text)).toEqual({ mutations: [mutation], malformed: [] });
  });

  test('may be one of several, indented, several lines long, and delete', () => {
    const text = [
      `  ${MARK} src/a.ts`,
      '  // - first();',
      '  // - second();',
      '  // +',
      `  ${MARK} src/b.ts`,
      '  // - third',
      '  // + fourth',
      '  // Why this rule matters.',
      '  test.each([1])(name, () => {',
    ].join('\n');
    expect(findMutations('a.test.ts', text)).toEqual({
      mutations: [
        { testPath: 'a.test.ts', testLine: 9, targetPath: 'src/a.ts', removed: ['first();', 'second();'], added: [''] },
        { testPath: 'a.test.ts', testLine: 9, targetPath: 'src/b.ts', removed: ['third'], added: ['fourth'] },
      ],
      malformed: [],
    });
  });

  test.each([
    ['without a path', [MARK, '// - a', '// + b', 'test()']],
    ['without the text', [`${MARK} a.ts`, '// + b', 'test()']],
    ['without the bug', [`${MARK} a.ts`, '// - a', 'test()']],
    ['with a bug that is none', [`${MARK} a.ts`, '// - a', '// + a', 'test()']],
    ['with something between it and the test', [`${MARK} a.ts`, '// - a', '// + b', 'const x = 1;', 'test()']],
    ['at the end of the file', [`${MARK} a.ts`, '// - a', '// + b']],
  ])('%s is reported as malformed', (_, lines) => {
    expect(findMutations('a.test.ts', lines.join('\n'))).toMatchObject({ mutations: [], malformed: [{ testPath: 'a.test.ts', line: 1 }] });
  });
});

describe('the text to be mutated', () => {
  test('is taken literally, and so is what replaces it', () => {
    const odd = { ...mutation, removed: ['a.b(/^$/, [x])'], added: ["'$&' + $1"] };
    expect(applyMutation(odd, 'f(a.b(/^$/, [x]));')).toBe("f('$&' + $1);");
    expect(countOccurrences(odd, 'a_b(/^$/, [x])')).toBe(0);
  });

  test('may span lines, whatever their indentation', () => {
    const two = { ...mutation, removed: ['first();', 'second();'], added: [''] };
    expect(applyMutation(two, '  {\n    first();\n    second();\n  }')).toBe('  {\n    \n  }');
  });

  test('must occur exactly once', () => {
    expect(() => applyMutation(mutation, 'a < b || a < b')).toThrow('2 times');
    expect(() => applyMutation(mutation, 'a > b')).toThrow('0 times');
  });
});

describe('a run is judged', () => {
  const run = (state: 'passed' | 'failed' | 'skipped', ...errors: string[]): RunReport => ({
    mutated: true,
    fileErrors: [],
    tests: [{ name: 'orders', line: 4, state, durationMs: 1, errors }],
  });

  test('as killed only when the test itself ran on the mutated code and failed', () => {
    expect(judgeMutated(mutation, run('failed', 'AssertionError: expected 1 to be 2'))).toEqual({ outcome: 'killed' });
    expect(judgeMutated(mutation, run('passed'))).toEqual({ outcome: 'survived' });
  });

  test.each<[string, RunReport]>([
    ['the test did not run', run('skipped')],
    ['another test failed', { ...run('failed'), tests: [{ name: 'other', line: 9, state: 'failed', durationMs: 1, errors: [] }] }],
    ['the mutated file was never loaded', { ...run('failed', 'AssertionError: x'), mutated: false }],
    ['the file did not load', { ...run('failed', 'AssertionError: x'), fileErrors: ['SyntaxError: x'] }],
    ['the mutated code names what does not exist', run('failed', 'ReferenceError: foo is not defined')],
  ])('as broken when %s', (_, report) => {
    expect(judgeMutated(mutation, report).outcome).toBe('broken');
  });

  test('as no ground to stand on when it fails, is skipped or is missing without the mutation', () => {
    expect(judgeBaseline(4, run('passed'))).toBeUndefined();
    expect(judgeBaseline(4, run('failed', 'Error: x'))).toContain('fails without the mutation: Error: x');
    expect(judgeBaseline(4, run('skipped'))).toContain('skipped');
    expect(judgeBaseline(5, run('passed'))).toContain('no test starts at line 5');
    expect(judgeBaseline(4, { ...run('passed'), fileErrors: ['Error: y'] })).toContain('Error: y');
  });
});

/** One source file, one test file, and mutations of every fate. */
describe('planted mutations', () => {
  const source = [
    'export function larger(a: number, b: number): number {',
    '  return a < b ? b : a;',
    '}',
    'export function countdown(from: number): number {',
    '  let steps = 0;',
    '  for (let i = from; i > 0; i--) steps++;',
    '  return steps;',
    '}',
    'export const twice = (a: number): number => a + a;',
    '',
  ].join('\n');
  const tests = [
    ['a < b ? b : a', 'a > b ? b : a', "test('weak: of two equals either is the larger', () => { expect(larger(2, 2)).toBe(2); });"],
    ['a < b ? b : a', 'a > b ? b : a', "test('strong: the larger is the larger', () => { expect(larger(1, 2)).toBe(2); });"],
    ['a <= b', 'a >= b', "test('stale', () => { expect(larger(1, 2)).toBe(2); });"],
    ['a + a', 'a + ;', "test('does not parse', () => { expect(twice(1)).toBe(2); });"],
    ['a + a', 'a + nothing', "test('is not defined', () => { expect(twice(1)).toBe(2); });"],
    ['i--', 'i + 0', "test('never ends', () => { expect(countdown(3)).toBe(3); });"],
    ['a + a', 'a * a', "test('fails anyway', () => { expect(twice(1)).toBe(3); });"],
    ['a + a', 'a * a', "test('is skipped', ({ skip }) => skip());"],
    ['a + a', '3 * a', "test.each([0, 1])('table: twice %i', (n) => { expect(twice(n)).toBe(n + n); });"],
    ['a + a', '5 * a', "test.each([1, 2])('table: case %i', (n) => { while (n > 1 && twice(1) > 2); expect(twice(1)).toBe(2); });"],
  ] as const;
  const text = [
    "import { beforeAll, describe, expect, test } from 'vitest';",
    "import { countdown, larger, twice } from '../src/numbers.ts';",
    ...tests.flatMap(([removed, added, code]) => [`${MARK} packages/p/src/numbers.ts`, `// - ${removed}`, `// + ${added}`, code]),
    "describe('suite', () => {",
    '  beforeAll(() => expect(twice(1)).toBe(2));',
    ...[`  ${MARK} packages/p/src/numbers.ts`, '  // - a + a', '  // + a * a'],
    "  test('is not set up', () => { expect(twice(3)).toBe(6); });",
    '});',
    '',
  ].join('\n');

  const testPath = 'packages/p/test/numbers.test.ts';
  const verdicts = new Map<string, MutationVerdict>();
  let miniature: Miniature;

  beforeAll(async () => {
    miniature = new Miniature({ files: { 'packages/p/src/numbers.ts': source, [testPath]: text } });
    const lines = text.split('\n');
    await runMutations(findMutations(testPath, text).mutations, {
      root: miniature.root,
      jobs: 2,
      timeoutMs: 8000,
      onResult: (result) => verdicts.set(/'(.*?)'/.exec(lines[result.mutation.testLine - 1] as string)?.[1] as string, result.verdict),
    });
  }, 120_000);

  afterAll(() => miniature.remove());

  test.each([
    ['weak: of two equals either is the larger', 'survived', undefined],
    ['strong: the larger is the larger', 'killed', undefined],
    ['table: twice %i', 'killed', undefined],
    ['table: case %i', 'killed', undefined],
    ['stale', 'stale', '0 times'],
    ['does not parse', 'broken', 'outside of the test failed'],
    ['is not set up', 'broken', 'outside of the test failed: AssertionError'],
    ['is not defined', 'broken', 'makes no sense'],
    ['never ends', 'broken', 'no answer within 8 s'],
    ['fails anyway', 'broken', 'fails without the mutation'],
    ['is skipped', 'broken', 'skipped'],
  ])('"%s" is %s', (name, outcome, reason) => {
    const verdict = verdicts.get(name) as MutationVerdict;
    expect(verdict.outcome).toBe(outcome);
    if (reason !== undefined) expect(verdict).toMatchObject({ reason: expect.stringContaining(reason) });
  });
});
