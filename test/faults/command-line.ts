import { fail, ok, type Result } from '@nacre/base';
import { VARIANTS } from '@nacre/simulator/variants';

export interface FaultsOptions {
  /** Seeds to run, from `start` on. */
  readonly seeds: number;
  readonly start: number;
  /** Whether `start` was made up for this run. */
  readonly fresh: boolean;
  /** Validators of every run; by turns 4 and 7 if null. */
  readonly nodes: number | null;
  /** Runs at a time. Most of a run is waiting, and none sees another. */
  readonly jobs: number;
  /** A broken variant of the simulator's in place of the program, by name. */
  readonly variant: string | null;
  /** The schedule of a failed run, to be run again; null: none. */
  readonly replay: string | null;
  /** Where each run is appended to, as a JSON line; null: nowhere. */
  readonly results: string | null;
  /** Leave out what `results` holds already. */
  readonly resume: boolean;
  /** The table at the end as Markdown. */
  readonly markdown: boolean;
  /** Where the schedule, history and logs of a failed run go. */
  readonly output: string;
}

const SEEDS_DEFAULT = 10;
const SEEDS_MAX = 1_000_000_000;
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

const SWITCHES = ['fresh', 'resume', 'markdown'] as const;
const VALUES = ['seeds', 'start', 'seed', 'nodes', 'results', 'output', 'replay', 'jobs', 'variant'] as const;

/**
 * Reads the command line of `npm run faults`, which is as that of `npm run simulate`.
 *
 * @param freshSeed where `--fresh` starts
 * @returns a sentence for people as the failure
 */
export function parseCommandLine(args: readonly string[], freshSeed: number): Result<FaultsOptions, string> {
  const given = new Map<string, string>();
  for (let i = 0; i < args.length; i++) {
    const name = args[i]?.replace(/^--/, '') ?? '';
    if (SWITCHES.some((each) => each === name)) given.set(name, '');
    else if (VALUES.some((each) => each === name)) given.set(name, args[++i] ?? '');
    else return fail(`${args[i]} is not an option`);
  }
  const one = given.has('seed');
  if (one && (given.has('seeds') || given.has('start') || given.has('fresh'))) return fail('--seed stands alone');
  if (given.has('start') && given.has('fresh')) return fail('--fresh chooses the start itself');
  if (given.has('resume') && !given.has('results')) return fail('--resume goes with --results');
  const seeds = one ? 1 : count(given.get('seeds') ?? String(SEEDS_DEFAULT), 1, SEEDS_MAX);
  const start = given.has('fresh') ? freshSeed : count(given.get('seed') ?? given.get('start') ?? '1', 0, SEEDS_MAX);
  const wanted = given.get('nodes');
  const nodes = wanted === undefined ? null : count(wanted, NODES_MIN, NODES_MAX);
  if (seeds === undefined) return fail(`--seeds takes a number from 1 to ${SEEDS_MAX}`);
  if (start === undefined) return fail(`--start and --seed take a number from 0 to ${SEEDS_MAX}`);
  if (nodes === undefined) return fail(`--nodes takes a number from ${NODES_MIN} to ${NODES_MAX}`);
  const jobs = count(given.get('jobs') ?? '1', 1, JOBS_MAX);
  if (jobs === undefined) return fail(`--jobs takes a number from 1 to ${JOBS_MAX}`);
  const variant = given.get('variant') ?? null;
  if (variant !== null && !VARIANTS.some(({ name }) => name === variant)) return fail(`there is no variant ${variant}`);
  if (variant !== null && given.has('results')) return fail('--results counts what the program came to, not what a variant did');
  const [fresh, resume, markdown] = SWITCHES.map((name) => given.has(name)) as [boolean, boolean, boolean];
  return ok({
    ...{ seeds, start, nodes, jobs, fresh, resume, markdown },
    results: given.get('results') ?? null,
    replay: given.get('replay') ?? null,
    variant,
    output: given.get('output') ?? '.faults',
  });
}

function count(text: string, min: number, max: number): number | undefined {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  return value >= min && value <= max ? value : undefined;
}
