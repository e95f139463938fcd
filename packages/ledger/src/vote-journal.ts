import {
  type Address,
  assert,
  concatBytes,
  type Directory,
  JOURNAL_BYTES_MAX,
  JOURNAL_ROTATION_BYTES,
  type Random,
  type Store,
  type StoreOperation,
  utf8,
} from '@nacre/base';
import type { Doubt } from './vote-journal-doubt.ts';
import type { JournalEntry } from './vote-journal-entry.ts';
import { JournalError } from './vote-journal-error.ts';
import { examineJournal } from './vote-journal-examination.ts';
import {
  decodeJournal,
  decodeJournalMark,
  encodeJournalFrame,
  encodeJournalHeader,
  encodeJournalIdentity,
  encodeJournalMark,
  JOURNAL_IDENTITY_BYTES,
  type JournalContent,
  type JournalFrame,
  type JournalHeader,
  type JournalPosition,
  journalBase,
  lastPosition,
} from './vote-journal-format.ts';

/** Append-only file of everything this validator signed in consensus. */
export const JOURNAL_FILE = 'vote-journal';
/** Names the one journal that belongs to the key it stands beside. */
export const JOURNAL_IDENTITY_FILE = 'vote-journal.identity';
/** Where the store keeps the journal's last place. */
export const JOURNAL_MARK_KEY = utf8('\0vote-journal');

export interface VoteJournalOptions {
  /** Whose votes these are. A journal of another validator puts the key in doubt. */
  readonly validator: Address;
}

export interface VoteJournalDependencies {
  readonly directory: Directory;
  readonly store: Store;
  readonly random: Random;
}

/**
 * What a validator has signed, durable before it is sent, so that no crash makes it sign two conflicting messages.
 *
 * A file of its own because LevelDB silently drops log entries after a flipped byte or a cut tail. LevelDB keeps a mark of
 * the journal's last place, put after the file's sync and before anything is sent, so that a journal that lost its end is
 * seen. One operation at a time: the driver awaits each.
 *
 * @see protocol, section 5, "Durable before sent"
 */
export class VoteJournal {
  readonly #validator: Address;
  readonly #directory: Directory;
  readonly #store: Store;
  readonly #random: Random;
  #doubt: Doubt | null = null;
  #header: JournalHeader;
  #frames: JournalFrame[] = [];
  /** At least the greatest height of an entry. */
  #highest = 0;
  #bytes = 0;
  #state: 'idle' | 'busy' | 'failed' = 'idle';

  private constructor({ validator }: VoteJournalOptions, { directory, store, random }: VoteJournalDependencies) {
    this.#validator = validator;
    this.#directory = directory;
    this.#store = store;
    this.#random = random;
    this.#header = headerOf(validator, new Uint8Array(JOURNAL_IDENTITY_BYTES), { floorHeight: 0, sequence: 0 });
  }

  /**
   * Makes identity and empty journal for a new key. Only `init` calls this.
   *
   * @throws {JournalError} `JOURNAL_EXISTS` if a journal, an identity or a store's mark of one is there
   */
  static async create(options: VoteJournalOptions, { directory, store, random }: VoteJournalDependencies): Promise<void> {
    const existing =
      ((await directory.read(JOURNAL_IDENTITY_FILE)) && JOURNAL_IDENTITY_FILE) ??
      ((await directory.read(JOURNAL_FILE)) && JOURNAL_FILE) ??
      (store.get(JOURNAL_MARK_KEY) && 'the mark in the store');
    if (existing !== undefined) {
      throw new JournalError('JOURNAL_EXISTS', `a vote journal exists already: ${existing}`, {
        fields: { existing },
        hint: 'Start the node: if votes may be lost it says so and recovers by itself. To start over, use a new key in an empty home.',
      });
    }
    const identity = random.bytes(JOURNAL_IDENTITY_BYTES);
    const header = headerOf(options.validator, identity, { floorHeight: 0, sequence: 0 });
    // The identity last: a crash in between leaves doubt, not a journal that looks complete.
    await directory.replace(JOURNAL_FILE, encodeJournalHeader(header));
    await directory.replace(JOURNAL_IDENTITY_FILE, encodeJournalIdentity({ identity }));
  }

