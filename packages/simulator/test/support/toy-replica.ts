import { bytesEqual, fail, type Hash, ok, type StoreOperation, toHex, utf8 } from '@nacre/base';
import { encodeVote, type Vote } from '@nacre/consensus';
import { taggedHash } from '@nacre/crypto';
import { decodeTransaction, type Genesis, type Transaction } from '@nacre/ledger';
import { encodeMessage, type ReplicaDependencies, type ReplicaOptions, type SubmissionStatus } from '@nacre/replica';
import type { ClusterReplica, OpenReplica } from '../../src/cluster-replica.ts';

const TAG = 'nacre/1/toy-block';
const BEAT_MS = 100;
const IDLE_MS = 2_000;
/** More than any two clocks of one run differ. */
const CLOCKS_DIFFER_MS = 1_000;

interface ToyBlock {
  readonly hash: Hash;
  readonly timeMs: number;
  readonly transactions: readonly Transaction[];
}

type Tip = ClusterReplica['ledger']['tip'];

/** What a toy does wrong, for showing that the simulator sees it. */
export interface Defect {
  /** This node decides other blocks than the rest. */
  readonly forkAt?: number;
  /** It answers "admitted" without waiting for the sync. */
  readonly unsyncedAdmission?: boolean;
  /** It votes for every block and for nothing at the same place. */
  readonly equivocates?: boolean;
  readonly neverAnswers?: boolean;
  /** It stops deciding at this height. */
  readonly stopsAt?: number;
  readonly throwsAt?: number;
  readonly skipsHeight?: number;
  readonly forgetsFailures?: boolean;
  readonly appliesTwice?: boolean;
  readonly differentRecords?: boolean;
  /** It draws on something that the seed does not decide. */
  readonly impure?: boolean;
  readonly inDoubt?: boolean;
  /** It accuses whoever connects. */
  readonly accuses?: boolean;
  readonly neverOpens?: boolean;
}

let runs = 0;

/**
 * Replicas that agree by cheating: they share a chain in memory and copy it block by block to their own stores. Enough
 * to show that a run of correct replicas passes and that each planted defect is seen.
 */
export function toyReplicas(defect: Defect = {}): OpenReplica {
  const worlds = new Map<string, ToyWorld>();
  return async (options, dependencies) => {
    if (defect.neverOpens === true) await new Promise(() => {});
    const key = toHex(options.genesis.hash);
    let world = worlds.get(key);
    // A second run of one seed has the same genesis: virtual time starts again, and so does the world.
    if (world === undefined || dependencies.clock.nowMs() < world.latestMs - CLOCKS_DIFFER_MS) {
      world = new ToyWorld(options.genesis, runs++);
      worlds.set(key, world);
    }
    world.latestMs = dependencies.clock.nowMs();
    return new ToyReplica(world, defect, options, dependencies);
  };
}

class ToyWorld {
  readonly genesis: Genesis;
  readonly run: number;
  readonly blocks: ToyBlock[] = [];
  readonly pending = new Map<string, Transaction>();
  latestMs = 0;
  opened = 0;

  constructor(genesis: Genesis, run: number) {
    this.genesis = genesis;
    this.run = run;
  }

  /** The block of a height; made when the first replica gets there and there is something to decide, or a while has passed. */
  blockAt(height: number, nowMs: number, defect: Defect): ToyBlock | null {
    const existing = this.blocks[height - 1];
    if (existing !== undefined) return existing;
    const parent = this.blocks[height - 2];
    if (this.pending.size === 0 && nowMs < (parent?.timeMs ?? 0) + IDLE_MS) return null;
    const timeMs = Math.max(nowMs, (parent?.timeMs ?? 0) + 1);
    const transactions = [...this.pending.values()].filter(({ contents }) => contents.validUntilMs >= timeMs);
    this.pending.clear();
    if (defect.appliesTwice === true && parent !== undefined) transactions.push(...parent.transactions.slice(0, 1));
    const salt = defect.impure === true ? this.run : 0;
    const hash = taggedHash(TAG, Uint8Array.of(salt), parent?.hash ?? this.genesis.hash, ...transactions.map(({ txId }) => txId));
    const block = { hash, timeMs, transactions };
    this.blocks.push(block);
    return block;
  }
}

class ToyReplica implements ClusterReplica {
  readonly #world: ToyWorld;
  readonly #defect: Defect;
  readonly #node: number;
  readonly #options: ReplicaOptions;
  readonly #dependencies: ReplicaDependencies;
  #listener: Parameters<ClusterReplica['onDecided']>[0] = () => {};
  #height: number;
  #stopped = false;

  constructor(world: ToyWorld, defect: Defect, options: ReplicaOptions, dependencies: ReplicaDependencies) {
    this.#world = world;
    this.#defect = defect;
    this.#options = options;
    this.#dependencies = dependencies;
    this.#node = world.opened++;
    this.#height = Number(new TextDecoder().decode(dependencies.store.get(utf8('height'))) || '0');
  }

