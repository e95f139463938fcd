import { AssertionError, utf8 } from '@nacre/base';
import { describe, expect, test, vi } from 'vitest';
import { JOURNAL_FILE, JOURNAL_IDENTITY_FILE, JOURNAL_MARK_KEY, type JournalEntry } from '../src/index.ts';
import { VoteJournalHome, voteEntry, votesIn } from './support/vote-journal-home.ts';

const OTHER_KEY = utf8('block');

describe('init', () => {
  test('makes a journal that is empty and not in doubt', async () => {
    const home = new VoteJournalHome();
    await home.create();
    home.powerCut();
    const journal = await home.open();
    expect(journal.doubt).toBeNull();
    expect(journal.floorHeight).toBe(0);
    expect(journal.entriesFor(1)).toEqual([]);
    expect(journal.needsRotation).toBe(false);
  });

  // @mutation packages/ledger/src/vote-journal.ts
  // - if (existing !== undefined) {
  // + if (existing === '') {
  test.each([JOURNAL_FILE, JOURNAL_IDENTITY_FILE, 'mark'])('refuses to make a second journal beside a remaining %s', async (remaining) => {
    const home = await VoteJournalHome.with([voteEntry(1, 'a')]);
    for (const name of [JOURNAL_FILE, JOURNAL_IDENTITY_FILE]) if (name !== remaining) home.directory.put(name, undefined);
    if (remaining !== 'mark') await home.store.write([{ type: 'delete', key: JOURNAL_MARK_KEY }], { sync: true });
    await expect(home.create()).rejects.toMatchObject({ code: 'JOURNAL_EXISTS', hint: expect.any(String) });
  });

  // @mutation packages/ledger/src/vote-journal.ts
  // - await directory.replace(JOURNAL_FILE, encodeJournalHeader(header));
  // - await directory.replace(JOURNAL_IDENTITY_FILE, encodeJournalIdentity({ identity }));
  // + await directory.replace(JOURNAL_IDENTITY_FILE, encodeJournalIdentity({ identity }));
  // + await directory.replace(JOURNAL_FILE, encodeJournalHeader(header));
  test('cut short leaves no identity without its journal', async () => {
    const home = new VoteJournalHome();
    home.killAfter(1);
    await expect(home.create()).rejects.toThrow('killed');
    home.revive();
    expect((await home.open()).doubt).toEqual({ code: 'IDENTITY_MISSING' });
  });
});

