import { NacreError } from '@nacre/base';

/** Stable codes of what stops this process or a command, beside those of the packages below. */
export type NodeErrorCode =
  /** A configuration, from file, environment or flags, breaks its schema; `fields.problems` lists every place. */
  | 'CONFIG_INVALID'
  /** A file is not the JSON that it should be. */
  | 'FILE_MALFORMED'
  /** A file that must be there is not, or cannot be read or written. */
  | 'FILE_INACCESSIBLE'
  /** A home was to be made where something is already. */
  | 'HOME_EXISTS'
  /** A directory is no home, or its making was interrupted. */
  | 'HOME_INCOMPLETE'
  /** A genesis file breaks its rules; `fields.refusal` says which. */
  | 'GENESIS_INVALID'
  /** A key of another scheme than the network's, or of another validator than the vote journal's. */
  | 'KEY_FOREIGN'
  /** A value on the command line is out of its range. */
  | 'ARGUMENT_INVALID'
  /** No chain but chain 0 exists in this version. */
  | 'SHARDS_UNSUPPORTED'
  /** Nothing answers on a node's admin socket. */
  | 'ADMIN_UNREACHABLE'
  /** The node refused what was asked on its admin socket, or the answer is unreadable. */
  | 'ADMIN_REFUSED'
  /** Another process listens on the admin socket of this home. */
  | 'HOME_IN_USE'
  /** Stores of this home were damaged again and again: see `setStoreAside`. */
  | 'STORE_DAMAGED_AGAIN'
  /** A file of a snapshot is spoilt, of another network, or not what was decided. */
  | 'SNAPSHOT_INVALID'
  /** A snapshot of a block that the node has passed. */
  | 'SNAPSHOT_OLD'
  /** No snapshot can be made of the node as it is. */
  | 'SNAPSHOT_NONE'
  /** What waiting cannot mend between a node and its signer; `fields.reason` says what. */
  | 'SIGNER_UNUSABLE'
  /** Another signer listens on this socket. */
  | 'SIGNER_SOCKET_IN_USE'
  /** A signer's journal is sound: it is not told to forget. */
  | 'SIGNER_SOUND';

/** What a person can mend: a file, a flag, a port. The command prints message and hint and ends with the code's exit status. */
export class NodeError extends NacreError<NodeErrorCode> {
  override readonly name = 'NodeError';
}
