import { Worker } from 'node:worker_threads';
import type { SeedOutcome } from './check-seed.ts';
import type { ScenarioOptions } from './scenarios/draw-scenario.ts';
import type { Variant } from './variants/variants.ts';

/** One seed to run. */
export interface SeedJob extends ScenarioOptions {
  /** Whether to run it twice and compare. */
  readonly repeat: boolean;
}

/** Young objects die young: with more room for them, the collector runs less often. Measured: a twentieth of a run's time. */
const YOUNG_GENERATION_MB = 64;

interface PoolOptions {
  readonly threads: number;
  /** A broken variant in place of the program; null: the program. */
  readonly variant: Variant | null;
  /** Told of each result, in the order in which they come. Returns false to hand out nothing more. */
  readonly take: (outcome: SeedOutcome, job: SeedJob) => boolean;
}

/** Hands each thread a seed when it is free, until all are run or `take` says that it is enough. */
export async function runPool(jobs: Iterator<SeedJob>, { threads, variant, take }: PoolOptions): Promise<void> {
  let enough = false;
  const workers = Array.from({ length: threads }, () => {
    const worker = new Worker(new URL('./seed-worker.ts', import.meta.url), {
      workerData: { variant },
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
    });
    return new Promise<void>((resolve, reject) => {
      let job: SeedJob | null = null;
      const handOut = (): void => {
        const next = enough ? { done: true as const, value: undefined } : jobs.next();
        if (next.done === true) {
          void worker.terminate().then(() => resolve());
          return;
        }
        job = next.value;
        worker.postMessage(job);
      };
      worker.on('message', (message: SeedOutcome | 'ready') => {
        if (message !== 'ready' && !take(message, job as SeedJob)) enough = true;
        handOut();
      });
      worker.on('error', reject);
    });
  });
  await Promise.all(workers);
}
