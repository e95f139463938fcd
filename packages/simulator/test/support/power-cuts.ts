import { CALM_CONDITIONS } from '../../src/network-conditions.ts';
import { TRUE_CLOCK } from '../../src/process-life.ts';
import { SeededRandom } from '../../src/random.ts';
import type { Scenario } from '../../src/scenario.ts';
import { drawScenario } from '../../src/scenarios/draw-scenario.ts';

const NODES = [0, 1, 2, 3] as const;
const FAULTS_MS = 5_000;

/**
 * Four busy replicas on a good network and slow disks that all lose power together, again and again: what no disk was
 * made to keep is gone for good, since nobody is left to ask for it.
 */
export function powerCuts(seed: number): Scenario {
  const random = SeededRandom.fromSeed(seed).fork('power cuts');
  const crashes: Scenario['crashes'][number][] = [];
  for (let atMs = 600; atMs < FAULTS_MS - 200; atMs += random.between(250, 500)) {
    crashes.push({ atMs, nodes: NODES, moment: 'now', downMs: NODES.map(() => random.between(5, 30)) });
  }
  return {
    ...drawScenario({ seed, name: 'crashes', validators: NODES.length }),
    weights: NODES.map(() => 1000),
    followers: 0,
    realSignatures: false,
    faultsMs: FAULTS_MS,
    conditions: { ...CALM_CONDITIONS, delayMeanMs: 5 },
    diskSpeed: { syncMs: [1, 4], writeMs: [0.3, 1], readMs: [0.02, 0.2], stallChance: 0, stallMs: [0, 0] },
    configuration: {},
    clocks: NODES.map(() => TRUE_CLOCK),
    crashes,
    submissionGapMs: 50,
  };
}
