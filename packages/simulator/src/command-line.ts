import { COMMITTEE_SIZE_MAX, fail, ok, type Result } from '@nacre/base';
import { isScenarioName, SCENARIO_NAMES, type ScenarioName } from './scenarios/scenarios.ts';
import { parseSeedOptions, type SeedOptions, wholeNumber } from './seed-options.ts';

export interface SimulateOptions extends SeedOptions {
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
  /** Where the picture and the trace of a failure go. */
  readonly output: string;
}

const SEEDS_DEFAULT = 200;
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

Scenarios: ${SCENARIO_NAMES.join(', ')}; only by name: fork
`;

const SWITCHES = ['trace', 'quiet', 'variants', 'hashes', 'markdown'] as const;
const VALUES = ['nodes', 'scenario', 'variant', 'output', 'replay'] as const;

/**
 * Reads the command line of `npm run simulate`.
 *
 * @param freshSeed where `--fresh` starts
 * @returns a sentence for people as the failure
 */
export function parseCommandLine(args: readonly string[], freshSeed: number): Result<SimulateOptions, string> {
  const parsed = parseSeedOptions(args, { switches: SWITCHES, values: VALUES, seedsDefault: SEEDS_DEFAULT, freshSeed });
  if (!parsed.ok) return parsed;
  const { range, given } = parsed.value;
  if (given.has('trace') && !given.has('seed')) return fail('--trace goes with --seed');
  const nodes = given.get('nodes');
  const validators = nodes === undefined ? null : wholeNumber(nodes, VALIDATORS_MIN, COMMITTEE_SIZE_MAX);
  const scenario = given.get('scenario') ?? null;
  if (validators === undefined) return fail(`--nodes takes a number from ${VALIDATORS_MIN} to ${COMMITTEE_SIZE_MAX}`);
  if (scenario !== null && !isScenarioName(scenario)) return fail(`there is no scenario ${scenario}`);
  return ok({
    ...range,
    scenario,
    validators,
    variant: given.get('variant') ?? null,
    replay: given.get('replay') ?? null,
    output: given.get('output') ?? '.simulation',
    ...(Object.fromEntries(SWITCHES.map((name) => [name, given.has(name)])) as Record<(typeof SWITCHES)[number], boolean>),
  });
}
