import { beforeAll, describe, expect, test } from 'vitest';
import { type DoubtCode, JOURNAL_FILE, JOURNAL_IDENTITY_FILE, JOURNAL_MARK_KEY } from '../src/index.ts';
import { decodeJournal } from '../src/vote-journal-format.ts';
import { flipped, VoteJournalHome, voteEntry, votesIn } from './support/vote-journal-home.ts';

const NAMES = ['a0', 'a1', 'b0', 'b1'];
const ENTRIES = [voteEntry(1, 'a0'), voteEntry(1, 'a1'), voteEntry(2, 'b0'), voteEntry(2, 'b1')];

/** What is on disk of a validator that signed the four votes. */
interface Disk {
  readonly identity: Uint8Array;
  readonly journal: Uint8Array;
  readonly mark: Uint8Array | undefined;
}

let intact: Disk;
/** The store lost its last write, as an unsynced one may be at a power cut. */
let lagging: Disk;
/** Where each entry begins, and the end. */
let offsets: number[];

beforeAll(async () => {
  const home = await VoteJournalHome.with(ENTRIES.slice(0, 3));
  const earlierMark = home.store.get(JOURNAL_MARK_KEY);
  await (await home.open()).append(ENTRIES[3] as (typeof ENTRIES)[0]);
  intact = { identity: home.identityFile, journal: home.journalFile, mark: home.store.get(JOURNAL_MARK_KEY) };
  lagging = { ...intact, mark: earlierMark };
  offsets = offsetsOf(intact.journal);
});

function framesOf(journal: Uint8Array): readonly Uint8Array[] {
  const content = decodeJournal(journal);
  if (!content.ok) throw new Error('the journal under test is bad');
  return content.value.frames.map(({ bytes }) => bytes);
}

function offsetsOf(journal: Uint8Array): number[] {
  const frames = framesOf(journal);
  let offset = journal.length - frames.reduce((sum, { length }) => sum + length, 0);
  return [offset, ...frames.map(({ length }) => (offset += length))];
}

async function homeOf({ identity, journal, mark }: Disk): Promise<VoteJournalHome> {
  const home = new VoteJournalHome();
  home.directory.put(JOURNAL_IDENTITY_FILE, identity);
  home.directory.put(JOURNAL_FILE, journal);
  if (mark !== undefined) await home.store.write([{ type: 'put', key: JOURNAL_MARK_KEY, value: mark }], { sync: true });
  return home;
}

/** The code of the doubt, or the votes that the journal claims are all. */
async function opened(disk: Disk): Promise<DoubtCode | string[]> {
  const journal = await (await homeOf(disk)).open();
  return journal.doubt === null ? votesIn(journal, [1, 2]) : journal.doubt.code;
}

function* flips(bytes: Uint8Array, { from = 0, to = bytes.length } = {}): Generator<Uint8Array> {
  for (let index = from; index < to; index++) for (let bit = 0; bit < 8; bit++) yield flipped(bytes, index, 1 << bit);
}

function joined(header: Uint8Array, frames: readonly (Uint8Array | undefined)[]): Uint8Array {
  return Buffer.concat([header, ...frames.map((frame) => frame as Uint8Array)]);
}

const [HEADER, LAST] = [0, 3];

