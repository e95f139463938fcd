import { CALM_CONDITIONS } from '../network-conditions.ts';
import type { SeededRandom } from '../random.ts';
import { type ByzantinePlan, nodesOf, type PartitionPlan, type Scenario } from '../scenario.ts';

type Base = Pick<
  Scenario,
  'seed' | 'name' | 'weights' | 'realSignatures' | 'shortSignatures' | 'cachedVerifier' | 'faultsMs' | 'diskSpeed' | 'submissionGapMs'
>;

/**
 * Two validators in four, or more, run twins, one of each on either side of a partition that separates the honest: both sides
 * have more than two thirds of the weight. What they decide must differ, and what they signed must name them.
 */
export function drawFork(base: Base, random: SeededRandom): Scenario {
  const weights = base.weights.map(() => 1000);
  const order = random.shuffle([...weights.keys()]);
  const byzantineCount = accomplices(weights.length);
  const byzantine: ByzantinePlan[] = order.slice(0, byzantineCount).map((node) => ({ node, behaviour: 'twins' }));
  const sized = { ...base, weights, followers: 0, changes: null, byzantine };
  const nodes = nodesOf(sized);
  const honest = order.slice(byzantineCount);
  const left = new Set([...order.slice(0, byzantineCount), ...honest.slice(0, Math.ceil(honest.length / 2))]);
  const all = Array.from({ length: nodes }, (_, node) => node);
  const forbidden = all.flatMap((from) => all.filter((to) => left.has(from) !== left.has(to)).map((to) => [from, to] as const));
  const partition: PartitionPlan = { shape: 'halves', fromMs: 0, untilMs: base.faultsMs, forbidden, turnMs: 0 };
  return {
    ...sized,
    conditions: CALM_CONDITIONS,
    configuration: { idleIntervalMs: 50, emptyIntervalMs: 50 },
    regions: [],
    clocks: all.map(() => ({ offsetMs: 0, driftPpm: 0, steps: [] })),
    crashes: [],
    partitions: [partition],
    damages: [],
    signers: [],
    joins: [],
    stores: null,
  };
}

/** The fewest of n such that they decide with either half of the others: twice in four, three in five, four in six or seven. */
function accomplices(n: number): number {
  let count = 1;
  while (3 * (count + Math.floor((n - count) / 2)) <= 2 * n) count++;
  return count;
}