  /**
   * Reads the journal of a key that `create` was called for once. Check `doubt` before voting.
   *
   * What was read is written anew and the store's mark brought level, both durably, before this resolves: after a killed
   * process or a failed sync the bytes read may stand in memory only, and they are about to be sent again.
   *
   * @throws what the directory and the store throw, for example `DIRECTORY_FAILED`
   */
  static async open(options: VoteJournalOptions, dependencies: VoteJournalDependencies): Promise<VoteJournal> {
    const { directory, store } = dependencies;
    const journal = new VoteJournal(options, dependencies);
    const examined = examineJournal({
      validator: options.validator,
      identityFile: await directory.read(JOURNAL_IDENTITY_FILE),
      journalFile: await directory.read(JOURNAL_FILE),
      mark: store.get(JOURNAL_MARK_KEY),
    });
    if (!examined.ok) {
      await journal.enterDoubt(examined.error);
    } else {
      await directory.replace(JOURNAL_FILE, contentBytes(examined.value));
      await store.write([markOperation(lastPosition(examined.value))], { sync: true });
      journal.#hold(examined.value);
    }
    return journal;
  }

  /**
   * Whose votes the journal of a directory holds, without touching anything: opening it with another key forgets them.
   *
   * @returns undefined if there is none, or if it is damaged
   */
  static async ownerOf(directory: Directory): Promise<Address | undefined> {
    const bytes = await directory.read(JOURNAL_FILE);
    const content = bytes && decodeJournal(bytes);
    return content?.ok ? content.value.header.validator : undefined;
  }

  /** Why this key must be mute, or null. Survives restarts; only `reset` ends it. */
  get doubt(): Doubt | null {
    return this.#doubt;
  }

  /** This key never votes at this height or below: votes there may be forgotten. */
  get floorHeight(): number {
    return this.#header.floorHeight;
  }

  /** True when `rotate` would be worth its cost. */
  get needsRotation(): boolean {
    return this.#doubt === null && this.#bytes >= JOURNAL_ROTATION_BYTES;
  }