describe('the journal, when the store knows its last entry', () => {
  // @mutation packages/ledger/src/vote-journal-examination.ts
  // - if (position === undefined) return { code: 'JOURNAL_BEHIND', sequence: header.base.sequence + frames.length, marked: mark.sequence };
  // + if (position === undefined) return undefined;
  test('cut at any byte is in doubt', async () => {
    for (let length = 0; length < intact.journal.length; length++) {
      expect(await opened({ ...intact, journal: intact.journal.subarray(0, length) })).toBeTypeOf('string');
    }
    expect(await opened(intact)).toEqual(NAMES);
  });

  // @mutation packages/ledger/src/vote-journal-format.ts
  // - if (!bytesEqual(bytes.subarray(bodyEnd), taggedHash(tag, bytes.subarray(0, bodyEnd)))) return undefined;
  // +
  // @mutation packages/ledger/src/vote-journal-format.ts
  // - if (!bytesEqual(checksum, rest.subarray(payloadEnd, end))) return written <= end ? 'torn' : 'damaged';
  // +
  test('with any bit flipped is in doubt', async () => {
    for (const journal of flips(intact.journal)) expect(await opened({ ...intact, journal })).toBeTypeOf('string');
  });

  test('with an entry dropped, repeated or moved is in doubt', async () => {
    const header = intact.journal.subarray(0, offsets[HEADER]);
    const [a, b, c, d] = framesOf(intact.journal);
    for (const frames of [[a, b, c], [a, b, d], [b, c, d], [], [a, a, b, c, d], [a, b, c, d, d], [b, a, c, d], [a, b, d, c]]) {
      expect(await opened({ ...intact, journal: joined(header, frames) })).toBeTypeOf('string');
    }
  });

  // @mutation packages/ledger/src/vote-journal-examination.ts
  // - return bytesEqual(position.checksum, mark.checksum) ? undefined : { code: 'JOURNAL_DIVERGED', sequence: mark.sequence };
  // + return undefined;
  test('with another entry in its last place is in doubt', async () => {
    const home = await homeOf({ ...intact, journal: intact.journal.subarray(0, offsets[LAST]), mark: undefined });
    await (await home.open()).append(voteEntry(2, 'other'));
    expect(await opened({ ...intact, journal: home.journalFile })).toBe('JOURNAL_DIVERGED');
  });
});

describe('the journal, when the mark of its last entry was lost', () => {
  test('cut inside its last entry lost nothing that the store knows', async () => {
    for (let length = 0; length < intact.journal.length; length++) {
      const found = await opened({ ...lagging, journal: intact.journal.subarray(0, length) });
      if (length < (offsets[LAST] as number)) expect(found).toBeTypeOf('string');
      else expect(found).toEqual(['a0', 'a1', 'b0']);
    }
  });

  // @mutation packages/ledger/src/vote-journal-format.ts
  // - if (!bytesEqual(rest.subarray(LENGTH_BYTES, HEAD_BYTES), lengthCheck(previous.checksum, length))) return 'damaged';
  // +
  test('with any bit flipped before its last entry is in doubt', async () => {
    for (const disk of [lagging, { ...intact, mark: undefined }]) {
      for (const journal of flips(intact.journal, { to: offsets[LAST] as number })) {
        expect(await opened({ ...disk, journal })).toBeTypeOf('string');
      }
    }
  });

  // @mutation packages/ledger/src/vote-journal-format.ts
  // - if (!bytesEqual(checksum, rest.subarray(payloadEnd, end))) return written <= end ? 'torn' : 'damaged';
  // + if (!bytesEqual(checksum, rest.subarray(payloadEnd, end))) return 'torn';
  test('with a bit flipped in an entry before the last does not lose the later ones, whatever the store knows', async () => {
    for (const journal of flips(intact.journal, { to: offsets[LAST] as number })) {
      expect(await opened({ ...intact, journal, mark: undefined })).toBe('JOURNAL_DAMAGED');
    }
  });

  test('with any bit flipped in its last entry never shows a vote that was not signed', async () => {
    const found = new Set<string>();
    for (const journal of flips(intact.journal, { from: offsets[LAST] as number })) {
      found.add((await opened({ ...lagging, journal })).toString());
    }
    expect(found).toEqual(new Set(['JOURNAL_DAMAGED', 'a0,a1,b0']));
  });

  test('without the mark and cut at an entry holds what is left: nothing on this disk can know more', async () => {
    expect(await opened({ ...intact, journal: intact.journal.subarray(0, offsets[1]), mark: undefined })).toEqual(['a0']);
  });
});

