import type { SeedOutcome } from './check-seed.ts';
import { FAULT_KINDS, type FaultKind } from './fault-tally.ts';
import { type Recipe, recipeOf, SCENARIO_NAMES, type ScenarioName } from './scenarios/scenarios.ts';
import { addOutcome, addTotals, sumOf, type Totals, type TotalsByScenario } from './totals.ts';

/**
 * So many seeds of a scenario show each of its faults; with fewer, one may be missing by chance.
 * Measured over 39 seeds and more of each: the rarest is missing in 19 of 39, and any in all of 30 once in a thousand million runs.
 */
const SEEDS_FOR_ITS_FAULTS = 30;
/** Each comes with one kind of damage or offence, with one shape of partition or on few of the networks: up to 37 of 40 seeds are without. */
const RARE_FAULTS: ReadonlySet<FaultKind> = new Set([
  'journalDamaged',
  'diskLost',
  'storeRefused',
  'framePartitioned',
  'frameReordered',
  'oldOffenceProven',
]);
/** So many seeds of a scenario show its rare faults: with 80, one would be missing in one run of 500. */
const SEEDS_FOR_RARE_FAULTS = 200;
/**
 * Over so many seeds of every scenario there is each kind of fault that many of them have. CI runs as many. The chance that one is missing is
 * below 10^-12, by the shares of each scenario's seeds that are without.
 */
const SEEDS_OF_EACH = 7;
/** In many scenarios, and in few seeds of each: over seven of each it would be missing in one run of a million. */
const RAREST_FAULT: FaultKind = 'replaceLost';
const SEEDS_OF_EACH_FOR_RAREST = 20;
/** In so few scenarios that only more seeds of these show them for certain. */
const FAULTS_OF_FEW_SCENARIOS: ReadonlySet<FaultKind> = new Set([
  'journalDamaged',
  'diskLost',
  'storeRefused',
  'storeSpoilt',
  'storeMended',
  'crashInCatchUp',
  'crashInSnapshot',
  'pruned',
  'partitionNamed',
  'offenceProven',
  'oldOffenceProven',
  'signerCrash',
  'signerCut',
  'answerUnheard',
]);

const COLUMNS = [
  'scenario',
  'seeds',
  'heights',
  'heights/s',
  'later round',
  're-proposed',
  'lost',
  'crashes',
  'partitions',
  'byzantine',
  'violations',
] as const;

/** The sums over all seeds of one command, and of those before it that it continues. */
export class Summary {
  readonly totals: TotalsByScenario = new Map();

  add(outcome: SeedOutcome): void {
    addOutcome(this.totals, outcome);
  }

  /** Adds what a former run has come to. */
  addFormer(totals: Iterable<readonly [ScenarioName, Totals]>): void {
    for (const [name, each] of totals) addTotals(this.totals, name, each);
  }

  get seeds(): number {
    return sumOf(this.totals).seeds;
  }

  get failed(): number {
    return sumOf(this.totals).failed;
  }

  get passed(): number {
    return this.seeds - this.failed;
  }

  get heights(): number {
    return sumOf(this.totals).heights;
  }

  /** What never happened although the run was long enough for it: then the run has proved nothing about it. */
  missing(): string[] {
    const missing: string[] = [];
    for (const [name, totals] of this.totals) {
      if (totals.seeds < SEEDS_FOR_ITS_FAULTS) continue;
      for (const fault of expectedFaults(recipeOf(name))) {
        const isDue = totals.seeds >= SEEDS_FOR_RARE_FAULTS || !RARE_FAULTS.has(fault);
        if (isDue && totals.faults[fault] === 0) missing.push(`${fault} in ${name}`);
      }
      // Over long distances, where rounds take long, 24 of 39 seeds need none.
      const isLaterRoundDue = totals.seeds >= SEEDS_FOR_RARE_FAULTS || recipeOf(name).wideArea !== true;
      if (isLaterRoundDue && totals.laterRounds === 0) missing.push(`blocks decided above round 0 in ${name}`);
    }
    const all = sumOf(this.totals);
    const ofEach = Math.min(...SCENARIO_NAMES.map((name) => this.totals.get(name)?.seeds ?? 0));
    if (ofEach < SEEDS_OF_EACH) return missing;
    const isDue = (kind: FaultKind): boolean =>
      !FAULTS_OF_FEW_SCENARIOS.has(kind) && (kind !== RAREST_FAULT || ofEach >= SEEDS_OF_EACH_FOR_RAREST);
    const counts: readonly (readonly [string, number])[] = [
      ...FAULT_KINDS.filter(isDue).map((kind) => [kind, all.faults[kind]] as const),
      ['re-proposals', all.reProposals],
      ...Object.entries(all.transactions).map(([end, count]) => [`transactions ${end}`, count] as const),
    ];
    return [...missing, ...counts.filter(([, count]) => count === 0).map(([name]) => name)];
  }

