import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { VoteJournal } from '../src/index.ts';
import { FileDirectory, LevelStore, StoreError } from '../src/level.ts';
import { flipped, VALIDATOR, voteEntry, votesIn } from './support/vote-journal-home.ts';

const STORE = { formatVersion: 1, genesisHash: new Uint8Array(32).fill(9) };
const random = { bytes: (length: number) => new Uint8Array(length).fill(5) };

let root: string;
/** A validator's home with three votes in its journal. */
let original: string;
/** LevelDB's own log in it, which holds the marks of all three. */
let logName: string;
let log: Uint8Array;

beforeAll(async () => {
  // Hundreds of stores are opened, and none of this is about power cuts: memory saves seconds of syncs.
  root = await mkdtemp(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'nacre-journal-'));
  original = join(root, 'original');
  await mkdir(original);
  await withHome(original, async (dependencies) => {
    await VoteJournal.create({ validator: VALIDATOR }, dependencies);
    const journal = await VoteJournal.open({ validator: VALIDATOR }, dependencies);
    for (const name of ['a', 'b', 'c']) await journal.append(voteEntry(1, name));
  });
  const names = await readdir(join(original, 'store'));
  logName = names.find((name) => name.endsWith('.log')) as string;
  log = await readFile(join(original, 'store', logName));
});

afterAll(() => rm(root, { recursive: true }));

interface Home {
  readonly directory: FileDirectory;
  readonly store: LevelStore;
  readonly random: typeof random;
}

async function withHome<Value>(path: string, use: (home: Home) => Promise<Value>): Promise<Value> {
  const directory = new FileDirectory(path);
  const store = await LevelStore.open(join(path, 'store'), STORE);
  try {
    return await use({ directory, store, random });
  } finally {
    await store.close();
    await directory.close();
  }
}

/** Opens a copy of the home whose LevelDB log was changed: the votes, the doubt, or the store's own refusal. */
async function openedWithLog(changed: Uint8Array): Promise<string[] | string> {
  const copy = await mkdtemp(join(root, 'copy-'));
  await cp(original, copy, { recursive: true });
  await writeFile(join(copy, 'store', logName), changed);
  try {
    return await withHome(copy, async (home) => {
      const journal = await VoteJournal.open({ validator: VALIDATOR }, home);
      return journal.doubt === null ? votesIn(journal, [1]) : journal.doubt.code;
    });
  } catch (error) {
    if (error instanceof StoreError) return error.code;
    throw error;
  } finally {
    await rm(copy, { recursive: true });
  }
}

/** Tries all logs, a few at a time. */
async function allOutcomes(changedLogs: readonly Uint8Array[]): Promise<Set<string>> {
  const waiting = [...changedLogs];
  const outcomes = new Set<string>();
  const worker = async (): Promise<void> => {
    for (let changed = waiting.pop(); changed !== undefined; changed = waiting.pop())
      outcomes.add((await openedWithLog(changed)).toString());
  };
  await Promise.all([worker(), worker(), worker(), worker()]);
  return outcomes;
}

/** All votes, or a store that says that it is damaged because it has lost its format record. */
const ALLOWED = new Set(['a,b,c', 'STORE_DAMAGED']);

test("whichever byte of LevelDB's own log is flipped, the journal alone decides what was signed", { timeout: 120_000 }, async () => {
  const outcomes = await allOutcomes(Array.from(log, (_, index) => flipped(log, index, 1 << (index % 8))));
  expect(outcomes.has('a,b,c')).toBe(true);
  expect([...outcomes].filter((outcome) => !ALLOWED.has(outcome))).toEqual([]);
});

test("wherever LevelDB's own log is cut, the journal alone decides what was signed", { timeout: 120_000 }, async () => {
  expect(await allOutcomes(Array.from(log, (_, length) => log.subarray(0, length)))).toEqual(new Set(['a,b,c']));
});

test('a vote that left the journal but not LevelDB puts the key in doubt', async () => {
  const copy = join(root, 'cut');
  await cp(original, copy, { recursive: true });
  const file = join(copy, 'vote-journal');
  await writeFile(file, (await readFile(file)).subarray(0, -1));
  const doubt = await withHome(copy, async (home) => (await VoteJournal.open({ validator: VALIDATOR }, home)).doubt);
  expect(doubt).toEqual({ code: 'JOURNAL_BEHIND', sequence: 2, marked: 3 });
});
