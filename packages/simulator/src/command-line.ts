import { parseArgs } from 'node:util';
import { fail, ok, type Result } from '@nacre/base';

export interface SimulateOptions {
  /** Seeds to run, from `start` on. */
  readonly seeds: number;
  readonly start: number;
  /** Validators of every run; drawn by each seed if null. */
  readonly validators: number | null;
  /** Print all that happens. For one seed. */
  readonly trace: boolean;
  /** Only the summary. */
  readonly quiet: boolean;
}

const SEEDS_DEFAULT = 200;
const SEEDS_MAX = 100_000_000;

export const USAGE = `Usage: npm run simulate -- [--seeds N] [--start S] [--seed S] [--nodes N] [--trace] [--quiet]

  --seeds N   run N seeds (default ${SEEDS_DEFAULT}), from --start on (default 1)
  --seed S    run one seed, twice, and compare the two traces
  --nodes N   validators of every run, 4 to 100 (default: 4 or 7, drawn by the seed)
  --trace     with --seed: print what happens
  --quiet     print the summary only
`;

/** Reads the command line of `npm run simulate`. @returns a sentence for people as the failure */
export function parseCommandLine(args: readonly string[]): Result<SimulateOptions, string> {
  let values: { seeds?: string; start?: string; seed?: string; nodes?: string; trace?: boolean; quiet?: boolean };
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: {
        seeds: { type: 'string' },
        start: { type: 'string' },
        seed: { type: 'string' },
        nodes: { type: 'string' },
        trace: { type: 'boolean' },
        quiet: { type: 'boolean' },
      },
    }));
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error));
  }
  const seeds = count(values.seeds ?? (values.seed === undefined ? String(SEEDS_DEFAULT) : '1'), 1, SEEDS_MAX);
  const start = count(values.seed ?? values.start ?? '1', 0, SEEDS_MAX);
  const validators = values.nodes === undefined ? null : count(values.nodes, 4, 100);
  if (seeds === undefined) return fail(`--seeds takes a number from 1 to ${SEEDS_MAX}`);
  if (start === undefined) return fail(`--start and --seed take a number from 0 to ${SEEDS_MAX}`);
  if (validators === undefined) return fail('--nodes takes a number from 4 to 100');
  if (values.seed !== undefined && (values.seeds !== undefined || values.start !== undefined)) return fail('--seed stands alone');
  if (values.trace === true && values.seed === undefined) return fail('--trace goes with --seed');
  return ok({ seeds, start, validators, trace: values.trace === true, quiet: values.quiet === true });
}

function count(text: string, min: number, max: number): number | undefined {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  return value >= min && value <= max ? value : undefined;
}
