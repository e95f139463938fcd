import type { Address, Hash, Log, Refusal, Store, Verifier } from '@nacre/base';
import type { Certificate, Vote } from '@nacre/consensus';
import type { Block } from './block.ts';
import type { BlockEffects, FailureReason, Outcome } from './block-effects.ts';
import type { Genesis } from './genesis.ts';
import type { Header } from './header.ts';
import type { Transaction } from './transaction.ts';

export interface LedgerDependencies {
  readonly genesis: Genesis;
  readonly store: Store;
  readonly verifier: Verifier;
  readonly log: Log;
}

/** The latest block that was applied here. */
export interface Tip {
  /** 0 before the first block. */
  readonly height: number;
  /** The genesis hash at height 0. */
  readonly blockHash: Hash;
  /** The genesis time at height 0. */
  readonly timeMs: number;
  readonly stateRoot: Hash;
  /** Null at height 0. */
  readonly header: Header | null;
  /** What `apply` was given: null at height 0, and while blocks are applied under a later block's certificate. */
  readonly certificate: Certificate | null;
}

/** A block that was executed on the tip and is valid. Stale as soon as another one is applied. */
export interface Candidate {
  readonly block: Block;
  readonly blockHash: Hash;
  /** In the order of the block. */
  readonly transactions: readonly Transaction[];
  /** What the block does to the state, for `Ledger.apply`. */
  readonly effects: BlockEffects;
}

/** A candidate of our own making, and what it could not take. */
export interface ProposedCandidate extends Candidate {
  /** Transactions that no later block can hold either: expired, or in the chain already. */
  readonly hopeless: readonly { readonly txId: Hash; readonly reason: Refusal }[];
}

export interface ProposeRequest {
  readonly proposer: Address;
  /** Later than the tip's. */
  readonly timeMs: number;
  /** Signatures verified. Taken in this order as long as they fit. */
  readonly candidates: Iterable<Transaction>;
  /** Of the tip, with a quorum; null at height 0. */
  readonly parentCertificate: Certificate | null;
  /** Signatures verified. What cannot be credited (any more) is left out. */
  readonly lateCommits: readonly Vote[];
}

export interface Applied {
  readonly height: number;
  readonly blockHash: Hash;
  readonly timeMs: number;
  readonly statuses: readonly ({ readonly txId: Hash } & Outcome)[];
}

/** Final status of a transaction, durable and queryable. Protocol section 3. */
export type TransactionStatus =
  | { readonly status: 'committed'; readonly height: number; readonly index: number }
  | { readonly status: 'failed'; readonly height: number; readonly index: number; readonly reason: FailureReason }
  /** Seen by this node to be past its time at a decided block; no later block can hold it. */
  | { readonly status: 'expired'; readonly height: number; readonly timeMs: number };

/** What is to be proven: that the record of an index is in its log, or which one is the latest under a key, if there is one. */
export type ProofQuestion = { readonly service: string } & ({ readonly index: number } | { readonly key: string });

/** From where a proof or a light update is to lead to the tip. */
export interface ProofStart {
  /** Height of the checkpoint that the asker trusts; by default 0, the genesis. */
  readonly fromHeight?: number;
}

export interface RecordQuery {
  readonly service: string;
  /** Only records with this key. */
  readonly key?: string;
  /** First index to return: at or above it when ascending, at or below it when descending. */
  readonly fromIndex?: number;
  /** At most `RECORDS_PAGE_MAX`. */
  readonly limit: number;
  readonly order?: 'ascending' | 'descending';
}
