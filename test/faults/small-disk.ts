import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const MIB = 1024 * 1024;
/** Room for everything that a node writes in a run, several times over. */
const DISK_BYTES = 64 * MIB;
const FILLER = 'filler';

/** A file system in memory for one home alone, which can be filled without anybody else noticing. It ends with this process' mount namespace. */
export class SmallDisk {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  mount(): void {
    mkdirSync(this.#path, { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_BYTES},mode=0700`, 'nacre-faults', this.#path]);
  }

  /** Leaves no more than so many bytes. */
  fill(leftBytes: number): void {
    const { bavail, bsize } = statfsSync(this.#path);
    const file = openSync(join(this.#path, FILLER), 'w');
    const zeros = Buffer.alloc(MIB);
    try {
      for (let rest = bavail * bsize - leftBytes; rest > 0; rest -= MIB) writeSync(file, zeros, 0, Math.min(rest, MIB));
    } catch (error) {
      // The node wrote at the same time, and there is less left than was asked for.
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    } finally {
      closeSync(file);
    }
  }

  free(): void {
    rmSync(join(this.#path, FILLER), { force: true });
  }
}
