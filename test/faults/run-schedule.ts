import { setTimeout as sleep } from 'node:timers/promises';
import { SeededRandom } from '@nacre/simulator';
import { checkHistory } from './checker/check-history.ts';
import { checkProofs } from './checker/check-proofs.ts';
import { Client, type ClientDesk, SERVICES } from './client.ts';
import { type Deed, directFaults } from './fault-director.ts';
import { readFinalViews } from './final-views.ts';
import type { Call, NodeView, Violation } from './history.ts';
import { Lab, NACRE } from './lab.ts';
import { FAULT_KINDS, type FaultKind, type Schedule } from './schedule.ts';

/** From the first process to nodes that can decide, in ms, on a machine that does much else. */
const START_MS_MAX = 240_000;
/** From the end of the faults to nodes at rest, in ms. Some seconds on an idle machine; 80 where twenty processes wanted each of two cores. */
const REST_MS_MAX = 240_000;
const RETRY_MS = 100;

/** What came of one run. */
export interface Outcome {
  readonly seed: number;
  readonly nodes: number;
  readonly violations: readonly Violation[];
  readonly faults: Readonly<Record<FaultKind, number>>;
  /** Writes by how they were answered; reads that were answered. */
  readonly acknowledged: number;
  readonly unknown: number;
  readonly expired: number;
  readonly reads: number;
  readonly heights: number;
  readonly records: number;
  /** Damaged stores that nodes have put aside, to begin anew; nodes that ended on a full disk. */
  readonly setAside: number;
  readonly endedFull: number;
  /** From the end of the faults until everything was final and equal, in ms. */
  readonly restMs: number;
  readonly tookMs: number;
}

/** A run with everything that a person needs to see what went wrong. */
export interface Run {
  readonly outcome: Outcome;
  readonly calls: readonly Call[];
  readonly deeds: readonly Deed[];
  readonly lab: Lab;
}

/** Runs real nodes through one schedule, with clients at each of them, and judges what they told. Everything it starts ends with this process. */
export async function runSchedule(schedule: Schedule, directory: string): Promise<Run> {
  const startedMs = performance.now();
  const lab = new Lab(schedule, directory);
  await lab.start(START_MS_MAX);
  const calls: Call[] = [];
  const deeds: Deed[] = [];
  const beginMs = performance.now();
  const nowMs = (): number => Math.round(10 * (performance.now() - beginMs)) / 10;
  const desk: ClientDesk = { nowMs, record: (call) => calls.push(call), known: [] };
  const random = SeededRandom.fromSeed(schedule.seed).fork('clients');
  const clients = lab.nodes.map((node, index) => new Client(index, node, { random: random.fork(String(index)), desk }));
  // Accounts and services are there before anything goes wrong, or there would be little to lose.
  await Promise.all(clients.map((client) => client.openServices()));
  const stop = new AbortController();
  const running = clients.map((client) => client.run(stop.signal));
  await directFaults(schedule, lab, (deed) => deeds.push(deed));
  const calmMs = performance.now();
  stop.abort();
  await Promise.all(running);

  const violations: Violation[] = [];
  const report = (code: Violation['code'], detail: string): void => void violations.push({ code, detail });
  const excused = (node: number, storeLife: number): boolean => lab.wasDamagedAfter(node, storeLife);
  await writeEverywhere(clients, calmMs + REST_MS_MAX, report);
  const timeoutMs = Math.max(0, calmMs + REST_MS_MAX - performance.now());
  const final = violations.length > 0 ? null : await readFinalViews(lab.nodes, { calls, excused, timeoutMs });
  const restMs = Math.round(performance.now() - calmMs);
  const views: readonly NodeView[] = final !== null && 'views' in final ? final.views : [];
  if (final !== null && 'problem' in final) report('PROGRESS', `${REST_MS_MAX / 1000} s after the faults: ${final.problem}`);
  const [truth] = views;
  if (truth !== undefined) {
    violations.push(...checkHistory(calls, views, excused));
    await checkProofs(truth, { nodes: lab.nodes, genesisPath: lab.genesisPath, nacre: NACRE }, report);
  }
  for (const detail of lab.operator.unexplained) report('ENDED', detail);
  const figures = { restMs, tookMs: Math.round(performance.now() - startedMs) };
  return { outcome: { ...outcomeOf(schedule, calls, truth), ...figures, ...nodeFigures(lab), violations }, calls, deeds, lab };
}

/** After the faults every node gets a write decided. */
async function writeEverywhere(
  clients: readonly Client[],
  deadlineMs: number,
  report: (code: 'PROGRESS', detail: string) => void,
): Promise<void> {
  await Promise.all(
    clients.map(async (client, index) => {
      while (!(await client.writeForSure(deadlineMs))) {
        if (performance.now() > deadlineMs)
          return report('PROGRESS', `${REST_MS_MAX / 1000} s after the faults node ${index} gets nothing decided`);
        await sleep(RETRY_MS);
      }
    }),
  );
}

function nodeFigures({ nodes, operator }: Lab): Pick<Outcome, 'setAside' | 'endedFull'> {
  return { setAside: nodes.reduce((sum, node) => sum + node.storesSetAside, 0), endedFull: operator.endedFull };
}

function outcomeOf({ seed, nodes, faults }: Schedule, calls: readonly Call[], truth: NodeView | undefined) {
  const counts = Object.fromEntries(FAULT_KINDS.map((kind) => [kind, faults.filter((fault) => fault.kind === kind).length]));
  const writes = calls.filter((call) => call.kind === 'write');
  return {
    seed,
    nodes,
    faults: counts as Record<FaultKind, number>,
    acknowledged: writes.filter(({ answer }) => answer.kind === 'admitted' || answer.kind === 'committed').length,
    unknown: writes.filter(({ answer }) => answer.kind === 'unknown').length,
    expired: [...(truth?.statuses.values() ?? [])].filter(({ status }) => status === 'expired').length,
    reads: calls.filter((call) => call.kind !== 'write' && call.answer !== null).length,
    heights: truth?.blocks.length ?? 0,
    records: SERVICES.reduce((sum, service) => sum + (truth?.records.get(service)?.length ?? 0), 0),
  };
}
