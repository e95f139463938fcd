import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { assert } from '@nacre/base';
import { JOURNAL_FILE, JOURNAL_IDENTITY_FILE } from '@nacre/ledger';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { SETUP_TIMEOUT_MS } from './support/cluster.ts';
import { type Damage, DamageDrill } from './support/damage-drill.ts';

/** Positions tried per file and kind of damage: half all over the file, half in the last bytes, where what matters stands. */
const POSITIONS = 14;
const TAIL_BYTES = 6_000;
const TIMEOUT = { timeout: 240_000 };

let drill: DamageDrill;

beforeEach(async () => {
  drill = await DamageDrill.begin();
}, SETUP_TIMEOUT_MS);

afterEach(() => drill.end());

/** Where to cut or flip a file of a length. */
function positions(length: number): number[] {
  return Array.from({ length: POSITIONS }, (_, index) => {
    const share = (index >> 1) / (POSITIONS / 2);
    return Math.floor(index % 2 === 0 ? share * length : Math.max(0, length - 1 - share * TAIL_BYTES));
  });
}

function cut(bytes: Uint8Array, at: number): Uint8Array {
  return bytes.subarray(0, at);
}

function flip(bytes: Uint8Array, at: number): Uint8Array {
  const changed = bytes.slice();
  changed[at] = (changed[at] as number) ^ (1 << (at % 8));
  return changed;
}

/** LevelDB's own log: the newest, which holds everything since the process started. */
async function levelLog(home: string): Promise<string> {
  const logs = (await readdir(join(home, 'store'))).filter((name) => name.endsWith('.log')).sort();
  return join('store', logs.at(-1) as string);
}

async function change(path: string, index: number, how: (bytes: Uint8Array, at: number) => Uint8Array): Promise<void> {
  const bytes = new Uint8Array(await readFile(path));
  assert(bytes.length > 0, `there is something to damage in ${path}`);
  await writeFile(path, how(bytes, positions(bytes.length)[index] as number));
}

/** Damages one file after the other at every position. @returns the doubts that followed */
async function damageEverywhere(file: (home: string) => Promise<string>, how: typeof cut): Promise<Set<string | null>> {
  const doubts = new Set<string | null>();
  for (let index = 0; index < POSITIONS; index++) {
    const { doubt } = await drill.run(async (home) => change(join(home, await file(home)), index, how));
    doubts.add(doubt);
  }
  console.info(`${how.name}:`, Object.fromEntries(drill.outcomes));
  return doubts;
}

const journalFile = (): Promise<string> => Promise.resolve(JOURNAL_FILE);

// @mutation packages/ledger/src/vote-journal-examination.ts
// - return doubt ? fail(doubt) : ok(journal.value);
// + return ok(journal.value);
// @mutation packages/replica/src/replica.ts
// - await this.#recovery?.afterBlock();
// + await this.#recovery?.tick();
test('wherever the vote journal is cut, its key says nothing twice, and votes again after its recovery', TIMEOUT, async () => {
  expect(await damageEverywhere(journalFile, cut)).toEqual(new Set(['JOURNAL_DAMAGED', 'JOURNAL_BEHIND']));
});

// @mutation packages/ledger/src/vote-journal.ts
// - await this.#store.write([markOperation(frame.position)], { sync: false });
// + await this.#directory.read(JOURNAL_FILE);
test('wherever the vote journal is flipped, its key says nothing twice, and votes again after its recovery', TIMEOUT, async () => {
  expect(await damageEverywhere(journalFile, flip)).toEqual(new Set(['JOURNAL_DAMAGED', 'JOURNAL_BEHIND']));
});

// @mutation packages/ledger/src/vote-journal-examination.ts
// - if (position === undefined) return { code: 'JOURNAL_BEHIND', sequence: header.base.sequence + frames.length, marked: mark.sequence };
// + if (position !== positions.at(-1)) return { code: 'JOURNAL_BEHIND', sequence: header.base.sequence, marked: mark.sequence };
// @mutation packages/ledger/src/vote-journal-examination.ts
// - return bytesEqual(position.checksum, mark.checksum) ? undefined : { code: 'JOURNAL_DIVERGED', sequence: mark.sequence };
// + return { code: 'JOURNAL_DIVERGED', sequence: mark.sequence };
test("wherever LevelDB's own log is cut, the key says nothing twice and votes on", TIMEOUT, async () => {
  expect(await damageEverywhere(levelLog, cut)).toEqual(new Set([null]));
});

test("wherever LevelDB's own log is flipped, the key says nothing twice and votes on", TIMEOUT, async () => {
  expect(await damageEverywhere(levelLog, flip)).toEqual(new Set([null]));
});

const LOSSES: readonly (readonly [what: string, doubt: string, damage: Damage])[] = [
  ['no journal', 'JOURNAL_MISSING', (home) => rm(join(home, JOURNAL_FILE))],
  ['no identity', 'IDENTITY_MISSING', (home) => rm(join(home, JOURNAL_IDENTITY_FILE))],
  ['neither', 'IDENTITY_MISSING', (home) => rm(join(home, JOURNAL_FILE)).then(() => rm(join(home, JOURNAL_IDENTITY_FILE)))],
  ['an empty journal', 'JOURNAL_DAMAGED', (home) => writeFile(join(home, JOURNAL_FILE), '')],
  ['an empty identity', 'IDENTITY_DAMAGED', (home) => writeFile(join(home, JOURNAL_IDENTITY_FILE), '')],
];

test.each(LOSSES)('a home with %s: the validator is mute until its recovery is decided', async (_, expected, damage) => {
  // The second one loses its store as well, and with it the last that knew of its votes.
  expect(await drill.run(damage)).toEqual({ doubt: expected, store: null });
  expect(await drill.run((home) => damage(home).then(() => rm(join(home, 'store'), { recursive: true })))).toEqual({
    doubt: expected,
    store: null,
  });
});

test('a home without its store: the journal alone keeps the validator from saying anything twice', async () => {
  expect(await drill.run((home) => rm(join(home, 'store'), { recursive: true }))).toEqual({ doubt: null, store: null });
});

// @mutation packages/replica/src/twin-watch.ts
// - for (const vote of answer.votes) if (await this.#isForgotten(vote)) return vote;
// + for (const vote of answer.votes) await this.#isForgotten(vote);
test('an old copy of the whole home: the peers know of a vote that it does not, and the validator is mute until its recovery is decided', async () => {
  expect(await drill.runOldCopy()).toEqual({ doubt: 'VOTE_UNKNOWN', store: null });
});
