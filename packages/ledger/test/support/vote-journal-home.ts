import type { Random } from '@nacre/base';
import { JOURNAL_FILE, JOURNAL_IDENTITY_FILE, type JournalEntry, VoteJournal } from '../../src/index.ts';
import { MemoryDirectory } from './memory-directory.ts';
import { MemoryStore } from './memory-store.ts';

/** Distinct bytes for each call, the same in every run. */
class CountingRandom implements Random {
  #count = 0;

  bytes(length: number): Uint8Array {
    this.#count++;
    return new Uint8Array(length).fill(this.#count);
  }
}

export const VALIDATOR = new Uint8Array(32).fill(0xaa);

/** The disk of one validator, across the lives of its processes. */
export class VoteJournalHome {
  readonly store = new MemoryStore();
  readonly directory = new MemoryDirectory();
  readonly random = new CountingRandom();

  /** A home as `init` leaves it, with a journal of these entries. */
  static async with(entries: readonly JournalEntry[]): Promise<VoteJournalHome> {
    const home = new VoteJournalHome();
    await home.create();
    const journal = await home.open();
    for (const entry of entries) await journal.append(entry);
    return home;
  }

  create(): Promise<void> {
    return VoteJournal.create({ validator: VALIDATOR }, this);
  }

  open(validator: Uint8Array = VALIDATOR): Promise<VoteJournal> {
    return VoteJournal.open({ validator }, this);
  }

  get journalFile(): Uint8Array {
    return this.directory.files.get(JOURNAL_FILE) as Uint8Array;
  }

  get identityFile(): Uint8Array {
    return this.directory.files.get(JOURNAL_IDENTITY_FILE) as Uint8Array;
  }

  powerCut(): void {
    this.store.crash();
    this.directory.crash();
  }

  /** From now on the disk carries out `operations` more changes and refuses the next, as when the process is killed there. */
  killAfter(operations: number): void {
    let left = operations;
    const refuse = (): void => {
      if (left === 0) throw new Error('killed');
      left--;
    };
    this.store.beforeWrite = refuse;
    this.directory.beforeChange = refuse;
  }

  revive(): void {
    this.store.beforeWrite = () => {};
    this.directory.beforeChange = () => {};
  }
}

/** An entry of one short vote whose bytes are its name. */
export function voteEntry(height: number, name: string): JournalEntry {
  return { height, messages: [{ kind: 'vote', bytes: new TextEncoder().encode(name) }], lock: null };
}

/** What a journal holds for these heights, by the votes' names. */
export function votesIn(journal: VoteJournal, heights: readonly number[]): string[] {
  const entries = heights.flatMap((height) => journal.entriesFor(height));
  return entries.flatMap(({ messages }) => messages.map(({ bytes }) => new TextDecoder().decode(bytes)));
}

export function flipped(bytes: Uint8Array, index: number, mask: number): Uint8Array {
  const changed = bytes.slice();
  changed[index] = (changed[index] as number) ^ mask;
  return changed;
}
