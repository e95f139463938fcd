import { AssertionError, JOURNAL_BYTES_MAX, JOURNAL_MESSAGE_BYTES_MAX, JOURNAL_ROTATION_BYTES, utf8 } from '@nacre/base';
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

describe('reset, after a recovery was decided', () => {
  async function inDoubt(): Promise<VoteJournalHome> {
    const home = await VoteJournalHome.with([voteEntry(1, 'a'), voteEntry(2, 'b')]);
    home.directory.put(JOURNAL_FILE, home.journalFile.subarray(0, -1));
    expect((await home.open()).doubt).toMatchObject({ code: 'JOURNAL_BEHIND' });
    return home;
  }

  // @mutation packages/ledger/src/vote-journal.ts
  // - const header = headerOf(this.#validator, identity, { floorHeight, sequence });
  // + const header = headerOf(this.#validator, identity, { floorHeight: 0, sequence });
  test('ends the doubt for good, with a floor', async () => {
    const home = await inDoubt();
    const journal = await home.open();
    await journal.reset({ floorHeight: 7 });
    expect(journal.doubt).toBeNull();
    await journal.append(voteEntry(8, 'c'));
    home.powerCut();
    const next = await home.open();
    expect(next.doubt).toBeNull();
    expect(next.floorHeight).toBe(7);
    expect(votesIn(next, [1, 2, 8])).toEqual(['c']);
  });

  // @mutation packages/ledger/src/vote-journal.ts
  // - assert(entry.height > this.floorHeight, 'no vote at or below the floor');
  // + assert(entry.height >= this.floorHeight, 'no vote at or below the floor');
  test('forbids votes at the floor and below', async () => {
    const home = await inDoubt();
    const journal = await home.open();
    await journal.reset({ floorHeight: 7 });
    await expect(journal.append(voteEntry(7, 'c'))).rejects.toThrow(AssertionError);
    await journal.append(voteEntry(8, 'c'));
  });

  // @mutation packages/ledger/src/vote-journal.ts
  // - assert(this.#doubt !== null, 'only a journal in doubt is reset');
  // +
  test('is for a journal in doubt only', async () => {
    const home = await VoteJournalHome.with([voteEntry(1, 'a')]);
    const journal = await home.open();
    await expect(journal.reset({ floorHeight: 7 })).rejects.toThrow(AssertionError);
    expect(votesIn(journal, [1])).toEqual(['a']);
  });

  // @mutation packages/ledger/src/vote-journal.ts
  // - await this.#directory.replace(JOURNAL_IDENTITY_FILE, encodeJournalIdentity({ identity }));
  // +
  // @mutation packages/ledger/src/vote-journal.ts
  // - await this.#store.write([markOperation(header.base)], { sync: true });
  // - // The identity last: until it is replaced, it says that the key is in doubt.
  // - await this.#directory.replace(JOURNAL_IDENTITY_FILE, encodeJournalIdentity({ identity }));
  // + await this.#directory.replace(JOURNAL_IDENTITY_FILE, encodeJournalIdentity({ identity }));
  // + await this.#store.write([markOperation(header.base)], { sync: true });
  test('killed anywhere leaves doubt or the new floor, and can be done again', async () => {
    for (const operations of [0, 1, 2, 3]) {
      const home = await inDoubt();
      const journal = await home.open();
      home.killAfter(operations);
      const reset = journal.reset({ floorHeight: 7 });
      if (operations < 3) await expect(reset).rejects.toMatchObject({ code: 'JOURNAL_FAILED' });
      else await reset;
      home.revive();
      home.powerCut();
      const next = await home.open();
      expect(next.doubt).toEqual(operations < 3 ? { code: 'JOURNAL_BEHIND' } : null);
      if (operations < 3) await next.reset({ floorHeight: 9 });
      expect((await home.open()).floorHeight).toBe(operations < 3 ? 9 : 7);
    }
  });

  // @mutation packages/ledger/src/vote-journal.ts
  // - const sequence = 1 + ((marked && decodeJournalMark(marked)?.sequence) ?? 0);
  // + const sequence = 1;
  test('leaves an old mark behind: should LevelDB lose the new one, the journal is not in doubt again', async () => {
    const home = await inDoubt();
    const oldMark = home.store.get(JOURNAL_MARK_KEY) as Uint8Array;
    await (await home.open()).reset({ floorHeight: 7 });
    await home.store.write([{ type: 'put', key: JOURNAL_MARK_KEY, value: oldMark }], { sync: true });
    expect((await home.open()).doubt).toBeNull();
  });

  test('works where the store has no mark', async () => {
    const home = new VoteJournalHome();
    await (await home.open()).reset({ floorHeight: 4 });
    await (await home.open()).append(voteEntry(5, 'a'));
    expect(votesIn(await home.open(), [5])).toEqual(['a']);
  });

  test('leaves a journal from before it in doubt', async () => {
    const home = await inDoubt();
    const old = home.journalFile;
    await (await home.open()).reset({ floorHeight: 7 });
    home.directory.put(JOURNAL_FILE, old);
    expect((await home.open()).doubt?.code).toBe('JOURNAL_FOREIGN');
  });
});

