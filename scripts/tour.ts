/** Runs the README's tour as printed and compares what it prints: numbers, hashes and addresses may differ, words may not. */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const ROOT = join(import.meta.dirname, '..');
const TESTNET = join(ROOT, 'scripts', 'testnet');
const SECTION = '## A five-minute tour';
/** Longest that one command of the tour may take, in ms; and that what it waits for may. */
const COMMAND_TIMEOUT_MS = 180_000;
/** Between two looks, in ms. */
const LOOK_EVERY_MS = 500;

interface Step {
  readonly command: string;
  /** Lines that its output must hold. */
  readonly expected: string[];
}

interface Program {
  /** As the first line of its block names it, from the root of the repository. */
  readonly path: string;
  readonly text: string;
}

/** The commands of the tour, in order, and the programs that they run. */
function tourOf(readme: string): (Step | Program)[] {
  const start = readme.indexOf(SECTION);
  const section = readme.slice(start, readme.indexOf('\n## ', start + 1));
  return [...section.matchAll(/^```(console|js)\n(.*?)^```/gms)].flatMap(([, language, text = '']): (Step | Program)[] =>
    language === 'js' ? [{ path: /^\/\/ (\S+)\n/.exec(text)?.[1] ?? '', text }] : stepsOf(text),
  );
}

function stepsOf(block: string): Step[] {
  const steps: Step[] = [];
  for (const line of block.split('\n')) {
    if (line.startsWith('$ ')) steps.push({ command: line.slice(2), expected: [] });
    else if (line.trim() !== '') steps.at(-1)?.expected.push(line);
  }
  return steps;
}

/** What may differ from run to run made the same, and spacing with it. */
function masked(line: string): string {
  return line
    .replace(/[0-9a-f]{16,}/g, '#')
    .replace(/\d+(\.\d+)?/g, '#')
    .replace(/\s+/g, ' ')
    .trim();
}

/** Runs a command; one that waits first, until it prints what it should: on a busy machine that takes longer than its reader has to wait. */
async function take({ command, expected }: Step): Promise<string[]> {
  const [, shown] = /^sleep \d+; (.*)$/s.exec(command) ?? [];
  const deadline = performance.now() + COMMAND_TIMEOUT_MS;
  let problems = run({ command, expected });
  while (shown !== undefined && problems.length > 0 && performance.now() < deadline) {
    await sleep(LOOK_EVERY_MS);
    problems = run({ command: shown, expected });
  }
  return problems;
}

function run({ command, expected }: Step): string[] {
  const { status, stdout } = spawnSync('bash', ['-c', `{ ${command}; } 2>&1`], {
    cwd: ROOT,
    encoding: 'utf8',
    timeout: COMMAND_TIMEOUT_MS,
  });
  if (status !== 0) return [`exit code ${status}`, stdout];
  const printed = new Set(stdout.split('\n').map(masked));
  return expected.filter((line) => !printed.has(masked(line))).map((line) => `not printed: ${line}\nbut:\n${stdout}`);
}

const tour = tourOf(readFileSync(join(ROOT, 'README.md'), 'utf8'));
const steps = tour.filter((step) => 'command' in step);
let failed = steps.length === 0 ? 1 : 0;
spawnSync(TESTNET, ['reset'], { cwd: ROOT });
for (const step of tour) {
  if ('path' in step) {
    writeFileSync(join(ROOT, step.path), step.text);
    continue;
  }
  const problems = await take(step);
  console.log(`${problems.length === 0 ? 'ok  ' : 'FAIL'} ${step.command}`);
  for (const problem of problems) console.log(problem.replace(/^/gm, '  | '));
  if (problems.length > 0) failed++;
}
spawnSync(TESTNET, ['reset'], { cwd: ROOT });
console.log(`${steps.length - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
