/**
 * Runs one schedule where nothing outside can be touched: the first process of a PID namespace, with mounts and a network of its own, so that
 * whatever it starts or makes ends with it. Started by `run-apart.ts` alone: SCHEDULE.json DIRECTORY FAILURES.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { assert } from '@nacre/base';
import { keepFailure } from './keep-failure.ts';
import { type Run, runSchedule } from './run-schedule.ts';
import type { Schedule } from './schedule.ts';

assert(process.pid === 1, 'this is the first process of its namespace');
// Whoever started this has ended, however that came about, when the pipe closes.
process.stdin.resume();
process.stdin.on('close', () => process.exit(1));

const [schedulePath = '', directory = '', failures = ''] = process.argv.slice(2);
const schedule = JSON.parse(readFileSync(schedulePath, 'utf8')) as Schedule;
const run: Run = await runSchedule(schedule, directory);
if (run.outcome.violations.length > 0) keepFailure(run, schedule, failures);
writeFileSync(join(directory, 'outcome.json'), JSON.stringify(run.outcome));
// All nodes end with this process.
process.exit(0);
