/**
 * The bytes of the vote journal: a header, then entries that each carry a checksum over the one before.
 *
 * ```
 * header    version 1 | floorHeight 8 | baseSequence 8 | identity 16 | validator 32 | baseChecksum 32 | checksum 32
 * entry     length 4 | check 4 | payload (length bytes) | checksum 32
 * identity  version 1 | doubt 1 | identity 16 | checksum 32
 * mark      version 1 | sequence 8 | chain checksum 32 | checksum 32
 * ```
 *
 * Integers are big-endian. A length has a check of its own: a flipped one would swallow every later entry and look like an
 * append that a crash cut short. Entries are numbered (the number is hashed, not stored) and the count goes on through
 * rotation and recovery, so that the store's mark can be compared with any later journal of the same key.
 */
import {
  type Address,
  assert,
  bytesEqual,
  concatBytes,
  fail,
  HASH_BYTES,
  type Hash,
  ok,
  type Refusal,
  type Result,
  uint64Bytes,
} from '@nacre/base';
import { taggedHash } from '@nacre/crypto';
import { DOUBT_CODES, type DoubtCode } from './vote-journal-doubt.ts';
import { type JournalEntry, journalEntryCodec } from './vote-journal-entry.ts';

/** Format of journal, identity and mark. The store's format version refuses an older program before it comes to these. */
const VERSION = 1;
/** Random bytes that name one journal, from `init` or recovery on. */
export const JOURNAL_IDENTITY_BYTES = 16;

const HEADER_TAG = 'nacre/1/vote-journal-header';
const BASE_TAG = 'nacre/1/vote-journal-base';
const LENGTH_TAG = 'nacre/1/vote-journal-length';
const ENTRY_TAG = 'nacre/1/vote-journal-entry';
const IDENTITY_TAG = 'nacre/1/vote-journal-identity';
const MARK_TAG = 'nacre/1/vote-journal-mark';

const HEADER_BYTES = 1 + 8 + 8 + JOURNAL_IDENTITY_BYTES + 3 * HASH_BYTES;
const LENGTH_BYTES = 4;
const HEAD_BYTES = LENGTH_BYTES + 4;
/** A place in the journal: the number of an entry and the checksum that covers all entries up to it. */
export interface JournalPosition {
  readonly sequence: number;
  readonly checksum: Hash;
}

export interface JournalHeader {
  readonly identity: Uint8Array;
  readonly validator: Address;
  /** This key never votes at this height or below. */
  readonly floorHeight: number;
  /** The place before the first entry. */
  readonly base: JournalPosition;
}

/** An entry with the place after it and its bytes as they stand in the file. */
export interface JournalFrame {
  readonly position: JournalPosition;
  readonly entry: JournalEntry;
  readonly bytes: Uint8Array;
}

/** What a journal holds. An append that a crash cut short is left out. */
export interface JournalContent {
  readonly header: JournalHeader;
  readonly frames: readonly JournalFrame[];
}

/** Where the chain of a new journal begins. */
export function journalBase(identity: Uint8Array, sequence: number): JournalPosition {
  return { sequence, checksum: taggedHash(BASE_TAG, identity, uint64Bytes(sequence)) };
}

function sealed(tag: string, ...parts: readonly Uint8Array[]): Uint8Array {
  const body = concatBytes(Uint8Array.of(VERSION), ...parts);
  return concatBytes(body, taggedHash(tag, body));
}

/** @returns what stands between version and checksum, or undefined if the bytes are not what `sealed` made */
function unsealed(tag: string, bytes: Uint8Array, length: number): Uint8Array | undefined {
  if (bytes.length !== length || bytes[0] !== VERSION) return undefined;
  const bodyEnd = length - HASH_BYTES;
  if (!bytesEqual(bytes.subarray(bodyEnd), taggedHash(tag, bytes.subarray(0, bodyEnd)))) return undefined;
  return bytes.subarray(1, bodyEnd);
}

function readUint64(bytes: Uint8Array, offset: number): number {
  return Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(offset));
}

export function encodeJournalHeader({ identity, validator, floorHeight, base }: JournalHeader): Uint8Array {
  assert(identity.length === JOURNAL_IDENTITY_BYTES && validator.length === HASH_BYTES, 'identity and address have their lengths');
  return sealed(HEADER_TAG, uint64Bytes(floorHeight), uint64Bytes(base.sequence), identity, validator, base.checksum);
}

function decodeHeader(bytes: Uint8Array): JournalHeader | undefined {
  const body = unsealed(HEADER_TAG, bytes, HEADER_BYTES);
  if (body === undefined) return undefined;
  const validatorAt = 16 + JOURNAL_IDENTITY_BYTES;
  return {
    floorHeight: readUint64(body, 0),
    base: { sequence: readUint64(body, 8), checksum: body.slice(validatorAt + HASH_BYTES) },
    identity: body.slice(16, validatorAt),
    validator: body.slice(validatorAt, validatorAt + HASH_BYTES),
  };
}

function lengthCheck(previous: Hash, length: Uint8Array): Uint8Array {
  return taggedHash(LENGTH_TAG, previous, length).subarray(0, HEAD_BYTES - LENGTH_BYTES);
}

