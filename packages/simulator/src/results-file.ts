import { JsonLinesFile } from './json-lines-file.ts';
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

/** Finished chunks of seeds, so that a long range can be run in parts. */
export class ResultsFile {
  readonly #file: JsonLinesFile<ResultLine>;

  /** @throws {SyntaxError} if the file holds something else */
  constructor(path: string) {
    this.#file = new JsonLinesFile(path);
  }

  /** What the file holds of this kind. */
  *former(kind: ChunkKind): Generator<readonly [ScenarioName, Totals]> {
    for (const line of this.#file.lines) if (isOfKind(line, kind)) yield* Object.entries(line.totals) as [ScenarioName, Totals][];
  }

  has(kind: ChunkKind, first: number, seeds: number): boolean {
    return this.#file.lines.some((line) => isOfKind(line, kind) && line.first === first && line.seeds === seeds);
  }

  append(kind: ChunkKind, first: number, seeds: number, totals: TotalsByScenario): void {
    this.#file.append({ ...kind, first, seeds, totals: Object.fromEntries(totals) });
  }
}

function isOfKind(line: ChunkKind, { scenario, validators }: ChunkKind): boolean {
  return line.scenario === scenario && line.validators === validators;
}
