import { spawn } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

let root: string;

const CI = join(import.meta.dirname, '../../.ci/run');
/** Steps that npm runs: all but the installation. */
const STEPS = [...readFileSync(CI, 'utf8').matchAll(/^ {2}\[\w+\]=.*\bnpm /gm)].length;
/** Lines that are no step's: the closing one, and the part of the mutations with the first of the fresh seeds. */
const OTHER_LINES = 2;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'nacre-ci-'));
  for (const directory of ['.ci', 'scripts', 'bin']) mkdirSync(join(root, directory));
  copyFileSync(CI, join(root, '.ci/run'));
  writeFileSync(join(root, 'scripts/bootstrap.mjs'), '');
  // CI gets what the system lacks; these tests are not to install anything.
  for (const program of ['chromium', 'ip', 'faketime']) writeFileSync(join(root, 'bin', program), '#!/bin/sh\n', { mode: 0o755 });
});

afterEach(() => rmSync(root, { recursive: true }));

/** Runs CI with an `npm` that does what `script` says, given the arguments of each call. */
async function runCi(script: string, onLine: (kill: () => void) => void = () => {}): Promise<{ lines: string[]; code: number | null }> {
  const npm = join(root, 'bin/npm');
  writeFileSync(npm, `#!/usr/bin/env bash\n${script}\n`);
  chmodSync(npm, 0o755);
  const child = spawn(join(root, '.ci/run'), { env: { ...process.env, PATH: `${join(root, 'bin')}:${process.env.PATH}` } });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
    onLine(() => child.kill('SIGTERM'));
  });
  const { promise, resolve } = Promise.withResolvers<number | null>();
  child.once('close', resolve);
  return { code: await promise, lines: output.trimEnd().split('\n') };
}

test('CI sums what its steps count, the installation as one', async () => {
  const { lines, code } = await runCi('echo "noise"; echo "10 passed, 0 failed, 2 skipped"');
  expect(lines.at(-1)).toBe(`${10 * STEPS + 1} passed, 0 failed`);
  expect(code).toBe(0);
  expect(lines).toHaveLength(1 + STEPS + OTHER_LINES);
});

test('CI fails with a failing step, shows its output and goes on', async () => {
  const { lines, code } = await runCi(
    '[[ "$*" == *mutate* ]] && { echo "SURVIVED x"; echo "7 passed, 3 failed"; exit 1; }; echo "10 passed, 0 failed"',
  );
  expect(lines.at(-1)).toBe(`${10 * (STEPS - 1) + 1 + 7} passed, 3 failed`);
  expect(code).toBe(1);
  expect(lines).toContain('  | SURVIVED x');
  expect(lines.filter((line) => /^\d+ passed/.test(line))).toHaveLength(1);
  expect(lines.at(-2)).toMatch(/^ok {3}figures/);
});

test('CI fails with a step that counts failures but forgets its exit code, and the other way round', async () => {
  expect(await runCi('echo "1 passed, 1 failed"')).toMatchObject({ code: 1 });
  const silent = await runCi('echo "1 passed, 0 failed"; exit 7');
  expect(silent.lines.at(-1)).toBe(`${STEPS + 1} passed, ${STEPS} failed`);
  expect(silent.code).toBe(1);
});

test('CI keeps apart what steps print that run side by side', async () => {
  const { lines } = await runCi(
    'for name in model fuzz; do [[ $* == *$name ]] || continue; ' +
      'for i in 1 2 3; do echo "$name $i"; sleep 0.1; done; echo "0 passed, 1 failed"; exit 1; done; echo "1 passed, 0 failed"',
  );
  for (const name of ['model', 'fuzz']) {
    const at = lines.findIndex((line) => line.startsWith(`FAIL ${name}`));
    expect(lines.slice(at + 1, at + 5)).toEqual([...[1, 2, 3].map((i) => `  | ${name} ${i}`), '  | 0 passed, 1 failed']);
  }
  expect(lines.at(-1)).toBe(`${STEPS - 1} passed, 2 failed`);
});

test('CI stops when it cannot install, and still closes with the counts', async () => {
  writeFileSync(join(root, 'scripts/bootstrap.mjs'), 'process.exit(3);');
  const { lines, code } = await runCi('echo "1 passed, 0 failed"');
  expect(lines.at(-1)).toBe('0 passed, 1 failed');
  expect(lines).toHaveLength(2);
  expect(code).toBe(1);
});

test('CI that is interrupted closes with a failure', async () => {
  const { lines, code } = await runCi('sleep 5', (kill) => kill());
  expect(lines.at(-1)).toBe('1 passed, 1 failed');
  expect(code).toBe(1);
});