describe('rotation', () => {
  const votes = [voteEntry(1, 'a'), voteEntry(2, 'b'), voteEntry(2, 'c'), voteEntry(3, 'd')];

  // @mutation packages/ledger/src/vote-journal.ts
  // - const base = this.#frames[dropped - 1]?.position ?? header.base;
  // + const base = header.base;
  test('drops the votes of decided heights and keeps the rest', async () => {
    const home = await VoteJournalHome.with(votes);
    const before = home.journalFile.length;
    const journal = await home.open();
    await journal.rotate({ keepAbove: 2 });
    expect(home.journalFile.length).toBeLessThan(before);
    for (const current of [journal, await home.open()]) {
      expect(current.doubt).toBeNull();
      expect(votesIn(current, [1, 2, 3])).toEqual(['d']);
    }
    await journal.rotate({ keepAbove: 3 });
    await journal.append(voteEntry(4, 'e'));
    expect(votesIn(await home.open(), [1, 2, 3, 4])).toEqual(['e']);
  });

  // @mutation packages/ledger/src/vote-journal.ts
  // - header: { ...header, floorHeight: Math.max(header.floorHeight, keepAbove), base },
  // + header: { ...header, base },
  test('raises the floor: a node whose store is lost does not vote again where its votes were dropped', async () => {
    const home = await VoteJournalHome.with(votes);
    const journal = await home.open();
    await journal.rotate({ keepAbove: 2 });
    expect(journal.floorHeight).toBe(2);
    await expect(journal.append(voteEntry(2, 'x'))).rejects.toThrow(AssertionError);
    expect((await home.open()).floorHeight).toBe(2);
  });

  // @mutation packages/ledger/src/vote-journal.ts
  // - header: { ...header, floorHeight: Math.max(header.floorHeight, keepAbove), base },
  // + header: { ...header, floorHeight: keepAbove, base },
  test('never lowers the floor', async () => {
    const home = await VoteJournalHome.with(votes);
    const journal = await home.open();
    await journal.rotate({ keepAbove: 2 });
    await journal.rotate({ keepAbove: 1 });
    expect((await home.open()).floorHeight).toBe(2);
  });

  // @mutation packages/ledger/src/vote-journal.ts
  // - await this.#store.write([markOperation(lastPosition(content))], { sync: true });
  // + await this.#store.write([markOperation(lastPosition(content))], { sync: false });
  test('makes the blocks durable that it relies on, before it drops a vote', async () => {
    const home = await VoteJournalHome.with(votes);
    const journal = await home.open();
    await home.store.write([{ type: 'put', key: OTHER_KEY, value: utf8('height 2') }], { sync: false });
    await journal.rotate({ keepAbove: 2 });
    home.powerCut();
    expect(home.store.get(OTHER_KEY)).toEqual(utf8('height 2'));
  });

  // @mutation packages/ledger/src/vote-journal.ts
  // - await this.#store.write([markOperation(lastPosition(content))], { sync: true });
  // - await this.#directory.replace(JOURNAL_FILE, contentBytes(content));
  // + await this.#directory.replace(JOURNAL_FILE, contentBytes(content));
  // + await this.#store.write([markOperation(lastPosition(content))], { sync: true });
  test('killed anywhere leaves the old journal, or the new one and a durable store', async () => {
    for (const operations of [0, 1, 2]) {
      for (const cut of [true, false]) {
        const home = await VoteJournalHome.with(votes);
        const journal = await home.open();
        await home.store.write([{ type: 'put', key: OTHER_KEY, value: utf8('height 2') }], { sync: false });
        home.killAfter(operations);
        await journal.rotate({ keepAbove: 2 }).catch(() => {});
        home.revive();
        if (cut) home.powerCut();
        const next = await home.open();
        expect(next.doubt).toBeNull();
        const rotated = next.floorHeight === 2;
        expect(votesIn(next, [1, 2, 3])).toEqual(rotated ? ['d'] : ['a', 'b', 'c', 'd']);
        if (rotated) expect(home.store.get(OTHER_KEY)).toEqual(utf8('height 2'));
      }
    }
  });

  test('keeps a cut of the rotated journal visible to the store', async () => {
    const home = await VoteJournalHome.with(votes);
    await (await home.open()).rotate({ keepAbove: 2 });
    for (let length = 0; length < home.journalFile.length; length++) {
      const copy = new VoteJournalHome();
      copy.directory.put(JOURNAL_IDENTITY_FILE, home.identityFile);
      copy.directory.put(JOURNAL_FILE, home.journalFile.subarray(0, length));
      const mark = home.store.get(JOURNAL_MARK_KEY) as Uint8Array;
      await copy.store.write([{ type: 'put', key: JOURNAL_MARK_KEY, value: mark }], { sync: true });
      expect((await copy.open()).doubt).not.toBeNull();
    }
  });

  // @mutation packages/ledger/src/vote-journal-examination.ts
  // - if (mark.sequence < header.base.sequence) return undefined;
  // +
  test('is no cause for doubt when the store falls back to a mark that it dropped', async () => {
    const home = await VoteJournalHome.with(votes.slice(0, 1));
    const oldMark = home.store.get(JOURNAL_MARK_KEY) as Uint8Array;
    const journal = await home.open();
    for (const entry of votes.slice(1)) await journal.append(entry);
    await journal.rotate({ keepAbove: 2 });
    await home.store.write([{ type: 'put', key: JOURNAL_MARK_KEY, value: oldMark }], { sync: true });
    const next = await home.open();
    expect(next.doubt).toBeNull();
    expect(votesIn(next, [3])).toEqual(['d']);
  });

  test('keeps the votes of a lower height that came after a higher one', async () => {
    const home = await VoteJournalHome.with([voteEntry(2, 'a'), voteEntry(3, 'b'), voteEntry(2, 'c')]);
    const journal = await home.open();
    await journal.rotate({ keepAbove: 2 });
    expect(votesIn(await home.open(), [2, 3])).toEqual(['c', 'b']);
  });

  // @mutation packages/ledger/src/vote-journal.ts
  // - return this.#doubt === null && this.#bytes >= JOURNAL_ROTATION_BYTES;
  // + return false;
  test('is asked for from a size on', async () => {
    const home = new VoteJournalHome();
    await home.create();
    const journal = await home.open();
    const entry = bigEntry(1);
    let appended = 0;
    while (!journal.needsRotation) {
      await journal.append(entry);
      appended++;
    }
    expect(home.journalFile.length).toBeGreaterThanOrEqual(JOURNAL_ROTATION_BYTES);
    expect(home.journalFile.length - JOURNAL_ROTATION_BYTES).toBeLessThan(home.journalFile.length / appended);
    expect((await home.open()).needsRotation).toBe(true);
    await journal.rotate({ keepAbove: 1 });
    expect(journal.needsRotation).toBe(false);
  });

  function bigEntry(height: number): JournalEntry {
    return { height, messages: Array(16).fill({ kind: 'vote', bytes: new Uint8Array(JOURNAL_MESSAGE_BYTES_MAX).fill(1) }), lock: null };
  }

  // @mutation packages/ledger/src/vote-journal.ts
  // - if (this.#bytes + frame.bytes.length > JOURNAL_BYTES_MAX) {
  // + if (this.#bytes > 2 * JOURNAL_BYTES_MAX) {
  test('that never comes ends in a typed refusal, and room made by a decision lets the validator go on', async () => {
    const home = new VoteJournalHome();
    await home.create();
    const journal = await home.open();
    vi.spyOn(home.directory, 'append').mockResolvedValue();
    let refused: unknown;
    for (let i = 0; refused === undefined && i < JOURNAL_BYTES_MAX / (128 * 1024); i++) {
      await journal.append(bigEntry(1)).catch((error: unknown) => {
        refused = error;
      });
    }
    expect(refused).toMatchObject({ code: 'JOURNAL_FULL', fields: { height: 1 }, hint: expect.any(String) });
    await journal.rotate({ keepAbove: 1 });
    await journal.append(voteEntry(2, 'a'));
  });
});
