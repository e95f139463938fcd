import { expect, test } from 'vitest';
import { BEHAVIOUR_NAMES } from '../src/byzantine/behaviours.ts';
import { runScenario } from '../src/run-seed.ts';
import { drawScenario } from '../src/scenarios/draw-scenario.ts';

/** Enough for each behaviour to come to its turn at four validators; lies about later rounds need one. */
const SEEDS = [3, 4, 9];
/** Each takes a second; a machine that does other things at the same time may take many. */
const TIMEOUT_MS = 120_000;

test.each(BEHAVIOUR_NAMES)(
  'honest validators bear %s, whatever the network does',
  async (behaviour) => {
    let acts = 0;
    for (const seed of SEEDS) {
      const scenario = { ...drawScenario({ seed, name: `byzantine-${behaviour}`, validators: 4 }), realSignatures: false };
      const { violations, faults, heights } = await runScenario(scenario);
      expect(violations).toEqual([]);
      expect(heights).toBeGreaterThan(0);
      acts += faults.byzantineAct;
    }
    expect(acts).toBeGreaterThan(0);
  },
  TIMEOUT_MS,
);
