import type { ReplicaConfiguration } from '@nacre/replica';
import type { DiskSpeed } from './disk-timing.ts';
import type { NetworkConditions } from './network-conditions.ts';
import { SeededRandom } from './random.ts';

/** A planned crash, of one node or of several at one moment. */
export interface CrashPlan {
  readonly atMs: number;
  readonly nodes: readonly number[];
  /** `sync`: as soon as, from `atMs` on, a node syncs something, and before that completes. */
  readonly moment: 'now' | 'sync';
  /** How long each of `nodes` stays down, in ms. */
  readonly downMs: readonly number[];
}

/** All that a seed decides in advance. */
export interface Scenario {
  readonly seed: number;
  /** Validators, at the first positions among the nodes, with their weights. */
  readonly weights: readonly number[];
  readonly followers: number;
  /** Whether ML-DSA signs, instead of a fast stand-in. */
  readonly realSignatures: boolean;
  /** From the start to the end of all faults, in virtual ms. */
  readonly faultsMs: number;
  readonly conditions: NetworkConditions;
  readonly diskSpeed: DiskSpeed;
  /** How the replicas are configured, where it differs from what suits a local network. */
  readonly configuration: Partial<ReplicaConfiguration>;
  /** For each node, how far its wall clock is off, in ms. */
  readonly clockOffsetsMs: readonly number[];
  readonly crashes: readonly CrashPlan[];
  /** Mean time between submissions, in virtual ms. */
  readonly submissionGapMs: number;
}

export interface ScenarioOptions {
  readonly seed: number;
  /** Number of validators; drawn if left out. */
  readonly validators?: number;
}

/** One seed in so many runs on ML-DSA itself; apart from the seeds whose runs are repeated. */
const REAL_SIGNATURES_EVERY = 50;
const REAL_SIGNATURES_OFFSET = 25;
/** Shares of what a scenario may or may not have. */
const SEVEN_CHANCE = 0.3;
const UNEQUAL_CHANCE = 0.3;
const FOLLOWER_CHANCE = 0.25;
const FAULT_CHANCE = 0.75;
const CRASH_OF_ALL_CHANCE = 0.15;
const CRASH_OF_SOME_CHANCE = 0.25;
/** Well inside the genesis' precision of 500 ms, which bounds how far two clocks may differ. */
const CLOCK_OFFSET_MS = 200;
const CRASHES_MAX = 7;

/** Draws what one seed will go through. */
export function drawScenario({ seed, validators }: ScenarioOptions): Scenario {
  const random = SeededRandom.fromSeed(seed).fork('scenario');
  const realSignatures = seed % REAL_SIGNATURES_EVERY === REAL_SIGNATURES_OFFSET;
  const drawn = random.chance(SEVEN_CHANCE) ? 7 : 4;
  const weights = drawWeights(random.fork('weights'), validators ?? drawn);
  const followers = random.chance(FOLLOWER_CHANCE) ? 1 : 0;
  const nodes = weights.length + followers;
  const faultsMs = random.between(4_000, 10_000);
  return {
    seed,
    weights,
    followers,
    realSignatures,
    faultsMs,
    conditions: drawConditions(random.fork('conditions')),
    diskSpeed: drawDiskSpeed(random.fork('disk')),
    configuration: drawConfiguration(random.fork('configuration')),
    clockOffsetsMs: Array.from({ length: nodes }, () => Math.round(random.between(-CLOCK_OFFSET_MS, CLOCK_OFFSET_MS))),
    crashes: drawCrashes(random.fork('crashes'), nodes, faultsMs),
    submissionGapMs: random.between(60, 400),
  };
}

/** Mostly equal weights; otherwise any, below the third that no validator may hold. */
function drawWeights(random: SeededRandom, validators: number): number[] {
  if (!random.chance(UNEQUAL_CHANCE)) return Array.from({ length: validators }, () => 1000);
  for (;;) {
    const weights = Array.from({ length: validators }, () => 100 + random.int(1000));
    const total = weights.reduce((sum, weight) => sum + weight);
    if (weights.every((weight) => 3 * weight < total)) return weights;
  }
}

function drawConditions(random: SeededRandom): NetworkConditions {
  const sometimes = (min: number, max: number): number => (random.chance(FAULT_CHANCE) ? random.between(min, max) : 0);
  return {
    delayMinMs: random.between(0.5, 8),
    delayMeanMs: random.between(1, 30),
    spikeChance: sometimes(0.001, 0.02),
    spikeMs: [200, random.between(400, 3_000)],
    lossChance: sometimes(0.005, 0.15),
    duplicateChance: sometimes(0.005, 0.1),
    reorderChance: sometimes(0.005, 0.2),
    cutMeanMs: sometimes(500, 6_000),
  };
}

function drawDiskSpeed(random: SeededRandom): DiskSpeed {
  const slowness = random.between(1, 8);
  return {
    syncMs: [0.15 * slowness, 0.5 * slowness],
    writeMs: [0.05, 0.1 * slowness],
    readMs: [0.02, 0.2],
    stallChance: random.chance(0.5) ? random.between(0.001, 0.02) : 0,
    stallMs: [20, 300],
  };
}

/** Timeouts from well above the network's delays, where rounds are rare, down to below them, where every height takes several. */
function drawConfiguration(random: SeededRandom): Partial<ReplicaConfiguration> {
  const patience = random.between(0.1, 1);
  const timeouts = { proposeMs: 400 * patience, prepareMs: 200 * patience, commitMs: 200 * patience, growthMs: random.between(20, 200) };
  return { timeouts, repairIntervalMs: random.between(40, 150) };
}

function drawCrashes(random: SeededRandom, nodes: number, faultsMs: number): CrashPlan[] {
  const all = Array.from({ length: nodes }, (_, node) => node);
  return Array.from({ length: random.int(CRASHES_MAX + 1) }, () => {
    const share = random.unit();
    const count = share < CRASH_OF_ALL_CHANCE ? nodes : share < CRASH_OF_ALL_CHANCE + CRASH_OF_SOME_CHANCE ? 1 + random.int(nodes) : 1;
    return {
      atMs: random.between(100, faultsMs),
      nodes: random.shuffle(all).slice(0, count),
      moment: count < nodes && random.chance(0.6) ? 'sync' : 'now',
      downMs: Array.from({ length: count }, () => (random.chance(0.5) ? random.between(10, 300) : random.between(300, 4_000))),
    } as const;
  });
}
