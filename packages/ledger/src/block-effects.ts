import type { Hash } from '@nacre/base';
import type { LogPeaks, PageChange, Tile } from '@nacre/crypto';
import type { EpochStart } from './epoch-book.ts';
import type { StateWrite } from './overlay.ts';
import type { SetRefusal } from './set-limits.ts';

/** Why a transaction in a block has had no effect: the operation that failed, and its code. */
export interface FailureReason {
  readonly code: FailureCode;
  /** Index of the operation within the transaction. */
  readonly operation: number;
}

export type FailureCode =
  | 'ACCOUNT_EXISTS'
  | 'ACCOUNT_QUOTA_EXCEEDED'
  | 'ALREADY_APPROVED'
  | 'CHANGE_IN_FLIGHT'
  | 'CHANGE_NONE'
  | 'EVIDENCE_KNOWN'
  | 'EVIDENCE_STALE'
  | 'KEY_IN_USE'
  | 'KEY_MISMATCH'
  | 'KEY_RETIRED'
  | 'KEY_ROTATED_LATELY'
  | 'NOT_A_VALIDATOR'
  | 'NOT_A_WRITER'
  | 'NOT_AN_OWNER'
  | 'PARAMETERS_INCONSISTENT'
  | 'PROPOSALS_TOO_MANY'
  | 'PROPOSAL_DECIDED'
  | 'PROPOSAL_EXISTS'
  | 'PROPOSAL_EXPIRED'
  | 'PROPOSAL_OPEN'
  | 'PROPOSAL_UNKNOWN'
  | 'PROTOCOL_VERSION_LOWER'
  | 'SCHEMA_NOT_LISTED'
  | 'SERVICE_EXISTS'
  | 'SERVICE_QUOTA_EXCEEDED'
  | SetRefusal['code']
  | 'UNKNOWN_SERVICE'
  | 'VALIDATOR_EXISTS'
  | 'VALIDATOR_NOT_HELD'
  | 'VALIDATOR_UNKNOWN';

/** How a transaction that a block holds ended. A failed one has had no effect, but its id and its bytes of quota are used up. */
export type Outcome = { readonly status: 'committed' } | { readonly status: 'failed'; readonly reason: FailureReason };

/** Records that one operation appended: where they stand. */
export interface RecordRun {
  readonly service: string;
  readonly firstIndex: number;
  readonly count: number;
  readonly height: number;
  readonly timeMs: number;
  readonly bodyHash: Hash;
  /** Index of the operation within the transaction. */
  readonly operation: number;
}

/** All that a block does to the state and its indexes. */
export interface BlockEffects {
  readonly stateRoot: Hash;
  /** What begins after the block if it is the last one of its epoch, else null. */
  readonly nextEpoch: EpochStart | null;
  /** One per transaction. */
  readonly outcomes: readonly Outcome[];
  readonly values: readonly StateWrite[];
  readonly pages: readonly PageChange[];
  readonly logTiles: readonly { readonly service: string; readonly tile: Tile }[];
  /** Of each log that has grown, for the next block; they follow from the tiles. */
  readonly logPeaks: readonly { readonly service: string; readonly size: number; readonly peaks: LogPeaks }[];
  readonly runs: readonly RecordRun[];
  /** Records with a key, by the state key of (service, key). */
  readonly keyed: readonly { readonly stateKey: Hash; readonly index: number; readonly leafHash: Hash }[];
}
