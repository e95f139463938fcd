import { NacreError, type NacreErrorOptions } from '@nacre/base';

/** Stable codes of what this package throws; everything that a peer or client can cause is a `Refusal` instead. */
export type LedgerErrorCode =
  /** The store holds something that does not fit what was decided: a hash, root or signature differs, or a part is missing. */
  | 'LEDGER_DAMAGED'
  /** A genesis or transaction was to be made from values that break its rules; `fields.refusal` says which. */
  | 'INPUT_INVALID';

/** What the ledger cannot go on from by itself. */
export class LedgerError extends NacreError<LedgerErrorCode> {
  override readonly name = 'LedgerError';

  static damaged(what: string, options: Omit<NacreErrorOptions, 'hint'> = {}): LedgerError {
    const hint = 'The data directory is damaged: fetch the chain again from peers into an empty one; the vote journal and the key stay.';
    return new LedgerError('LEDGER_DAMAGED', `damaged ledger: ${what}`, { ...options, hint });
  }
}
