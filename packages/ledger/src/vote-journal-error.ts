import { NacreError } from '@nacre/base';

export type JournalErrorCode =
  /** Something of a journal is there already; a second one would forget its votes. */
  | 'JOURNAL_EXISTS'
  /** A write failed, so what is on disk is unknown until the journal is opened again. */
  | 'JOURNAL_FAILED'
  /** `JOURNAL_BYTES_MAX` is reached, all of it by heights that are not decided. */
  | 'JOURNAL_FULL';

export class JournalError extends NacreError<JournalErrorCode> {
  override readonly name = 'JournalError';
}
