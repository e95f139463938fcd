import { cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Run } from './run-schedule.ts';
import type { Schedule } from './schedule.ts';

/** Where the schedule, the history and the nodes' logs of a failed run are kept. */
export function failureDirectory(failures: string, { seed, nodes }: Pick<Schedule, 'seed' | 'nodes'>): string {
  return join(failures, `seed-${seed}-nodes-${nodes}`);
}

/** Writes down what a person needs to see what happened: the violations, the faults, every call, and what each node logged and printed. */
export function keepFailure({ outcome, calls, deeds, lab }: Run, schedule: Schedule, failures: string): void {
  const directory = failureDirectory(failures, schedule);
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'schedule.json'), `${JSON.stringify(schedule, null, 2)}\n`);
  writeFileSync(join(directory, 'violations.txt'), outcome.violations.map(({ code, detail }) => `${code}: ${detail}\n`).join(''));
  writeFileSync(join(directory, 'faults.txt'), deeds.map(({ atMs, what }) => `${String(atMs).padStart(6)} ms  ${what}\n`).join(''));
  writeFileSync(join(directory, 'history.jsonl'), calls.map((call) => `${JSON.stringify(call)}\n`).join(''));
  for (const { index, home, outputPath } of lab.nodes) {
    if (existsSync(outputPath)) cpSync(outputPath, join(directory, `node${index}.out`));
    const logs = join(home, 'logs');
    if (existsSync(logs)) cpSync(logs, join(directory, `node${index}-logs`), { recursive: true, dereference: true });
  }
}
