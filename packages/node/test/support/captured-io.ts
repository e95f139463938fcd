import type { CommandIo } from '../../src/cli/command-io.ts';

/** A command's surroundings that remember what it printed. */
export interface CapturedIo extends CommandIo {
  readonly out: () => string;
  readonly err: () => string;
}

export function capturedIo(options: { readonly stdin?: string; readonly environment?: Record<string, string> } = {}): CapturedIo {
  let out = '';
  let err = '';
  return {
    stdout: (text) => {
      out += text;
    },
    stderr: (text) => {
      err += text;
    },
    environment: options.environment ?? {},
    readStdin: async () => options.stdin ?? '',
    out: () => out,
    err: () => err,
  };
}
