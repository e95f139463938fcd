import { assert, type Hash, type Log, type Random } from '@nacre/base';
import type { Vote, VoteKind } from '@nacre/consensus';
import { taggedHash } from '@nacre/crypto';
import type { Candidate, Retention } from '@nacre/ledger';
import {
  decodeMessage,
  type Message,
  prepareValidatorHome,
  Replica,
  type ReplicaConfiguration,
  type ScrubOptions,
  type ValidatorIdentity,
  type ValidatorKeys,
} from '@nacre/replica';
import { Gate } from './gate.ts';
import { MemoryDirectory } from './memory-directory.ts';
import { MemoryStore } from './memory-store.ts';
import { Puppet } from './puppet.ts';
import { type ChainOptions, GENESIS_MS, TestChain } from './test-chain.ts';
import type { TestCustody } from './test-custody.ts';
import { TestHub } from './test-hub.ts';
import { type TestKey, testVerifier } from './test-keys.ts';
import { VirtualClock } from './virtual-clock.ts';

/** The disk of one node, across the lives of its processes. */
export class Home {
  readonly store: MemoryStore;
  readonly directory: MemoryDirectory;

  constructor(store = new MemoryStore(), directory = new MemoryDirectory()) {
    this.store = store;
    this.directory = directory;
  }

  copy(): Home {
    return new Home(this.store.copy(), this.directory.copy());
  }

  /** What a power cut leaves, as a home of its own: the process that was cut off cannot write there any more. */
  afterPowerCut(): Home {
    this.store.powerCut();
    this.directory.powerCut();
    return this.copy();
  }
}

export interface StartOptions {
  /** Index in the committee, or null for a follower. */
  readonly validator: number | null;
  readonly name?: string;
  /** An existing home; without one, a new one is prepared. */
  readonly home?: Home;
  readonly configuration?: Partial<ReplicaConfiguration>;
  readonly scrub?: ScrubOptions;
  readonly pruning?: Retention;
  /** Holds the key in another process. */
  readonly custody?: TestCustody;
  /** The keys of its home, where there are several. */
  readonly keys?: ValidatorKeys;
}

/** A replica that runs. */
export interface Actor {
  readonly name: string;
  readonly replica: Replica;
  readonly home: Home;
}

/** One chain's replicas and puppets in one process under one clock. */
export class Stage {
  readonly chain: TestChain;
  readonly clock: VirtualClock;
  readonly hub: TestHub;
  /** Events that replicas logged, by name, as `level event`. */
  readonly events: string[] = [];
  /** Signatures that replicas check wait here. */
  readonly verifications = new Gate();
  readonly #random = countingRandom();

  private constructor(chain: TestChain) {
    this.chain = chain;
    this.clock = new VirtualClock(Math.max(chain.ledger.tip.timeMs, GENESIS_MS) + 1_000);
    this.hub = new TestHub(this.clock);
  }

  static async create(options: ChainOptions = {}): Promise<Stage> {
    return new Stage(await TestChain.create(options));
  }

  /** Beside a chain that has blocks already. */
  static on(chain: TestChain): Stage {
    return new Stage(chain);
  }