describe('a signed message', () => {
  test('comes back byte for byte, with its lock, in the order of signing', async () => {
    const blockHash = new Uint8Array(32).fill(7);
    const vote = { height: 5, round: 1, kind: 'prepare' as const, blockHash, validator: 2, signature: utf8('s') };
    const lock = { lockedRound: -1, lockedHash: null, validRound: 1, validHash: blockHash, prepares: [vote] };
    const bound = { ...lock, lockedRound: 1, lockedHash: blockHash };
    const entries: JournalEntry[] = [
      {
        height: 5,
        messages: [
          { kind: 'proposal', bytes: utf8('p') },
          { kind: 'vote', bytes: utf8('v') },
        ],
        lock: null,
      },
      { height: 5, messages: [], lock },
      { height: 5, messages: [{ kind: 'vote', bytes: new Uint8Array(0) }], lock: bound },
    ];
    const home = await VoteJournalHome.with(entries);
    const journal = await home.open();
    expect(journal.entriesFor(5)).toEqual(entries);
    expect(journal.entriesFor(4)).toEqual([]);
  });

  // @mutation packages/ledger/src/vote-journal.ts
  // - await this.#directory.sync(JOURNAL_FILE);
  // +
  test('survives a power cut as soon as append has resolved', async () => {
    const home = await VoteJournalHome.with([voteEntry(1, 'a'), voteEntry(1, 'b')]);
    home.powerCut();
    const journal = await home.open();
    expect(journal.doubt).toBeNull();
    expect(votesIn(journal, [1])).toEqual(['a', 'b']);
  });

  // @mutation packages/ledger/src/vote-journal.ts
  // - await this.#store.write([markOperation(frame.position)], { sync: false });
  // +
  test('is known to the store as soon as append has resolved', async () => {
    const home = await VoteJournalHome.with([voteEntry(1, 'a')]);
    const before = home.journalFile;
    await (await home.open()).append(voteEntry(1, 'b'));
    home.directory.put(JOURNAL_FILE, before);
    expect((await home.open()).doubt).toMatchObject({ code: 'JOURNAL_BEHIND' });
  });

  // @mutation packages/ledger/src/vote-journal.ts
  // - await this.#directory.sync(JOURNAL_FILE);
  // - await this.#store.write([markOperation(frame.position)], { sync: false });
  // + await this.#store.write([markOperation(frame.position)], { sync: false });
  // + await this.#directory.sync(JOURNAL_FILE);
  test('is not known to the store before the journal is synced, or any power cut could look like a loss', async () => {
    const home = await VoteJournalHome.with([voteEntry(1, 'a')]);
    const journal = await home.open();
    vi.spyOn(home.directory, 'sync').mockImplementation(async () => {
      // Another part of the node syncs the store at the worst moment.
      await home.store.write([{ type: 'put', key: OTHER_KEY, value: utf8('x') }], { sync: true });
      throw new Error('power cut');
    });
    await expect(journal.append(voteEntry(1, 'b'))).rejects.toMatchObject({ code: 'JOURNAL_FAILED' });
    home.powerCut();
    expect((await home.open()).doubt).toBeNull();
  });

  // @mutation packages/ledger/src/vote-journal.ts
  // - await directory.replace(JOURNAL_FILE, contentBytes(examined.value));
  // +
  test('that a killed process had appended but not synced is durable before it can be sent again', async () => {
    const home = await VoteJournalHome.with([voteEntry(1, 'a')]);
    const journal = await home.open();
    home.killAfter(1);
    await expect(journal.append(voteEntry(1, 'b'))).rejects.toMatchObject({ code: 'JOURNAL_FAILED' });
    home.revive();
    expect(votesIn(await home.open(), [1])).toEqual(['a', 'b']);
    home.powerCut();
    expect(votesIn(await home.open(), [1])).toEqual(['a', 'b']);
  });

  // @mutation packages/ledger/src/vote-journal.ts
  // - this.#state = 'failed';
  // + this.#state = 'idle';
  test('is not appended after a failed sync, because a second sync may succeed without having synced', async () => {
    const home = await VoteJournalHome.with([voteEntry(1, 'a')]);
    const journal = await home.open();
    home.killAfter(1);
    await expect(journal.append(voteEntry(1, 'b'))).rejects.toMatchObject({ code: 'JOURNAL_FAILED', cause: new Error('killed') });
    home.revive();
    await expect(journal.append(voteEntry(1, 'b'))).rejects.toMatchObject({ code: 'JOURNAL_FAILED' });
    await expect(journal.rotate({ keepAbove: 1 })).rejects.toMatchObject({ code: 'JOURNAL_FAILED', hint: expect.any(String) });
  });

  // @mutation packages/ledger/src/vote-journal.ts
  // - assert(this.#state !== 'busy', 'one journal operation at a time');
  // +
  test('waits for the one before: two at a time are a bug', async () => {
    const home = await VoteJournalHome.with([]);
    const journal = await home.open();
    const first = journal.append(voteEntry(1, 'a'));
    await expect(journal.append(voteEntry(1, 'b'))).rejects.toThrow(AssertionError);
    await first;
    expect(votesIn(await home.open(), [1])).toEqual(['a']);
  });
});

