import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { describeFailure } from '../src/describe-failure.ts';

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));

function simulate(...args: string[]): { status: number | null; lines: string[]; errors: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8' });
  return { status, lines: stdout.trimEnd().split('\n'), errors: stderr };
}

test('the command runs seeds on worker threads and ends with their count', () => {
  const { status, lines } = simulate('--seeds', '3', '--start', '1', '--quiet');
  expect(lines.at(-1)).toBe('3 passed, 0 failed');
  expect(lines.some((line) => /^all +3 /.test(line))).toBe(true);
  expect(status).toBe(0);
});

test('one seed is run twice, and printed with all that happens if asked for', () => {
  const { status, lines } = simulate('--seed', '1', '--scenario', 'loss', '--trace');
  expect(status).toBe(0);
  expect(lines.some((line) => / node 0 decides height 1: [0-9a-f]{16}$/.test(line))).toBe(true);
  expect(lines.some((line) => /traces compared +1$/.test(line))).toBe(true);
});

test('a command line that makes no sense is explained, with exit code 2', () => {
  const { status, errors } = simulate('--seedz', '3');
  expect(status).toBe(2);
  expect(errors).toMatch(/--seedz is not an option[\s\S]*Usage: npm run simulate/);
});

test('a failed seed says what is wrong and how to see it again', () => {
  const violations = [{ code: 'LOST', atMs: 12.34, detail: 'node 1 forgot' }] as const;
  expect(describeFailure({ seed: 7, scenario: 'loss', violations }, { validators: 4, variant: 'lock-ignored' })).toEqual([
    'seed 7: LOST at 12.3 ms: node 1 forgot',
    '  replay: npm run simulate -- --seed 7 --scenario loss --nodes 4 --variant lock-ignored --trace',
  ]);
  expect(describeFailure({ seed: 7, scenario: 'loss', violations }, { validators: null, variant: null })[1]).not.toMatch(
    /--nodes|--variant/,
  );
});
