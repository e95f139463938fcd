import { type DiskSpeed, DiskTiming } from './disk-timing.ts';
import type { FaultTally } from './fault-tally.ts';
import { FileDisk } from './file-disk.ts';
import type { SeededRandom } from './random.ts';
import type { Scheduler } from './scheduler.ts';
import { StoreDisk } from './store-disk.ts';

export interface SimDiskDependencies {
  readonly random: SeededRandom;
  readonly scheduler: Scheduler;
  readonly tally: FaultTally;
}

/** A node's disk: the LevelDB folder and the directory of the vote journal. It outlives the node's processes. */
export class SimDisk {
  readonly files: FileDisk;
  readonly timing: DiskTiming;
  readonly #newStore: () => StoreDisk;
  #store: StoreDisk;

  constructor(speed: DiskSpeed, { random, scheduler, tally }: SimDiskDependencies) {
    this.timing = new DiskTiming(speed, { random: random.fork('timing'), scheduler });
    const own = random.fork('store');
    this.#newStore = () => new StoreDisk({ random: own, timing: this.timing, tally });
    this.#store = this.#newStore();
    this.files = new FileDisk({ random: random.fork('files'), timing: this.timing, tally });
  }

  get store(): StoreDisk {
    return this.#store;
  }

  /**
   * Puts an empty store aside the one that is here, lets something be taken over into it, and then puts it in its place. A power cut before that leaves
   * everything as it is.
   */
  async replaceStore<Result>(fill: (from: StoreDisk, to: StoreDisk) => Promise<Result>): Promise<Result> {
    const fresh = this.#newStore();
    const result = await fill(this.#store, fresh);
    this.#store = fresh;
    return result;
  }

  /** The power cut. The process that used the disk must have ended before. */
  crash(): void {
    this.timing.onNextSync(null);
    this.store.crash();
    this.files.crash();
  }
}
