import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeEntry } from '../describe-entry.ts';
import { runScenario } from '../run-seed.ts';
import { nodesOf, type Scenario } from '../scenario.ts';
import { drawScenario } from '../scenarios/draw-scenario.ts';
import type { ScenarioName } from '../scenarios/scenarios.ts';
import type { TraceEntry } from '../trace.ts';
import type { Violation } from '../violation.ts';
import { shrink } from './shrink.ts';
import { spaceTimeDiagram } from './space-time-diagram.ts';

/** Entries of a trace that are kept for the picture and the text: the end of a run is where it matters. */
const ENTRIES_MAX = 200_000;

interface Failing {
  readonly seed: number;
  readonly name: ScenarioName;
  readonly validators: number | null;
}

/** Makes a failure as small as it gets and writes down how it comes about. @returns lines that say where */
export async function investigate({ seed, name, validators }: Failing, output: string): Promise<string[]> {
  const scenario = drawScenario({ seed, name, ...(validators === null ? {} : { validators }) });
  const codeOf = async (candidate: Scenario): Promise<Violation['code'] | undefined> => (await runScenario(candidate)).violations[0]?.code;
  const code = await codeOf(scenario);
  if (code === undefined) return [`  seed ${seed} does not fail when it is run by itself: two runs of it differ`];
  const smallest = await shrink(scenario, async (candidate) => (await codeOf(candidate)) === code);
  const entries: TraceEntry[] = [];
  const { violations } = await runScenario(smallest, {
    onTrace: (entry) => {
      if (entries.length < ENTRIES_MAX) entries.push({ ...entry, bytes: entry.bytes?.slice() });
    },
  });
  const directory = join(output, `${name}-${seed}`);
  mkdirSync(directory, { recursive: true });
  const trace = entries.map((entry) => `${entry.timeMs.toFixed(3).padStart(12)} ${describeEntry(entry)}`);
  const [violation] = violations as [Violation];
  writeFileSync(join(directory, 'scenario.json'), `${JSON.stringify(smallest, null, 2)}\n`);
  writeFileSync(
    join(directory, 'trace.txt'),
    `${[...trace, `${violation.code} at ${violation.atMs.toFixed(3)} ms: ${violation.detail}`].join('\n')}\n`,
  );
  writeFileSync(join(directory, 'diagram.svg'), spaceTimeDiagram(entries, { nodes: nodesOf(smallest), violation }));
  return [
    `  ${describeSize(smallest)} show the same: npm run simulate -- --replay ${join(directory, 'scenario.json')}`,
    `  ${join(directory, 'diagram.svg')}, trace.txt`,
  ];
}

function describeSize({ weights, followers, crashes, partitions, damages, byzantine, faultsMs }: Scenario): string {
  const parts = [
    `${weights.length + followers} nodes`,
    `${faultsMs} ms`,
    `${crashes.length} crashes`,
    `${partitions.length} partitions`,
    `${damages.length} damages`,
    `Byzantine: ${byzantine.map(({ node, behaviour }) => `${behaviour} at ${node}`).join(', ') || 'nobody'}`,
  ];
  return parts.join('; ');
}
