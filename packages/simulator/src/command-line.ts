import { COMMITTEE_SIZE_MAX, fail, ok, type Result } from '@nacre/base';
import { isScenarioName, SCENARIO_NAMES, type ScenarioName } from './scenarios/scenarios.ts';

export interface SimulateOptions {
  /** Seeds to run, from `start` on. */
  readonly seeds: number;
  readonly start: number;
  /** Whether `start` was made up for this run. */
  readonly fresh: boolean;
  /** All in turn if null. */
  readonly scenario: ScenarioName | null;
  /** Validators of every run; drawn by each seed if null. */
  readonly validators: number | null;
  /** A broken variant in place of the program, by name. */
  readonly variant: string | null;
  /** Run every broken variant until it is caught. */
  readonly variants: boolean;
  /** The table at the end as Markdown. */
  readonly markdown: boolean;
  /** A scenario in a file, to be run with all that happens printed; null: none. */
  readonly replay: string | null;
  /** Print the trace hashes of the recorded seeds. */
  readonly hashes: boolean;
  /** Print all that happens. For one seed. */
  readonly trace: boolean;
  /** Only the summary. */
  readonly quiet: boolean;
  /** Where finished chunks are appended to, as JSON lines; null: nowhere. */
  readonly results: string | null;
  /** Leave out what `results` holds already. */
  readonly resume: boolean;
  /** Where the picture and the trace of a failure go. */
  readonly output: string;
}

const SEEDS_DEFAULT = 200;
const SEEDS_MAX = 1_000_000_000;
/** With fewer, one of them would hold a third of the weight. */
const VALIDATORS_MIN = 4;

export const USAGE = `Usage: npm run simulate -- [--seeds N] [--start S | --fresh] [--seed S] [--scenario NAME] [--nodes N] [--variant NAME]
       npm run simulate -- --variants | --hashes | --replay FILE

  --seeds N        run N seeds (default ${SEEDS_DEFAULT}), from --start on (default 1)
  --fresh          start at a seed that no run has had, and print it
  --seed S         run one seed, twice, and compare the two traces
  --scenario NAME  one scenario instead of all in turn
  --nodes N        validators of every run, ${VALIDATORS_MIN} to ${COMMITTEE_SIZE_MAX} (default: 4 to 10, drawn by the seed)
  --results FILE   append what each hundred seeds came to, as JSON lines
  --resume         leave out what FILE holds already, and count it
  --trace          with --seed: print what happens
  --output DIR     where a failure's picture, trace and shrunk scenario go (default .simulation)
  --variant NAME   a broken variant in place of the program
  --variants       every broken variant, until it is caught
  --hashes         the trace hashes of the recorded seeds, as JSON
  --replay FILE    run the scenario in a file, with all that happens printed
  --markdown       the table as Markdown
  --quiet          print the summary only

Scenarios: ${SCENARIO_NAMES.join(', ')}, fork
`;

const SWITCHES = ['trace', 'quiet', 'fresh', 'resume', 'variants', 'hashes', 'markdown'] as const;
const VALUES = ['seeds', 'start', 'seed', 'nodes', 'scenario', 'variant', 'results', 'output', 'replay'] as const;

/**
 * Reads the command line of `npm run simulate`.
 *
 * @param freshSeed where `--fresh` starts
 * @returns a sentence for people as the failure
 */
export function parseCommandLine(args: readonly string[], freshSeed: number): Result<SimulateOptions, string> {
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
  if (given.has('trace') && !one) return fail('--trace goes with --seed');
  if (given.has('resume') && !given.has('results')) return fail('--resume goes with --results');
  const seeds = one ? 1 : count(given.get('seeds') ?? String(SEEDS_DEFAULT), 1, SEEDS_MAX);
  const start = given.has('fresh') ? freshSeed : count(given.get('seed') ?? given.get('start') ?? '1', 0, SEEDS_MAX);
  const nodes = given.get('nodes');
  const validators = nodes === undefined ? null : count(nodes, VALIDATORS_MIN, COMMITTEE_SIZE_MAX);
  const scenario = given.get('scenario') ?? null;
  if (seeds === undefined) return fail(`--seeds takes a number from 1 to ${SEEDS_MAX}`);
  if (start === undefined) return fail(`--start and --seed take a number from 0 to ${SEEDS_MAX}`);
  if (validators === undefined) return fail(`--nodes takes a number from ${VALIDATORS_MIN} to ${COMMITTEE_SIZE_MAX}`);
  if (scenario !== null && !isScenarioName(scenario)) return fail(`there is no scenario ${scenario}`);
  return ok({
    seeds,
    start,
    scenario,
    validators,
    variant: given.get('variant') ?? null,
    results: given.get('results') ?? null,
    replay: given.get('replay') ?? null,
    output: given.get('output') ?? '.simulation',
    ...(Object.fromEntries(SWITCHES.map((name) => [name, given.has(name)])) as Record<(typeof SWITCHES)[number], boolean>),
  });
}

function count(text: string, min: number, max: number): number | undefined {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  return value >= min && value <= max ? value : undefined;
}
