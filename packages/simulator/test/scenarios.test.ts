import { expect, test } from 'vitest';
import { BEHAVIOUR_NAMES } from '../src/byzantine/behaviours.ts';
import { distanceMs, REGIONS } from '../src/regions.ts';
import { DAMAGE_KINDS, LIVE_DAMAGE_KINDS, nodesOf, PARTITION_SHAPES, type PartitionPlan } from '../src/scenario.ts';
import { drawScenario } from '../src/scenarios/draw-scenario.ts';
import { SCENARIO_NAMES } from '../src/scenarios/scenarios.ts';

const DRAWN = Array.from({ length: 60 * SCENARIO_NAMES.length }, (_, seed) => drawScenario({ seed }));

test('a range of seeds goes through all scenarios, sizes, faults and behaviours', () => {
  expect(new Set(DRAWN.map(({ name }) => name))).toEqual(new Set(SCENARIO_NAMES));
  expect(new Set(DRAWN.map(({ weights }) => weights.length))).toEqual(new Set([4, 5, 6, 7, 8, 9, 10]));
  expect(new Set(DRAWN.map(({ followers }) => followers))).toEqual(new Set([0, 1, 2, 3]));
  expect(new Set(DRAWN.flatMap(({ partitions }) => partitions.map(({ shape }) => shape)))).toEqual(new Set(PARTITION_SHAPES));
  expect(new Set(DRAWN.flatMap(({ damages }) => damages.map(({ kind }) => kind)))).toEqual(
    new Set([...DAMAGE_KINDS, ...LIVE_DAMAGE_KINDS]),
  );
  expect(new Set(DRAWN.flatMap(({ byzantine }) => byzantine.map(({ behaviour }) => behaviour)))).toEqual(new Set(BEHAVIOUR_NAMES));
  expect(new Set(DRAWN.flatMap(({ regions }) => regions))).toEqual(new Set(REGIONS));
  for (const fault of ['lossChance', 'duplicateChance', 'reorderChance', 'spikeChance', 'cutMeanMs'] as const) {
    expect(new Set(DRAWN.map(({ conditions }) => conditions[fault] > 0))).toEqual(new Set([true, false]));
  }
});

// @mutation packages/simulator/src/scenarios/draw-scenario.ts
// - if (part * (weight + (weights[node] as number)) >= total) continue;
// + if (part * (weights[node] as number) >= total) continue;
test('Byzantine validators hold less than a third of the weight, and nobody holds that much', () => {
  for (const { weights, byzantine } of DRAWN) {
    const total = weights.reduce((sum, weight) => sum + weight);
    expect(weights.every((weight) => 3 * weight < total)).toBe(true);
    expect(3 * byzantine.reduce((sum, { node }) => sum + (weights[node] as number), 0)).toBeLessThan(total);
  }
});

test('whatever is planned is about nodes that there are, and before the faults end', () => {
  for (const scenario of DRAWN) {
    const { clocks, crashes, partitions, damages, joins, stores, faultsMs, regions } = scenario;
    const nodes = nodesOf(scenario);
    expect(clocks).toHaveLength(nodes);
    expect([0, nodes]).toContain(regions.length);
    for (const { atMs, nodes: crashed, downMs } of crashes) {
      expect(atMs).toBeLessThan(faultsMs);
      expect(crashed.every((node) => node < nodes)).toBe(true);
      expect(downMs).toHaveLength(crashed.length);
    }
    for (const { fromMs, untilMs, forbidden } of partitions) {
      expect(fromMs).toBeLessThan(untilMs);
      expect(untilMs).toBeLessThanOrEqual(faultsMs);
      expect(forbidden.flat().every((node) => node < nodes)).toBe(true);
    }
    for (const { node, atMs } of [...damages, ...joins]) expect([node < nodes, atMs < faultsMs]).toEqual([true, true]);
    expect((stores?.pruning ?? []).every((node) => node < nodes)).toBe(true);
  }
});

test('in a fork, either side of the partition holds more than two thirds of the weight', () => {
  for (const validators of [4, 5, 6, 7, 8, 9, 10]) {
    const { partitions, weights, byzantine } = drawScenario({ seed: validators, name: 'fork', validators });
    const { forbidden } = partitions[0] as PartitionPlan;
    const [first] = forbidden[0] as [number, number];
    const acrossFirst = new Set(forbidden.filter(([from]) => from === first).map(([, to]) => to));
    const keyOf = (node: number): number => byzantine[node - weights.length]?.node ?? node;
    const side = (isAcross: boolean): Set<number> =>
      new Set(
        Array.from({ length: weights.length + byzantine.length }, (_, node) => node)
          .filter((node) => acrossFirst.has(node) === isAcross)
          .map(keyOf),
      );
    for (const keys of [side(true), side(false)]) expect(3 * keys.size).toBeGreaterThan(2 * validators);
  }
});

test('distances between regions are half of their round trips, in both directions', () => {
  expect(distanceMs('sao-paulo', 'sydney')).toBe(164);
  for (const a of REGIONS) for (const b of REGIONS) expect(distanceMs(a, b)).toBe(distanceMs(b, a));
});

test('one seed draws one scenario', () => {
  expect(drawScenario({ seed: 5 })).toEqual(drawScenario({ seed: 5 }));
  expect(drawScenario({ seed: 5, validators: 7 }).weights).toHaveLength(7);
  expect(JSON.parse(JSON.stringify(drawScenario({ seed: 6 })))).toEqual(drawScenario({ seed: 6 }));
});
