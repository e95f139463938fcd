import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ProgressBar } from '../src/progress-bar.ts';
import { shrink } from '../src/report/shrink.ts';
import { spaceTimeDiagram } from '../src/report/space-time-diagram.ts';
import { ResultsFile } from '../src/results-file.ts';
import { nodesOf } from '../src/scenario.ts';
import { drawScenario } from '../src/scenarios/draw-scenario.ts';
import { Summary } from '../src/summary.ts';
import { addOutcome, type TotalsByScenario } from '../src/totals.ts';
import { outcome } from './support/seed-outcome.ts';

test('a failure is shrunk to what it needs', async () => {
  const scenario = drawScenario({ seed: 2, name: 'everything', validators: 7 });
  expect(scenario.byzantine.length).toBe(2);
  const [culprit] = scenario.byzantine.filter(({ node }) => node < 4).concat(scenario.byzantine);
  const smallest = await shrink(scenario, async ({ byzantine }) => byzantine.some(({ behaviour }) => behaviour === culprit?.behaviour));
  expect(smallest.byzantine).toHaveLength(1);
  expect([smallest.crashes, smallest.partitions, smallest.conditions.lossChance]).toEqual([[], [], 0]);
  expect(smallest.faultsMs).toBeLessThanOrEqual(500);
  expect(smallest.clocks).toHaveLength(nodesOf(smallest));
});

test('a failure that needs everything stays as it is', async () => {
  const scenario = drawScenario({ seed: 2, name: 'everything' });
  expect(await shrink(scenario, async () => false)).toEqual(scenario);
});

test('the picture has a line for each node, the violation, and what happened', () => {
  const entry = (kind: 'crash' | 'start' | 'partition', timeMs: number, node: number) =>
    ({ kind, timeMs, node, other: -1, number: 0, bytes: undefined, sentAtMs: undefined }) as const;
  const svg = spaceTimeDiagram([entry('start', 1, 0), entry('partition', 1.5, -1), entry('crash', 2, 1)], {
    nodes: 3,
    violation: { code: 'LOST', atMs: 3, detail: '<lost & gone>' },
  });
  expect(svg.match(/>node \d</g)).toEqual(['>node 0<', '>node 1<', '>node 2<']);
  for (const text of ['LOST at 3.0 ms: &lt;lost &amp; gone&gt;', '>crash<', '>partition<', '</svg>']) expect(svg).toContain(text);
});

test('a results file holds chunks, by what they are of, and is read back', () => {
  const directory = mkdtempSync(join(tmpdir(), 'nacre-results-'));
  try {
    const path = join(directory, 'results.jsonl');
    const kind = { scenario: null, validators: null };
    const totals: TotalsByScenario = new Map();
    for (let i = 0; i < 3; i++) addOutcome(totals, outcome);
    new ResultsFile(path).append(kind, 1, 100, totals);
    new ResultsFile(path).append({ ...kind, validators: 7 }, 1, 100, totals);
    expect(readFileSync(path, 'utf8').trimEnd().split('\n')).toHaveLength(2);
    const file = new ResultsFile(path);
    expect([file.has(kind, 1, 100), file.has(kind, 1, 50), file.has({ ...kind, scenario: 'loss' }, 1, 100)]).toEqual([true, false, false]);
    appendFileSync(path, '{"first":101,"se');
    expect(new ResultsFile(path).has(kind, 1, 100)).toBe(true);
    expect(readFileSync(path, 'utf8').trimEnd().split('\n')).toHaveLength(2);
    const summary = new Summary();
    summary.addFormer(file.former(kind));
    expect([summary.seeds, summary.heights]).toEqual([3, 30]);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('progress is a bar on a terminal, and a line now and then elsewhere', () => {
  const written: string[] = [];
  const output = (isTTY: boolean) => ({ isTTY, write: (text: string) => written.push(text) });
  const bar = new ProgressBar(100, output(true), 0);
  bar.show(1, 100, 'all well');
  expect(written).toEqual([]);
  bar.show(50, 300, 'all well');
  expect(written.join('')).toContain(`[${'#'.repeat(15)}${'.'.repeat(15)}] 50 of 100 seeds, all well`);
  written.length = 0;
  const lines = new ProgressBar(100, output(false), 0);
  lines.show(50, 5_000, 'all well');
  lines.show(60, 10_000, 'all well');
  lines.show(100, 20_000, 'all well');
  expect(written).toEqual(['60 of 100 seeds, all well\n']);
});
