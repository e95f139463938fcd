import { AssertionError, JOURNAL_BYTES_MAX, JOURNAL_MESSAGE_BYTES_MAX, JOURNAL_ROTATION_BYTES, utf8 } from '@nacre/base';
import { describe, expect, test, vi } from 'vitest';
import { JOURNAL_FILE, JOURNAL_IDENTITY_FILE, JOURNAL_MARK_KEY, type JournalEntry } from '../src/index.ts';
import { VoteJournalHome, voteEntry, votesIn } from './support/vote-journal-home.ts';

const OTHER_KEY = utf8('block');

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
