import { type Hash, NacreError, type NacreErrorOptions, toHex } from '@nacre/base';

/** Stable codes of what this package throws; everything that a peer or client can cause is a `Refusal` instead. */
export type LedgerErrorCode =
  /** The store holds something that does not fit what was decided: a hash, root or signature differs, or a part is missing. */
  | 'LEDGER_DAMAGED'
  /** The store belongs to another network. */
  | 'LEDGER_FOREIGN'
  /** The network has gone on to rules that this program does not know. */
  | 'PROTOCOL_UNKNOWN'
  /** Who decides a height was asked for before it is known: see `Ledger.epochOf`. */
  | 'HEIGHT_UNKNOWN'
  /** A record was decided, and the block that holds it is not here: `fields` say from where on records are. */
  | 'RECORD_PRUNED'
  /** A genesis or transaction was to be made from values that break its rules; `fields.refusal` says which. */
  | 'INPUT_INVALID';

/** What the ledger cannot go on from by itself. */
export class LedgerError extends NacreError<LedgerErrorCode> {
  override readonly name = 'LedgerError';

  static damaged(what: string, options: Omit<NacreErrorOptions, 'hint'> = {}): LedgerError {
    const hint = 'Start the node: it sets its store aside and fetches the chain from its peers. The key and the vote journal stay.';
    return new LedgerError('LEDGER_DAMAGED', `damaged ledger: ${what}`, { ...options, hint });
  }

  static protocolUnknown(fields: { readonly protocolVersion: number; readonly known: number; readonly epoch: number }): LedgerError {
    const hint = 'Install a version of nacre that knows this protocol version, and start it on the same data directory.';
    return new LedgerError('PROTOCOL_UNKNOWN', `the network follows protocol version ${fields.protocolVersion}`, { fields, hint });
  }

  static heightUnknown(height: number, tipHeight: number): LedgerError {
    const hint = 'The committee of a height is known once the block before it is decided here.';
    return new LedgerError('HEIGHT_UNKNOWN', `nobody knows yet who decides height ${height}`, { fields: { height, tipHeight }, hint });
  }

  static pruned(fields: {
    readonly service: string;
    readonly index: number;
    readonly nextIndex: number;
    readonly firstHeight: number;
  }): LedgerError {
    const hint = 'Ask a node that keeps all blocks, or go on from nextIndex.';
    return new LedgerError('RECORD_PRUNED', `record ${fields.index} of ${fields.service} is no longer on this node`, { fields, hint });
  }

  static foreign(genesisHash: Hash): LedgerError {
    const hint = 'Give the genesis file that this data directory was made with, or an empty directory.';
    return new LedgerError('LEDGER_FOREIGN', 'the ledger is of another network', { fields: { genesisHash: toHex(genesisHash) }, hint });
  }
}
