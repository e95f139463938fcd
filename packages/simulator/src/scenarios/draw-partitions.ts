import type { SeededRandom } from '../random.ts';
import { PARTITION_SHAPES, type PartitionPlan, type PartitionShape } from '../scenario.ts';

type Pair = readonly [from: number, to: number];
const PARTITIONS_MAX = 3;

/** Draws one to three partitions of any shape, which may overlap. */
export function drawPartitions(
  random: SeededRandom,
  { nodes, faultsMs }: { readonly nodes: number; readonly faultsMs: number },
): PartitionPlan[] {
  return Array.from({ length: 1 + random.int(PARTITIONS_MAX) }, () => {
    const fromMs = random.between(100, faultsMs * 0.8);
    const shape = random.pick(PARTITION_SHAPES);
    return {
      shape,
      fromMs,
      untilMs: Math.min(faultsMs, fromMs + random.between(200, 3_000)),
      forbidden: forbiddenPairs(shape, random.shuffle(Array.from({ length: nodes }, (_, node) => node)), random),
      turnMs: shape === 'flapping' ? random.between(20, 400) : 0,
    };
  });
}

/** @param order the nodes in a random order, so that positions in it stand for roles */
export function forbiddenPairs(shape: PartitionShape, order: readonly number[], random: SeededRandom): Pair[] {
  const [first] = order as [number];
  const split = 1 + random.int(order.length - 1);
  const half = (node: number): number => (order.indexOf(node) < split ? 0 : 1);
  switch (shape) {
    case 'halves':
    case 'flapping':
      return pairs(order, (from, to) => half(from) !== half(to));
    case 'islands': {
      const island = new Map(order.map((node) => [node, random.int(3)]));
      return pairs(order, (from, to) => island.get(from) !== island.get(to));
    }
    case 'isolated':
      return pairs(order, (from, to) => from === first || to === first);
    case 'bridge':
      return pairs(order, (from, to) => from !== first && to !== first && half(from) !== half(to));
    case 'ring': {
      const isNext = (a: number, b: number): boolean => (order.indexOf(a) + 1) % order.length === order.indexOf(b);
      return pairs(order, (from, to) => !isNext(from, to) && !isNext(to, from));
    }
    case 'one-way': {
      const deaf = random.chance(0.5);
      return pairs(order, (from, to) => half(from) !== half(to) && (half(from) === 0) === deaf);
    }
  }
}

function pairs(nodes: readonly number[], isForbidden: (from: number, to: number) => boolean): Pair[] {
  return nodes.flatMap((from) => nodes.filter((to) => to !== from && isForbidden(from, to)).map((to): Pair => [from, to]));
}
