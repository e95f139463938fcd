import { JsonLinesFile } from '@nacre/simulator';
import type { Outcome } from './run-schedule.ts';

/** What each seed came to, so that a long range can be run in parts. */
export class ResultsFile {
  readonly #file: JsonLinesFile<Outcome>;

  /** @throws {SyntaxError} if the file holds something else */
  constructor(path: string) {
    this.#file = new JsonLinesFile(path);
  }

  get outcomes(): readonly Outcome[] {
    return this.#file.lines;
  }

  has(seed: number, nodes: number): boolean {
    return this.outcomes.some((outcome) => outcome.seed === seed && outcome.nodes === nodes);
  }

  append(outcome: Outcome): void {
    this.#file.append(outcome);
  }
}
