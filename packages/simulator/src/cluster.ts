import { type Address, assert, type Log, type Refusal, type Signer } from '@nacre/base';
import { addressOf } from '@nacre/crypto';
import { createGenesis, type Genesis } from '@nacre/ledger';
import { prepareValidatorHome } from '@nacre/replica';
import type { ClusterReplica, OpenReplica } from './cluster-replica.ts';
import type { FaultTally } from './fault-tally.ts';
import { statementsIn } from './frame-reader.ts';
import type { SeededRandom } from './random.ts';
import type { Scenario } from './scenario.ts';
import type { Scheduler } from './scheduler.ts';
import { SIMULATED_SCHEME, type SignatureKit } from './signature-kit.ts';
import { SimDisk } from './sim-disk.ts';
import { SimNetwork } from './sim-network.ts';
import { SimNode, type SimNodeEvents } from './sim-node.ts';
import type { StatementChecker } from './statement-checker.ts';
import type { Trace } from './trace.ts';

/** Block times start here, ms since 1970; virtual time 0 is a minute later, so that no clock offset comes before it. */
const GENESIS_TIME_MS = 1_800_000_000_000;
export const EPOCH_MS = GENESIS_TIME_MS + 60_000;

export interface ClusterOptions {
  readonly scenario: Scenario;
  readonly open: OpenReplica;
  readonly kit: SignatureKit;
}

export interface ClusterDependencies {
  readonly random: SeededRandom;
  readonly scheduler: Scheduler;
  readonly tally: FaultTally;
  readonly trace: Trace;
  readonly statements: StatementChecker;
  /** The log of one node. */
  readonly logOf: (node: number) => Log;
  readonly penalized: (by: number, peer: number, offence: Refusal) => void;
}

/** An account whose key the simulation holds. */
export interface KeyHolder {
  readonly address: Address;
  readonly signer: Signer;
}

/** Replicas of one generated genesis, each on its own machine, on one network. */
export class Cluster {
  readonly genesis: Genesis;
  readonly nodes: readonly SimNode[];
  readonly network: SimNetwork;
  /** The validators' keys, in the order of the nodes. */
  readonly validators: readonly KeyHolder[];
  readonly #dependencies: ClusterDependencies;

  constructor(options: ClusterOptions, dependencies: ClusterDependencies, events: SimNodeEvents) {
    const { scenario, open, kit } = options;
    const { configuration } = scenario;
    const { random, scheduler, tally, trace, statements, logOf, penalized } = dependencies;
    this.#dependencies = dependencies;
    const keys = random.fork('keys');
    this.validators = scenario.weights.map(() => newKeyHolder(kit, keys));
    this.genesis = createGenesis({
      network: 'simulated',
      timeMs: GENESIS_TIME_MS,
      scheme: SIMULATED_SCHEME,
      validators: this.validators.map(({ signer }, node) => ({ publicKey: signer.publicKey, weight: scenario.weights[node] as number })),
    });
    // Replicas keep frames and send them again; each is read once.
    const observed = new WeakSet<Uint8Array>();
    this.network = new SimNetwork(
      {
        observe: (frame) => {
          if (observed.has(frame.bytes)) return;
          observed.add(frame.bytes);
          for (const statement of statementsIn(frame)) statements.see(statement);
        },
        penalized,
      },
      { random: random.fork('network'), scheduler, tally, trace },
    );
    this.nodes = scenario.clockOffsetsMs.map((clockOffsetMs, index) => {
      const own = random.fork(`node ${index}`);
      const disk = new SimDisk(scenario.diskSpeed, { random: own.fork('disk'), scheduler, tally });
      const validator = this.validators[index] ?? null;
      return new SimNode(
        { index, genesis: this.genesis, epochMs: EPOCH_MS, validator, configuration, clockOffsetMs, open },
        { scheduler, network: this.network, disk, random: own, verifier: kit.verifier, log: logOf(index) },
        events,
      );
    });
  }

  /** What `init` does on each validator's machine. */
  async prepare(): Promise<void> {
    for (const node of this.nodes) {
      const validator = this.validators[node.index];
      if (validator === undefined) continue;
      await node.prepare(async ({ life, random }) => {
        const store = node.disk.store.open(life);
        await prepareValidatorHome({ validator: validator.address }, { directory: node.disk.files.open(life), store, random });
        await store.close();
      });
    }
  }

  /** Starts a process. What goes wrong while it opens is left unhandled, and ends the run. */
  start(node: SimNode): void {
    const { trace, scheduler } = this.#dependencies;
    void node.start();
    trace.add(scheduler.nowMs, 'start', node.index, -1, node.generation ?? -1);
  }

  crash(node: SimNode): void {
    const { trace, scheduler, tally } = this.#dependencies;
    tally.add('crash');
    trace.add(scheduler.nowMs, 'crash', node.index, -1, node.generation ?? -1);
    node.crash();
  }

  /** All replicas, in the order of the nodes; every process must run. */
  replicas(): ClusterReplica[] {
    return this.nodes.map((node) => {
      assert(node.replica !== null, `node ${node.index} does not run`);
      return node.replica;
    });
  }
}

/** A fresh key and its address. */
export function newKeyHolder(kit: SignatureKit, random: SeededRandom): KeyHolder {
  const signer = kit.newSigner(random);
  return { address: addressOf(SIMULATED_SCHEME, signer.publicKey), signer };
}
