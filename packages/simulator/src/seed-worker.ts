/** A worker thread: one seed after another as they are handed in, on the program as it is or on a broken variant of it. */
import { parentPort, workerData } from 'node:worker_threads';
import { assert } from '@nacre/base';
import type { SeedJob } from './seed-pool.ts';
import { installVariant } from './variants/install-variant.ts';
import type { Variant } from './variants/variants.ts';

const port = parentPort;
assert(port !== null, 'a worker has a port to its parent');
const { variant } = workerData as { readonly variant: Variant | null };
if (variant !== null) installVariant(variant);
// Only now: what a variant replaces must not be loaded before it is replaced.
const { checkSeed } = await import('./check-seed.ts');
port.on('message', (job: SeedJob) => {
  void checkSeed(job).then((outcome) => port.postMessage(outcome));
});
port.postMessage('ready');
