import { assert, type Hash, type Log, type Refusal, type Result, type Verifier } from '@nacre/base';
import { type Applied, type Genesis, type Salvaged, salvage, storeDamage } from '@nacre/ledger';
import { type ReplicaConfiguration, type ReplicaOptions, type ValidatorIdentity, ValidatorKeys } from '@nacre/replica';
import type { ClusterReplica, OpenReplica } from './cluster-replica.ts';
import type { FaultTally } from './fault-tally.ts';
import { SimKeyFiles } from './key-files.ts';
import { ProcessLife } from './process-life.ts';
import type { SeededRandom } from './random.ts';
import type { ClockPlan } from './scenario.ts';
import type { Scheduler } from './scheduler.ts';
import type { SimKey } from './signature-kit.ts';
import { SignerLinkEnd } from './signer-link.ts';
import type { SignerProcess } from './signer-process.ts';
import type { SimDisk } from './sim-disk.ts';
import type { SimNetwork } from './sim-network.ts';
import type { SimValidator } from './sim-validator.ts';

export interface SimNodeOptions {
  readonly index: number;
  readonly genesis: Genesis;
  /** Wall clock at virtual time 0, ms since 1970. */
  readonly epochMs: number;
  /** Null for a follower. */
  readonly validator: SimValidator | null;
  /** Whether its home may hold several keys, one after the other. */
  readonly rotates: boolean;
  /** Holds its key instead of its home; then no key is rotated. */
  readonly signer: SignerProcess | null;
  readonly configuration: Partial<ReplicaConfiguration>;
  /** How its processes look after its store. */
  readonly care: Pick<ReplicaOptions, 'scrub' | 'pruning'>;
  readonly clock: ClockPlan;
  readonly open: OpenReplica;
}

export interface SimNodeDependencies {
  readonly scheduler: Scheduler;
  readonly network: SimNetwork;
  readonly disk: SimDisk;
  readonly random: SeededRandom;
  readonly verifier: Verifier;
  readonly log: Log;
  readonly tally: FaultTally;
}

export interface SimNodeEvents {
  /** A process has read its disk and starts. */
  opened(node: SimNode, replica: ClusterReplica): void;
  decided(node: SimNode, block: Applied, replica: ClusterReplica): void;
  /** The chain in its store was given up, and what only this node knew taken over into an empty one. */
  salvaged(node: SimNode, salvaged: Salvaged): void;
  /** A process could not open its disk, or its replica ended by a failure. @returns whether that is an end one may come to; if not, the run has failed */
  failed(node: SimNode, error: unknown): boolean;
}

/** A machine: its disk stays, its processes come and go. */
export class SimNode {
  readonly index: number;
  readonly disk: SimDisk;
  readonly #options: SimNodeOptions;
  readonly #dependencies: SimNodeDependencies;
  readonly #events: SimNodeEvents;
  #generation = -1;
  #life: ProcessLife | null = null;
  #replica: ClusterReplica | null = null;
  #link: SignerLinkEnd | null = null;
  #isStoreGivenUp = false;

  constructor(options: SimNodeOptions, dependencies: SimNodeDependencies, events: SimNodeEvents) {
    this.index = options.index;
    this.disk = dependencies.disk;
    this.#options = options;
    this.#dependencies = dependencies;
    this.#events = events;
  }

  /** Null while no process runs, or while it still reads its disk. */
  get replica(): ClusterReplica | null {
    return this.#replica;
  }

  get isDown(): boolean {
    return this.#life === null;
  }

  /** The next process begins with an empty store, but for what it takes over of this one. */
  giveUpStore(): void {
    this.#isStoreGivenUp = true;
  }

  /** Of the running process; null while there is none. */
  get generation(): number | null {
    return this.#life?.generation ?? null;
  }

