import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Outcome } from './run-schedule.ts';
import { FAULT_KINDS, type Schedule } from './schedule.ts';

const INSIDE = fileURLToPath(new URL('./inside.ts', import.meta.url));
/** A run that takes longer, in ms, hangs somewhere. Longer than all that it waits for. */
const RUN_MS_MAX = 600_000;
/** The number behind it is the process that the directory belongs to. */
const PREFIX = 'nacre-faults-';
/** Namespaces that end with their first process, and that one with whoever started it. */
const APART = ['--mount', '--net', '--pid', '--fork', '--mount-proc', '--kill-child'];

/** Directories that the runs of one command share. */
export interface Places {
  /** Where a failed run leaves what it knows. */
  readonly failures: string;
  /** Compiled modules: a run starts the same program a dozen times. */
  readonly compiled: string;
}

/** A directory of this process, which it removes; or, if it is killed, the next one does. */
export function ownDirectory(name: string): string {
  return mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-${name}-`));
}

/**
 * Runs a schedule in namespaces of its own for mounts, network and processes. When the run ends, in whatever way, the system ends every
 * process, mount, bridge and namespace of it; there is nothing to clean up.
 *
 * @param stop ends the run at once
 */
export async function runApart(schedule: Schedule, { failures, compiled }: Places, stop: AbortSignal): Promise<Outcome> {
  const directory = ownDirectory('run');
  const schedulePath = join(directory, 'schedule.json');
  const outcomePath = join(directory, 'outcome.json');
  try {
    writeFileSync(schedulePath, JSON.stringify(schedule));
    // A group of its own: the Ctrl-C of a terminal reaches only this process, which then ends the run.
    const args = [...APART, process.execPath, INSIDE, schedulePath, directory, failures];
    const env = { ...process.env, NODE_COMPILE_CACHE: compiled };
    const child = spawn('unshare', args, { stdio: ['pipe', 'pipe', 'pipe'], detached: true, env });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        output += String(chunk);
      });
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    child.once('close', () => resolve());
    child.once('error', (error) => {
      output += error.message;
      resolve();
    });
    const end = (): void => void child.kill('SIGKILL');
    const late = setTimeout(end, RUN_MS_MAX);
    stop.addEventListener('abort', end);
    await promise;
    clearTimeout(late);
    stop.removeEventListener('abort', end);
    if (existsSync(outcomePath)) return JSON.parse(readFileSync(outcomePath, 'utf8')) as Outcome;
    return failedOutcome(schedule, output.trim());
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Removes the directories of commands that were killed. */
export function removeLeftovers(): void {
  for (const name of readdirSync(tmpdir())) {
    const owner = new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1];
    if (owner !== undefined && !existsSync(`/proc/${owner}`)) rmSync(join(tmpdir(), name), { recursive: true, force: true });
  }
}

function failedOutcome({ seed, nodes }: Schedule, output: string): Outcome {
  const none = Object.fromEntries(FAULT_KINDS.map((kind) => [kind, 0])) as Outcome['faults'];
  const zero = {
    acknowledged: 0,
    unknown: 0,
    expired: 0,
    reads: 0,
    heights: 0,
    records: 0,
    setAside: 0,
    endedFull: 0,
    restMs: 0,
    tookMs: 0,
  };
  return { seed, nodes, faults: none, ...zero, violations: [{ code: 'HARNESS', detail: `the run ended without a result: ${output}` }] };
}
