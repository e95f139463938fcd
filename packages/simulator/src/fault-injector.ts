import type { Cluster } from './cluster.ts';
import type { FaultTally } from './fault-tally.ts';
import { CALM_CONDITIONS } from './network-conditions.ts';
import type { SeededRandom } from './random.ts';
import type { CrashPlan, Scenario } from './scenario.ts';
import type { Scheduler } from './scheduler.ts';
import type { SimNode } from './sim-node.ts';

/** Longest wait until a node that is still down when the faults end starts again, in virtual ms. */
const LAST_RESTART_MS = 200;

interface Dependencies {
  readonly cluster: Cluster;
  readonly scheduler: Scheduler;
  readonly tally: FaultTally;
  readonly random: SeededRandom;
}

/** Carries out a scenario's faults, and ends them all at their time. */
export class FaultInjector {
  readonly #scenario: Scenario;
  readonly #dependencies: Dependencies;
  #over = false;

  constructor(scenario: Scenario, dependencies: Dependencies) {
    this.#scenario = scenario;
    this.#dependencies = dependencies;
  }

  /** Plans everything; call at virtual time 0. */
  start(): void {
    const { cluster, scheduler } = this.#dependencies;
    const { conditions, crashes, faultsMs } = this.#scenario;
    cluster.network.setConditions(conditions);
    for (const plan of crashes) scheduler.schedule(plan.atMs, () => this.#carryOut(plan));
    scheduler.schedule(faultsMs, () => this.#end());
  }

  #carryOut(plan: CrashPlan): void {
    const { cluster, tally } = this.#dependencies;
    if (this.#over) return;
    const nodes = plan.nodes.map((index) => cluster.nodes[index] as SimNode);
    if (plan.moment === 'now' && nodes.length === cluster.nodes.length && nodes.every((node) => !node.isDown)) tally.add('crashOfAll');
    for (const [i, node] of nodes.entries()) {
      const downMs = plan.downMs[i] as number;
      if (plan.moment === 'now') this.#crash(node, downMs);
      else node.disk.timing.onNextSync((durationMs) => this.#crashWithin(node, durationMs, downMs));
    }
  }

  #crashWithin(node: SimNode, durationMs: number, downMs: number): void {
    const { scheduler, random } = this.#dependencies;
    const { generation } = node;
    scheduler.schedule(random.unit() * durationMs, () => {
      if (!this.#over && node.generation === generation) this.#crash(node, downMs);
    });
  }

  #crash(node: SimNode, downMs: number): void {
    const { cluster, scheduler } = this.#dependencies;
    if (node.isDown) return;
    cluster.crash(node);
    scheduler.schedule(downMs, () => this.#restart(node));
  }

  #restart(node: SimNode): void {
    if (node.isDown) this.#dependencies.cluster.start(node);
  }

  #end(): void {
    const { cluster, scheduler, random } = this.#dependencies;
    this.#over = true;
    cluster.network.setConditions(CALM_CONDITIONS);
    cluster.network.setReachable(() => true);
    for (const node of cluster.nodes) {
      node.disk.timing.onNextSync(null);
      if (node.isDown) scheduler.schedule(random.between(0, LAST_RESTART_MS), () => this.#restart(node));
    }
  }
}
