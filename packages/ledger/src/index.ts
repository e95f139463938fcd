export * from './vote-journal.ts';
export type { Doubt, DoubtCode } from './vote-journal-doubt.ts';
export type { JournalEntry, SignedMessage } from './vote-journal-entry.ts';
export * from './vote-journal-error.ts';
