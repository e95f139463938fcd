import { fail, ok, type Result } from '@nacre/base';
import { parseSeedOptions, type SeedOptions, wholeNumber } from '@nacre/simulator';
import { VARIANTS } from '@nacre/simulator/variants';

export interface FaultsOptions extends SeedOptions {
  /** Validators of every run; by turns 4 and 7 if null. */
  readonly nodes: number | null;
  /** Runs at a time. Most of a run is waiting, and none sees another. */
  readonly jobs: number;
  /** A broken variant of the simulator's in place of the program, by name. */
  readonly variant: string | null;
  /** The schedule of a failed run, to be run again; null: none. */
  readonly replay: string | null;
  /** The table at the end as Markdown. */
  readonly markdown: boolean;
  /** Where the schedule, history and logs of a failed run go. */
  readonly output: string;
}

const SEEDS_DEFAULT = 10;
/** With fewer, one of them would hold a third of the weight. */
const NODES_MIN = 4;
/** Each is a process of 200 MB. */
const NODES_MAX = 16;
const JOBS_MAX = 64;

export const USAGE = `Usage: npm run faults -- [--seeds N] [--start S | --fresh] [--seed S] [--nodes N]
       npm run faults -- --replay FILE

Runs real nodes in network namespaces through faults that a seed decides, with clients that note every call, and checks what they were told.
Needs Linux, root, iproute2 and faketime.

  --seeds N        run N seeds (default ${SEEDS_DEFAULT}), from --start on (default 1)
  --fresh          start at a seed that no run has had, and print it
  --seed S         run one seed
  --nodes N        validators of every run, ${NODES_MIN} to ${NODES_MAX} (default: 4, and 7 for every fourth seed)
  --jobs N         runs at a time (default 1)
  --results FILE   append what each seed came to, as a JSON line
  --resume         leave out what FILE holds already, and count it
  --output DIR     where a failure's schedule, history and logs go (default .faults)
  --variant NAME   a variant of the program that the simulator has broken, see npm run simulate: to be caught
  --replay FILE    run the schedule of a failure again
  --markdown       the table as Markdown
`;

const VALUES = ['nodes', 'output', 'replay', 'jobs', 'variant'] as const;

/**
 * Reads the command line of `npm run faults`, which is as that of `npm run simulate`.
 *
 * @param freshSeed where `--fresh` starts
 * @returns a sentence for people as the failure
 */
export function parseCommandLine(args: readonly string[], freshSeed: number): Result<FaultsOptions, string> {
  const parsed = parseSeedOptions(args, { switches: ['markdown'], values: VALUES, seedsDefault: SEEDS_DEFAULT, freshSeed });
  if (!parsed.ok) return parsed;
  const { range, given } = parsed.value;
  const wanted = given.get('nodes');
  const nodes = wanted === undefined ? null : wholeNumber(wanted, NODES_MIN, NODES_MAX);
  if (nodes === undefined) return fail(`--nodes takes a number from ${NODES_MIN} to ${NODES_MAX}`);
  const jobs = wholeNumber(given.get('jobs') ?? '1', 1, JOBS_MAX);
  if (jobs === undefined) return fail(`--jobs takes a number from 1 to ${JOBS_MAX}`);
  const variant = given.get('variant') ?? null;
  if (variant !== null && !VARIANTS.some(({ name }) => name === variant)) return fail(`there is no variant ${variant}`);
  if (variant !== null && given.has('results')) return fail('--results counts what the program came to, not what a variant did');
  return ok({
    ...range,
    nodes,
    jobs,
    markdown: given.has('markdown'),
    replay: given.get('replay') ?? null,
    variant,
    output: given.get('output') ?? '.faults',
  });
}