describe('doubt', () => {
  test.each([
    ['IDENTITY_MISSING', [JOURNAL_IDENTITY_FILE]],
    ['JOURNAL_MISSING', [JOURNAL_FILE]],
    ['IDENTITY_MISSING', [JOURNAL_FILE, JOURNAL_IDENTITY_FILE]],
  ])('%s when %s is gone', async (code, names) => {
    const home = await VoteJournalHome.with([voteEntry(1, 'a')]);
    for (const name of names) home.directory.put(name, undefined);
    expect((await home.open()).doubt).toEqual({ code });
  });

  // @mutation packages/ledger/src/vote-journal-examination.ts
  // - if (!bytesEqual(header.identity, identity.identity) || !bytesEqual(header.validator, validator)) return fail({ code: 'JOURNAL_FOREIGN' });
  // + if (!bytesEqual(header.validator, validator)) return fail({ code: 'JOURNAL_FOREIGN' });
  test('another journal of the same validator is foreign, if the store has lost its mark or not', async () => {
    const [home, elsewhere] = [await VoteJournalHome.with([voteEntry(1, 'a')]), new VoteJournalHome()];
    elsewhere.random.bytes(16);
    await elsewhere.create();
    home.directory.put(JOURNAL_FILE, elsewhere.journalFile);
    await home.store.write([{ type: 'delete', key: JOURNAL_MARK_KEY }], { sync: true });
    expect((await home.open()).doubt).toEqual({ code: 'JOURNAL_FOREIGN' });
  });

  // @mutation packages/ledger/src/vote-journal-examination.ts
  // - if (!bytesEqual(header.identity, identity.identity) || !bytesEqual(header.validator, validator)) return fail({ code: 'JOURNAL_FOREIGN' });
  // + if (!bytesEqual(header.identity, identity.identity)) return fail({ code: 'JOURNAL_FOREIGN' });
  test('a key beside the journal of another key is in doubt', async () => {
    const home = await VoteJournalHome.with([voteEntry(1, 'a')]);
    expect((await home.open(new Uint8Array(32))).doubt).toEqual({ code: 'JOURNAL_FOREIGN' });
  });

  // @mutation packages/ledger/src/vote-journal.ts
  // - await this.#exclusively(() => this.#directory.replace(JOURNAL_IDENTITY_FILE, encodeJournalIdentity({ doubt: doubt.code })));
  // +
  test('stays across restarts when its cause is gone: the mark that told of a loss was not durable', async () => {
    const home = await VoteJournalHome.with([voteEntry(1, 'a')]);
    const before = home.journalFile;
    await (await home.open()).append(voteEntry(1, 'b'));
    home.directory.put(JOURNAL_FILE, before);
    expect((await home.open()).doubt).toMatchObject({ code: 'JOURNAL_BEHIND' });
    home.powerCut();
    expect((await home.open()).doubt).toEqual({ code: 'JOURNAL_BEHIND' });
    expect((await home.open()).doubt).toEqual({ code: 'JOURNAL_BEHIND' });
  });

  // @mutation packages/ledger/src/vote-journal.ts
  // - this.#doubt = doubt;
  // +
  test('that peers caused, by a vote that this journal does not know, stays as well', async () => {
    const home = await VoteJournalHome.with([voteEntry(1, 'a')]);
    const journal = await home.open();
    await journal.enterDoubt({ code: 'VOTE_UNKNOWN', height: 3 });
    expect(journal.doubt).toEqual({ code: 'VOTE_UNKNOWN', height: 3 });
    home.powerCut();
    expect((await home.open()).doubt).toEqual({ code: 'VOTE_UNKNOWN' });
  });

  // @mutation packages/ledger/src/vote-journal.ts
  // - assert(this.#doubt === null, 'a validator in doubt signs nothing');
  // +
  test('allows nothing to be signed', async () => {
    const home = await VoteJournalHome.with([voteEntry(1, 'a')]);
    const journal = await home.open();
    await journal.enterDoubt({ code: 'VOTE_UNKNOWN' });
    expect(journal.entriesFor(1)).toEqual([]);
    await expect(journal.append(voteEntry(2, 'b'))).rejects.toThrow(AssertionError);
    await expect(journal.rotate({ keepAbove: 1 })).rejects.toThrow(AssertionError);
  });
});
