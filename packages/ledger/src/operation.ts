import type { Address, Hash } from '@nacre/base';
import type { Equivocation } from '@nacre/consensus';
import type { SetChange, ValidatorJoin } from './set-change.ts';

/** A named shape of record payloads. Old and new versions stand side by side in one service. */
export interface Schema {
  readonly name: string;
  /** At least 1. */
  readonly version: number;
}

/** What the owners of a service decide about it. */
export interface ServiceDefinition {
  /** See `isName`. Distinct on the whole network, for good. */
  readonly name: string;
  /** Accounts that may replace the definition: at least one, ascending by bytes, distinct. */
  readonly owners: readonly Address[];
  /** Accounts that may append records: ascending by bytes, distinct; empty means that nobody may. */
  readonly writers: readonly Address[];
  /** What records may say that they are: at least one, ascending by name and version, distinct. */
  readonly schemas: readonly Schema[];
  /** The shard that holds the data; 0 lets the network choose. */
  readonly shard: number;
  /** How long records must be kept, in ms of block time; 0 means for ever. */
  readonly retentionMs: number;
}

/** Registers the account of a public key, the first one that it has. Signed by the validator that sponsors it; also where the former sponsor has left. */
export interface AccountCreate {
  readonly kind: 'account.create';
  readonly publicKey: Uint8Array;
}

/** Founds a service on the quota of the signer's sponsor. */
export interface ServiceCreate extends ServiceDefinition {
  readonly kind: 'service.create';
}

/** Puts a new definition in place of the old one as a whole. Signed by an owner. */
export interface ServiceUpdate extends ServiceDefinition {
  readonly kind: 'service.update';
}

/** One item of a service's data, as a client submits it. */
export interface NewRecord {
  /** Under which {@link RecordAppend.service} keeps the latest record; empty for none. */
  readonly key: string;
  readonly payload: Uint8Array;
}

/** Appends records to a service's log, in order. Signed by a writer. */
export interface RecordAppend {
  readonly kind: 'record.append';
  readonly service: string;
  readonly schema: string;
  readonly schemaVersion: number;
  readonly mediaType: string;
  readonly records: readonly NewRecord[];
}

/** Ends a validator's doubt about its vote journal once decided. Signed by that validator's own account. Protocol section 5. */
export interface ValidatorRecover {
  readonly kind: 'validator.recover';
  /** 16 random bytes, fresh each time. */
  readonly nonce: Uint8Array;
}

/** What a new key signs of itself, in `POSSESSION_CONTEXT`: see `possessionMessage`. */
interface Possession {
  readonly proofOfPossession: Uint8Array;
}

/**
 * Proposes a change. Signed by a validator of the committee, who thereby approves it; in force two epochs after more than 2/3 of the weight did.
 */
export type ProposeChange = Exclude<SetChange, ValidatorJoin> | (ValidatorJoin & Possession);

/** Approves a proposed change. Signed by a validator of the committee. */
export interface ProposalApprove {
  readonly kind: 'proposal.approve';
  /** See `proposalId`. */
  readonly id: Hash;
}

/**
 * Replaces the signer's key, from the next block on. Transactions that the old key signed before end as `KEY_RETIRED`. A validator's votes follow
 * two epochs later.
 */
export interface KeyRotate extends Possession {
  readonly kind: 'key.rotate';
  readonly publicKey: Uint8Array;
}

/** Shows that a validator signed two different things at one place. By anyone. */
export interface Evidence {
  readonly kind: 'evidence';
  readonly equivocation: Equivocation;
}

export type Operation =
  | AccountCreate
  | ServiceCreate
  | ServiceUpdate
  | RecordAppend
  | ValidatorRecover
  | ProposeChange
  | ProposalApprove
  | KeyRotate
  | Evidence;
export type OperationKind = Operation['kind'];
