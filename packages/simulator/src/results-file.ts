import { appendFileSync, existsSync, readFileSync, truncateSync } from 'node:fs';
import type { ScenarioName } from './scenarios/scenarios.ts';
import type { Totals, TotalsByScenario } from './totals.ts';

/** What has to be the same for a chunk of seeds to be the same work. */
export interface ChunkKind {
  readonly scenario: ScenarioName | null;
  readonly validators: number | null;
}

interface ResultLine extends ChunkKind {
  /** First seed and how many from it on. */
  readonly first: number;
  readonly seeds: number;
  readonly totals: Readonly<Record<string, Totals>>;
}

/** Seeds whose results make one line. */
export const CHUNK_SEEDS = 100;

/** Finished chunks of seeds, one JSON line each, so that a long range can be run in parts. */
export class ResultsFile {
  readonly #path: string;
  readonly #lines: ResultLine[] = [];

  /**
   * Reads what is there; a line that a killed process left unfinished is cut off.
   *
   * @throws {SyntaxError} if the file holds something else
   */
  constructor(path: string) {
    this.#path = path;
    if (!existsSync(path)) return;
    const text = readFileSync(path, 'utf8');
    const finished = text.slice(0, text.lastIndexOf('\n') + 1);
    if (finished.length < text.length) truncateSync(path, Buffer.byteLength(finished));
    for (const line of finished.split('\n')) if (line !== '') this.#lines.push(JSON.parse(line) as ResultLine);
  }

  /** What the file holds of this kind. */
  *former(kind: ChunkKind): Generator<readonly [ScenarioName, Totals]> {
    for (const line of this.#lines) if (isOfKind(line, kind)) yield* Object.entries(line.totals) as [ScenarioName, Totals][];
  }

  has(kind: ChunkKind, first: number, seeds: number): boolean {
    return this.#lines.some((line) => isOfKind(line, kind) && line.first === first && line.seeds === seeds);
  }

  append(kind: ChunkKind, first: number, seeds: number, totals: TotalsByScenario): void {
    const line: ResultLine = { ...kind, first, seeds, totals: Object.fromEntries(totals) };
    this.#lines.push(line);
    appendFileSync(this.#path, `${JSON.stringify(line)}\n`);
  }
}

function isOfKind(line: ChunkKind, { scenario, validators }: ChunkKind): boolean {
  return line.scenario === scenario && line.validators === validators;
}
