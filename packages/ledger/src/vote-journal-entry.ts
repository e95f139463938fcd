import { ByteListType, ContainerType, ListCompositeType, type ValueOf } from '@chainsafe/ssz';
import { JOURNAL_ENTRY_MESSAGES_MAX, JOURNAL_MESSAGE_BYTES_MAX } from '@nacre/base';
import {
  convertedCodec,
  FlagType,
  HashType,
  type Lock,
  RoundOrNoneType,
  roundOrNoneFromWire,
  roundOrNoneToWire,
  Uint53Type,
} from '@nacre/consensus';

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
const LockType = new ContainerType({
  lockedRound: RoundOrNoneType,
  lockedHash: HashType,
  validRound: RoundOrNoneType,
  validHash: HashType,
});
const EntryType = new ContainerType({
  height: Uint53Type,
  messages: new ListCompositeType(MessageType, JOURNAL_ENTRY_MESSAGES_MAX),
  lock: new ListCompositeType(LockType, 1),
});

/** Upper bound of an encoded entry in bytes: its messages with two offsets each, a lock, and the fixed part. */
const ENTRY_BYTES_MAX = JOURNAL_ENTRY_MESSAGES_MAX * (JOURNAL_MESSAGE_BYTES_MAX + 9) + 72 + 16;

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

function lockToWire({ lockedRound, lockedHash, validRound, validHash }: Lock): ValueOf<typeof LockType> {
  return { lockedRound: roundOrNoneToWire(lockedRound), lockedHash, validRound: roundOrNoneToWire(validRound), validHash };
}

function lockFromWire({ lockedRound, lockedHash, validRound, validHash }: ValueOf<typeof LockType>): Lock {
  return { lockedRound: roundOrNoneFromWire(lockedRound), lockedHash, validRound: roundOrNoneFromWire(validRound), validHash };
}

export const journalEntryCodec = convertedCodec(EntryType, {
  name: 'journal entry',
  bytesMax: ENTRY_BYTES_MAX,
  toWire: entryToWire,
  fromWire: entryFromWire,
});
