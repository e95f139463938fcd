import { fail, ok, type Result } from '@nacre/base';

/** Which seeds a command runs, and where it notes what they came to. */
export interface SeedOptions {
  /** Seeds to run, from `start` on. */
  readonly seeds: number;
  readonly start: number;
  /** Whether `start` was made up for this run. */
  readonly fresh: boolean;
  /** Where what was finished is appended to, as JSON lines; null: nowhere. */
  readonly results: string | null;
  /** Leave out what `results` holds already. */
  readonly resume: boolean;
}

export interface CommandWords {
  /** Options without a value, and with one, beside those of {@link SeedOptions}; both without their dashes. */
  readonly switches: readonly string[];
  readonly values: readonly string[];
  /** Without `--seeds`. */
  readonly seedsDefault: number;
  /** Where `--fresh` starts. */
  readonly freshSeed: number;
}

export interface ParsedWords {
  readonly range: SeedOptions;
  /** What was given, by name; a switch has an empty value. */
  readonly given: ReadonlyMap<string, string>;
}

const SEEDS_MAX = 1_000_000_000;

/**
 * Reads what commands that run seeds have in common: `--seeds`, `--start`, `--seed`, `--fresh`, `--results` and `--resume`.
 *
 * @returns a sentence for people as the failure
 */
export function parseSeedOptions(args: readonly string[], words: CommandWords): Result<ParsedWords, string> {
  const switches = new Set(['fresh', 'resume', ...words.switches]);
  const values = new Set(['seeds', 'start', 'seed', 'results', ...words.values]);
  const given = new Map<string, string>();
  for (let i = 0; i < args.length; i++) {
    const name = args[i]?.replace(/^--/, '') ?? '';
    if (switches.has(name)) given.set(name, '');
    else if (values.has(name)) given.set(name, args[++i] ?? '');
    else return fail(`${args[i]} is not an option`);
  }
  const one = given.has('seed');
  const fresh = given.has('fresh');
  if (one && (given.has('seeds') || given.has('start') || fresh)) return fail('--seed stands alone');
  if (given.has('start') && fresh) return fail('--fresh chooses the start itself');
  if (given.has('resume') && !given.has('results')) return fail('--resume goes with --results');
  const seeds = one ? 1 : wholeNumber(given.get('seeds') ?? String(words.seedsDefault), 1, SEEDS_MAX);
  const start = fresh ? words.freshSeed : wholeNumber(given.get('seed') ?? given.get('start') ?? '1', 0, SEEDS_MAX);
  if (seeds === undefined) return fail(`--seeds takes a number from 1 to ${SEEDS_MAX}`);
  if (start === undefined) return fail(`--start and --seed take a number from 0 to ${SEEDS_MAX}`);
  return ok({ range: { seeds, start, fresh, results: given.get('results') ?? null, resume: given.has('resume') }, given });
}

/** @returns undefined for whatever is no number of that range */
export function wholeNumber(text: string, min: number, max: number): number | undefined {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  return value >= min && value <= max ? value : undefined;
}
