import type { ReplicaConfiguration } from '@nacre/replica';
import type { DiskSpeed } from '../disk-timing.ts';
import { CALM_CONDITIONS, type NetworkConditions } from '../network-conditions.ts';
import { SeededRandom } from '../random.ts';
import { namedWithinMs } from '../reach-checker.ts';
import { REGIONS, type Region } from '../regions.ts';
import {
  type ByzantinePlan,
  type ChangePlan,
  type ClockPlan,
  type CrashPlan,
  DAMAGE_KINDS,
  type DamagePlan,
  nodesOf,
  type PartitionPlan,
  type Scenario,
  SIGNER_FAULT_KINDS,
  type SignerPlan,
} from '../scenario.ts';
import { drawFork } from './draw-fork.ts';
import { drawPartitions } from './draw-partitions.ts';
import { drawAbsence, drawCatchUpCrashes, drawJoins, drawLiveDamages, drawStores, NEWCOMERS_MAX } from './draw-stores.ts';
import { drawStorms } from './draw-storms.ts';
import { type Recipe, recipeOf, SCENARIO_NAMES, type ScenarioName } from './scenarios.ts';

export interface ScenarioOptions {
  readonly seed: number;
  /** Drawn by the seed's remainder if left out, so that a range of seeds goes through all in turn. */
  readonly name?: ScenarioName;
  /** Number of validators; drawn if left out. */
  readonly validators?: number;
}

/** One seed in so many runs on ML-DSA itself; apart from the seeds whose runs are repeated. */
const REAL_SIGNATURES_EVERY = 50;
const REAL_SIGNATURES_OFFSET = 25;
/** Virtual ms of a long run, and of the longest absence in it. */
const MARATHON_MS: readonly [number, number] = [15_000, 30_000];
const MARATHON_AWAY_MS = 8_000;
/** Virtual ms of other runs, and of those with so many nodes and blocks that fewer have to do. */
const FAULTS_MS: readonly [number, number] = [3_000, 6_000];
const STORES_FAULTS_MS: readonly [number, number] = [2_000, 3_000];
/** Longest absence in any other run, and of several nodes at once. */
const AWAY_MS = 2_000;
const VALIDATORS_MIN = 4;
const VALIDATORS_MAX = 10;
/** Of whom one holds less than a sixth. */
const VALIDATORS_FOR_ONE_OFFENDER = 8;
/** Shares of what a scenario may or may not have. Most have four validators, the number at which one fault is all that is borne. */
const FOUR_CHANCE = 0.65;
const UNEQUAL_CHANCE = 0.3;
const FOLLOWER_CHANCE = 0.2;
/** Followers that may become validators, where sets change. */
const CANDIDATES = 2;
const CRASH_OF_ALL_CHANCE = 0.15;
const CRASH_OF_SOME_CHANCE = 0.25;
const SHORT_SIGNATURES_CHANCE = 0.9;
const CACHED_VERIFIER_CHANCE = 0.25;
const CRASHES_MAX = 5;
/** Faults of one signer and of what it serves. */
const SIGNER_FAULTS_MAX = 8;
const SIGNED_CHANCE = 0.7;
/** Longest wait for an answer where liars and cut links keep it back, in virtual ms. */
const REQUEST_TIMEOUT_MS: readonly [number, number] = [150, 600];
/** Well inside the genesis' precision of 500 ms, which bounds how far two clocks may differ. */
const CLOCK_OFFSET_MS = 150;
/** Where blocks have to come quickly: whoever is behind waits for its clock before it proposes. */
const CLOCK_OFFSET_SMALL_MS = 2;
const CLOCK_OFFSET_OF_STORES_MS = 30;
/** Crystals err by up to 100 ppm; a hundred times that, so that ten seconds show what days would. */
const CLOCK_DRIFT_PPM = 10_000;
/** Far outside of what honest clocks may differ by, for the one validator whose clock is broken. */
const BROKEN_CLOCK_MS: readonly [number, number] = [1_000, 20_000];
/** How many repair intervals lie between two words about reachability, and how many where it is watched what is found with them. */
const REACH_INTERVALS = 10;
const REACH_INTERVALS_WATCHED = 2;
/** Share of runs in which an idle chain goes on at once instead of resting: most heights come from these. */
const RESTLESS_CHANCE = 0.8;

