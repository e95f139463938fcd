import { NacreError, type NacreErrorOptions } from '@nacre/base';

/**
 * A call that did not succeed. `code` is the node's own (packages/node/rpc.md), or one of these:
 *
 * - `NETWORK_UNREACHABLE`: no node could be reached.
 * - `NETWORK_ANSWER_MALFORMED`: what answered does not speak as a node does, or too much.
 * - `TIMEOUT`: no answer, or no final status, in time. A transaction may have been taken nevertheless.
 */
export class NacreRpcError extends NacreError {
  override readonly name = 'NacreRpcError';
  /** Whether the same call may succeed later. */
  readonly retryable: boolean;
  /** Attempts that the call made, the one with this error included. An earlier one may have been heard although its answer was not. */
  attempts = 1;

  constructor(code: string, message: string, options: NacreErrorOptions & { readonly retryable: boolean }) {
    super(code, message, options);
    this.retryable = options.retryable;
  }
}

export type NacreClientErrorCode =
  /** No node, too many, or an address that is not http(s). */
  | 'URL_INVALID'
  /** The genesis is not one; `fields.refusal` says why. */
  | 'GENESIS_INVALID'
  /** What was asked for needs the network's genesis, and the client was connected without it. */
  | 'GENESIS_MISSING'
  /** The proof does not hold; `fields.refusal` says why. Whoever sent it errs or lies. */
  | 'PROOF_INVALID'
  /** The proof holds, but shows something else than was asked for. Whoever sent it errs or lies. */
  | 'PROOF_MISMATCH'
  /** The checkpoint cannot be read, or is of another network. */
  | 'CHECKPOINT_INVALID'
  /** The checkpoint is older than the trust period. */
  | 'CHECKPOINT_EXPIRED'
  /** The node left out records that must exist. */
  | 'RECORDS_MISSING'
  /** No node would take the transaction; `fields.refusal` says why. */
  | 'TRANSACTION_INVALID'
  /** This runtime has no WebSocket. */
  | 'WEBSOCKET_MISSING'
  /** A record's schema version is neither the one that was asked for nor one that it can be upgraded from. */
  | 'SCHEMA_VERSION_UNKNOWN'
  /** A record's payload is not what its schema says; `cause` is what the schema's `parse` threw. */
  | 'PAYLOAD_INVALID'
  /** The outbox holds as much as it may. */
  | 'OUTBOX_FULL'
  /** The outbox was closed before. */
  | 'OUTBOX_CLOSED'
  | 'OUTBOX_ID_INVALID'
  /** Another item waits under this id. */
  | 'OUTBOX_ID_REUSED'
  /** What the outbox keeps cannot be read; `fields` say what. Nothing is left out silently. */
  | 'OUTBOX_DAMAGED'
  /** What the outbox keeps belongs to another network or account. */
  | 'OUTBOX_FOREIGN'
  /** Another process, or another outbox of this one, uses these files. */
  | 'OUTBOX_LOCKED'
  /** The file system refuses; `fields.errno` says why. */
  | 'OUTBOX_STORE_FAILED';

/** What the client itself finds wrong. Trying again does not help. */
export class NacreClientError extends NacreError<NacreClientErrorCode> {
  override readonly name = 'NacreClientError';
}
