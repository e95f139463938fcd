import { type RunOptions, type RunResult, runScenario } from './run-seed.ts';
import { drawScenario, type ScenarioOptions } from './scenarios/draw-scenario.ts';

/** One seed in so many is run twice. */
export const REPEATED_EVERY = 50;

/** A seed's run, and whether a second run of it was compared. */
export interface SeedOutcome extends RunResult {
  readonly repeated: boolean;
}

/** Runs one seed; where asked for, twice, and finds it wrong if the two traces differ. */
export async function checkSeed(
  options: ScenarioOptions & { readonly repeat: boolean },
  runOptions: RunOptions = {},
): Promise<SeedOutcome> {
  const scenario = drawScenario(options);
  const first = await runScenario(scenario, runOptions);
  if (!options.repeat || scenario.realSignatures || first.violations.length > 0) return { ...first, repeated: false };
  const { onTrace: _, onLog: __, ...quietly } = runOptions;
  const second = await runScenario(scenario, quietly);
  if (second.traceHash === first.traceHash) return { ...first, repeated: true };
  const detail = `two runs differ: trace ${first.traceHash} and ${second.traceHash}`;
  return { ...first, repeated: true, violations: [{ code: 'NONDETERMINISM', atMs: first.virtualMs, detail }] };
}