/** A sync takes so long that power is often cut within one. */
const SLOW_DISKS: DiskSpeed = { syncMs: [1, 4], writeMs: [0.3, 1], readMs: [0.02, 0.2], stallChance: 0, stallMs: [0, 0] };
/** For hundreds of blocks in a few seconds. */
const QUICK_DISKS: DiskSpeed = { syncMs: [0.1, 0.3], writeMs: [0.02, 0.05], readMs: [0.02, 0.1], stallChance: 0, stallMs: [0, 0] };
/** Time between two blackouts, and how long a node is down in one, in virtual ms. */
const BLACKOUT_GAP_MS: readonly [number, number] = [250, 500];
const BLACKOUT_MS: readonly [number, number] = [5, 30];

/** Draws what one seed will go through. */
export function drawScenario({ seed, name = nameOf(seed), validators }: ScenarioOptions): Scenario {
  const random = SeededRandom.fromSeed(seed).fork('scenario');
  const recipe = recipeOf(name);
  const long = recipe.long === true;
  const count =
    validators ??
    (recipe.changes === true && recipe.byzantine !== undefined
      ? VALIDATORS_FOR_ONE_OFFENDER
      : long || random.chance(FOUR_CHANCE)
        ? VALIDATORS_MIN
        : VALIDATORS_MIN + random.int(VALIDATORS_MAX - VALIDATORS_MIN + 1));
  const weights = drawWeights(random.fork('weights'), count);
  const isQuick = long || recipe.stores !== undefined || recipe.network === 'calm';
  const delayMeanMs = logarithmic(random, 0.3, recipe.stores === 'pruned' ? 0.6 : isQuick ? 2 : 15);
  const faultsMs = random.between(...(long ? MARATHON_MS : recipe.stores === undefined ? FAULTS_MS : STORES_FAULTS_MS));
  const awayMs = long ? MARATHON_AWAY_MS : AWAY_MS;
  const base = {
    seed,
    name,
    weights,
    followers: drawFollowers(random, recipe),
    changes: recipe.changes === true ? drawChanges(SeededRandom.fromSeed(seed).fork('changes'), recipe) : null,
    realSignatures: seed % REAL_SIGNATURES_EVERY === REAL_SIGNATURES_OFFSET,
    // Long signatures fill the journals.
    shortSignatures: !long && random.chance(SHORT_SIGNATURES_CHANCE),
    cachedVerifier: random.chance(CACHED_VERIFIER_CHANCE),
    faultsMs,
    diskSpeed: recipe.blackouts === true ? SLOW_DISKS : recipe.stores === 'pruned' ? QUICK_DISKS : drawDiskSpeed(random.fork('disk')),
    submissionGapMs: recipe.blackouts === true ? random.between(40, 150) : logarithmic(random, ...submissionGapMs(recipe)),
  };
  if (recipe.fork === true) return drawFork(base, random.fork('fork'));
  const byzantine = drawByzantine(random.fork('byzantine'), weights, recipe);
  const sized = { ...base, byzantine };
  const nodes = nodesOf(sized);
  const range = { validators: count, nodes: count + base.followers, faultsMs };
  const configuration = drawConfiguration(random.fork('configuration'), { recipe, delayMeanMs });
  const regions = recipe.wideArea === true ? drawRegions(random.fork('regions'), nodes) : [];
  return {
    ...sized,
    conditions: drawConditions(random.fork('conditions'), recipe, delayMeanMs),
    configuration,
    regions,
    clocks: drawClocks(random.fork('clocks'), nodes, recipe, faultsMs),
    crashes: drawPowerCuts(random.fork('crashes'), recipe, { validators: count, nodes, faultsMs, awayMs }),
    partitions: drawSeparations(random.fork('partitions'), recipe, { nodes, faultsMs, namedMs: namedWithinMs(configuration) }),
    damages: drawSpoilt(random.fork('damages'), recipe, { ...range, weights }),
    signers: recipe.signers === true ? drawSigners(random.fork('signers'), count, faultsMs) : [],
    joins: drawJoins(random.fork('joins'), recipe, range),
    stores: drawStores(random.fork('stores'), recipe, range),
  };
}

