import { assert, type Directory } from '@nacre/base';
import type { DiskTiming } from './disk-timing.ts';
import type { FaultTally } from './fault-tally.ts';
import type { ProcessLife } from './process-life.ts';
import type { SeededRandom } from './random.ts';

/** Capacity that a file starts with, in bytes; it doubles when full. */
const INITIAL_CAPACITY_BYTES = 1024;

/** Shares of torn ends: the file system had grown the file before its data arrived (zeros), or a sector is half written (garbage). */
const ZEROS_CHANCE = 0.25;
const GARBAGE_CHANCE = 0.25;

/**
 * Bytes at the beginning of an append that arrive as they are or not at all, as a sector does. Garbage in them is not modelled: a
 * journal whose entries begin with their length cannot tell it from a length that was damaged later, and doubts. See the README.
 */
const HEAD_BYTES = 8;

class SimFile {
  #bytes = new Uint8Array(INITIAL_CAPACITY_BYTES);
  length = 0;
  /** A crash cannot touch what lies before. */
  syncedLength = 0;
  /** Whether the directory entry is durable. If not, a crash may take the whole file. */
  linked = false;

  static of(bytes: Uint8Array): SimFile {
    const file = new SimFile();
    file.append(bytes);
    file.syncedLength = file.length;
    file.linked = true;
    return file;
  }

  append(bytes: Uint8Array): void {
    if (this.length + bytes.length > this.#bytes.length) {
      const grown = new Uint8Array(2 * (this.length + bytes.length));
      grown.set(this.#bytes.subarray(0, this.length));
      this.#bytes = grown;
    }
    this.#bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  content(): Uint8Array {
    return this.#bytes.slice(0, this.length);
  }

  tail(from: number): Uint8Array {
    return this.#bytes.subarray(from, this.length);
  }
}

interface Replacement {
  readonly name: string;
  readonly bytes: Uint8Array;
}

export interface FileDiskDependencies {
  readonly random: SeededRandom;
  readonly timing: DiskTiming;
  readonly tally: FaultTally;
}

/**
 * A few files in one directory, across the lives of the processes that use it. Appended bytes are readable at once and
 * durable after `sync`; a crash keeps a random prefix of the rest, sometimes with zeros or garbage where the lost bytes
 * were. A replacement is atomic: before it resolves a crash leaves the old content or the new.
 */
export class FileDisk {
  readonly #files = new Map<string, SimFile>();
  readonly #dependencies: FileDiskDependencies;
  #replacements: Replacement[] = [];

  constructor(dependencies: FileDiskDependencies) {
    this.#dependencies = dependencies;
  }

  /** The directory as one process sees it. */
  open(life: ProcessLife): Directory {
    return {
      read: async (name) => {
        life.assertAlive('its directory');
        return this.#files.get(name)?.content();
      },
      append: async (name, bytes) => {
        life.assertAlive('its directory');
        this.#fileOf(name).append(bytes);
      },
      sync: (name) => {
        life.assertAlive('its directory');
        return this.#sync(life, name);
      },
      replace: (name, bytes) => {
        life.assertAlive('its directory');
        return this.#replace(life, { name, bytes: bytes.slice() });
      },
    };
  }

  /** The power cut. */
  crash(): void {
    const { random, tally } = this.#dependencies;
    for (const replacement of this.#replacements) {
      if (random.chance(0.5)) this.#files.set(replacement.name, SimFile.of(replacement.bytes));
      else tally.add('replaceLost');
    }
    this.#replacements = [];
    for (const [name, file] of this.#files) this.#crashFile(name, file);
  }

  /** The disk has flipped a bit somewhere in a file; nothing if it is empty or missing. */
  flip(name: string): void {
    const file = this.#files.get(name);
    if (file === undefined || file.length === 0) return;
    const bytes = file.tail(this.#dependencies.random.int(file.length));
    bytes[0] = (bytes[0] as number) ^ (1 << this.#dependencies.random.int(8));
  }

  /** The disk has lost a file, or all of them. */
  lose(name?: string): void {
    if (name === undefined) this.#files.clear();
    else this.#files.delete(name);
  }

  #crashFile(name: string, file: SimFile): void {
    const { random, tally } = this.#dependencies;
    if (!file.linked && random.chance(0.5)) {
      this.#files.delete(name);
      tally.add('fileCut');
      return;
    }
    const unsynced = file.length - file.syncedLength;
    file.linked = true;
    if (unsynced === 0) return;
    const kept = random.int(unsynced + 1);
    const lost = unsynced - kept;
    if (lost > 0) {
      const tail = file.tail(file.length - lost);
      const torn = random.unit();
      const garbage = torn >= ZEROS_CHANCE && torn < ZEROS_CHANCE + GARBAGE_CHANCE && kept >= HEAD_BYTES;
      if (torn < ZEROS_CHANCE) tail.fill(0);
      else if (garbage) tail.set(random.bytes(lost));
      else file.length -= lost;
      tally.add(torn < ZEROS_CHANCE || garbage ? 'fileTorn' : 'fileCut');
    }
    file.syncedLength = file.length;
  }

  #sync(life: ProcessLife, name: string): Promise<void> {
    const file = this.#files.get(name);
    assert(file !== undefined, `a file that does not exist is synced: ${name}`);
    // What is appended while the sync runs is not covered by it.
    const covered = file.length;
    return this.#after(life, () => {
      file.syncedLength = Math.max(file.syncedLength, covered);
      file.linked = true;
    });
  }

  #replace(life: ProcessLife, replacement: Replacement): Promise<void> {
    this.#replacements.push(replacement);
    return this.#after(life, () => {
      this.#replacements.splice(this.#replacements.indexOf(replacement), 1);
      this.#files.set(replacement.name, SimFile.of(replacement.bytes));
    });
  }

  #after(life: ProcessLife, effect: () => void): Promise<void> {
    const { timing } = this.#dependencies;
    const durationMs = timing.syncMs();
    timing.syncStarted(durationMs);
    return new Promise((resolve) => {
      life.schedule(durationMs, () => {
        effect();
        resolve();
      });
    });
  }

  #fileOf(name: string): SimFile {
    let file = this.#files.get(name);
    if (file === undefined) {
      file = new SimFile();
      this.#files.set(name, file);
    }
    return file;
  }
}
