import type { Address, Log, Refusal } from '@nacre/base';
import { addressOf, createCachingVerifier } from '@nacre/crypto';
import { createGenesis, type Genesis } from '@nacre/ledger';
import { prepareValidatorHome, type ReplicaConfiguration, type ReplicaOptions } from '@nacre/replica';
import { ByzantineNodes } from './byzantine/byzantine-nodes.ts';
import type { OpenReplica } from './cluster-replica.ts';
import type { FaultTally } from './fault-tally.ts';
import { statementsIn } from './frame-reader.ts';
import type { SeededRandom } from './random.ts';
import { distanceMs, type Region } from './regions.ts';
import { type Scenario, type StorePlan, twinsOf } from './scenario.ts';
import type { Scheduler } from './scheduler.ts';
import { SIMULATED_SCHEME, type SignatureKit, type SimKey } from './signature-kit.ts';
import { SignerProcess } from './signer-process.ts';
import { SimDisk } from './sim-disk.ts';
import { SimNetwork } from './sim-network.ts';
import { SimNode, type SimNodeEvents } from './sim-node.ts';
import { SimValidator } from './sim-validator.ts';
import type { StatementChecker } from './statement-checker.ts';
import type { Trace } from './trace.ts';
import type { Report } from './violation.ts';

/** Block times start here, ms since 1970; virtual time 0 is a minute later, so that no clock offset comes before it. */
const GENESIS_TIME_MS = 1_800_000_000_000;
export const EPOCH_MS = GENESIS_TIME_MS + 60_000;

/** How long a proposed change can be approved, in ms: some run out. */
const PROPOSAL_WINDOW_MS = 2_000;
/** A pass through the store of a run takes about half a second. */
const SCRUB_BYTES_PER_SECOND = 2_000_000;
/** Blocks between two snapshots of a liar. */
const LURE_INTERVAL_BLOCKS = 2;
/** As little as the rules allow. */
const KEEP_LEAST = { blocks: 1, ageMs: 0 } as const;
/** Signatures that a node remembers: few, so that some are forgotten within a run. */
const VERIFIED_SIGNATURES_MAX = 500;

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
  readonly statements: Pick<StatementChecker, 'see'>;
  /** The log of one node. */
  readonly logOf: (node: number) => Log;
  readonly penalized: (by: number, peer: number, offence: Refusal) => void;
  /** What a signer shows to be wrong. */
  readonly report: Report;
}

/** An account whose key the simulation holds. */
export interface KeyHolder extends SimKey {
  readonly address: Address;
}

/** Replicas of one generated genesis, each on its own machine, on one network. */
export class Cluster {
  readonly genesis: Genesis;
  readonly nodes: readonly SimNode[];
  readonly network: SimNetwork;
  /** The validators' keys, in the order of the nodes. */
  readonly validators: readonly SimValidator[];
  /** Those of the followers, where they may become validators. */
  readonly candidates: readonly SimValidator[];
  readonly byzantine: ByzantineNodes;
  /** Processes that hold a validator's key, by its node. */
  readonly signers: ReadonlyMap<number, SignerProcess>;
  readonly #dependencies: ClusterDependencies;

