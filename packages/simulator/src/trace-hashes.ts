import { runScenario } from './run-seed.ts';
import { drawScenario } from './scenarios/draw-scenario.ts';
import type { ScenarioName } from './scenarios/scenarios.ts';

/** Seeds whose traces are recorded, each of another scenario. */
const RECORDED: readonly (readonly [seed: number, scenario: ScenarioName])[] = [
  [1, 'crashes'],
  [2, 'loss'],
  [3, 'partitions'],
  [4, 'skew'],
  [5, 'damage'],
  [6, 'wide-area'],
  [7, 'byzantine-twins'],
  [8, 'byzantine-equivocating-proposer'],
  [9, 'byzantine-flooder'],
  [10, 'everything'],
  [11, 'epochs-faults'],
  [12, 'epochs-signers'],
  [13, 'sync-damage'],
  [14, 'sync-restarts'],
  [15, 'merge-storms'],
];

/** What each recorded seed's run hashes to. Equal on every machine, and different as soon as the program does anything otherwise. */
export async function traceHashes(): Promise<Record<string, string>> {
  const hashes: Record<string, string> = {};
  for (const [seed, name] of RECORDED) {
    const { traceHash } = await runScenario(drawScenario({ seed, name, validators: 4 }));
    hashes[`${name}/${seed}`] = traceHash;
  }
  return hashes;
}