  /** Runs something that prepares the disk, before the first process. */
  async prepare(action: (home: { readonly life: ProcessLife; readonly random: SeededRandom }) => Promise<void>): Promise<void> {
    const life = this.#newLife();
    await action({ life, random: this.#dependencies.random.fork('prepare') });
    life.end();
  }

  get validator(): SimValidator | null {
    return this.#options.validator;
  }

  /** The keys in its home, as the process of a life sees them; null where there is one for ever, or none. */
  keyFiles(life: ProcessLife): SimKeyFiles | null {
    const { validator, rotates, signer } = this.#options;
    const { disk, tally } = this.#dependencies;
    return validator === null || signer !== null || !rotates
      ? null
      : new SimKeyFiles(validator, { directory: disk.files.open(life), tally });
  }

  /**
   * What an operator does on this machine before a rotation: the key that waits in the home, or else a new one, which is there for good once this
   * resolves. It never does if the power is cut meanwhile.
   *
   * @returns null where no key can be made
   */
  async nextKey(make: () => SimKey): Promise<SimKey | null> {
    const files = this.#life === null ? null : this.keyFiles(this.#life);
    const validator = this.validator;
    if (files === null || validator === null) return null;
    const [, waiting] = await files.read();
    if (waiting !== undefined) return validator.keyOf(waiting.publicKey);
    const key = validator.made(make());
    await files.add(key.signer.publicKey);
    return key;
  }

  /** Starts a process; what it throws or rejects with while it opens or runs ends the run, unless `failed` excuses it. */
  async start(): Promise<void> {
    assert(this.#life === null, `node ${this.index} runs already`);
    const life = this.#newLife();
    this.#life = life;
    const { network, disk, random, verifier, log } = this.#dependencies;
    const { genesis, configuration, care, open } = this.#options;
    try {
      if (this.#isStoreGivenUp) await this.#salvage(life);
      const dependencies = {
        clock: life,
        random: random.fork(`process ${life.generation}`),
        store: disk.store.open(life),
        directory: disk.files.open(life),
        transport: network.attach(life, this.validator?.address),
        verifier,
        log,
      };
      const validator = await this.#identity(life);
      const replica = await open({ genesis, validator, configuration, ...care }, dependencies);
      this.#replica = replica;
      this.#events.opened(this, replica);
      replica.onDecided((block) => this.#events.decided(this, block, replica));
      replica.start();
      await replica.finished;
    } catch (error) {
      if (this.#life !== life || !this.#events.failed(this, error)) throw error;
    }
  }

  /** The power cut: the process is gone, and with it whatever its disk was not made to keep. */
  crash(): void {
    const life = this.#life;
    assert(life !== null, `node ${this.index} does not run`);
    life.end();
    this.#link?.died();
    this.#link = null;
    this.#life = null;
    this.#replica = null;
    this.#dependencies.network.detach(life);
    this.disk.crash();
  }

  /** Asks the process to end by itself, at the end of a run. */
  async stop(): Promise<void> {
    assert(this.#replica !== null, `node ${this.index} does not run`);
    await this.#replica.stop();
  }

  /** @returns null if no process is there to take it */
  submit(envelope: Uint8Array): Promise<Result<{ readonly txId: Hash; readonly validUntilMs: number }, Refusal>> | null {
    const replica = this.#replica;
    if (replica === null) return null;
    return replica.submit(envelope).catch((error: unknown) => {
      replica.storeDamaged(error);
      throw error;
    });
  }

  /** Lets somebody look at its replica who is no part of it, as clients do through a node: the replica is told of damage that this meets with. */
  read(replica: ClusterReplica, look: () => void): void {
    try {
      look();
    } catch (error) {
      if (storeDamage(error) === null || !this.disk.store.hasRefused) throw error;
      replica.storeDamaged(error);
    }
  }

  /** What `startLastingNode` does with a store that is damaged. */
  async #salvage(life: ProcessLife): Promise<void> {
    const { disk } = this.#dependencies;
    const salvaged = await disk.replaceStore(async (from, to) => {
      const target = to.open(life);
      const taken = await salvage(from.open(life), target);
      await target.close();
      return taken;
    });
    this.#isStoreGivenUp = false;
    this.#events.salvaged(this, salvaged);
  }

  async #identity(life: ProcessLife): Promise<ValidatorIdentity | null> {
    const { validator } = this;
    const { signer } = this.#options;
    if (validator !== null && signer !== null) return this.#connect(life, { validator, signer });
    const files = this.keyFiles(life);
    if (validator === null) return null;
    const { address } = validator;
    if (files === null) return { address, signer: validator.signer };
    const keys = new ValidatorKeys({ address, signers: await files.read() }, files);
    return { address, signer: keys, keys };
  }

  /** A node whose key is elsewhere does not start without it. */
  async #connect(
    life: ProcessLife,
    { validator, signer }: { readonly validator: SimValidator; readonly signer: SignerProcess },
  ): Promise<ValidatorIdentity> {
    const { random, tally } = this.#dependencies;
    const link = new SignerLinkEnd(life, signer, { random: random.fork(`signer ${life.generation}`), tally });
    this.#link = link;
    await link.connected();
    return { address: validator.address, signer: link, custody: link };
  }

  #newLife(): ProcessLife {
    const { clock, epochMs } = this.#options;
    const options = { node: this.index, generation: ++this.#generation, epochMs, clock };
    return new ProcessLife(options, { scheduler: this.#dependencies.scheduler });
  }
}
