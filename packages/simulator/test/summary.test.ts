import { expect, test } from 'vitest';
import type { SeedOutcome } from '../src/check-seed.ts';
import { FAULT_KINDS, type FaultKind } from '../src/fault-tally.ts';
import { drawScenario } from '../src/scenario.ts';
import { Summary } from '../src/summary.ts';

const faults = Object.fromEntries(FAULT_KINDS.map((kind) => [kind, 2])) as Record<FaultKind, number>;
const outcome: SeedOutcome = {
  seed: 1,
  violations: [],
  traceHash: '00',
  heights: 10,
  virtualMs: 1000,
  events: 100,
  faults,
  laterRounds: 1,
  reProposals: 1,
  transactions: { committed: 5, failed: 1, expired: 1, refused: 1 },
  refusals: { DUPLICATE: 3 },
  repeated: true,
};

/** With fewer seeds a kind of fault may be missing by chance. */
const SEEDS_FOR_ALL_FAULTS = 50;

function summaryOf(count: number, each: SeedOutcome): Summary {
  const summary = new Summary();
  for (let i = 0; i < count; i++) summary.add(each);
  return summary;
}

test('sums up what the seeds did', () => {
  const summary = summaryOf(3, outcome);
  summary.add({ ...outcome, violations: [{ code: 'LOST', atMs: 1, detail: 'planted' }] });
  expect([summary.passed, summary.failed, summary.heights]).toEqual([3, 1, 40]);
  const text = summary.lines().join('\n');
  for (const line of [/seeds +4$/m, /fault frameLost +8$/m, /refusal DUPLICATE +12$/m, /above round 0 +4$/m]) {
    expect(text).toMatch(line);
  }
});

test('a kind of fault that never took effect is missing, once there were seeds enough', () => {
  const without = { ...outcome, faults: { ...faults, fileTorn: 0 }, laterRounds: 0 };
  expect(summaryOf(SEEDS_FOR_ALL_FAULTS, outcome).missing()).toEqual([]);
  expect(summaryOf(SEEDS_FOR_ALL_FAULTS, without).missing()).toEqual(['fileTorn', 'blocks decided above round 0']);
  expect(summaryOf(SEEDS_FOR_ALL_FAULTS - 1, without).missing()).toEqual([]);
});

test('seeds draw scenarios of both sizes, with and without every fault, and always feasible ones', () => {
  const drawn = Array.from({ length: 400 }, (_, seed) => drawScenario({ seed }));
  expect(new Set(drawn.map(({ weights }) => weights.length))).toEqual(new Set([4, 7]));
  expect(new Set(drawn.map(({ followers }) => followers))).toEqual(new Set([0, 1]));
  expect(drawn.filter(({ realSignatures }) => realSignatures)).toHaveLength(8);
  for (const { weights, followers, clockOffsetsMs, crashes, faultsMs, conditions } of drawn) {
    const total = weights.reduce((sum, weight) => sum + weight);
    expect(weights.every((weight) => 3 * weight < total)).toBe(true);
    expect(clockOffsetsMs).toHaveLength(weights.length + followers);
    for (const { atMs, nodes, downMs } of crashes) {
      expect(atMs).toBeLessThan(faultsMs);
      expect(nodes.every((node) => node < clockOffsetsMs.length)).toBe(true);
      expect(downMs).toHaveLength(nodes.length);
    }
    expect(conditions.lossChance).toBeLessThan(0.2);
  }
  for (const fault of ['lossChance', 'duplicateChance', 'reorderChance', 'spikeChance', 'cutMeanMs'] as const) {
    expect(new Set(drawn.map(({ conditions }) => conditions[fault] > 0))).toEqual(new Set([true, false]));
  }
  expect(drawScenario({ seed: 5, validators: 7 }).weights).toHaveLength(7);
  expect(drawScenario({ seed: 5 })).toEqual(drawScenario({ seed: 5 }));
});
