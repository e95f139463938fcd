import { CALM_CONDITIONS } from '../network-conditions.ts';
import { TRUE_CLOCK } from '../process-life.ts';
import { nodesOf, type Scenario, twinsOf } from '../scenario.ts';

/** Runs spent on making a failure smaller. */
const RUNS_MAX = 150;

/**
 * Takes away from a failing scenario whatever it can fail without: faults, behaviours, conditions, nodes, time.
 *
 * @param fails whether a scenario still shows the same violation
 */
export async function shrink(scenario: Scenario, fails: (scenario: Scenario) => Promise<boolean>): Promise<Scenario> {
  let smallest = scenario;
  let runs = 0;
  for (let found = true; found && runs < RUNS_MAX; ) {
    found = false;
    for (const smaller of smallerThan(smallest)) {
      if (runs++ >= RUNS_MAX) break;
      if (!(await fails(smaller))) continue;
      smallest = smaller;
      found = true;
      break;
    }
  }
  return smallest;
}

/** Each differs in one step, the largest steps first. */
function* smallerThan(scenario: Scenario): Generator<Scenario> {
  const { crashes, partitions, damages, byzantine, signers, conditions, clocks, regions, faultsMs, submissionGapMs } = scenario;
  for (const list of ['crashes', 'partitions', 'damages'] as const) if (scenario[list].length > 1) yield { ...scenario, [list]: [] };
  if (JSON.stringify(conditions) !== JSON.stringify(CALM_CONDITIONS)) yield { ...scenario, conditions: CALM_CONDITIONS };
  if (regions.length > 0) yield { ...scenario, regions: [] };
  if (clocks.some((clock) => JSON.stringify(clock) !== JSON.stringify(TRUE_CLOCK)))
    yield { ...scenario, clocks: clocks.map(() => TRUE_CLOCK) };
  for (const [i] of crashes.entries()) yield { ...scenario, crashes: crashes.toSpliced(i, 1) };
  for (const [i] of partitions.entries()) yield { ...scenario, partitions: partitions.toSpliced(i, 1) };
  for (const [i] of damages.entries()) yield { ...scenario, damages: damages.toSpliced(i, 1) };
  for (const [i] of signers.entries()) yield { ...scenario, signers: signers.toSpliced(i, 1) };
  for (const [i, plan] of signers.entries())
    if (plan.faults.length > 0) yield { ...scenario, signers: signers.with(i, { ...plan, faults: [] }) };
  // A twin is a node of its own: without it all positions behind it would shift.
  if (twinsOf(scenario).length === 0) {
    for (const [i] of byzantine.entries()) yield { ...scenario, byzantine: byzantine.toSpliced(i, 1) };
    if (scenario.followers > 0) yield withoutLastNode(scenario, { followers: 0 });
    else if (scenario.weights.length > 4) yield withoutLastNode(scenario, { weights: scenario.weights.slice(0, -1) });
  }
  for (const chance of ['lossChance', 'duplicateChance', 'reorderChance', 'spikeChance', 'cutMeanMs'] as const) {
    if (conditions[chance] > 0) yield { ...scenario, conditions: { ...conditions, [chance]: 0 } };
  }
  if (faultsMs > 500) yield { ...scenario, faultsMs: Math.round(faultsMs / 2) };
  if (submissionGapMs < 5_000) yield { ...scenario, submissionGapMs: submissionGapMs * 3 };
}

function withoutLastNode(scenario: Scenario, change: Partial<Scenario>): Scenario {
  const changed = { ...scenario, ...change };
  const nodes = nodesOf(changed);
  return {
    ...changed,
    clocks: changed.clocks.slice(0, nodes),
    regions: changed.regions.slice(0, nodes),
    crashes: changed.crashes.map((plan) => ({ ...plan, nodes: plan.nodes.filter((node) => node < nodes) })),
    partitions: changed.partitions.map((plan) => ({
      ...plan,
      forbidden: plan.forbidden.filter((pair) => pair.every((node) => node < nodes)),
    })),
    damages: changed.damages.filter(({ node }) => node < nodes),
    byzantine: changed.byzantine.filter(({ node }) => node < changed.weights.length),
    signers: changed.signers.filter(({ node }) => node < changed.weights.length),
  };
}
