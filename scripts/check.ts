// npm run check [-- STEP …]
// Everything that a commit must pass besides the tests; one line per step, and the output of those that fail.
import { join } from 'node:path';
import { allSteps, type Step } from './check/steps.ts';

/** Most of the tools use every core by themselves; a third at a time would only wait. */
const STEPS_AT_A_TIME = 2;

async function report(step: Step): Promise<boolean> {
  const startedAt = performance.now();
  const { ok, output } = await step.run();
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  console.log(`${ok ? 'ok  ' : 'FAIL'} ${step.name.padEnd(20)} ${seconds.padStart(5)} s${ok || output === '' ? '' : `\n\n${output}\n`}`);
  return ok;
}

async function main(names: readonly string[]): Promise<number> {
  const steps = allSteps(join(import.meta.dirname, '..'));
  const unknown = names.filter((name) => !steps.some((step) => step.name === name));
  if (unknown.length > 0) {
    console.error(`No step is called "${unknown.join('", "')}". The steps: ${steps.map((step) => step.name).join(', ')}.`);
    return 1;
  }
  const queue = steps.filter((step) => names.length === 0 || names.includes(step.name)).values();
  const outcomes: boolean[] = [];
  const work = async (): Promise<void> => {
    for (const step of queue) outcomes.push(await report(step));
  };
  await Promise.all(Array.from({ length: STEPS_AT_A_TIME }, work));
  const failed = outcomes.filter((ok) => !ok).length;
  console.log(`\n${outcomes.length - failed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
