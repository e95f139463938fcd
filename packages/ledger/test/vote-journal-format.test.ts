import { concatBytes, toHex, utf8 } from '@nacre/base';
import { taggedHash } from '@nacre/crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DOUBT_CODES } from '../src/vote-journal-doubt.ts';
import { type JournalEntry, journalEntryCodec } from '../src/vote-journal-entry.ts';
import {
  decodeJournal,
  decodeJournalIdentity,
  decodeJournalMark,
  encodeJournalFrame,
  encodeJournalHeader,
  encodeJournalIdentity,
  encodeJournalMark,
  journalBase,
} from '../src/vote-journal-format.ts';

const identity = new Uint8Array(16).fill(1);
const validator = new Uint8Array(32).fill(2);
const blockHash = new Uint8Array(32).fill(3);
const vote = { height: 9, round: 2, kind: 'prepare' as const, blockHash, validator: 1, signature: utf8('signature') };
const entry: JournalEntry = {
  height: 9,
  messages: [
    { kind: 'proposal', bytes: utf8('proposal') },
    { kind: 'vote', bytes: utf8('vote') },
  ],
  lock: { lockedRound: 2, lockedHash: blockHash, validRound: 2, validHash: blockHash, prepares: [vote] },
};
const header = { identity, validator, floorHeight: 4, base: journalBase(identity, 6) };
const frame = encodeJournalFrame(header.base, entry);
const journal = concatBytes(encodeJournalHeader(header), frame.bytes);

/** Pins the bytes of a format: a change needs a new version. */
function fingerprint(bytes: Uint8Array): string {
  return toHex(taggedHash('nacre/test', bytes)).slice(0, 16);
}

describe('formats are pinned', () => {
  test.each([
    ['entry', journalEntryCodec.encode(entry), 'efded94afb27f515'],
    ['journal', journal, 'fb86b95cf5d98c52'],
    ['identity', encodeJournalIdentity({ identity }), 'a3bc1349cf8b7a6b'],
    ['doubt', encodeJournalIdentity({ doubt: 'JOURNAL_BEHIND' }), '702600a3aefe47d9'],
    ['mark', encodeJournalMark(frame.position), 'c3c3692ace7dbc34'],
  ])('%s', (_, bytes, expected) => {
    expect(fingerprint(bytes)).toBe(expected);
  });
});

describe('what is encoded comes back', () => {
  test('journal', () => {
    const content = decodeJournal(journal);
    expect(content).toEqual({ ok: true, value: { header, frames: [frame] } });
    expect(frame.position.sequence).toBe(7);
  });

  test('identity and each doubt', () => {
    expect(decodeJournalIdentity(encodeJournalIdentity({ identity }))).toEqual({ identity });
    for (const doubt of DOUBT_CODES) expect(decodeJournalIdentity(encodeJournalIdentity({ doubt }))).toEqual({ doubt });
  });

  test('mark', () => {
    expect(decodeJournalMark(encodeJournalMark(frame.position))).toEqual(frame.position);
  });
});

describe('foreign bytes', () => {
  const readable = [journal, encodeJournalIdentity({ identity }), encodeJournalMark(frame.position), journalEntryCodec.encode(entry)];
  const mutated = fc
    .tuple(
      fc.constantFrom(...readable),
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }),
      fc.nat(),
      fc.uint8Array({ maxLength: 64 }),
    )
    .map(([bytes, changes, cut, tail]) => {
      const changed = concatBytes(cut % 3 === 0 ? bytes.slice(0, cut % bytes.length) : bytes, tail);
      for (const [at, value] of changed.length === 0 ? [] : changes) changed[at % changed.length] = value;
      return changed;
    });

  test('are refused or read, never thrown at', () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 600 }), mutated), (bytes) => {
        decodeJournal(bytes);
        decodeJournalIdentity(bytes);
        decodeJournalMark(bytes);
        const decoded = journalEntryCodec.decode(bytes);
        if (decoded.ok) expect(journalEntryCodec.encode(decoded.value)).toEqual(bytes);
        else expect(decoded.error.code).toBe('MALFORMED');
      }),
      { numRuns: 3_000 },
    );
  });

  test('a payload with a right checksum that is no entry is damage', () => {
    const bad = journalEntryCodec.encode(entry);
    bad.fill(0xff, 0, 8);
    expect(journalEntryCodec.decode(bad).ok).toBe(false);
    expect(decodeJournal(concatBytes(encodeJournalHeader(header), frameOf(bad)))).toEqual({
      ok: false,
      error: { code: 'JOURNAL_DAMAGED', offset: encodeJournalHeader(header).length },
    });
  });

  /** A frame as a faulty program would write it: everything right but the payload. */
  function frameOf(payload: Uint8Array): Uint8Array {
    const previous = header.base.checksum;
    const length = Uint8Array.of(0, 0, payload.length >> 8, payload.length & 255);
    const check = taggedHash('nacre/1/vote-journal-length', previous, length).subarray(0, 4);
    const sequence = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 7);
    return concatBytes(length, check, payload, taggedHash('nacre/1/vote-journal-entry', previous, sequence, payload));
  }

  test('an identity with an unknown doubt, sealed by a later program, is damaged', () => {
    const body = Uint8Array.from([1, 1 + DOUBT_CODES.length, ...new Uint8Array(16)]);
    expect(decodeJournalIdentity(concatBytes(body, taggedHash('nacre/1/vote-journal-identity', body)))).toBeUndefined();
  });
});
