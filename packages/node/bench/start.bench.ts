import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BenchmarkSuite } from '@nacre/base/benchmark';
import { LevelStore } from '@nacre/ledger/level';
import { homePaths } from '../src/home.ts';
import { STORE_FORMAT_VERSION } from '../src/store-format.ts';
import { DecidedChain } from './support/decided-chain.ts';
import { makeFollower, serveProcess } from './support/follower.ts';

/** Unless `NACRE_START_BLOCKS` says otherwise: a million take minutes to make. */
const BLOCKS_DEFAULT = 100_000;
/** One validator and few transactions, so that a million blocks fit on a disk: a start looks at none but the last. */
const CHAIN = { signedEvery: 512, transactionEvery: 100 };
const STARTS = 5;

const suite: BenchmarkSuite = {
  name: 'start',
  async run(bench) {
    const blocks = Number(process.env.NACRE_START_BLOCKS ?? BLOCKS_DEFAULT);
    const directory = await mkdtemp(join(tmpdir(), 'nacre-start-'));
    try {
      const chain = new DecidedChain(Date.now() - blocks * 2_000, { validators: 1 });
      await makeFollower(join(directory, 'empty'), chain, { bootstrap: [] });
      const home = join(directory, 'full');
      await makeFollower(home, chain, { bootstrap: [] });
      const store = await LevelStore.open(homePaths(home).store, { formatVersion: STORE_FORMAT_VERSION, genesisHash: chain.genesis.hash });
      const beganMs = performance.now();
      await chain.write(store, blocks, CHAIN);
      await store.close();
      bench.note(`${blocks} blocks were made in ${((performance.now() - beganMs) / 1000).toFixed(0)} s`);
      for (const [name, of] of [
        ['an empty node', join(directory, 'empty')],
        [`a node with ${blocks} blocks`, home],
      ] as const) {
        const seconds: number[] = [];
        for (let start = 0; start < STARTS; start++) {
          const startedMs = performance.now();
          const { process: node } = await serveProcess(of);
          seconds.push((performance.now() - startedMs) / 1000);
          node.kill('SIGTERM');
          await once(node, 'exit');
        }
        const [least, , median, , most] = seconds.toSorted((a, b) => a - b).map((each) => each.toFixed(2));
        bench.note(`${name} starts, from the command to the RPC that answers: ${median} s (${least} to ${most})`);
      }
      bench.note(`${loadavg()[0]?.toFixed(1)} processes wanted the cores on average`);
    } finally {
      await rm(directory, { recursive: true });
    }
  },
};

export default suite;