  async newHome(validator: number | null): Promise<Home> {
    const home = new Home();
    if (validator !== null) {
      const { store, directory } = home;
      await prepareValidatorHome({ validator: this.chain.key(validator).address }, { store, directory, random: this.#random });
    }
    return home;
  }

  /** Opens and starts a process. It is connected to nobody yet. */
  async start({
    validator,
    name = `replica ${validator}`,
    home,
    configuration,
    scrub,
    pruning,
    custody,
    keys,
  }: StartOptions): Promise<Actor> {
    const own = home ?? (await this.newHome(validator));
    const key = validator === null ? null : this.chain.key(validator);
    const identity: ValidatorIdentity | null = key && {
      address: key.address,
      signer: custody ?? keys ?? key,
      ...(custody === undefined ? {} : { custody }),
      ...(keys === undefined ? {} : { keys }),
    };
    const replica = await Replica.open(
      {
        genesis: this.chain.genesis,
        validator: identity,
        ...(configuration === undefined ? {} : { configuration }),
        ...(scrub === undefined ? {} : { scrub }),
        ...(pruning === undefined ? {} : { pruning }),
      },
      {
        clock: this.clock,
        random: this.#random,
        store: own.store,
        directory: own.directory,
        transport: this.hub.join(name, key?.address),
        verifier: { verify: (signed) => this.verifications.pass().then(() => testVerifier.verify(signed)) },
        log: this.#log(),
      },
    );
    replica.start();
    replica.finished.catch(() => {});
    return { name, replica, home: own };
  }

  /** A process that is killed: it is off the network, and nothing that it does from here on counts. */
  kill({ name, replica }: Actor): void {
    this.hub.leave(name);
    replica.stop().catch(() => {});
  }

  puppet(validator: number | null, name = `puppet ${validator}`): Puppet {
    return new Puppet(name, validator === null ? null : this.chain.key(validator), this.hub);
  }

  /** One replica among puppets of all other validators, acknowledged by them and so allowed to vote. */
  async replicaAmongPuppets(
    validator: number,
    more: Omit<StartOptions, 'validator'> & { readonly puppets?: readonly Puppet[] } = {},
  ): Promise<{ actor: Actor; puppets: Puppet[] }> {
    const actor = await this.start({ ...more, validator });
    const others = [...this.chain.keys.keys()].filter((index) => index !== validator);
    const puppets = [...(more.puppets ?? others.map((index) => this.puppet(index)))];
    for (const { name } of puppets) this.hub.connect(actor.name, name);
    await this.clock.run(5);
    return { actor, puppets };
  }

  /** What a node has sent, decoded, in order; requests and answers are not among it. */
  messagesOf(name: string): Message[] {
    return this.hub.sent
      .filter(({ from }) => from === name)
      .map(({ frame }) => {
        const decoded = decodeMessage(frame);
        assert(decoded.ok, 'replicas send what decodes');
        return decoded.value;
      });
  }

  /** The votes that a validator itself has sent, in order. */
  votesOf({ name }: Pick<Actor, 'name'>, validator: number): Vote[] {
    return this.messagesOf(name).flatMap((message) =>
      message.kind === 'votes' ? message.votes.filter((vote) => vote.validator === validator) : [],
    );
  }

  proposalsOf({ name }: Pick<Actor, 'name'>): Extract<Message, { kind: 'proposal' }>[] {
    return this.messagesOf(name).filter((message) => message.kind === 'proposal');
  }

  penaltiesOf({ name }: Pick<Actor, 'name'>): { readonly against: string; readonly code: string }[] {
    return this.hub.penalties.filter(({ by }) => by === name).map(({ against, code }) => ({ against, code }));
  }

  /** The proposal message for a block, by whoever's turn it is. */
  async proposing(
    { block }: Pick<Candidate, 'block'>,
    more: { round?: number; validRound?: number; proposer?: number } = {},
  ): Promise<Extract<Message, { kind: 'proposal' }>> {
    const { round = 0, validRound = -1, proposer } = more;
    const proposal = await this.chain.proposal({ height: block.header.height, round, validRound, blockHash: block.hash }, proposer);
    return { kind: 'proposal', proposal, block: block.bytes, justification: [] };
  }

  /** Lets puppets cast one vote each. */
  async voting(
    puppets: readonly Puppet[],
    kind: VoteKind,
    place: { height: number; round?: number; blockHash: Hash | null },
  ): Promise<void> {
    for (const puppet of puppets) {
      const validator = this.chain.keys.indexOf(puppet.key as TestKey);
      puppet.say({ kind: 'votes', votes: [await this.chain.vote(validator, { round: 0, ...place, kind })] });
    }
  }

  #log(): Log {
    const note = (level: string) => (_: unknown, event: string) => this.events.push(`${level} ${event}`);
    return { debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') };
  }
}

function countingRandom(): Random {
  let count = 0;
  return { bytes: (length) => taggedHash('nacre/test/random', Uint8Array.of(++count >> 8, count & 255)).slice(0, length) };
}
