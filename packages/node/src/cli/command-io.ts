import { NacreError } from '@nacre/base';
import { EXIT, exitStatusOf } from './exit-status.ts';

/** The surroundings of a command: the process's own, or a test's. */
export interface CommandIo {
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** All of standard input, at most so many bytes. */
  readonly readStdin: (bytesMax: number) => Promise<string>;
}

/** Prints what a command found: as one line of JSON with `--json`, else as lines for people. Data goes to stdout and nothing else does. */
export function print(io: CommandIo, json: boolean, data: unknown, lines: () => readonly string[]): void {
  io.stdout(
    json
      ? `${JSON.stringify(data)}\n`
      : lines()
          .map((line) => `${line}\n`)
          .join(''),
  );
}

/** Tells on stderr why a command failed. @returns its exit status */
export function reportFailure(io: CommandIo, json: boolean, error: unknown): number {
  if (!(error instanceof NacreError)) {
    io.stderr(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    return EXIT.unexpected;
  }
  const { code, message, fields, hint } = error as NacreError;
  if (json) io.stderr(`${JSON.stringify({ error: { code, message, ...fields, ...(hint === undefined ? {} : { hint }) } })}\n`);
  else io.stderr(`${code}: ${message}\n${problemLines(fields)}${hint === undefined ? '' : `${hint}\n`}`);
  return exitStatusOf(code);
}

/** An invalid configuration lists all that is wrong with it. */
function problemLines({ problems }: Readonly<Record<string, unknown>>): string {
  if (!Array.isArray(problems) || problems.length < 2) return '';
  return problems.map(({ path, problem, source }) => `  ${path} ${problem} (${source})\n`).join('');
}

/** Columns as wide as their widest cell. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths = rows.reduce<number[]>((widest, row) => row.map((cell, i) => Math.max(cell.length, widest[i] ?? 0)), []);
  return rows.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
