import { appendFileSync, existsSync, readFileSync, truncateSync } from 'node:fs';
import type { Outcome } from './run-schedule.ts';

/** What each seed came to, one JSON line each, so that a long range can be run in parts. */
export class ResultsFile {
  readonly #path: string;
  readonly #outcomes: Outcome[] = [];

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
    for (const line of finished.split('\n')) if (line !== '') this.#outcomes.push(JSON.parse(line) as Outcome);
  }

  get outcomes(): readonly Outcome[] {
    return this.#outcomes;
  }

  has(seed: number, nodes: number): boolean {
    return this.#outcomes.some((outcome) => outcome.seed === seed && outcome.nodes === nodes);
  }

  append(outcome: Outcome): void {
    this.#outcomes.push(outcome);
    appendFileSync(this.#path, `${JSON.stringify(outcome)}\n`);
  }
}
