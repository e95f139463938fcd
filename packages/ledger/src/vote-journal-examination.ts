import { type Address, bytesEqual, fail, ok, type Result } from '@nacre/base';
import type { Doubt } from './vote-journal-doubt.ts';
import {
  decodeJournal,
  decodeJournalIdentity,
  decodeJournalMark,
  type JournalContent,
  type JournalPosition,
} from './vote-journal-format.ts';

/** Everything on disk that speaks about the votes of one key. */
export interface JournalEvidence {
  readonly validator: Address;
  readonly identityFile: Uint8Array | undefined;
  readonly journalFile: Uint8Array | undefined;
  /** The store's copy of the journal's last place. */
  readonly mark: Uint8Array | undefined;
}

/**
 * Decides whether a journal holds every vote that was ever sent.
 *
 * Ordinary after a crash, and no doubt: an append cut short at the end, a mark that lags, is missing or is damaged (it is
 * written unsynced, and LevelDB forgets what it cannot read).
 *
 * @returns the content without what was cut short, or the reason for doubt
 */
export function examineJournal({ validator, identityFile, journalFile, mark }: JournalEvidence): Result<JournalContent, Doubt> {
  if (identityFile === undefined) return fail({ code: 'IDENTITY_MISSING' });
  const identity = decodeJournalIdentity(identityFile);
  if (identity === undefined) return fail({ code: 'IDENTITY_DAMAGED' });
  if ('doubt' in identity) return fail({ code: identity.doubt });
  if (journalFile === undefined) return fail({ code: 'JOURNAL_MISSING' });
  const journal = decodeJournal(journalFile);
  if (!journal.ok) return journal;
  const { header } = journal.value;
  if (!bytesEqual(header.identity, identity.identity) || !bytesEqual(header.validator, validator)) return fail({ code: 'JOURNAL_FOREIGN' });
  const marked = mark && decodeJournalMark(mark);
  const doubt = marked && compareWithMark(journal.value, marked);
  return doubt ? fail(doubt) : ok(journal.value);
}

function compareWithMark({ header, frames }: JournalContent, mark: JournalPosition): Doubt | undefined {
  const positions = [header.base, ...frames.map((frame) => frame.position)];
  // Marks of rotated or abandoned entries have lower numbers than the base, because numbers never start anew.
  if (mark.sequence < header.base.sequence) return undefined;
  const position = positions[mark.sequence - header.base.sequence];
  if (position === undefined) return { code: 'JOURNAL_BEHIND', sequence: header.base.sequence + frames.length, marked: mark.sequence };
  return bytesEqual(position.checksum, mark.checksum) ? undefined : { code: 'JOURNAL_DIVERGED', sequence: mark.sequence };
}
