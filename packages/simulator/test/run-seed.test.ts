import { expect, test } from 'vitest';
import { checkSeed } from '../src/check-seed.ts';
import { type RunResult, runScenario } from '../src/run-seed.ts';
import { drawScenario } from '../src/scenarios/draw-scenario.ts';
import type { ViolationCode } from '../src/violation.ts';
import { type Defect, toyReplicas } from './support/toy-replica.ts';

const SEEDS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12] as const;

async function run(seed: number, defect: Defect = {}): Promise<RunResult> {
  const scenario = { ...drawScenario({ seed, name: 'crashes', validators: 4 }), submissionGapMs: 100 };
  return runScenario(scenario, { open: toyReplicas(defect) });
}

/** Codes that any of a few seeds shows. */
async function codesOf(defect: Defect): Promise<Set<ViolationCode>> {
  const codes = new Set<ViolationCode>();
  for (const seed of SEEDS) for (const { code } of (await run(seed, defect)).violations) codes.add(code);
  return codes;
}

test('replicas without a defect pass, through crashes and losses', async () => {
  for (const seed of SEEDS) {
    const result = await run(seed);
    expect(result.violations).toEqual([]);
    expect(result.heights).toBeGreaterThan(10);
    expect(result.transactions.committed).toBeGreaterThan(0);
  }
});

test('a fork is seen', async () => {
  expect(await codesOf({ forkAt: 5 })).toEqual(new Set(['AGREEMENT']));
});

test('a transaction that was acknowledged before it was durable is missed', async () => {
  expect(await codesOf({ unsyncedAdmission: true })).toContain('LOST');
});

test('two votes at one place are seen', async () => {
  expect(await codesOf({ equivocates: true })).toEqual(new Set(['EQUIVOCATION']));
});

test('calls that are never answered are seen', async () => {
  expect(await codesOf({ neverAnswers: true })).toEqual(new Set(['UNANSWERED']));
});

test('replicas that stop deciding are seen', async () => {
  expect(await codesOf({ stopsAt: 4 })).toEqual(new Set(['PROGRESS']));
});

test('replicas that never open their disks are seen', async () => {
  expect(await codesOf({ neverOpens: true })).toEqual(new Set(['PROGRESS']));
});

test('an exception in a replica is seen', async () => {
  const result = await run(1, { throwsAt: 3 });
  expect(result.violations).toMatchObject([{ code: 'FAILURE', detail: expect.stringContaining('planted') }]);
});

test('a height that a replica never told of is seen', async () => {
  expect(await codesOf({ skipsHeight: 4 })).toContain('ORDER');
});

test('a transaction that is applied twice is seen', async () => {
  expect(await codesOf({ appliesTwice: true })).toEqual(new Set(['APPLIED_TWICE']));
});

test('a status that contradicts the chain is seen', async () => {
  expect(await codesOf({ forgetsFailures: true })).not.toEqual(new Set());
});

test('a journal in doubt is seen', async () => {
  expect(await codesOf({ inDoubt: true })).toEqual(new Set(['DOUBT']));
});

test('an honest peer that is accused is seen', async () => {
  expect(await codesOf({ accuses: true })).toEqual(new Set(['ACCUSED']));
});

test('different records under one chain are seen', async () => {
  expect(await codesOf({ differentRecords: true })).toEqual(new Set(['RECORDS']));
});

test('the same seed gives the same trace, another seed another', async () => {
  const [first, again, other] = [await run(7), await run(7), await run(8)];
  expect({ ...again, cpuMs: 0 }).toEqual({ ...first, cpuMs: 0 });
  expect(other.traceHash).not.toBe(first.traceHash);
});

test('a seed that is repeated shows what the seed does not decide', async () => {
  const pure = await checkSeed({ seed: 7, name: 'crashes', validators: 4, repeat: true }, { open: toyReplicas() });
  expect(pure).toMatchObject({ repeated: true, violations: [] });
  const impure = await checkSeed({ seed: 7, name: 'crashes', validators: 4, repeat: true }, { open: toyReplicas({ impure: true }) });
  expect(impure).toMatchObject({ repeated: true, violations: [{ code: 'NONDETERMINISM' }] });
});

// @mutation packages/simulator/src/run-seed.ts
// - const reachChanged = (): void => this.#lookAtReach();
// + const reachChanged = (): void => {};
test('a calm between two looks, too short for one of them, begins the wait for what validators say anew', async () => {
  const drawn = drawScenario({ seed: 1, name: 'merge-storms', validators: 4 });
  const configuration = { ...drawn.configuration, repairIntervalMs: 30, reachIntervalMs: 60, reachSilenceMs: 240, reachSettleMs: 480 };
  const isolated = {
    shape: 'isolated',
    forbidden: [0, 1, 2].flatMap((node) => [[node, 3] as const, [3, node] as const]),
    turnMs: 0,
  } as const;
  const partitions = [
    { ...isolated, fromMs: 600, untilMs: 1_810 },
    { ...isolated, fromMs: 1_840, untilMs: 3_000 },
  ];
  const { violations, faults } = await runScenario({ ...drawn, faultsMs: 3_000, partitions, configuration });
  expect(violations).toEqual([]);
  expect(faults.partitionNamed).toBeGreaterThan(0);
});

test('replicas that sign with ML-DSA itself pass', async () => {
  const scenario = { ...drawScenario({ seed: 25, name: 'crashes', validators: 4 }), faultsMs: 1_500 };
  expect(scenario.realSignatures).toBe(true);
  const result = await runScenario(scenario);
  expect(result.violations).toEqual([]);
  expect(result.heights).toBeGreaterThan(3);
});
