import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { SeedOutcome } from '../src/check-seed.ts';
import { SCENARIO_NAMES } from '../src/scenarios/scenarios.ts';
import { Summary } from '../src/summary.ts';
import { faults, outcome } from './support/seed-outcome.ts';

/** With fewer seeds of a scenario, a fault of it may be missing by chance. */
const SEEDS_FOR_ITS_FAULTS = 30;
/** With fewer of every scenario, a fault that many of them have may be. */
const SEEDS_OF_EACH = 7;

function summaryOf(count: number, each: SeedOutcome): Summary {
  const summary = new Summary();
  for (let i = 0; i < count; i++) summary.add(each);
  return summary;
}

test('sums up what the seeds did, by scenario and in all', () => {
  const summary = summaryOf(3, outcome);
  summary.add({ ...outcome, scenario: 'loss', violations: [{ code: 'LOST', atMs: 1, detail: 'planted' }] });
  expect([summary.passed, summary.failed, summary.heights]).toEqual([3, 1, 40]);
  const text = summary.lines().join('\n');
  for (const line of [/run twice, traces compared +4$/m, /fault frameLost +8$/m, /refusal DUPLICATE +12$/m]) expect(text).toMatch(line);
  const table = summary.table();
  expect(table[1]).toMatch(/^crashes +3 +30 +200 +3 +3 +6 +6 +6 +6 +0$/);
  expect(table[2]).toMatch(/^loss +1 +10 +200 +1 +1 +2 +2 +2 +2 +1$/);
  expect(table[3]).toMatch(/^all +4 +40 +200 +4 +4 +8 +8 +8 +8 +1$/);
  expect(summary.markdown()[2]).toBe('| crashes | 3 | 30 | 200 | 3 | 3 | 6 | 6 | 6 | 6 | 0 |');
});

test('what a scenario is there for and never happened is missing, once there were seeds enough', () => {
  const without = { ...outcome, faults: { ...faults, crash: 0, fileTorn: 0 }, laterRounds: 0 };
  const expected = ['crash in crashes', 'blocks decided above round 0 in crashes'];
  expect(summaryOf(SEEDS_FOR_ITS_FAULTS, outcome).missing()).toEqual([]);
  expect(summaryOf(SEEDS_FOR_ITS_FAULTS, without).missing()).toEqual(expected);
  expect(summaryOf(SEEDS_FOR_ITS_FAULTS - 1, without).missing()).toEqual([]);
});

test('what most seeds of a scenario are without is missed later', () => {
  const undamaged = { ...outcome, scenario: 'damage' as const, faults: { ...faults, diskLost: 0 } };
  expect(summaryOf(199, undamaged).missing()).toEqual([]);
  expect(summaryOf(200, undamaged).missing()).toEqual(['diskLost in damage']);
  const bothWays = { ...outcome, scenario: 'partitions' as const, faults: { ...faults, framePartitioned: 0 } };
  expect(summaryOf(199, bothWays).missing()).toEqual([]);
  expect(summaryOf(200, bothWays).missing()).toEqual(['framePartitioned in partitions']);
  const farApart = { ...outcome, scenario: 'wide-area' as const, laterRounds: 0 };
  expect(summaryOf(199, farApart).missing()).toEqual([]);
  expect(summaryOf(200, farApart).missing()).toEqual(['blocks decided above round 0 in wide-area']);
  const forgetful = { ...outcome, scenario: 'epochs-offenders' as const, faults: { ...faults, oldOffenceProven: 0 } };
  expect(summaryOf(199, forgetful).missing()).toEqual([]);
  expect(summaryOf(200, forgetful).missing()).toEqual(['oldOffenceProven in epochs-offenders']);
});

/** So many seeds of each scenario, all alike but for the scenario. */
function summaryOfEach(count: number, each: SeedOutcome): Summary {
  const summary = new Summary();
  for (const scenario of SCENARIO_NAMES) for (let i = 0; i < count; i++) summary.add({ ...each, scenario });
  return summary;
}

// @mutation packages/simulator/src/summary.ts
// - if (ofEach < SEEDS_OF_EACH) return missing;
// + if (ofEach <= SEEDS_OF_EACH) return missing;
test('over all scenarios every kind of fault has to happen, the rarest when there were more of each', () => {
  const without = { ...outcome, faults: { ...faults, fileTorn: 0, framePartitioned: 0, replaceLost: 0 } };
  expect(summaryOfEach(SEEDS_OF_EACH - 1, without).missing()).toEqual([]);
  expect(summaryOfEach(SEEDS_OF_EACH, without).missing()).toEqual(['fileTorn', 'framePartitioned']);
  expect(summaryOfEach(20, without).missing()).toEqual(['fileTorn', 'replaceLost', 'framePartitioned']);
});

test('a command that leaves scenarios out owes only what its own are there for', () => {
  const summary = summaryOf(1_000, { ...outcome, faults: { ...faults, fileTorn: 0 } });
  expect(summary.missing()).toEqual([]);
});

test('CI runs so many seeds that none of what they show can be missing unseen', () => {
  const script = readFileSync(new URL('../../../.ci/run', import.meta.url), 'utf8');
  const [, seeds] = /simulate -- --seeds (\d+) --start/.exec(script) ?? [];
  expect(Number(seeds)).toBeGreaterThanOrEqual(SEEDS_OF_EACH * SCENARIO_NAMES.length);
});

test('what a former run came to counts', () => {
  const summary = summaryOf(2, outcome);
  summary.addFormer(summaryOf(3, outcome).totals);
  expect([summary.seeds, summary.heights]).toEqual([5, 50]);
});
