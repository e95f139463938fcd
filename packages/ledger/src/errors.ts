import { type Hash, NacreError, type NacreErrorOptions, toHex } from '@nacre/base';

/** Stable codes of what this package throws; everything that a peer or client can cause is a `Refusal` instead. */
export type LedgerErrorCode =
  /** The store holds something that does not fit what was decided: a hash, root or signature differs, or a part is missing. */
  | 'LEDGER_DAMAGED'
  /** The store belongs to another network. */
  | 'LEDGER_FOREIGN'
  /** A genesis or transaction was to be made from values that break its rules; `fields.refusal` says which. */
  | 'INPUT_INVALID';

/** What the ledger cannot go on from by itself. */
export class LedgerError extends NacreError<LedgerErrorCode> {
  override readonly name = 'LedgerError';

  static damaged(what: string, options: Omit<NacreErrorOptions, 'hint'> = {}): LedgerError {
    const hint = 'The data directory is damaged: fetch the chain again from peers into an empty one; the vote journal and the key stay.';
    return new LedgerError('LEDGER_DAMAGED', `damaged ledger: ${what}`, { ...options, hint });
  }

  static foreign(genesisHash: Hash): LedgerError {
    const hint = 'Give the genesis file that this data directory was made with, or an empty directory.';
    return new LedgerError('LEDGER_FOREIGN', 'the ledger is of another network', { fields: { genesisHash: toHex(genesisHash) }, hint });
  }
}