/** The bytes to append after `previous`, and the place they lead to. */
export function encodeJournalFrame(previous: JournalPosition, entry: JournalEntry): JournalFrame {
  const payload = journalEntryCodec.encode(entry);
  const sequence = previous.sequence + 1;
  const length = new Uint8Array(LENGTH_BYTES);
  new DataView(length.buffer).setUint32(0, payload.length);
  const checksum = taggedHash(ENTRY_TAG, previous.checksum, uint64Bytes(sequence), payload);
  const bytes = concatBytes(length, lengthCheck(previous.checksum, length), payload, checksum);
  return { position: { sequence, checksum }, entry, bytes };
}

/**
 * Reads the frame at the start of `rest`, of which `written` bytes remain when the zeros at its end are left out.
 *
 * A crash during an append can leave any part of the last entry: nothing, a beginning, or the full length with zeros or
 * garbage in it. So an entry that is bad but has nothing behind it counts as torn; whether it was a durable one that was
 * damaged later, the store's mark knows.
 */
function decodeFrame(previous: JournalPosition, rest: Uint8Array, written: number): JournalFrame | 'torn' | 'damaged' {
  if (written <= HEAD_BYTES) return 'torn';
  const length = rest.subarray(0, LENGTH_BYTES);
  if (!bytesEqual(rest.subarray(LENGTH_BYTES, HEAD_BYTES), lengthCheck(previous.checksum, length))) return 'damaged';
  const payloadEnd = HEAD_BYTES + new DataView(rest.buffer, rest.byteOffset).getUint32(0);
  const end = payloadEnd + HASH_BYTES;
  if (rest.length < end) return 'torn';
  const payload = rest.subarray(HEAD_BYTES, payloadEnd);
  const sequence = previous.sequence + 1;
  const checksum = taggedHash(ENTRY_TAG, previous.checksum, uint64Bytes(sequence), payload);
  if (!bytesEqual(checksum, rest.subarray(payloadEnd, end))) return written <= end ? 'torn' : 'damaged';
  const entry = journalEntryCodec.decode(payload);
  if (!entry.ok) return 'damaged';
  return { position: { sequence, checksum }, entry: entry.value, bytes: rest.slice(0, end) };
}

function writtenLength(bytes: Uint8Array): number {
  let length = bytes.length;
  while (length > 0 && bytes[length - 1] === 0) length--;
  return length;
}

/** @returns the content, or `JOURNAL_DAMAGED` with the offset of the header or entry that is bad */
export function decodeJournal(bytes: Uint8Array): Result<JournalContent, Refusal<'JOURNAL_DAMAGED'>> {
  const header = decodeHeader(bytes.subarray(0, HEADER_BYTES));
  if (header === undefined) return fail({ code: 'JOURNAL_DAMAGED', offset: 0 });
  const written = writtenLength(bytes);
  const frames: JournalFrame[] = [];
  let position = header.base;
  let offset = HEADER_BYTES;
  while (offset < bytes.length) {
    const frame = decodeFrame(position, bytes.subarray(offset), written - offset);
    if (frame === 'torn') break;
    if (frame === 'damaged') return fail({ code: 'JOURNAL_DAMAGED', offset });
    frames.push(frame);
    position = frame.position;
    offset += frame.bytes.length;
  }
  return ok({ header, frames });
}

/** The last place of a journal's content. */
export function lastPosition({ header, frames }: JournalContent): JournalPosition {
  return frames.at(-1)?.position ?? header.base;
}

/** The identity file: which journal belongs to the key, or why none does. */
export type JournalIdentity = { readonly identity: Uint8Array } | { readonly doubt: DoubtCode };

const NO_IDENTITY = new Uint8Array(JOURNAL_IDENTITY_BYTES);
const IDENTITY_FILE_BYTES = 1 + 1 + JOURNAL_IDENTITY_BYTES + HASH_BYTES;

export function encodeJournalIdentity(content: JournalIdentity): Uint8Array {
  if ('identity' in content) return sealed(IDENTITY_TAG, Uint8Array.of(0), content.identity);
  return sealed(IDENTITY_TAG, Uint8Array.of(1 + DOUBT_CODES.indexOf(content.doubt)), NO_IDENTITY);
}

/** @returns undefined for damaged bytes */
export function decodeJournalIdentity(bytes: Uint8Array): JournalIdentity | undefined {
  const body = unsealed(IDENTITY_TAG, bytes, IDENTITY_FILE_BYTES);
  if (body === undefined) return undefined;
  const state = body[0] as number;
  if (state === 0) return { identity: body.slice(1) };
  const doubt = DOUBT_CODES[state - 1];
  return doubt === undefined ? undefined : { doubt };
}

const MARK_BYTES = 1 + 8 + HASH_BYTES + HASH_BYTES;

/** LevelDB's copy of the journal's last place. */
export function encodeJournalMark({ sequence, checksum }: JournalPosition): Uint8Array {
  return sealed(MARK_TAG, uint64Bytes(sequence), checksum);
}

/** @returns undefined for damaged bytes */
export function decodeJournalMark(bytes: Uint8Array): JournalPosition | undefined {
  const body = unsealed(MARK_TAG, bytes, MARK_BYTES);
  return body && { sequence: readUint64(body, 0), checksum: body.slice(8) };
}
