import type { DiskSpeed } from '../../src/disk-timing.ts';
import { FaultTally } from '../../src/fault-tally.ts';
import { ProcessLife, TRUE_CLOCK } from '../../src/process-life.ts';
import { SeededRandom } from '../../src/random.ts';
import type { ClockPlan } from '../../src/scenario.ts';
import { Scheduler } from '../../src/scheduler.ts';
import { SimDisk } from '../../src/sim-disk.ts';
import { Trace } from '../../src/trace.ts';

const SPEED: DiskSpeed = { syncMs: [2, 3], writeMs: [0.5, 1], readMs: [0.1, 0.2], stallChance: 0, stallMs: [0, 0] };
const EVENTS_MAX = 100_000;
const EPOCH_MS = 1_000_000;

/** A scheduler with a disk and whatever else a test puts on it. */
export class Machine {
  readonly scheduler = new Scheduler();
  readonly tally = new FaultTally();
  readonly trace = new Trace();
  readonly random: SeededRandom;
  readonly disk: SimDisk;

  constructor(seed = 1, speed: Partial<DiskSpeed> = {}) {
    this.random = SeededRandom.fromSeed(seed);
    this.disk = new SimDisk({ ...SPEED, ...speed }, { random: this.random.fork('disk'), scheduler: this.scheduler, tally: this.tally });
  }

  life(node = 0, generation = 0, clock: ClockPlan = TRUE_CLOCK): ProcessLife {
    return new ProcessLife({ node, generation, epochMs: EPOCH_MS, clock }, { scheduler: this.scheduler });
  }

  /** Runs for so many virtual ms; throws what the run failed with. */
  async pass(ms: number): Promise<void> {
    const end = await this.scheduler.run({ untilMs: this.scheduler.nowMs + ms, eventsMax: EVENTS_MAX });
    if (end.kind === 'failed') throw end.error;
  }

  /** Runs until the promise is settled. */
  async finish<T>(promise: Promise<T>): Promise<T> {
    let done = false;
    const settled = promise.finally(() => {
      done = true;
    });
    const end = await this.scheduler.run({ untilMs: this.scheduler.nowMs + 60_000, until: () => done, eventsMax: EVENTS_MAX });
    if (end.kind !== 'reached') throw new Error(`the promise did not settle: ${end.kind}`);
    return settled;
  }
}
