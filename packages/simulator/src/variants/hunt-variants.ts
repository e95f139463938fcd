import { availableParallelism } from 'node:os';
import type { SeedOutcome } from '../check-seed.ts';
import { runPool, type SeedJob } from '../seed-pool.ts';
import { VARIANTS, type Variant } from './variants.ts';

/** How a variant fared. */
export interface Caught {
  readonly variant: Variant;
  /** Seeds that ran until one showed what is wrong, that one included; null: none did. */
  readonly seeds: number | null;
  readonly outcome: SeedOutcome | null;
}

/** Runs each variant on its scenario, seed after seed from 1 on, until one is caught breaking a promise. */
export async function huntVariants(told: (caught: Caught) => void, variants: readonly Variant[] = VARIANTS): Promise<Caught[]> {
  const all: Caught[] = [];
  const queue = variants.values();
  const hunter = async (): Promise<void> => {
    for (const variant of queue) {
      const caught = await hunt(variant);
      all.push(caught);
      told(caught);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, hunter));
  return all;
}

/** One thread, so that the number of seeds says what it says. */
async function hunt(variant: Variant): Promise<Caught> {
  let seeds = 0;
  let found: SeedOutcome | null = null;
  await runPool(jobsOf(variant), {
    threads: 1,
    variant,
    take: (outcome) => {
      seeds++;
      if (outcome.violations.length > 0) found = outcome;
      return found === null;
    },
  });
  return { variant, seeds: found === null ? null : seeds, outcome: found };
}

function* jobsOf({ scenario, seedsMax, validators }: Variant): Generator<SeedJob> {
  for (let seed = 1; seed <= seedsMax; seed++) {
    yield { seed, name: scenario, repeat: false, ...(validators === undefined ? {} : { validators }) };
  }
}

/** One line for people, and a row of Markdown for the README. */
export function describeCaught({ variant, seeds, outcome }: Caught): string {
  const how =
    outcome === null || seeds === null ? `not caught in ${variant.seedsMax} seeds` : `${seeds} seeds: ${outcome.violations[0]?.code}`;
  return `| ${variant.name} | ${variant.breaks} | ${variant.scenario} | ${how} |`;
}
