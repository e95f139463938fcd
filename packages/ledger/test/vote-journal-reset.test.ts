import { AssertionError } from '@nacre/base';
import { describe, expect, test } from 'vitest';
import { JOURNAL_FILE, JOURNAL_MARK_KEY } from '../src/index.ts';
import { VoteJournalHome, voteEntry, votesIn } from './support/vote-journal-home.ts';

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