  constructor(options: ClusterOptions, dependencies: ClusterDependencies, events: SimNodeEvents) {
    const { scenario, open, kit } = options;
    const { configuration } = scenario;
    const { random, scheduler, tally, trace, statements, logOf, penalized, report } = dependencies;
    this.#dependencies = dependencies;
    const keys = random.fork('keys');
    this.validators = scenario.weights.map(() => new SimValidator(kit.newKey(keys)));
    const { changes, followers } = scenario;
    this.candidates = Array.from({ length: changes === null ? 0 : followers }, () => new SimValidator(kit.newKey(keys)));
    const { stores } = scenario;
    const parameters = {
      ...(changes === null
        ? {}
        : { epochMs: changes.epochMs, epochBlocksMin: changes.epochBlocksMin, proposalWindowMs: PROPOSAL_WINDOW_MS }),
      ...(stores === null ? {} : { validityWindowMs: stores.validityWindowMs }),
    };
    this.genesis = createGenesis({
      network: 'simulated',
      timeMs: GENESIS_TIME_MS,
      scheme: SIMULATED_SCHEME,
      validators: this.validators.map(({ signer }, node) => ({ publicKey: signer.publicKey, weight: scenario.weights[node] as number })),
      parameters,
    });
    this.byzantine = new ByzantineNodes(
      { scenario, genesis: this.genesis, keys: this.validators },
      {
        random: random.fork('byzantine'),
        scheduler,
        tally,
        network: () => this.network,
        replicaOf: (node) => this.nodes[node]?.replica ?? null,
      },
    );
    const { byzantine } = this;
    // Replicas keep frames and send them again; each is read once.
    const observed = new WeakSet<Uint8Array>();
    this.network = new SimNetwork(
      {
        observe: (frame) => {
          if (byzantine.has(frame.from) || observed.has(frame.bytes)) return;
          observed.add(frame.bytes);
          for (const statement of statementsIn(frame)) statements.see(statement);
        },
        penalized,
        ...(byzantine.isEmpty ? {} : { interpose: (frame) => byzantine.interpose(frame), accept: (frame) => byzantine.accept(frame) }),
      },
      { random: random.fork('network'), scheduler, tally, trace },
    );
    const { regions } = scenario;
    if (regions.length > 0) this.network.setDistances((from, to) => distanceMs(regions[from] as Region, regions[to] as Region));
    this.signers = new Map(
      scenario.signers.map(({ node }) => {
        const own = random.fork(`signer ${node}`);
        const disk = new SimDisk(scenario.diskSpeed, { random: own.fork('disk'), scheduler, tally });
        const options = { node, genesis: this.genesis, validator: this.validators[node] as SimValidator, epochMs: EPOCH_MS };
        return [node, new SignerProcess(options, { scheduler, disk, random: own, log: logOf(node), report })];
      }),
    );
    const twins = twinsOf(scenario);
    const firstTwin = scenario.weights.length + followers;
    const holders = [...this.validators, ...this.candidates];
    this.nodes = scenario.clocks.map((clock, index) => {
      const own = random.fork(`node ${index}`);
      const disk = new SimDisk(scenario.diskSpeed, { random: own.fork('disk'), scheduler, tally });
      const validator = holders[index < firstTwin ? index : (twins[index - firstTwin] as number)] ?? null;
      const verifier = scenario.cachedVerifier
        ? createCachingVerifier(kit.verifier, { entriesMax: VERIFIED_SIGNATURES_MAX })
        : kit.verifier;
      return new SimNode(
        {
          index,
          genesis: this.genesis,
          epochMs: EPOCH_MS,
          validator,
          rotates: changes !== null,
          signer: this.signers.get(index) ?? null,
          configuration: { ...configuration, ...snapshotsOf(stores, this.byzantine.has(index)) },
          care: careOf(stores, index),
          clock,
          open,
        },
        { scheduler, network: this.network, disk, random: own, verifier, log: logOf(index), tally },
        events,
      );
    });
  }

  /** Nodes that follow the rules, in their order. */
  get honest(): SimNode[] {
    return this.nodes.filter(({ index }) => !this.byzantine.has(index));
  }

  /** What `init` does on each validator's machine. */
  async prepare(): Promise<void> {
    for (const signer of this.signers.values()) await signer.prepare();
    for (const node of this.nodes) {
      const { validator } = node;
      if (validator === null) continue;
      await node.prepare(async ({ life, random }) => {
        const store = node.disk.store.open(life);
        await prepareValidatorHome({ validator: validator.address }, { directory: node.disk.files.open(life), store, random });
        await store.close();
        await node.keyFiles(life)?.create();
      });
    }
  }

  /** Starts the processes that hold keys, before those that need them. */
  startSigners(): void {
    for (const signer of this.signers.values()) void signer.start();
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
}

/** Who lies about snapshots has a newer one than anybody else. */
function snapshotsOf(stores: StorePlan | null, isByzantine: boolean): Partial<ReplicaConfiguration> {
  if (stores === null) return {};
  const { snapshotIntervalBlocks, snapshotBehindBlocks } = stores;
  return { snapshotIntervalBlocks: isByzantine ? LURE_INTERVAL_BLOCKS : snapshotIntervalBlocks, snapshotBehindBlocks };
}

function careOf(stores: StorePlan | null, node: number): Pick<ReplicaOptions, 'scrub' | 'pruning'> {
  if (stores === null) return {};
  const { scrubIntervalMs, pruning } = stores;
  return {
    ...(scrubIntervalMs === 0 ? {} : { scrub: { bytesPerSecond: SCRUB_BYTES_PER_SECOND, intervalMs: scrubIntervalMs } }),
    ...(pruning.includes(node) ? { pruning: KEEP_LEAST } : {}),
  };
}

/** A fresh key and its address. */
export function newKeyHolder(kit: SignatureKit, random: SeededRandom): KeyHolder {
  const key = kit.newKey(random);
  return { address: addressOf(SIMULATED_SCHEME, key.signer.publicKey), ...key };
}
