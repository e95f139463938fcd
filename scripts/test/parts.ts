import { packagesToCover } from './coverage.ts';

/** One run of vitest. */
export interface Part {
  /** Paths and options. */
  readonly command: readonly string[];
  /** Packages whose coverage is held against what they must have. */
  readonly toCover: readonly string[];
}

/** Tests of real processes: they wait more than they compute. */
const PROCESSES = 'packages/node/test/processes/';
/** Of their files: together they keep about one core busy. */
const PROCESS_FILES_AT_A_TIME = 3;

/**
 * Runs that go on side by side, each of parts one after another. Only a run of everything has two: the tests that start processes, some files
 * at a time, beside all others.
 */
export function lanesOf(command: readonly string[]): Part[][] {
  const parts = partsOf(command);
  if (command.length > 0) return [parts];
  const others = parts.map((part, i) => (i === 0 ? part : { ...part, command: [...part.command, '--exclude', `${PROCESSES}**`] }));
  return [others, [{ command: [PROCESSES, `--maxWorkers=${PROCESS_FILES_AT_A_TIME}`], toCover: [] }]];
}

/**
 * Parts a run into the packages that must be covered and everything else, because counting what runs slows tests down by up to
 * a half; and so each of those packages must be covered by its own tests.
 *
 * @param command path filters and options of vitest; none: everything
 */
function partsOf(command: readonly string[]): Part[] {
  const toCover = isWhole(command) ? packagesToCover(command) : [];
  if (toCover.length === 0) return [{ command, toCover }];
  const covered = toCover.map((name) => `packages/${name}/`);
  const others = command.filter((filter) => !covered.some((path) => `${filter}/`.startsWith(path)));
  const exclusions = covered.flatMap((path) => ['--exclude', `${path}**`]);
  const hasOthers = command.length === 0 || others.length > 0;
  return [{ command: covered, toCover }, ...(hasOthers ? [{ command: [...others, ...exclusions], toCover: [] }] : [])];
}

/** Whether files run as wholes: an option can select tests within files, and then neither coverage nor idle files say anything. */
export function isWhole(command: readonly string[]): boolean {
  return command.every((argument) => !argument.startsWith('-'));
}