  /** What was signed at `height`, in the order of signing; complete for every height above `floorHeight`. */
  entriesFor(height: number): readonly JournalEntry[] {
    // Asked at the start of every height, of which the journal mostly holds nothing yet, and of earlier ones a thousand entries.
    if (height > this.#highest) return [];
    return this.#frames.filter(({ entry }) => entry.height === height).map(({ entry }) => entry);
  }

  /** Everything signed above `height`, in the order of signing. */
  entriesAbove(height: number): readonly JournalEntry[] {
    return this.#frames.filter(({ entry }) => entry.height > height).map(({ entry }) => entry);
  }

  /**
   * Makes an entry durable. Only when this has resolved may anything of it be sent.
   *
   * @throws {JournalError} `JOURNAL_FULL` (nothing was written), `JOURNAL_FAILED` (nothing of the entry may be sent)
   */
  async append(entry: JournalEntry): Promise<void> {
    assert(this.#doubt === null, 'a validator in doubt signs nothing');
    assert(entry.height > this.floorHeight, 'no vote at or below the floor');
    const frame = encodeJournalFrame(lastPosition({ header: this.#header, frames: this.#frames }), entry);
    if (this.#bytes + frame.bytes.length > JOURNAL_BYTES_MAX) {
      throw new JournalError('JOURNAL_FULL', `the vote journal has reached ${JOURNAL_BYTES_MAX} bytes at height ${entry.height}`, {
        fields: { height: entry.height, bytesMax: JOURNAL_BYTES_MAX },
        hint: 'The network has not decided this height for hundreds of rounds. Restore its quorum; this node goes on when the height is decided.',
      });
    }
    await this.#exclusively(async () => {
      await this.#directory.append(JOURNAL_FILE, frame.bytes);
      await this.#directory.sync(JOURNAL_FILE);
      await this.#store.write([markOperation(frame.position)], { sync: false });
    });
    this.#frames.push(frame);
    this.#highest = Math.max(this.#highest, entry.height);
    this.#bytes += frame.bytes.length;
  }

  /**
   * Drops the entries of old heights and raises the floor to `keepAbove`.
   *
   * A power failure can take the store, not the journal, back by a height, so a lower height may follow a higher one. Only
   * a beginning of the journal is dropped, or the chain of checksums would break.
   *
   * @param keepAbove a height that the store has applied. The store is synced first, so that the decision that makes the
   *   dropped votes unneeded is itself durable.
   * @throws {JournalError} `JOURNAL_FAILED`
   */
  async rotate({ keepAbove }: { readonly keepAbove: number }): Promise<void> {
    assert(this.#doubt === null, 'a journal in doubt is not rotated');
    const header = this.#header;
    const firstKept = this.#frames.findIndex(({ entry }) => entry.height > keepAbove);
    const dropped = firstKept === -1 ? this.#frames.length : firstKept;
    const base = this.#frames[dropped - 1]?.position ?? header.base;
    const content = {
      header: { ...header, floorHeight: Math.max(header.floorHeight, keepAbove), base },
      frames: this.#frames.slice(dropped),
    };
    await this.#exclusively(async () => {
      await this.#store.write([markOperation(lastPosition(content))], { sync: true });
      await this.#directory.replace(JOURNAL_FILE, contentBytes(content));
    });
    this.#hold(content);
  }

  /**
   * Puts the key in doubt for a reason that only the caller can see, durably.
   *
   * @throws {JournalError} `JOURNAL_FAILED`
   */
  async enterDoubt(doubt: Doubt): Promise<void> {
    await this.#exclusively(() => this.#directory.replace(JOURNAL_IDENTITY_FILE, encodeJournalIdentity({ doubt: doubt.code })));
    this.#frames = [];
    this.#doubt = doubt;
  }

  /**
   * Ends the doubt with a new identity and an empty journal.
   *
   * @param floorHeight height of the decided block that carries this validator's recovery: it cannot have voted above
   * @throws {JournalError} `JOURNAL_FAILED`
   */
  async reset({ floorHeight }: { readonly floorHeight: number }): Promise<void> {
    assert(this.#doubt !== null, 'only a journal in doubt is reset');
    const marked = this.#store.get(JOURNAL_MARK_KEY);
    const sequence = 1 + ((marked && decodeJournalMark(marked)?.sequence) ?? 0);
    const identity = this.#random.bytes(JOURNAL_IDENTITY_BYTES);
    const header = headerOf(this.#validator, identity, { floorHeight, sequence });
    await this.#exclusively(async () => {
      await this.#directory.replace(JOURNAL_FILE, encodeJournalHeader(header));
      await this.#store.write([markOperation(header.base)], { sync: true });
      // The identity last: until it is replaced, it says that the key is in doubt.
      await this.#directory.replace(JOURNAL_IDENTITY_FILE, encodeJournalIdentity({ identity }));
    });
    this.#hold({ header, frames: [] });
    this.#doubt = null;
  }

  #hold(content: JournalContent): void {
    this.#header = content.header;
    this.#frames = [...content.frames];
    for (const { entry } of content.frames) this.#highest = Math.max(this.#highest, entry.height);
    this.#bytes = contentBytes(content).length;
  }

  /** After a failure nothing more is written: a sync that failed once may succeed the next time without having synced. */
  async #exclusively(run: () => Promise<void>): Promise<void> {
    assert(this.#state !== 'busy', 'one journal operation at a time');
    if (this.#state === 'failed') throw failure(undefined);
    this.#state = 'busy';
    try {
      await run();
      this.#state = 'idle';
    } catch (cause) {
      this.#state = 'failed';
      throw failure(cause);
    }
  }
}

function failure(cause: unknown): JournalError {
  return new JournalError('JOURNAL_FAILED', 'the vote journal cannot be written', {
    cause,
    hint: 'Check space and health of the disk, then restart the node. It sends no vote until then.',
  });
}

function headerOf(
  validator: Address,
  identity: Uint8Array,
  { floorHeight, sequence }: { floorHeight: number; sequence: number },
): JournalHeader {
  return { validator, identity, floorHeight, base: journalBase(identity, sequence) };
}

function contentBytes({ header, frames }: JournalContent): Uint8Array {
  return concatBytes(encodeJournalHeader(header), ...frames.map(({ bytes }) => bytes));
}

function markOperation(position: JournalPosition): StoreOperation {
  return { type: 'put', key: JOURNAL_MARK_KEY, value: encodeJournalMark(position) };
}
