import type { SeedOutcome } from './check-seed.ts';
import type { SimulateOptions } from './command-line.ts';

/** What went wrong with a seed, and how to see it again. */
export function describeFailure(
  { seed, violations, scenario }: Pick<SeedOutcome, 'seed' | 'violations' | 'scenario'>,
  { validators, variant }: Pick<SimulateOptions, 'validators' | 'variant'>,
): string[] {
  const nodes = validators === null ? '' : ` --nodes ${validators}`;
  const broken = variant === null ? '' : ` --variant ${variant}`;
  return [
    ...violations.map(({ code, atMs, detail }) => `seed ${seed}: ${code} at ${atMs.toFixed(1)} ms: ${detail}`),
    `  replay: npm run simulate -- --seed ${seed} --scenario ${scenario}${nodes}${broken} --trace`,
  ];
}
