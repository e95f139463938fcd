import type { SeedOutcome } from './check-seed.ts';

/** What went wrong with a seed, and how to see it again. */
export function describeFailure({ seed, violations }: Pick<SeedOutcome, 'seed' | 'violations'>, validators: number | null): string[] {
  const nodes = validators === null ? '' : ` --nodes ${validators}`;
  return [
    ...violations.map(({ code, atMs, detail }) => `seed ${seed}: ${code} at ${atMs.toFixed(1)} ms: ${detail}`),
    `  replay: npm run simulate -- --seed ${seed}${nodes} --trace`,
  ];
}
