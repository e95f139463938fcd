import { type Address, compareBytes, fail, type Hash, utf8 } from '@nacre/base';
import {
  buildTransaction,
  type NewRecord,
  NONCE_BYTES,
  type Operation,
  POSSESSION_CONTEXT,
  possessionMessage,
  storeDamage,
  type Transaction,
} from '@nacre/ledger';
import type { ClientCall, ClientHistory } from './client-history.ts';
import { type Cluster, EPOCH_MS, type KeyHolder, newKeyHolder } from './cluster.ts';
import type { ClusterReplica } from './cluster-replica.ts';
import { drawChange } from './draw-change.ts';
import { drawOffence } from './draw-offence.ts';
import type { SeededRandom } from './random.ts';
import type { Scheduler } from './scheduler.ts';
import type { SignatureKit } from './signature-kit.ts';
import type { SimNode } from './sim-node.ts';
import type { SimValidator } from './sim-validator.ts';
import type { Trace } from './trace.ts';
import type { WitnessChecker } from './witness-checker.ts';

const ACCOUNTS_MAX = 6;
const SERVICES_MAX = 4;
const RECORDS_MAX = 12;
const SCHEMA = 'level';
/** Keys of keyed records: few, so that they are written over. */
const KEYS = ['alpha', 'beta', 'gamma', 'delta'] as const;
/** Ordinary transactions stay valid longer than any run lasts; short-lived ones may or may not make it. */
const LONG_VALIDITY_MS = 600_000;
/** Where validators leave, what they or their accounts sent before and nobody has taken in is refused from then on: it is final when its time is over. */
const CHANGING_VALIDITY_MS = 20_000;
/** The longest share of a short window, so that a clock that is behind takes it in. */
const WINDOW_SHARE = 0.7;
const SHORT_VALIDITY_MS: readonly [number, number] = [30, 1_500];

/** Shares of what a submission may be. */
const ACCOUNT_CHANCE = 0.3;
const SERVICE_CHANCE = 0.3;
const UPDATE_CHANCE = 0.06;
const STRANGER_CHANCE = 0.03;
const SHORT_CHANCE = 0.12;
const TWO_NODES_CHANCE = 0.12;
const REPEAT_CHANCE = 0.06;
const RETRY_CHANCE = 0.7;
/** Shares of what is done about the validator set that are rotations of a key, and proofs of an offence. */
const ROTATION_CHANCE = 0.15;
const WITNESS_CHANCE = 0.2;

/** Something that exists once its transaction is committed. */
interface Awaited<Value> {
  readonly value: Value;
  readonly createdBy: Hash;
  ready: boolean;
}

interface SimService {
  readonly name: string;
  readonly owner: KeyHolder;
  writers: readonly Address[];
}

interface WriterChange {
  readonly service: SimService;
  readonly writers: readonly Address[];
}

interface Rotation {
  readonly validator: SimValidator;
  readonly publicKey: Uint8Array;
}

interface Sent {
  readonly call: ClientCall;
  readonly transaction: Transaction;
  retried: boolean;
}

interface Drawn {
  readonly account: KeyHolder;
  readonly operation: Operation;
  /** Told the id of the transaction, to look out for its commit. */
  readonly created?: (txId: Hash) => void;
}

interface Dependencies {
  readonly cluster: Cluster;
  readonly scheduler: Scheduler;
  readonly random: SeededRandom;
  readonly kit: SignatureKit;
  readonly history: ClientHistory;
  readonly trace: Trace;
  readonly witness: Pick<WitnessChecker, 'proves'>;
}

export interface WorkloadOptions {
  /** Mean time between two submissions, and between two steps of validators about their set; null: none. */
  readonly gapMs: number;
  readonly changeGapMs: number | null;
  /** How long a transaction may wait for its block at most; null: as long as is usual. */
  readonly windowMs: number | null;
  readonly untilMs: number;
}

/**
 * Clients: they create accounts and services, append records, change writers, repeat themselves, ask two nodes at once,
 * come too late, and try again elsewhere when a node crashed under their call.
 */
export class Workload {
  readonly #options: WorkloadOptions;
  readonly #dependencies: Dependencies;
  readonly #accounts: Awaited<KeyHolder>[] = [];
  readonly #services: Awaited<SimService>[] = [];
  readonly #writerChanges: Awaited<WriterChange>[] = [];
  readonly #rotations: Awaited<Rotation>[] = [];
  readonly #sent: Sent[] = [];

  constructor(options: WorkloadOptions, dependencies: Dependencies) {
    this.#options = options;
    this.#dependencies = dependencies;
  }

  /** Names of all services that were ever asked for. */
  get services(): string[] {
    return this.#services.map(({ value }) => value.name);
  }

  start(): void {
    const { gapMs, changeGapMs } = this.#options;
    this.#repeat(gapMs, () => void this.#step());
    if (changeGapMs !== null) this.#repeat(changeGapMs, () => void this.#change());
  }

