import type { SeedOutcome } from './check-seed.ts';
import { FAULT_KINDS, type FaultKind } from './fault-tally.ts';
import type { RunResult } from './run-seed.ts';

/** So many seeds show every kind of fault many times over. With fewer, a kind may be missing by chance. */
const SEEDS_FOR_ALL_FAULTS = 50;

/** The sums over all seeds of one command. */
export class Summary {
  #passed = 0;
  #failed = 0;
  #heights = 0;
  #events = 0;
  #virtualMs = 0;
  #laterRounds = 0;
  #reProposals = 0;
  #repeated = 0;
  readonly #faults = new Map<FaultKind, number>(FAULT_KINDS.map((kind) => [kind, 0]));
  readonly #transactions = { committed: 0, failed: 0, expired: 0, refused: 0 };
  readonly #refusals = new Map<string, number>();

  get passed(): number {
    return this.#passed;
  }

  get failed(): number {
    return this.#failed;
  }

  get seeds(): number {
    return this.#passed + this.#failed;
  }

  get heights(): number {
    return this.#heights;
  }

  add(outcome: SeedOutcome): void {
    if (outcome.violations.length === 0) this.#passed++;
    else this.#failed++;
    this.#heights += outcome.heights;
    this.#events += outcome.events;
    this.#virtualMs += outcome.virtualMs;
    this.#laterRounds += outcome.laterRounds;
    this.#reProposals += outcome.reProposals;
    if (outcome.repeated) this.#repeated++;
    for (const kind of FAULT_KINDS) addTo(this.#faults, kind, outcome.faults[kind]);
    for (const end of Object.keys(this.#transactions) as (keyof RunResult['transactions'])[])
      this.#transactions[end] += outcome.transactions[end];
    for (const [code, count] of Object.entries(outcome.refusals)) addTo(this.#refusals, code, count);
  }

  /** What never happened although the run was long enough for it: then the run has proved nothing about it. */
  missing(): string[] {
    if (this.seeds < SEEDS_FOR_ALL_FAULTS) return [];
    const counts: readonly (readonly [string, number])[] = [
      ...this.#faults,
      ['blocks decided above round 0', this.#laterRounds],
      ['re-proposals', this.#reProposals],
      ['transactions committed', this.#transactions.committed],
      ['transactions failed', this.#transactions.failed],
      ['transactions expired', this.#transactions.expired],
    ];
    return counts.filter(([, count]) => count === 0).map(([name]) => name);
  }

  /** The table that `npm run simulate` ends with. */
  lines(): string[] {
    const rows: [string, number | string][] = [
      ['seeds', this.seeds],
      ['seeds run twice, traces compared', this.#repeated],
      ['blocks decided', this.#heights],
      ['blocks decided above round 0', this.#laterRounds],
      ['re-proposals', this.#reProposals],
      ['virtual hours', (this.#virtualMs / 3_600_000).toFixed(2)],
      ['events', this.#events],
      ...Object.entries(this.#transactions).map(([end, count]): [string, number] => [`transactions ${end}`, count]),
      ...[...this.#faults].map(([kind, count]): [string, number] => [`fault ${kind}`, count]),
      ...sorted(this.#refusals).map(([code, count]): [string, number] => [`refusal ${code}`, count]),
    ];
    const width = Math.max(...rows.map(([name]) => name.length));
    return rows.map(([name, value]) => `  ${name.padEnd(width)}  ${String(value).padStart(10)}`);
  }
}

function addTo<Key>(counts: Map<Key, number>, key: Key, count: number): void {
  counts.set(key, (counts.get(key) ?? 0) + count);
}

function sorted(counts: ReadonlyMap<string, number>): [string, number][] {
  return [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
}
