import type { SeededRandom } from '../random.ts';
import { type CrashPlan, type DamagePlan, type JoinPlan, LIVE_DAMAGE_KINDS, type StorePlan } from '../scenario.ts';
import type { Recipe } from './scenarios.ts';

/** Followers that come late, with nothing but the genesis. */
export const NEWCOMERS_MAX = 3;
/** Crashes, or spoilt values, of one node while it catches up, at most. */
const TROUBLES_MAX = 4;
/** Time between two passes through a store, in virtual ms. */
const SCRUB_INTERVAL_MS: readonly [number, number] = [200, 800];
/** A part of the validators whose stores are spoilt as well: the fewest. */
const MOMENTS = ['now', 'catch-up'] as const;

interface Range {
  /** Validators, and all nodes. */
  readonly validators: number;
  readonly nodes: number;
  readonly faultsMs: number;
}

/** Draws how nodes keep their stores: in blocks, for chains of one to three hundred. */
export function drawStores(random: SeededRandom, { stores, catchUp }: Recipe, { nodes }: Range): StorePlan | null {
  if (stores === undefined) return null;
  const isPruned = stores === 'pruned';
  const archives = random.int(3) - 1;
  const order = random.shuffle(Array.from({ length: nodes }, (_, node) => node));
  return {
    snapshotIntervalBlocks: isPruned ? 30 + random.int(40) : 5 + random.int(16),
    snapshotBehindBlocks: 2 + random.int(isPruned ? 60 : 14),
    validityWindowMs: isPruned ? 1_000 : Math.round(random.between(1_500, 6_000)),
    pruning: isPruned ? order.slice(Math.max(0, archives)).sort((a, b) => a - b) : [],
    scrubIntervalMs: catchUp === 'damage' ? random.between(...SCRUB_INTERVAL_MS) : 0,
  };
}

/** All followers come late. */
export function drawJoins(random: SeededRandom, { stores }: Recipe, { validators, nodes, faultsMs }: Range): JoinPlan[] {
  if (stores === undefined) return [];
  const earliestMs = (stores === 'pruned' ? 0.85 : 0.3) * faultsMs;
  return Array.from({ length: nodes - validators }, (_, i) => ({
    node: validators + i,
    atMs: random.between(earliestMs, 0.95 * faultsMs),
  }));
}

/** One validator is away for almost as long as it takes until the blocks that it lacks are gone. */
export function drawAbsence(random: SeededRandom, { validators, faultsMs }: Range): CrashPlan[] {
  const atMs = random.between(0.05, 0.2) * faultsMs;
  return [{ atMs, nodes: [random.int(validators)], moment: 'now', downMs: [random.between(0.85, 0.95) * faultsMs - atMs] }];
}

/** Whoever has to catch up: the newcomers, and a validator that is away for a while. Each loses its power again and again while it does. */
export function drawCatchUpCrashes(random: SeededRandom, { validators, nodes, faultsMs }: Range): CrashPlan[] {
  const absentee = random.int(validators);
  const away: CrashPlan = {
    atMs: random.between(0.1, 0.4) * faultsMs,
    nodes: [absentee],
    moment: 'now',
    downMs: [random.between(0.15, 0.5) * faultsMs],
  };
  const victims = [absentee, ...newcomers(validators, nodes)];
  const cuts = victims.flatMap((node) =>
    Array.from({ length: 1 + random.int(TROUBLES_MAX) }, (): CrashPlan => {
      return { atMs: 1, nodes: [node], moment: 'catch-up', downMs: [random.between(5, 150)] };
    }),
  );
  return [away, ...cuts];
}

/** Stores that are spoilt while their nodes catch up, or serve those that do; of validators only one, since what all have lost is gone. */
export function drawLiveDamages(random: SeededRandom, { validators, nodes, faultsMs }: Range): DamagePlan[] {
  const victims = [random.int(validators), ...newcomers(validators, nodes)];
  return victims.flatMap((node) =>
    Array.from({ length: 1 + random.int(TROUBLES_MAX) }, (): DamagePlan => {
      const moment = random.pick(MOMENTS);
      const atMs = moment === 'now' ? random.between(0.2, 0.95) * faultsMs : 1;
      return { atMs, node, kind: random.pick(LIVE_DAMAGE_KINDS), moment, downMs: 0 };
    }),
  );
}

function newcomers(validators: number, nodes: number): number[] {
  return Array.from({ length: nodes - validators }, (_, i) => validators + i);
}
