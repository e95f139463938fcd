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
  readonly store: StoreDisk;
  readonly files: FileDisk;
  readonly timing: DiskTiming;

  constructor(speed: DiskSpeed, { random, scheduler, tally }: SimDiskDependencies) {
    this.timing = new DiskTiming(speed, { random: random.fork('timing'), scheduler });
    this.store = new StoreDisk({ random: random.fork('store'), timing: this.timing, tally });
    this.files = new FileDisk({ random: random.fork('files'), timing: this.timing, tally });
  }

  /** The power cut. The process that used the disk must have ended before. */
  crash(): void {
    this.timing.onNextSync(null);
    this.store.crash();
    this.files.crash();
  }
}
