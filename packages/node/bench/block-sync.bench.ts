import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BenchmarkSuite } from '@nacre/base/benchmark';
import { LevelStore } from '@nacre/ledger/level';
import { homePaths } from '../src/home.ts';
import { STORE_FORMAT_VERSION } from '../src/store-format.ts';
import { DecidedChain } from './support/decided-chain.ts';
import { caughtUp, makeFollower, serveProcess } from './support/follower.ts';

const BLOCKS = 2_000;

const suite: BenchmarkSuite = {
  name: 'block sync',
  async run(bench) {
    const directory = await mkdtemp(join(tmpdir(), 'nacre-sync-'));
    const chain = new DecidedChain(Date.now() - BLOCKS * 2_000);
    const serving = join(directory, 'serving');
    await makeFollower(serving, chain, { bootstrap: [] });
    const store = await LevelStore.open(homePaths(serving).store, { formatVersion: STORE_FORMAT_VERSION, genesisHash: chain.genesis.hash });
    await chain.write(store, BLOCKS);
    await store.close();
    const { process: server, multiaddr } = await serveProcess(serving);
    try {
      const rates: number[] = [];
      await bench.measure(
        'a new node starts, syncs 2,000 small blocks and stops',
        { unit: 'block', iterations: 1, perIteration: BLOCKS },
        async () => {
          const home = join(directory, `new${rates.length}`);
          await makeFollower(home, chain, { bootstrap: [multiaddr] });
          rates.push(await caughtUp(home, BLOCKS));
        },
      );
      const median = rates.toSorted((a, b) => a - b)[rates.length >> 1] as number;
      bench.note(
        `${Math.round(median)} blocks/s from its first block on, each of one record, from one peer, checked back from the certificate of every range`,
      );
    } finally {
      server.kill('SIGTERM');
      await once(server, 'exit');
      await rm(directory, { recursive: true });
    }
  },
};

export default suite;
