import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseCommandLine } from './command-line.ts';
import { type Machine, missingRequirements } from './requirements.ts';
import { ResultsFile } from './results-file.ts';
import type { Outcome } from './run-schedule.ts';
import { FAULT_KINDS, type FaultKind } from './schedule.ts';
import { Summary } from './summary.ts';

const FRESH = 123_456_000;

function outcome(
  seed: number,
  { nodes = 4, violations = 0, without }: { nodes?: number; violations?: number; without?: FaultKind } = {},
): Outcome {
  return {
    ...{ seed, nodes, acknowledged: 10, unknown: 2, expired: 1, reads: 5, heights: 40, records: 11, setAside: 0, endedFull: 0 },
    ...{ restMs: 1_000 * seed, tookMs: 20_000 },
    faults: Object.fromEntries(FAULT_KINDS.map((kind) => [kind, kind === without ? 0 : 1])) as Outcome['faults'],
    violations: Array.from({ length: violations }, () => ({ code: 'LOST', detail: 'a' }) as const),
  };
}

describe('the command line', () => {
  test.each([
    ['--seeds', '0'],
    ['--seeds', 'many'],
    ['--nodes', '3'],
    ['--nodes', '17'],
    ['--seed', '1', '--seeds', '2'],
    ['--start', '1', '--fresh'],
    ['--resume'],
    ['--jobs', '0'],
    ['--variant', 'none-such'],
    ['--variant', 'mempool-forgotten', '--results', 'r.jsonl'],
    ['--sedes', '3'],
  ])('%s %s %s %s is refused', (...args) => {
    expect(
      parseCommandLine(
        args.filter((arg) => arg !== undefined),
        FRESH,
      ).ok,
    ).toBe(false);
  });

  test('seeds, their start, nodes and files are taken', () => {
    const parsed = parseCommandLine(['--seeds', '20', '--start', '5', '--nodes', '7', '--results', 'r.jsonl', '--resume'], FRESH);
    expect(parsed).toMatchObject({
      ok: true,
      value: { seeds: 20, start: 5, nodes: 7, results: 'r.jsonl', resume: true, output: '.faults' },
    });
    expect(parseCommandLine(['--fresh'], FRESH)).toMatchObject({ ok: true, value: { start: FRESH, seeds: 10, nodes: null, jobs: 1 } });
    expect(parseCommandLine(['--seed', '9'], FRESH)).toMatchObject({ ok: true, value: { start: 9, seeds: 1 } });
  });
});

describe('what a machine needs', () => {
  const machine: Machine = { platform: 'linux', userId: 0, path: '/usr/bin:/usr/sbin', has: () => true };

  test('nothing, where it has all', () => {
    expect(missingRequirements(machine)).toEqual([]);
  });

  // @mutation test/faults/requirements.ts
  // - if (userId !== 0) missing.push(
  // + if (userId === undefined) missing.push(
  test('is said with what to do about it', () => {
    expect(missingRequirements({ ...machine, userId: 1000 })).toEqual([expect.stringMatching(/root.*sudo/)]);
    expect(missingRequirements({ ...machine, platform: 'darwin' })).toEqual([expect.stringMatching(/Linux/)]);
    const without = (name: string): string[] => missingRequirements({ ...machine, has: (file) => !file.includes(name) });
    expect(without('/ip')).toEqual([expect.stringMatching(/apt-get install iproute2/)]);
    expect(without('faketime')).toEqual([expect.stringMatching(/apt-get install faketime/)]);
  });
});

describe('the results file', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'nacre-results-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  test('holds what every seed came to, by its number of nodes', () => {
    const path = join(directory, 'r.jsonl');
    const file = new ResultsFile(path);
    file.append(outcome(1));
    file.append(outcome(2, { nodes: 7, violations: 1 }));
    const again = new ResultsFile(path);
    expect(again.outcomes).toEqual([outcome(1), outcome(2, { nodes: 7, violations: 1 })]);
    expect([again.has(1, 4), again.has(1, 7), again.has(2, 7)]).toEqual([true, false, true]);
  });

  test('forgets a line that a killed command left unfinished', () => {
    const path = join(directory, 'r.jsonl');
    new ResultsFile(path).append(outcome(1));
    appendFileSync(path, '{"seed":2,"no');
    const file = new ResultsFile(path);
    file.append(outcome(2));
    expect(readFileSync(path, 'utf8').split('\n')).toHaveLength(3);
    expect(new ResultsFile(path).outcomes.map(({ seed }) => seed)).toEqual([1, 2]);
  });
});

describe('the summary', () => {
  const summaryOf = (outcomes: readonly Outcome[]): Summary => {
    const summary = new Summary();
    for (const each of outcomes) summary.add(each);
    return summary;
  };

  test('adds up by number of nodes, and counts the runs that showed something', () => {
    const summary = summaryOf([outcome(1), outcome(2), outcome(3, { nodes: 7, violations: 2 })]);
    expect([summary.passed, summary.failed]).toEqual([2, 1]);
    const [head, , ...rows] = summary.markdown().map((line) => line.split('|').map((cell) => cell.trim()));
    const column = (name: string): (string | undefined)[] => rows.map((row) => row[head?.indexOf(name) ?? 0]);
    expect(column('nodes')).toEqual(['4', '7', 'all']);
    expect(column('runs')).toEqual(['2', '1', '3']);
    expect(column('acknowledged')).toEqual(['20', '10', '30']);
    expect(column('violations')).toEqual(['0', '2', '2']);
    expect(column('rest s')).toEqual(['2.0 (2.0)', '3.0 (3.0)', '2.0 (3.0)']);
    expect(summary.table()).toHaveLength(4);
  });

  // @mutation test/faults/summary.ts
  // - const faults = FAULT_KINDS.filter((kind) => this.#outcomes.every((outcome) => outcome.faults[kind] === 0));
  // + const faults: string[] = [];
  test('names what never happened, once there were runs enough for it', () => {
    const outcomes = Array.from({ length: 20 }, (_, seed) => outcome(seed, { without: 'full-disk' }));
    expect(summaryOf(outcomes).missing()).toEqual(['full-disk']);
    expect(summaryOf(outcomes.slice(1)).missing()).toEqual([]);
  });
});