  get ledger(): ClusterReplica['ledger'] {
    return {
      tip: this.#tip(),
      firstHeight: 1,
      account: () => undefined,
      blockAt: () => undefined,
      loadBlock: () => undefined,
      propose: () => unknownTo('proposals'),
      epochOf: () => undefined,
      nextEpoch: () => unknownTo('epochs'),
      committeeAt: () => unknownTo('committees'),
      get validatorSet(): never {
        return unknownTo('validators');
      },
      prove: async () => fail({ code: 'PLANTED' }),
      records: async () => ({ records: this.#defect.differentRecords === true ? [{ index: this.#node } as never] : [], nextIndex: null }),
    };
  }

  readonly sync: ClusterReplica['sync'] = { state: { kind: 'idle' }, onChange: () => () => {} };
  readonly reach: ClusterReplica['reach'] = { sides: [] };

  storeDamaged(): void {}

  start(): void {
    const { transport } = this.#dependencies;
    transport.start({
      connected: ({ id }) => {
        if (this.#defect.accuses === true) transport.penalize(id, { code: 'PLANTED' });
      },
      disconnected: () => {},
      message: () => {},
      request: async () => undefined,
    });
    this.#beat();
  }

  get finished(): Promise<void> {
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
  }

  onDecided(listener: Parameters<ClusterReplica['onDecided']>[0]): () => void {
    this.#listener = listener;
    return () => {};
  }

  status(): ReturnType<ClusterReplica['status']> {
    return { doubt: this.#defect.inDoubt === true ? { code: 'PLANTED' } : null, peers: 0, snapshot: null };
  }

  async submit(envelope: Uint8Array): ReturnType<ClusterReplica['submit']> {
    if (this.#defect.neverAnswers === true) await new Promise(() => {});
    const decoded = decodeTransaction(envelope, this.#world.genesis);
    if (!decoded.ok) return decoded;
    const { txId, contents } = decoded.value;
    if (contents.validUntilMs < this.#dependencies.clock.nowMs()) return fail({ code: 'EXPIRED' });
    if (this.transactionStatus(txId).status !== 'unknown') return fail({ code: 'DUPLICATE' });
    const put: StoreOperation = { type: 'put', key: txId, value: utf8(String(contents.validUntilMs)) };
    const written = this.#dependencies.store.write([put], { sync: true });
    if (this.#defect.unsyncedAdmission !== true) await written;
    if (!this.#world.blocks.some((block) => holds(block, txId))) this.#world.pending.set(toHex(txId), decoded.value);
    return ok({ txId, validUntilMs: contents.validUntilMs });
  }

  transactionStatus(txId: Hash): SubmissionStatus {
    const height = this.#world.blocks.findIndex((block) => holds(block, txId)) + 1;
    if (height > 0 && height <= this.#height && this.#defect.forgetsFailures !== true) return { status: 'committed', height, index: 0 };
    const admitted = this.#dependencies.store.get(txId);
    if (admitted === undefined) return { status: 'unknown' };
    const { timeMs } = this.#tip();
    const expired = Number(new TextDecoder().decode(admitted)) < timeMs;
    return expired ? { status: 'expired', height: this.#height, timeMs } : { status: 'admitted' };
  }

  #beat(): void {
    this.#dependencies.clock.schedule(BEAT_MS, () => {
      if (this.#stopped || this.#height + 1 === this.#defect.stopsAt) return;
      if (this.#height + 1 === this.#defect.throwsAt) throw new Error('planted');
      void this.#decideNext().then(() => this.#beat());
    });
  }

  async #decideNext(): Promise<void> {
    const height = this.#height + 1;
    const block = this.#world.blockAt(height, this.#dependencies.clock.nowMs(), this.#defect);
    if (block === null) return;
    this.#say(height, block);
    await this.#dependencies.store.write([{ type: 'put', key: utf8('height'), value: utf8(String(height)) }], { sync: false });
    this.#height = height;
    if (height === this.#defect.skipsHeight) return;
    const { blockHash } = this.#tip();
    this.#listener({
      height,
      blockHash,
      timeMs: block.timeMs,
      statuses: block.transactions.map(({ txId }) => ({ txId, status: 'committed' })),
    });
  }

  #say(height: number, { hash }: ToyBlock): void {
    const validator = this.#options.validator === null ? null : this.#world.genesis.committee.indexOf(this.#options.validator.address);
    if (validator === null) return;
    const vote = (blockHash: Hash | null): Vote => ({
      height,
      round: 0,
      kind: 'prepare',
      blockHash,
      validator,
      signature: new Uint8Array(10),
    });
    const votes = this.#defect.equivocates === true ? [vote(hash), vote(null)] : [vote(hash)];
    for (const each of votes) encodeVote(each);
    this.#dependencies.transport.broadcast('committee', encodeMessage({ kind: 'votes', votes }));
  }

  #tip(): Tip {
    const { genesis, blocks } = this.#world;
    const block = blocks[this.#height - 1];
    const blockHash = block?.hash ?? genesis.hash;
    const forked = this.#defect.forkAt !== undefined && this.#height >= this.#defect.forkAt && this.#node === 1;
    return {
      height: this.#height,
      blockHash: forked ? taggedHash(TAG, blockHash) : blockHash,
      timeMs: block?.timeMs ?? genesis.timeMs,
      stateRoot: blockHash,
      header: null,
      certificate: null,
    };
  }
}

function holds(block: ToyBlock, txId: Hash): boolean {
  return block.transactions.some((transaction) => bytesEqual(transaction.txId, txId));
}

function unknownTo(what: string): never {
  throw new Error(`a toy knows nothing of ${what}`);
}
