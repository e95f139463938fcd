import { NacreError } from '@nacre/base';

export type StoreErrorCode =
  /** Another process has the store open. */
  | 'STORE_LOCKED'
  /** The store belongs to a network with another genesis. */
  | 'STORE_FOREIGN'
  /** The store was written by a newer program. */
  | 'STORE_NEWER'
  /** The store was written by an earlier program, in a format that this one has left. */
  | 'STORE_OLDER'
  /** What was read is not what was written. */
  | 'STORE_DAMAGED'
  /** The file system refused, or a write before this one failed. */
  | 'STORE_FAILED'
  /** Used after `close`. */
  | 'STORE_CLOSED';

export class StoreError extends NacreError<StoreErrorCode> {
  override readonly name = 'StoreError';
}
