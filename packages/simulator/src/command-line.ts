import { COMMITTEE_SIZE_MAX, fail, ok, type Result } from '@nacre/base';

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
/** With fewer, one of them would hold a third of the weight. */
const VALIDATORS_MIN = 4;

export const USAGE = `Usage: npm run simulate -- [--seeds N] [--start S] [--seed S] [--nodes N] [--trace] [--quiet]

  --seeds N   run N seeds (default ${SEEDS_DEFAULT}), from --start on (default 1)
  --seed S    run one seed, twice, and compare the two traces
  --nodes N   validators of every run, ${VALIDATORS_MIN} to ${COMMITTEE_SIZE_MAX} (default: 4 or 7, drawn by the seed)
  --trace     with --seed: print what happens
  --quiet     print the summary only
`;

const SWITCHES = ['trace', 'quiet'] as const;
const NUMBERS = ['seeds', 'start', 'seed', 'nodes'] as const;

/** Reads the command line of `npm run simulate`. @returns a sentence for people as the failure */
export function parseCommandLine(args: readonly string[]): Result<SimulateOptions, string> {
  const given = new Map<string, string>();
  for (let i = 0; i < args.length; i++) {
    const name = args[i]?.replace(/^--/, '') ?? '';
    if (SWITCHES.some((each) => each === name)) given.set(name, '');
    else if (NUMBERS.some((each) => each === name)) given.set(name, args[++i] ?? '');
    else return fail(`${args[i]} is not an option`);
  }
  const one = given.has('seed');
  if (one && (given.has('seeds') || given.has('start'))) return fail('--seed stands alone');
  if (given.has('trace') && !one) return fail('--trace goes with --seed');
  const seeds = one ? 1 : count(given.get('seeds') ?? String(SEEDS_DEFAULT), 1, SEEDS_MAX);
  const start = count(given.get('seed') ?? given.get('start') ?? '1', 0, SEEDS_MAX);
  const nodes = given.get('nodes');
  const validators = nodes === undefined ? null : count(nodes, VALIDATORS_MIN, COMMITTEE_SIZE_MAX);
  if (seeds === undefined) return fail(`--seeds takes a number from 1 to ${SEEDS_MAX}`);
  if (start === undefined) return fail(`--start and --seed take a number from 0 to ${SEEDS_MAX}`);
  if (validators === undefined) return fail(`--nodes takes a number from ${VALIDATORS_MIN} to ${COMMITTEE_SIZE_MAX}`);
  return ok({ seeds, start, validators, trace: given.has('trace'), quiet: given.has('quiet') });
}

function count(text: string, min: number, max: number): number | undefined {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  return value >= min && value <= max ? value : undefined;
}