  #repeat(meanMs: number, step: () => void): void {
    const { scheduler, random } = this.#dependencies;
    const gapMs = random.exponential(meanMs);
    if (scheduler.nowMs + gapMs > this.#options.untilMs) return;
    scheduler.schedule(gapMs, () => {
      step();
      this.#repeat(meanMs, step);
    });
  }

  /** What validators do about their set. */
  async #change(): Promise<void> {
    const { random, cluster } = this.#dependencies;
    const replica = this.#someReplica();
    if (replica === undefined) return;
    if (random.chance(ROTATION_CHANCE)) return this.#rotate(replica);
    if (!cluster.byzantine.isEmpty && random.chance(WITNESS_CHANCE)) return this.#bearWitness(replica);
    const drawn = drawChange(replica.ledger, cluster, random);
    if (drawn !== null) this.#submit(await this.#build(drawn.account, drawn.operation), 1);
  }

  /** An operator gives a validator another key, which is in its home before anybody hears of it. */
  async #rotate({ ledger }: ClusterReplica): Promise<void> {
    const { random, cluster, kit } = this.#dependencies;
    const isDue = ({ validator, replica }: SimNode): boolean => {
      const account = validator === null ? undefined : ledger.account(validator.address);
      return replica !== null && account !== undefined && account.retired === null;
    };
    const nodes = cluster.nodes.filter(isDue);
    if (nodes.length === 0) return;
    const node = random.pick(nodes);
    const validator = node.validator as SimValidator;
    const key = await node.nextKey(() => kit.newKey(random));
    if (key === null) return;
    const { publicKey } = key.signer;
    const proofOfPossession = key.signNow(possessionMessage(cluster.genesis.context, validator.address, 'rotate'), POSSESSION_CONTEXT);
    const transaction = await this.#build(validator, { kind: 'key.rotate', publicKey, proofOfPossession });
    this.#rotations.push({ value: { validator, publicKey }, createdBy: transaction.txId, ready: false });
    this.#submit(transaction, 1);
  }

  /** Someone proves what a Byzantine validator has signed twice, with the key of that time. */
  async #bearWitness({ ledger }: ClusterReplica): Promise<void> {
    const { random, cluster, witness } = this.#dependencies;
    const offence = drawOffence(ledger, cluster, random);
    if (offence === null) return;
    const reporter = random.pick(cluster.honest.flatMap(({ validator }) => validator ?? []));
    const transaction = await this.#build(reporter, { kind: 'evidence', equivocation: offence.equivocation });
    witness.proves(transaction.txId, offence);
    this.#submit(transaction, 1);
  }

  async #step(): Promise<void> {
    const { random } = this.#dependencies;
    this.#lookForCommits();
    this.#retryCrashed();
    if (this.#sent.length > 0 && random.chance(REPEAT_CHANCE)) return this.#submit(random.pick(this.#sent).transaction, 1);
    const { account, operation, created } = this.#draw();
    const transaction = await this.#build(account, operation);
    created?.(transaction.txId);
    this.#submit(transaction, random.chance(TWO_NODES_CHANCE) ? 2 : 1);
  }

  #draw(): Drawn {
    const { random, cluster } = this.#dependencies;
    const accounts = this.#accounts.filter(({ ready }) => ready).map(({ value }) => value);
    const services = this.#services.filter(({ ready }) => ready).map(({ value }) => value);
    if (accounts.length === 0 || (this.#accounts.length < ACCOUNTS_MAX && random.chance(ACCOUNT_CHANCE))) return this.#drawAccount();
    if (services.length === 0 || (this.#services.length < SERVICES_MAX && random.chance(SERVICE_CHANCE)))
      return this.#drawService(accounts);
    const service = random.pick(services);
    if (random.chance(UPDATE_CHANCE)) return this.#drawUpdate(service, accounts);
    const writers = accounts.filter(({ address }) => service.writers.includes(address));
    const stranger = writers.length === 0 || random.chance(STRANGER_CHANCE);
    const account = stranger ? random.pick([...accounts, ...cluster.validators]) : random.pick(writers);
    return { account, operation: this.#drawRecords(service.name) };
  }

  #drawAccount(): Drawn {
    const { random, cluster, kit } = this.#dependencies;
    const holder = newKeyHolder(kit, random);
    return {
      account: random.pick(cluster.validators),
      operation: { kind: 'account.create', publicKey: holder.signer.publicKey },
      created: (createdBy) => this.#accounts.push({ value: holder, createdBy, ready: false }),
    };
  }

  #drawService(accounts: readonly KeyHolder[]): Drawn {
    const owner = this.#dependencies.random.pick(accounts);
    const service: SimService = { name: `service-${this.#services.length}`, owner, writers: this.#drawWriters(accounts) };
    return {
      account: owner,
      operation: { kind: 'service.create', ...definition(service) },
      created: (createdBy) => this.#services.push({ value: service, createdBy, ready: false }),
    };
  }

  /** Takes the right to write from some and gives it to others. Until it is committed they go on as before, so records of theirs are on their way. */
  #drawUpdate(service: SimService, accounts: readonly KeyHolder[]): Drawn {
    const writers = this.#drawWriters(accounts);
    return {
      account: service.owner,
      operation: { kind: 'service.update', ...definition({ ...service, writers }) },
      created: (createdBy) => this.#writerChanges.push({ value: { service, writers }, createdBy, ready: false }),
    };
  }

  #drawWriters(accounts: readonly KeyHolder[]): Address[] {
    const { random } = this.#dependencies;
    const count = 1 + random.int(accounts.length);
    return random
      .shuffle(accounts)
      .slice(0, count)
      .map(({ address }) => address)
      .sort(compareBytes);
  }

  #drawRecords(service: string): Operation {
    const { random } = this.#dependencies;
    const records: NewRecord[] = Array.from({ length: 1 + random.int(RECORDS_MAX) }, () => ({
      key: random.chance(0.5) ? random.pick(KEYS) : '',
      payload: utf8(JSON.stringify({ price: random.int(1_000_000) })),
    }));
    return { kind: 'record.append', service, schema: SCHEMA, schemaVersion: 1 + random.int(2), mediaType: 'application/json', records };
  }

  #build(account: KeyHolder, operation: Operation): Promise<Transaction> {
    const { random, cluster, scheduler } = this.#dependencies;
    const { changeGapMs, windowMs } = this.#options;
    const usualMs = changeGapMs === null ? LONG_VALIDITY_MS : CHANGING_VALIDITY_MS;
    const ordinaryMs = windowMs === null ? usualMs : Math.min(usualMs, WINDOW_SHARE * windowMs);
    const validityMs = random.chance(SHORT_CHANCE) ? random.between(...SHORT_VALIDITY_MS) : ordinaryMs;
    return buildTransaction({
      genesis: cluster.genesis,
      account: account.address,
      operations: [operation],
      validUntilMs: Math.floor(EPOCH_MS + scheduler.nowMs + validityMs),
      nonce: random.bytes(NONCE_BYTES),
      signer: account.signer,
    });
  }

  /** Hands a transaction to so many nodes that run; to none if none does. */
  #submit(transaction: Transaction, count: number): void {
    const { cluster, random } = this.#dependencies;
    const running = cluster.honest.filter(({ replica }) => replica !== null);
    for (const node of random.shuffle(running).slice(0, count)) this.#submitTo(node, transaction);
  }

  #submitTo(node: SimNode, transaction: Transaction): void {
    const { history, scheduler, trace } = this.#dependencies;
    const answer = node.submit(transaction.bytes);
    if (answer === null || node.generation === null) return;
    const call = history.asked({
      id: transaction.txId,
      validUntilMs: transaction.contents.validUntilMs,
      node: node.index,
      generation: node.generation,
      nowMs: scheduler.nowMs,
    });
    this.#sent.push({ call, transaction, retried: false });
    trace.add(scheduler.nowMs, 'submit', node.index, -1, transaction.bytes.length, transaction.txId);
    void answer.then(
      (result) => {
        history.answered(call, result);
        trace.add(scheduler.nowMs, 'answered', node.index, -1, result.ok ? 1 : 0, transaction.txId);
      },
      (error: unknown) => {
        if (storeDamage(error) === null || !node.disk.store.hasRefused) throw error;
        history.answered(call, fail({ code: 'STORE_DAMAGED' }));
      },
    );
  }

  /** A client whose node crashed under its call does not know, and asks another with the same bytes. */
  #retryCrashed(): void {
    const { cluster, random } = this.#dependencies;
    for (const sent of [...this.#sent]) {
      const { call } = sent;
      if (sent.retried || call.answer !== null || cluster.nodes[call.node]?.generation === call.generation) continue;
      sent.retried = true;
      if (random.chance(RETRY_CHANCE)) this.#submit(sent.transaction, 1);
    }
  }

  #someReplica(): ClusterReplica | undefined {
    const { cluster } = this.#dependencies;
    return cluster.honest.find((node) => node.replica !== null && !node.disk.store.isDamaged)?.replica ?? undefined;
  }

  #lookForCommits(): void {
    const replica = this.#someReplica();
    if (replica === undefined) return;
    const isNew = <Value>(awaited: Awaited<Value>): boolean => {
      if (awaited.ready || replica.transactionStatus(awaited.createdBy).status !== 'committed') return false;
      awaited.ready = true;
      return true;
    };
    this.#accounts.forEach(isNew);
    this.#services.forEach(isNew);
    for (const { value } of this.#writerChanges.filter(isNew)) value.service.writers = value.writers;
    for (const { value } of this.#rotations.filter(isNew)) value.validator.rotatedTo(value.publicKey);
  }
}

function definition({ name, owner, writers }: SimService): Omit<Extract<Operation, { kind: 'service.create' }>, 'kind'> {
  const schemas = [1, 2].map((version) => ({ name: SCHEMA, version }));
  return { name, owners: [owner.address], writers, schemas, shard: 0, retentionMs: 0 };
}
