import { ByteListType, ContainerType, ListCompositeType, type ValueOf } from '@chainsafe/ssz';
import { JOURNAL_ENTRY_MESSAGES_MAX, JOURNAL_MESSAGE_BYTES_MAX } from '@nacre/base';
import { convertedCodec, FlagType, LOCK_BYTES_MAX, type Lock, LockType, lockFromWire, lockToWire, Uint53Type } from '@nacre/consensus';

/** An own message in the form in which it was sent, so that after a restart it is sent again and never signed anew. */
export interface SignedMessage {
  readonly kind: 'vote' | 'proposal';
  /** What the codec of votes or proposals made, signature included. */
  readonly bytes: Uint8Array;
}

/** What one step of the core makes durable before anything of it is sent. */
export interface JournalEntry {
  readonly height: number;
  readonly messages: readonly SignedMessage[];
  /** The lock after this step, or null if the step left it as it was. */
  readonly lock: Lock | null;
}

const MessageType = new ContainerType({ kind: FlagType, bytes: new ByteListType(JOURNAL_MESSAGE_BYTES_MAX) });
const EntryType = new ContainerType({
  height: Uint53Type,
  messages: new ListCompositeType(MessageType, JOURNAL_ENTRY_MESSAGES_MAX),
  lock: new ListCompositeType(LockType, 1),
});

/** Longest encoding in bytes: height and two offsets, each message with two offsets, its kind and bytes, a lock with its offset. */
const ENTRY_BYTES_MAX = 16 + JOURNAL_ENTRY_MESSAGES_MAX * (4 + 5 + JOURNAL_MESSAGE_BYTES_MAX) + 4 + LOCK_BYTES_MAX;

function entryToWire({ height, messages, lock }: JournalEntry): ValueOf<typeof EntryType> {
  return {
    height,
    messages: messages.map(({ kind, bytes }) => ({ kind: kind === 'vote' ? 0 : 1, bytes })),
    lock: lock === null ? [] : [lockToWire(lock)],
  };
}

function entryFromWire({ height, messages, lock: [lock] }: ValueOf<typeof EntryType>): JournalEntry {
  return {
    height,
    messages: messages.map(({ kind, bytes }) => ({ kind: kind === 0 ? 'vote' : 'proposal', bytes })),
    lock: lock === undefined ? null : lockFromWire(lock),
  };
}

export const journalEntryCodec = convertedCodec(EntryType, {
  name: 'journal entry',
  bytesMax: ENTRY_BYTES_MAX,
  toWire: entryToWire,
  fromWire: entryFromWire,
});
