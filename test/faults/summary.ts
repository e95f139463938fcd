import type { Outcome } from './run-schedule.ts';
import { FAULT_KINDS } from './schedule.ts';

/** So many runs show every kind of fault: the rarest is in two of five, and missing in all of them once in 27,000 campaigns. */
const RUNS_FOR_ALL_FAULTS = 20;

const FIGURES = ['heights', 'records', 'acknowledged', 'unknown', 'expired', 'reads', 'setAside', 'endedFull'] as const;
const COLUMNS = ['nodes', 'runs', ...FAULT_KINDS, ...FIGURES, 'rest s', 'violations'];

/** Sums over runs. */
export class Summary {
  readonly #outcomes: Outcome[] = [];

  add(outcome: Outcome): void {
    this.#outcomes.push(outcome);
  }

  get failed(): number {
    return this.#outcomes.filter(({ violations }) => violations.length > 0).length;
  }

  get passed(): number {
    return this.#outcomes.length - this.failed;
  }

  /** Kinds of faults and of answers that never happened, although there were enough runs for it: then these prove nothing about them. */
  missing(): string[] {
    if (this.#outcomes.length < RUNS_FOR_ALL_FAULTS) return [];
    const faults = FAULT_KINDS.filter((kind) => this.#outcomes.every((outcome) => outcome.faults[kind] === 0));
    const figures = (['acknowledged', 'unknown', 'reads'] as const).filter((name) =>
      this.#outcomes.every((outcome) => outcome[name] === 0),
    );
    return [...faults, ...figures];
  }

  /** One row per number of nodes, and all of them together. */
  table(): string[] {
    const rows = [COLUMNS, ...this.#rows()];
    const widths = COLUMNS.map((_, column) => Math.max(...rows.map((row) => (row[column] as string).length)));
    return rows.map((row) => row.map((cell, column) => cell.padStart(widths[column] as number)).join('  '));
  }

  markdown(): string[] {
    const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
    return [line(COLUMNS), line(COLUMNS.map(() => '---:')), ...this.#rows().map(line)];
  }

  #rows(): string[][] {
    const sizes = [...Map.groupBy(this.#outcomes, ({ nodes }) => nodes)].sort(([a], [b]) => a - b);
    const rows = sizes.map(([nodes, outcomes]) => rowOf(String(nodes), outcomes));
    return rows.length > 1 ? [...rows, rowOf('all', this.#outcomes)] : rows;
  }
}

function rowOf(name: string, outcomes: readonly Outcome[]): string[] {
  const sum = (amount: (outcome: Outcome) => number): string => String(outcomes.reduce((total, outcome) => total + amount(outcome), 0));
  const rests = outcomes.map(({ restMs }) => restMs).sort((a, b) => a - b);
  return [
    name,
    String(outcomes.length),
    ...FAULT_KINDS.map((kind) => sum(({ faults }) => faults[kind])),
    ...FIGURES.map((figure) => sum((outcome) => outcome[figure])),
    `${seconds(rests[rests.length >> 1])} (${seconds(rests.at(-1))})`,
    sum(({ violations }) => violations.length),
  ];
}

function seconds(ms = 0): string {
  return (ms / 1000).toFixed(1);
}
