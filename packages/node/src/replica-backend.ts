import { type Address, type Clock, fail, type Hash, type Random, type Refusal, type Result, type Store } from '@nacre/base';
import type { Applied, Genesis, Transaction } from '@nacre/ledger';
import type { Admission, Replica, ReplicaStatus, SubmissionStatus } from '@nacre/replica';
import type { LedgerReader, NetworkState, NodeBackend, NodeHealth, PeerInfo, RecordSubmission, StoreHealth, Wait } from './backend.ts';
import { FinalStatuses } from './final-statuses.ts';
import { HealthLog } from './health-log.ts';
import { RecordSubmitter } from './records/record-submitter.ts';
import { RequestIds } from './records/request-ids.ts';
import type { KeyHolder } from './records/service-registrar.ts';

export interface ReplicaBackendOptions {
  /** Of the peer key. */
  readonly nodeId: string;
  /** Of this program. */
  readonly version: string;
  /** Null for a follower. */
  readonly validator: KeyHolder | null;
  /** Null where `record_submit` is not allowed. */
  readonly records: {
    /** The node's own account: made on first use, sponsored by the validator. */
    readonly account: KeyHolder;
    /** Accounts of other nodes that shall own and write the services made here, so that all of them take records for one service. */
    readonly writers: readonly Address[];
  } | null;
}

export interface ReplicaBackendDependencies {
  readonly replica: Replica;
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly peers: () => readonly PeerInfo[];
  readonly networkState: () => NetworkState;
  /** Damaged stores that lie beside this one. */
  readonly setAside: number;
}

/** The backend of a real node: a replica, the keys it signs with, and what its transport and its state say. */
export class ReplicaBackend implements NodeBackend {
  readonly genesis: Genesis;
  readonly nodeId: string;
  readonly address: Address | null;
  readonly version: string;
  readonly ledger: LedgerReader;
  readonly healthLog: HealthLog;
  readonly #dependencies: ReplicaBackendDependencies;
  readonly #finals: FinalStatuses;
  readonly #requestIds: RequestIds;
  readonly #records: RecordSubmitter | null;
  readonly #stopListening: () => void;

  private constructor(options: ReplicaBackendOptions, dependencies: ReplicaBackendDependencies, requestIds: RequestIds) {
    const { replica } = dependencies;
    this.genesis = replica.ledger.genesis;
    this.nodeId = options.nodeId;
    this.address = options.validator?.address ?? null;
    this.version = options.version;
    this.ledger = replica.ledger;
    this.#dependencies = dependencies;
    this.healthLog = new HealthLog(dependencies);
    this.#requestIds = requestIds;
    const finals = new FinalStatuses((txId) => replica.transactionStatus(txId));
    this.#finals = finals;
    this.#stopListening = replica.onDecided((applied) => {
      finals.decided(applied);
      this.#records?.afterBlock();
    });
    this.#records =
      options.records === null
        ? null
        : new RecordSubmitter({ ...options.records, sponsor: options.validator }, { ...dependencies, requestIds, finals });
  }

  /** Reads the request ids. The replica may run already or be started later. */
  static async open(options: ReplicaBackendOptions, dependencies: ReplicaBackendDependencies): Promise<ReplicaBackend> {
    return new ReplicaBackend(options, dependencies, await RequestIds.open(dependencies.store, dependencies.clock));
  }

  /** Ends all waits. Call it before the replica and the store are closed. */
  async close(): Promise<void> {
    this.#stopListening();
    this.healthLog.close();
    this.#finals.end();
    await this.#requestIds.close();
  }

  status(): ReplicaStatus {
    return this.#dependencies.replica.status();
  }

  networkState(): NetworkState {
    return this.#dependencies.networkState();
  }

  storeHealth(): StoreHealth {
    const { replica, setAside } = this.#dependencies;
    return { ...replica.storeStatus(), setAside };
  }

  health(): NodeHealth {
    const { reach, sync } = this.#dependencies.replica;
    return { sides: reach.sides, history: reach.history, heard: reach.heard, sync: sync.state };
  }

  peers(): readonly PeerInfo[] {
    return this.#dependencies.peers();
  }

  nowMs(): number {
    return this.#dependencies.clock.nowMs();
  }

  submit(envelope: Uint8Array): Promise<Admission> {
    return this.#dependencies.replica.submit(envelope);
  }

  transactionStatus(txId: Hash): SubmissionStatus {
    return this.#dependencies.replica.transactionStatus(txId);
  }

  transaction(txId: Hash): Transaction | null {
    const { replica } = this.#dependencies;
    const status = replica.transactionStatus(txId);
    if (status.status === 'admitted') return replica.pendingTransaction(txId) ?? null;
    if (status.status === 'unknown' || status.status === 'expired') return null;
    const bodyHash = replica.ledger.blockAt(status.height)?.bodyHashes[status.index];
    const body = bodyHash && replica.ledger.body(bodyHash);
    const read = body && replica.ledger.read(body);
    return read?.ok ? read.value : null;
  }

  reserveWait(): Wait | null {
    return this.#finals.reserve();
  }

  async submitRecords(
    submission: RecordSubmission,
    timeoutMs: number,
  ): Promise<Result<{ readonly txId: Hash; readonly validUntilMs: number }, Refusal>> {
    if (this.#records === null) return fail({ code: 'RECORDS_DISABLED' });
    return this.#records.submit(submission, timeoutMs);
  }

  onDecided(listener: (applied: Applied) => void): () => void {
    return this.#dependencies.replica.onDecided(listener);
  }
}