  /** One row per scenario, and all of them together. */
  table(): string[] {
    const rows = [...this.totals].map(([name, totals]) => rowOf(name, totals));
    if (rows.length > 1) rows.push(rowOf('all', sumOf(this.totals)));
    const lines = [COLUMNS, ...rows];
    const widths = COLUMNS.map((_, column) => Math.max(...lines.map((row) => (row[column] as string).length)));
    return lines.map((row) =>
      row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] as number) : cell.padStart(widths[i] as number))).join('  '),
    );
  }

  /** The same table as Markdown. */
  markdown(): string[] {
    const rows = [...[...this.totals].map(([name, totals]) => rowOf(name, totals)), rowOf('all', sumOf(this.totals))];
    const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
    return [line(COLUMNS), line(COLUMNS.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows.map(line)];
  }

  /** Everything that was counted, over all scenarios. */
  lines(): string[] {
    const all = sumOf(this.totals);
    const rows: [string, number | string][] = [
      ['seeds run twice, traces compared', all.repeated],
      ['virtual hours', (all.virtualMs / 3_600_000).toFixed(2)],
      ['events', all.events],
      ...Object.entries(all.transactions).map(([end, count]): [string, number] => [`transactions ${end}`, count]),
      ...FAULT_KINDS.map((kind): [string, number] => [`fault ${kind}`, all.faults[kind]]),
      ...Object.entries(all.refusals)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([code, count]): [string, number] => [`refusal ${code}`, count]),
    ];
    const width = Math.max(...rows.map(([name]) => name.length));
    return rows.map(([name, value]) => `  ${name.padEnd(width)}  ${String(value).padStart(10)}`);
  }
}

function rowOf(name: string, totals: Totals): string[] {
  const { seeds, heights, cpuMs, laterRounds, reProposals, faults, failed } = totals;
  const perSecond = cpuMs === 0 ? 0 : Math.round((1000 * heights) / cpuMs);
  const numbers = [
    seeds,
    heights,
    perSecond,
    laterRounds,
    reProposals,
    faults.frameLost,
    faults.crash,
    faults.partition,
    faults.byzantineAct,
    failed,
  ];
  return [name, ...numbers.map(String)];
}

/** What a scenario is there for. */
function expectedFaults(recipe: Recipe): FaultKind[] {
  const { network, crashes, blackouts, partitions, skew, damage, byzantine, changes, signers } = recipe;
  const expected: FaultKind[] = expectedOfStores(recipe);
  if (network === 'light' || network === 'heavy') expected.push('frameLost', 'frameReordered');
  if (crashes === true) expected.push('crash');
  if (blackouts === true) expected.push('crashOfAll', 'storeRolledBack');
  if (partitions === true) expected.push('partition', 'framePartitioned');
  if (skew === true) expected.push('clockStepped');
  if (damage === true) expected.push('journalDamaged', 'storeRefused', 'diskLost');
  if (byzantine !== undefined) expected.push('byzantineAct');
  if (changes === true) expected.push('epochEnded', 'committeeChanged', 'keyRotated', 'keyErased');
  if (changes === true && byzantine !== undefined) expected.push('offenceProven', 'oldOffenceProven');
  if (signers === true) expected.push('signerCrash', 'signerCut', 'answerUnheard');
  return expected;
}

function expectedOfStores({ stores, catchUp, storms }: Recipe): FaultKind[] {
  const expected: FaultKind[] = [];
  if (stores !== undefined) expected.push('joined', 'leapt');
  if (stores === 'pruned') expected.push('pruned');
  if (catchUp === 'crashes') expected.push('crashInCatchUp', 'crashInSnapshot');
  if (catchUp === 'damage') expected.push('storeSpoilt', 'storeMended', 'storeRefused');
  if (storms !== undefined) expected.push('partition');
  if (storms === 'merges') expected.push('partitionNamed');
  return expected;
}