function nameOf(seed: number): ScenarioName {
  return SCENARIO_NAMES[seed % SCENARIO_NAMES.length] as ScenarioName;
}

function drawChanges(random: SeededRandom, { byzantine }: Recipe): ChangePlan {
  // Who is away loses weight at the end of each epoch: with Byzantine validators around, not so much that theirs comes to a third.
  const epochMs = Math.round(byzantine === undefined ? logarithmic(random, 100, 1_500) : random.between(1_200, 2_000));
  return { gapMs: logarithmic(random, 40, 250), epochMs, epochBlocksMin: 2 + random.int(5) };
}

/** Equal shares for each order of magnitude. */
function logarithmic(random: SeededRandom, min: number, max: number): number {
  return min * (max / min) ** random.unit();
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

/** As many validators as stay below a third of the weight together. */
function drawByzantine(random: SeededRandom, weights: readonly number[], { byzantine, changes }: Recipe): ByzantinePlan[] {
  if (byzantine === undefined) return [];
  const total = weights.reduce((sum, weight) => sum + weight);
  // The weights of the others may fall.
  const part = changes === true ? 6 : 3;
  const plans: ByzantinePlan[] = [];
  let weight = 0;
  for (const node of random.shuffle([...weights.keys()])) {
    if (part * (weight + (weights[node] as number)) >= total) continue;
    weight += weights[node] as number;
    plans.push({ node, behaviour: random.pick(byzantine) });
  }
  return plans;
}

/** What is lost with a snapshot or a side of a partition shows only where there is enough of it. */
function submissionGapMs({ stores, storms }: Recipe): readonly [number, number] {
  return stores === undefined && storms === undefined ? [150, 1_500] : [60, 400];
}

function drawFollowers(random: SeededRandom, { changes, stores }: Recipe): number {
  if (changes === true) return CANDIDATES;
  if (stores !== undefined) return 1 + random.int(NEWCOMERS_MAX);
  return random.chance(FOLLOWER_CHANCE) ? 1 : 0;
}

function drawConditions(random: SeededRandom, { network }: Recipe, delayMeanMs: number): NetworkConditions {
  if (network === 'calm') return { ...CALM_CONDITIONS, delayMinMs: delayMeanMs / 4, delayMeanMs };
  const heavy = network === 'heavy';
  const upTo = (max: number): number => {
    if (!random.chance(0.75)) return 0;
    return heavy ? random.between(0.01, max) : logarithmic(random, 0.0005, max / 10);
  };
  return {
    delayMinMs: delayMeanMs / 4,
    delayMeanMs,
    spikeChance: upTo(0.02),
    spikeMs: [100, random.between(200, 2_000)],
    lossChance: upTo(0.3),
    duplicateChance: upTo(0.1),
    reorderChance: upTo(0.2),
    cutMeanMs: random.chance(0.5) ? logarithmic(random, 400, 4_000) * (heavy ? 1 : 10) : 0,
  };
}

function drawDiskSpeed(random: SeededRandom): DiskSpeed {
  const slowness = logarithmic(random, 0.5, 8);
  return {
    syncMs: [0.15 * slowness, 0.5 * slowness],
    writeMs: [0.05, 0.1 * slowness],
    readMs: [0.02, 0.2],
    stallChance: random.chance(0.3) ? logarithmic(random, 0.0005, 0.02) : 0,
    stallMs: [20, 300],
  };
}

/** Timeouts from far above what three steps on this network take, where rounds are rare, down to below it, where heights take several. */
function drawConfiguration(
  random: SeededRandom,
  { recipe, delayMeanMs }: { readonly recipe: Recipe; readonly delayMeanMs: number },
): Partial<ReplicaConfiguration> {
  const stepMs = (recipe.wideArea === true ? 160 : 0) + 10 + 2 * delayMeanMs;
  const patience = recipe.stores === 'pruned' ? 8 : recipe.network === 'heavy' ? logarithmic(random, 0.3, 3) : logarithmic(random, 0.8, 8);
  const timeouts = { proposeMs: 2 * stepMs * patience, prepareMs: stepMs * patience, commitMs: stepMs * patience, growthMs: stepMs };
  const restless = recipe.long === true || recipe.stores !== undefined || random.chance(RESTLESS_CHANCE);
  const idleIntervalMs = restless ? logarithmic(random, ...restlessMs(recipe)) : 10_000;
  const repairIntervalMs = random.between(2, 6) * stepMs;
  const emptyIntervalMs = restless ? idleIntervalMs : 1_000;
  // Told seldom: the words are many, and what is found with them decides nothing.
  const reachIntervalMs = (recipe.storms === undefined ? REACH_INTERVALS : REACH_INTERVALS_WATCHED) * repairIntervalMs;
  const reach = { reachIntervalMs, reachSilenceMs: 4 * reachIntervalMs, reachSettleMs: 8 * reachIntervalMs };
  const requestTimeoutMs = recipe.stores === undefined ? {} : { requestTimeoutMs: random.between(...REQUEST_TIMEOUT_MS) };
  return { timeouts, repairIntervalMs, idleIntervalMs, emptyIntervalMs, ...reach, ...requestTimeoutMs };
}

/** Between which bounds an idle chain waits: where a run takes many blocks, shorter; where each costs a snapshot's share, longer. */
function restlessMs({ long, stores }: Recipe): readonly [number, number] {
  if (long === true) return [1, 5];
  return stores === undefined ? [1, 100] : stores === 'pruned' ? [4, 8] : [20, 60];
}

function drawRegions(random: SeededRandom, nodes: number): Region[] {
  const chosen = random.shuffle([...REGIONS]).slice(0, 2 + random.int(REGIONS.length - 1));
  return Array.from({ length: nodes }, () => random.pick(chosen));
}

function drawClocks(random: SeededRandom, nodes: number, { skew, stores }: Recipe, faultsMs: number): ClockPlan[] {
  const largestMs = stores === 'pruned' ? CLOCK_OFFSET_SMALL_MS : stores === 'whole' ? CLOCK_OFFSET_OF_STORES_MS : CLOCK_OFFSET_MS;
  const broken = skew === true && random.chance(0.5) ? random.int(VALIDATORS_MIN) : -1;
  return Array.from({ length: nodes }, (_, node) => {
    const offsetMs = Math.round(random.between(-largestMs, largestMs));
    if (skew !== true) return { offsetMs, driftPpm: 0, steps: [] };
    const driftPpm = random.between(-CLOCK_DRIFT_PPM, CLOCK_DRIFT_PPM);
    const by = node === broken ? random.between(...BROKEN_CLOCK_MS) : random.between(0, CLOCK_OFFSET_MS / 3);
    const sign = random.chance(0.5) ? 1 : -1;
    const steps = [{ atMs: random.between(0, faultsMs), byMs: sign * Math.ceil(by) }];
    return { offsetMs, driftPpm, steps };
  });
}

interface CrashRange {
  readonly validators: number;
  readonly nodes: number;
  readonly faultsMs: number;
  readonly awayMs: number;
}

function drawSeparations(
  random: SeededRandom,
  recipe: Recipe,
  range: { readonly nodes: number; readonly faultsMs: number; readonly namedMs: number },
): PartitionPlan[] {
  if (recipe.storms !== undefined) return drawStorms(random, recipe, range);
  return recipe.partitions === true ? drawPartitions(random, range) : [];
}

function drawSpoilt(
  random: SeededRandom,
  { damage, catchUp }: Recipe,
  range: { readonly validators: number; readonly nodes: number; readonly faultsMs: number; readonly weights: readonly number[] },
): DamagePlan[] {
  if (catchUp === 'damage') return drawLiveDamages(random, range);
  return damage === true ? drawDamages(random, range.weights, range.faultsMs) : [];
}

function drawPowerCuts(random: SeededRandom, { crashes, blackouts, stores, catchUp }: Recipe, range: CrashRange): CrashPlan[] {
  if (catchUp === 'crashes') return drawCatchUpCrashes(random, range);
  if (stores === 'pruned') return drawAbsence(random, range);
  if (crashes === true) return drawCrashes(random, range);
  return blackouts === true ? drawBlackouts(random, range) : [];
}

function drawBlackouts(random: SeededRandom, { nodes, faultsMs }: CrashRange): CrashPlan[] {
  const all = Array.from({ length: nodes }, (_, node) => node);
  const plans: CrashPlan[] = [];
  for (let atMs = random.between(...BLACKOUT_GAP_MS); atMs < faultsMs; atMs += random.between(...BLACKOUT_GAP_MS)) {
    plans.push({ atMs, nodes: all, moment: 'now', downMs: all.map(() => random.between(...BLACKOUT_MS)) });
  }
  return plans;
}

function drawCrashes(random: SeededRandom, { nodes, faultsMs, awayMs }: CrashRange): CrashPlan[] {
  const all = Array.from({ length: nodes }, (_, node) => node);
  return Array.from({ length: random.int(CRASHES_MAX + 1) }, () => {
    const share = random.unit();
    const count = share < CRASH_OF_ALL_CHANCE ? nodes : share < CRASH_OF_ALL_CHANCE + CRASH_OF_SOME_CHANCE ? 1 + random.int(nodes) : 1;
    return {
      atMs: random.between(100, faultsMs),
      nodes: random.shuffle(all).slice(0, count),
      moment: count < nodes && random.chance(0.6) ? 'sync' : 'now',
      downMs: Array.from({ length: count }, () =>
        random.chance(0.5) ? random.between(10, 300) : random.between(300, count === 1 ? awayMs : AWAY_MS),
      ),
    } as const;
  });
}

/** Of validators that hold less than a third together: with more in doubt at once, operators have to step in. */
function drawDamages(random: SeededRandom, weights: readonly number[], faultsMs: number): DamagePlan[] {
  const total = weights.reduce((sum, weight) => sum + weight);
  const node = random.pick([...weights.keys()].filter((index) => 3 * (weights[index] as number) < total));
  return Array.from({ length: 1 + random.int(2) }, () => ({
    atMs: random.between(500, faultsMs),
    node,
    kind: random.pick(DAMAGE_KINDS),
    moment: 'now',
    downMs: random.between(50, 1_000),
  }));
}

/** Of half of the validators or more: nothing but both halves together may stop one of them. */
function drawSigners(random: SeededRandom, validators: number, faultsMs: number): SignerPlan[] {
  const least = Math.ceil(validators / 2);
  const nodes = random.shuffle(Array.from({ length: validators }, (_, node) => node)).slice(0, least + random.int(validators - least + 1));
  return nodes.map((node) => ({
    node,
    faults: Array.from({ length: random.int(SIGNER_FAULTS_MAX + 1) }, () => ({
      atMs: random.between(100, faultsMs),
      kind: random.pick(SIGNER_FAULT_KINDS),
      moment: random.chance(SIGNED_CHANCE) ? 'signed' : 'now',
      downMs: random.between(10, 800),
    })),
  }));
}
