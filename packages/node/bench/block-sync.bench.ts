import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Bench, BenchmarkSuite } from '@nacre/base/benchmark';
import { LevelStore } from '@nacre/ledger/level';
import { HEADERS_PER_REQUEST_MAX } from '@nacre/replica';
import { homePaths } from '../src/home.ts';
import { STORE_FORMAT_VERSION } from '../src/store-format.ts';
import { DecidedChain } from './support/decided-chain.ts';
import { type CaughtUp, caughtUp, makeFollower, serveProcess } from './support/follower.ts';

/** Of the same chain, one after the other. The first one also warms the program up. */
const RUNS = 5;
const INTERVAL_MS = 2_000;

interface Kind {
  readonly name: string;
  readonly blocks: number;
  readonly records: number;
  readonly recordBytes: number;
}

const SMALL: Kind = { name: 'of one record of 100 bytes', blocks: 5_000, records: 1, recordBytes: 100 };
const LARGE: Kind = { name: 'of a thousand records of 250 bytes', blocks: 200, records: 1_000, recordBytes: 250 };

/** Writes the chain, serves it from a process of its own, and has one new node after the other sync it here. */
async function sync(directory: string, { blocks, records, recordBytes }: Kind): Promise<CaughtUp[]> {
  const chain = new DecidedChain(Date.now() - blocks * INTERVAL_MS);
  const serving = join(directory, 'serving');
  await makeFollower(serving, chain, { bootstrap: [] });
  const store = await LevelStore.open(homePaths(serving).store, { formatVersion: STORE_FORMAT_VERSION, genesisHash: chain.genesis.hash });
  await chain.write(store, blocks, { signedEvery: HEADERS_PER_REQUEST_MAX, records, recordBytes });
  await store.close();
  const { process: server, multiaddr } = await serveProcess(serving);
  try {
    const runs: CaughtUp[] = [];
    for (let run = 0; run < RUNS; run++) {
      const home = join(directory, `new${run}`);
      await makeFollower(home, chain, { bootstrap: [multiaddr] });
      runs.push(await caughtUp(home, blocks));
      await rm(home, { recursive: true });
    }
    return runs;
  } finally {
    server.kill('SIGTERM');
    await once(server, 'exit');
    await rm(directory, { recursive: true });
  }
}

/** Least, median and greatest. */
function spread(values: readonly number[]): readonly [number, number, number] {
  const sorted = values.toSorted((a, b) => a - b);
  return [sorted[0] as number, sorted[sorted.length >> 1] as number, sorted.at(-1) as number];
}

async function measure(bench: Bench, kind: Kind): Promise<void> {
  const runs = await sync(await mkdtemp(join(tmpdir(), 'nacre-sync-')), kind);
  const [least, median, most] = spread(runs.map(({ blocksPerSecond }) => blocksPerSecond)).map(Math.round) as [number, number, number];
  const [, cpuMs] = spread(runs.map(({ cpuMsPerBlock }) => cpuMsPerBlock));
  const megabytes = ((median * kind.records * kind.recordBytes) / 1_000_000).toFixed(2);
  bench.note(`a new node syncs blocks ${kind.name} from one peer: ${median} a second (${least} to ${most}), ${megabytes} MB of records`);
  bench.note(`  ${cpuMs.toFixed(3)} ms of its processor time for each; ${loadavg()[0]?.toFixed(1)} processes wanted the cores on average`);
}

const suite: BenchmarkSuite = {
  name: 'block sync',
  async run(bench) {
    await measure(bench, SMALL);
    await measure(bench, LARGE);
  },
};

export default suite;
