import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** Output of one run of Quint that is kept, in characters. Beyond: the beginning is dropped; the verdict stands at the end. */
const OUTPUT_CHARACTERS_MAX = 1_000_000;

const PROGRAM = join(dirname(createRequire(import.meta.url).resolve('@informalsystems/quint/package.json')), 'dist', 'src', 'cli.js');

const MODEL_DIRECTORY = join(import.meta.dirname, '..', '..', 'model');

export interface QuintResult {
  /** 0: no violation. */
  readonly code: number;
  /** What it wrote to both streams. */
  readonly output: string;
}

/**
 * Runs Quint's command line with its simulator in TypeScript; the other one is a binary that it would fetch at run time.
 *
 * @param args command, file relative to `MODEL_DIRECTORY`, options
 */
export function runQuint(args: readonly string[]): Promise<QuintResult> {
  const backend = args[0] === 'typecheck' ? [] : ['--backend=typescript'];
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [PROGRAM, ...args, ...backend], { cwd: MODEL_DIRECTORY, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const keep = (chunk: string): void => {
      output = (output + chunk).slice(-OUTPUT_CHARACTERS_MAX);
    };
    child.stdout.setEncoding('utf8').on('data', keep);
    child.stderr.setEncoding('utf8').on('data', keep);
    child.once('error', reject);
    child.once('close', (code, signal) => {
      if (code === null) reject(new Error(`Quint was ended by ${signal}`));
      else resolve({ code, output });
    });
  });
}
