import type { Address, Hash } from '@nacre/base';

/**
 * One item of a service's data as the network keeps it. Its canonical bytes are the leaf of the service's log, so a proof of the leaf
 * says all of this: also who wrote it, in which transaction, and at which height and block time it became known.
 */
export interface ServiceRecord {
  readonly service: string;
  /** Position in the service's log, from 0 on. */
  readonly index: number;
  readonly height: number;
  /** Time of the block at that height, ms since 1970. */
  readonly timeMs: number;
  readonly txId: Hash;
  /** The writer that signed the transaction. */
  readonly account: Address;
  readonly schema: string;
  readonly schemaVersion: number;
  readonly mediaType: string;
  /** Empty for none. */
  readonly key: string;
  readonly payload: Uint8Array;
}
