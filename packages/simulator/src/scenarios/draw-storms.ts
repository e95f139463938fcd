import type { SeededRandom } from '../random.ts';
import type { PartitionPlan } from '../scenario.ts';
import { forbiddenPairs } from './draw-partitions.ts';
import type { Recipe } from './scenarios.ts';

/** Splits in rapid sequence, each another one. */
const SPLITS: readonly [number, number] = [5, 12];
const SPLIT_MS: readonly [number, number] = [80, 600];
const CALM_MS: readonly [number, number] = [10, 400];
/** Links, or groups of them, that go up and down at once, each in its own time. */
const FLAPS: readonly [number, number] = [3, 6];
const TURN_MS: readonly [number, number] = [50, 500];

interface Range {
  readonly nodes: number;
  readonly faultsMs: number;
  /** How long a partition has to last until it is named, at the latest. */
  readonly namedMs: number;
}

/** Draws groups that split and merge again and again, and at the end a split that lasts; or links that go up and down all the time. */
export function drawStorms(random: SeededRandom, { storms }: Recipe, range: Range): PartitionPlan[] {
  return storms === 'merges' ? drawMerges(random, range) : drawFlaps(random, range);
}

function drawMerges(random: SeededRandom, { nodes, faultsMs, namedMs }: Range): PartitionPlan[] {
  const lastMs = faultsMs - 1.3 * namedMs;
  const plans: PartitionPlan[] = [];
  let fromMs = random.between(200, 600);
  for (let i = SPLITS[0] + random.int(SPLITS[1] - SPLITS[0]); i > 0 && fromMs < lastMs; i--) {
    const untilMs = Math.min(lastMs, fromMs + random.between(...SPLIT_MS));
    plans.push(drawSplit(random, nodes, { fromMs, untilMs }));
    fromMs = untilMs + random.between(...CALM_MS);
  }
  return [...plans, drawSplit(random, nodes, { fromMs: lastMs, untilMs: faultsMs })];
}

function drawSplit(random: SeededRandom, nodes: number, times: Pick<PartitionPlan, 'fromMs' | 'untilMs'>): PartitionPlan {
  const shape = random.pick(['halves', 'islands', 'isolated'] as const);
  return { shape, ...times, forbidden: forbiddenPairs(shape, orderOf(random, nodes), random), turnMs: 0 };
}

function drawFlaps(random: SeededRandom, { nodes, faultsMs }: Range): PartitionPlan[] {
  return Array.from({ length: FLAPS[0] + random.int(FLAPS[1] - FLAPS[0] + 1) }, () => {
    const order = orderOf(random, nodes);
    const [one, other] = order as [number, number];
    const isLink = random.chance(0.5);
    const forbidden = isLink
      ? ([
          [one, other],
          [other, one],
        ] as const)
      : forbiddenPairs('flapping', order, random);
    const fromMs = random.between(100, faultsMs / 3);
    return { shape: 'flapping', fromMs, untilMs: random.between(faultsMs / 2, faultsMs), forbidden, turnMs: random.between(...TURN_MS) };
  });
}

function orderOf(random: SeededRandom, nodes: number): number[] {
  return random.shuffle(Array.from({ length: nodes }, (_, node) => node));
}
