import type { SeedOutcome } from './check-seed.ts';
import { FAULT_KINDS, type FaultKind } from './fault-tally.ts';
import type { ScenarioName } from './scenarios/scenarios.ts';

const ENDS = ['committed', 'failed', 'expired', 'refused'] as const;
const COUNTS = ['seeds', 'failed', 'repeated', 'heights', 'events', 'laterRounds', 'reProposals', 'virtualMs', 'cpuMs'] as const;

/** What a number of seeds of one scenario came to. Plain data: it is written to the results file. */
export interface Totals extends Record<(typeof COUNTS)[number], number> {
  readonly faults: Record<FaultKind, number>;
  readonly transactions: Record<(typeof ENDS)[number], number>;
  readonly refusals: Record<string, number>;
}

export type TotalsByScenario = Map<ScenarioName, Totals>;

function noTotals(): Totals {
  return {
    ...zeros(COUNTS),
    faults: zeros(FAULT_KINDS),
    transactions: zeros(ENDS),
    refusals: {},
  };
}

export function addOutcome(totals: TotalsByScenario, outcome: SeedOutcome): void {
  const { violations, repeated, heights, events, laterRounds, reProposals, virtualMs, cpuMs, faults, transactions, refusals } = outcome;
  addTotals(totals, outcome.scenario, {
    ...{ seeds: 1, failed: violations.length > 0 ? 1 : 0, repeated: repeated ? 1 : 0 },
    ...{ heights, events, laterRounds, reProposals, virtualMs, cpuMs },
    ...{ faults, transactions, refusals },
  });
}

/** Adds to what is there already of the scenario. */
export function addTotals(totals: TotalsByScenario, name: ScenarioName, added: Totals): void {
  let sum = totals.get(name);
  if (sum === undefined) {
    sum = noTotals();
    totals.set(name, sum);
  }
  for (const key of COUNTS) sum[key] += added[key];
  addAll(sum.faults, added.faults);
  addAll(sum.transactions, added.transactions);
  addAll(sum.refusals, added.refusals);
}

/** All scenarios together. */
export function sumOf(totals: TotalsByScenario): Totals {
  const all: TotalsByScenario = new Map();
  for (const each of totals.values()) addTotals(all, 'everything', each);
  return all.get('everything') ?? noTotals();
}

function addAll(sum: Record<string, number>, added: Readonly<Record<string, number>>): void {
  for (const [key, count] of Object.entries(added)) sum[key] = (sum[key] ?? 0) + count;
}

function zeros<Key extends string>(keys: readonly Key[]): Record<Key, number> {
  return Object.fromEntries(keys.map((key) => [key, 0])) as Record<Key, number>;
}
