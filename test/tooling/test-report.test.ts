import { describe, expect, test } from 'vitest';
import { packageCoverage, packagesToCover } from '../../scripts/test/coverage.ts';
import { lanesOf } from '../../scripts/test/parts.ts';
import { type JsonReport, summarize } from '../../scripts/test/summary.ts';

describe('the counts', () => {
  const file = (name: string, status: string, ...tests: string[]): JsonReport['testResults'][number] => ({
    name: `/repo/test/${name}`,
    status,
    message: status === 'failed' ? 'SyntaxError: x\nat y' : '',
    assertionResults: tests.map((state, index) => ({ fullName: `rule ${index}`, status: state })),
  });

  test('are of tests, and name what was skipped', () => {
    const report = { testResults: [file('a.ts', 'failed', 'passed', 'failed', 'skipped'), file('b.ts', 'passed', 'passed', 'todo')] };
    expect(summarize(report, '/repo')).toEqual({
      passed: 2,
      failed: 1,
      failures: ['test/a.ts: rule 1'],
      skipped: ['test/a.ts: rule 2', 'test/b.ts: rule 1'],
      notLoaded: [],
      idle: [],
    });
  });

  test('come with what each failed test said, shortened', () => {
    const lines = Array.from({ length: 40 }, (_, i) => `line ${i} ${'x'.repeat(400)}`);
    const assertionResults = [{ fullName: 'a rule', status: 'failed', failureMessages: [lines.join('\n')] }];
    const { failures } = summarize({ testResults: [{ ...file('a.ts', 'failed'), assertionResults }] }, '/repo');
    expect(failures[0]?.split('\n').map((line) => line.length)).toEqual([17, ...Array(12).fill(304)]);
    expect(failures[0]).toMatch(/^test\/a\.ts: a rule\n {4}line 0 /);
  });

  test('do not hide a file that did not load or in which nothing ran', () => {
    const report = { testResults: [file('a.ts', 'failed'), file('b.ts', 'passed', 'skipped'), file('c.ts', 'passed')] };
    expect(summarize(report, '/repo')).toMatchObject({
      passed: 0,
      failed: 0,
      notLoaded: ['test/a.ts did not load: SyntaxError: x'],
      idle: ['test/b.ts ran no test', 'test/c.ts ran no test'],
    });
  });
});

describe('the coverage', () => {
  const ratio = (covered: number, total: number) => ({ covered, total });
  const summary = {
    total: { lines: ratio(0, 0), branches: ratio(0, 0) },
    '/repo/packages/crypto/src/a.ts': { lines: ratio(90, 90), branches: ratio(46, 50) },
    '/repo/packages/crypto/src/never-loaded.ts': { lines: ratio(0, 10), branches: ratio(0, 0) },
    '/repo/packages/ledger/src/a.ts': { lines: ratio(0, 100), branches: ratio(0, 10) },
  };

  test('of a package is the sum over its files, those that no test loads included', () => {
    expect(packageCoverage('crypto', summary, '/repo')).toEqual({ package: 'crypto', files: 2, lines: 0.9, branches: 0.92, enough: false });
  });

  test('must be above nine tenths, not at it', () => {
    const better = { ...summary, '/repo/packages/crypto/src/never-loaded.ts': { lines: ratio(1, 10), branches: ratio(0, 0) } };
    expect(packageCoverage('crypto', better, '/repo')).toMatchObject({ lines: 0.91, enough: true });
    const worse = { ...better, '/repo/packages/crypto/src/never-loaded.ts': { lines: ratio(10, 10), branches: ratio(0, 5) } };
    expect(packageCoverage('crypto', worse, '/repo')).toMatchObject({ lines: 1, enough: false });
  });

  test('of a package without files is none', () => {
    expect(packageCoverage('consensus', summary, '/repo')).toMatchObject({ files: 0, enough: false });
  });

  test('is asked of all packages, or of those named as a whole', () => {
    expect(packagesToCover([])).toEqual(['crypto', 'consensus', 'ledger']);
    expect(packagesToCover(['packages/ledger/', 'packages/base'])).toEqual(['ledger']);
    expect(packagesToCover(['packages/ledger/test/store.test.ts'])).toEqual([]);
  });
});

describe('a run', () => {
  const exclude = (...names: string[]): string[] => names.flatMap((name) => ['--exclude', `packages/${name}/**`]);

  const processes = 'packages/node/test/processes/';

  test('of everything has the packages to be covered and then the rest, and beside them the tests of real processes', () => {
    expect(lanesOf([])).toEqual([
      [
        { command: ['packages/crypto/', 'packages/consensus/', 'packages/ledger/'], toCover: ['crypto', 'consensus', 'ledger'] },
        { command: [...exclude('crypto', 'consensus', 'ledger'), '--exclude', `${processes}**`], toCover: [] },
      ],
      [{ command: [processes, '--maxWorkers=3'], toCover: [] }],
    ]);
  });

  test('of packages covers those that must be, and runs no test twice', () => {
    expect(lanesOf(['packages/ledger'])).toEqual([[{ command: ['packages/ledger/'], toCover: ['ledger'] }]]);
    expect(lanesOf(['packages/node', 'packages/ledger/', 'packages/ledger/test/block.test.ts'])).toEqual([
      [
        { command: ['packages/ledger/'], toCover: ['ledger'] },
        { command: ['packages/node', ...exclude('ledger')], toCover: [] },
      ],
    ]);
  });

  test('of a part of a package, or with an option of vitest, is left as it is', () => {
    for (const command of [['packages/ledger/test/block.test.ts'], ['packages/ledger', '-t', 'a block']])
      expect(lanesOf(command)).toEqual([[{ command, toCover: [] }]]);
  });
});
