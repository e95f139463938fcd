import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { describeFailure } from '../src/describe-failure.ts';
import { drawScenario } from '../src/scenarios/draw-scenario.ts';

/** A trace is a line for each frame. */
const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;
const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));

function simulate(...args: string[]): { status: number | null; lines: string[]; errors: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8', maxBuffer: OUTPUT_BYTES_MAX });
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

test('a scenario from a file is run with all that happens printed; a file or a variant that is not there is named', () => {
  const directory = mkdtempSync(join(tmpdir(), 'nacre-replay-'));
  try {
    const path = join(directory, 'scenario.json');
    const scenario = { ...drawScenario({ seed: 1, name: 'crashes', validators: 4 }), faultsMs: 500, crashes: [], partitions: [] };
    writeFileSync(path, JSON.stringify(scenario));
    const { status, lines } = simulate('--replay', path);
    expect(status).toBe(0);
    expect(lines.at(-1)).toMatch(/^\d+ heights, 1 passed, 0 failed$/);
    expect(lines.some((line) => / node 0 starts process /.test(line))).toBe(true);
  } finally {
    rmSync(directory, { recursive: true });
  }
  expect(simulate('--replay', 'nowhere.json')).toMatchObject({ status: 2, errors: expect.stringContaining('nowhere.json') });
  expect(simulate('--variant', 'none')).toMatchObject({ status: 2, errors: expect.stringContaining('there is no variant none') });
});

test('a fork is reported as what it has to be', () => {
  const { status, lines } = simulate('--scenario', 'fork', '--seed', '3');
  expect(lines).toEqual([
    expect.stringMatching(/^seed 3: forked after \d+ heights; validators .* are proven guilty$/),
    '1 passed, 0 failed',
  ]);
  expect(status).toBe(0);
});