describe('an append that a crash cut short', () => {
  // @mutation packages/ledger/src/vote-journal-format.ts
  // - if (written <= HEAD_BYTES) return 'torn';
  // +
  test('ends in zeros where the file grew before its bytes arrived, and is cut off', async () => {
    for (let kept = offsets[LAST] as number; kept < intact.journal.length - 1; kept++) {
      for (const length of [kept + 1, intact.journal.length, intact.journal.length + 4096]) {
        const journal = new Uint8Array(length);
        journal.set(intact.journal.subarray(0, kept));
        expect(await opened({ ...lagging, journal })).toEqual(['a0', 'a1', 'b0']);
      }
    }
  });

  // @mutation packages/ledger/src/vote-journal-format.ts
  // - if (!bytesEqual(checksum, rest.subarray(payloadEnd, end))) return written <= end ? 'torn' : 'damaged';
  // + if (!bytesEqual(checksum, rest.subarray(payloadEnd, end))) return 'damaged';
  test('holds garbage behind its length, and is cut off', async () => {
    for (let kept = (offsets[LAST] as number) + 8; kept < intact.journal.length; kept++) {
      const journal = intact.journal.slice();
      journal.fill(0x5a, kept);
      expect(await opened({ ...lagging, journal })).toEqual(['a0', 'a1', 'b0']);
    }
  });

  // @mutation packages/ledger/src/vote-journal.ts
  // - await directory.replace(JOURNAL_FILE, contentBytes(examined.value));
  // +
  test('is cut off durably, so that the next entry does not follow its remains', async () => {
    const home = await homeOf({ ...lagging, journal: intact.journal.subarray(0, -5) });
    await (await home.open()).append(voteEntry(2, 'again'));
    home.powerCut();
    const journal = await home.open();
    expect(journal.doubt).toBeNull();
    expect(votesIn(journal, [1, 2])).toEqual(['a0', 'a1', 'b0', 'again']);
  });

  test('before the first entry leaves an empty journal', async () => {
    const journal = intact.journal.subarray(0, (offsets[HEADER] as number) + 11);
    expect(await opened({ ...intact, journal, mark: undefined })).toEqual([]);
  });
});

describe('the files beside the journal', () => {
  // @mutation packages/ledger/src/vote-journal-examination.ts
  // - if (identity === undefined) return fail({ code: 'IDENTITY_DAMAGED' });
  // + if (identity === undefined) return fail({ code: 'JOURNAL_FOREIGN' });
  test('an identity cut at any byte or with any bit flipped is in doubt', async () => {
    for (let length = 0; length < intact.identity.length; length++) {
      expect(await opened({ ...intact, identity: intact.identity.subarray(0, length) })).toBe('IDENTITY_DAMAGED');
    }
    for (const identity of flips(intact.identity)) expect(await opened({ ...intact, identity })).toBe('IDENTITY_DAMAGED');
  });

  test('an identity with bytes behind it is in doubt', async () => {
    expect(await opened({ ...intact, identity: joined(intact.identity, [Uint8Array.of(0)]) })).toBe('IDENTITY_DAMAGED');
  });

  // @mutation packages/ledger/src/vote-journal-examination.ts
  // - const marked = mark && decodeJournalMark(mark);
  // + const marked = mark && (decodeJournalMark(mark) ?? { sequence: 2 ** 40, checksum: mark });
  test('a damaged mark is as good as none: the journal stands for itself', async () => {
    for (const mark of flips(intact.mark as Uint8Array)) expect(await opened({ ...intact, mark })).toEqual(NAMES);
    expect(await opened({ ...intact, mark: new Uint8Array(0) })).toEqual(NAMES);
  });

  // @mutation packages/ledger/src/vote-journal.ts
  // - await store.write([markOperation(lastPosition(examined.value))], { sync: true });
  // +
  test('a mark that lags is brought level when the journal is opened, before anything is sent again', async () => {
    const home = await homeOf(lagging);
    expect((await home.open()).doubt).toBeNull();
    home.powerCut();
    home.directory.put(JOURNAL_FILE, home.journalFile.subarray(0, offsets[LAST]));
    expect((await home.open()).doubt).toEqual({ code: 'JOURNAL_BEHIND', sequence: 3, marked: 4 });
  });
});
