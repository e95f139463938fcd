import { appendFileSync, existsSync, readFileSync, truncateSync } from 'node:fs';

/** A file of JSON lines that is only appended to, so that a long work can be done in parts. */
export class JsonLinesFile<Line> {
  readonly #path: string;
  readonly #lines: Line[] = [];

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
    for (const line of finished.split('\n')) if (line !== '') this.#lines.push(JSON.parse(line) as Line);
  }

  get lines(): readonly Line[] {
    return this.#lines;
  }

  append(line: Line): void {
    this.#lines.push(line);
    appendFileSync(this.#path, `${JSON.stringify(line)}\n`);
  }
}
