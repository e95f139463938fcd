import type { Address, Hash, Refusal, Result } from '@nacre/base';
import type { Applied, Genesis, Ledger, Schema, Transaction } from '@nacre/ledger';
import type { Admission, PartitionRecord, ReplicaStatus, Side, StoreStatus, SubmissionStatus, SyncState } from '@nacre/replica';
import type { HealthLog } from './health-log.ts';

/** What the node can do at present, seen from here. Protocol section 9. */
export interface NetworkState {
  readonly state: 'NORMAL' | 'PARTITIONED' | 'RECOVERING';
  /** Why it is not `NORMAL`, in a sentence; null when it is. */
  readonly reason: string | null;
}

/** Who reaches whom, as far as this node can tell, and how far it has caught up. Validators are named by their addresses in hex. */
export interface NodeHealth {
  /** One where nobody is cut off; none shortly after the start. */
  readonly sides: readonly Side[];
  /** Partitions since the start of this process, the oldest first. */
  readonly history: readonly PartitionRecord[];
  /** The validators that this node hears, itself not among them. */
  readonly heard: readonly string[];
  readonly sync: SyncState;
}

/** One connected peer. */
export interface PeerInfo {
  readonly peerId: string;
  /** The validator whose key the peer has proven; null for a follower. */
  readonly address: Address | null;
  readonly multiaddr: string;
  readonly direction: 'inbound' | 'outbound';
  /** Key exchange group of the link; a listener cannot read it and says that it is pinned. */
  readonly security: { readonly protocol: string; readonly group: string };
  readonly score: number;
  /** Round trip, null before the first measurement. */
  readonly latencyMs: number | null;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** A final status that somebody may wait for; its place is taken before anything is submitted, so that the number is bounded. */
export interface Wait {
  /**
   * @param limits waits at most `timeoutMs`, and ends at once when `signal` aborts
   * @returns the final status, or `admitted` if there is none yet
   */
  until(
    transaction: { readonly txId: Hash; readonly validUntilMs: number },
    limits: { readonly timeoutMs: number; readonly signal: AbortSignal },
  ): Promise<SubmissionStatus>;
  /** Gives the place back; call it in any case. */
  release(): void;
}

/** Records that this node signs with its own service key. */
export interface RecordSubmission {
  readonly service: string;
  /** Of each of the records; empty for none. */
  readonly key: string;
  readonly schema: Schema;
  /** Canonical JSON, in order, at least one. */
  readonly payloads: readonly Uint8Array[];
  /** Scoped to this node and the service: the same submission under it is carried out once. */
  readonly requestId: string | null;
}

/** The part of the ledger that is read on behalf of clients. */
export type LedgerReader = Pick<
  Ledger,
  | 'tip'
  | 'firstHeight'
  | 'account'
  | 'body'
  | 'committeeAt'
  | 'epochOf'
  | 'nextEpoch'
  | 'read'
  | 'blockAt'
  | 'blockByHash'
  | 'certificateAt'
  | 'transactionId'
  | 'participation'
  | 'validatorSet'
  | 'recordLog'
  | 'records'
  | 'latest'
  | 'prove'
  | 'lightUpdate'
>;

/** How the store is. */
export interface StoreHealth extends StoreStatus {
  /** Damaged stores that lie beside it. */
  readonly setAside: number;
}

/** All that the RPC and the metrics need from a node. */
export interface NodeBackend {
  readonly genesis: Genesis;
  /** Of the peer key: who this process is on the network. */
  readonly nodeId: string;
  /** Of the validator key; null for a follower. */
  readonly address: Address | null;
  /** Of this program. */
  readonly version: string;
  readonly ledger: LedgerReader;
  status(): ReplicaStatus;
  networkState(): NetworkState;
  storeHealth(): StoreHealth;
  health(): NodeHealth;
  readonly healthLog: Pick<HealthLog, 'sinceMs' | 'oldest' | 'next' | 'at' | 'onEvent'>;
  peers(): readonly PeerInfo[];
  nowMs(): number;
  /** See `Replica.submit`. */
  submit(envelope: Uint8Array): Promise<Admission>;
  transactionStatus(txId: Hash): SubmissionStatus;
  /** A transaction that waits here or is decided. */
  transaction(txId: Hash): Transaction | null;
  /** @returns null while `FINAL_STATUS_WAITS_MAX` are taken */
  reserveWait(): Wait | null;
  /**
   * Signs and admits records; makes the node's account and the service where they are missing. Durable, the request id with
   * it, when it returns.
   *
   * @param timeoutMs how long account and service may take, if they are missing
   * @returns the transaction, which may be an earlier one of the same request id; or why not: `RECORDS_DISABLED`,
   *   `REQUEST_ID_REUSED`, `REQUEST_IDS_FULL`, `SERVICE_PENDING`, `SPONSOR_MISSING`, or a refusal of the ledger or the mempool
   */
  submitRecords(
    submission: RecordSubmission,
    timeoutMs: number,
  ): Promise<Result<{ readonly txId: Hash; readonly validUntilMs: number }, Refusal>>;
  /** Calls `listener` after each block, in order. @returns how to stop it */
  onDecided(listener: (applied: Applied) => void): () => void;
}
