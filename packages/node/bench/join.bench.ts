import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Log } from '@nacre/base';
import type { BenchmarkSuite } from '@nacre/base/benchmark';
import { createVerifier } from '@nacre/crypto/native';
import { Ledger, Snapshots, takeSnapshot } from '@nacre/ledger';
import { LevelStore } from '@nacre/ledger/level';
import { HEADERS_PER_REQUEST_MAX } from '@nacre/replica';
import { homePaths } from '../src/home.ts';
import { STORE_FORMAT_VERSION } from '../src/store-format.ts';
import { DecidedChain } from './support/decided-chain.ts';
import { caughtUp, makeFollower, serveProcess } from './support/follower.ts';

/** Unless `NACRE_JOIN_BLOCKS` says otherwise. */
const BLOCKS_DEFAULT = 100_000;
/** Up to so many are joined several times. */
const BLOCKS_FEW = 5_000;
/** As the headers of one request need it: the node that serves them looks for a certificate that holds from the last of them on downwards. */
const SIGNED_EVERY = HEADERS_PER_REQUEST_MAX;
/** Blocks after the snapshot, which come as blocks. */
const BEHIND_SNAPSHOT = 100;
const STARTS = 5;
const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {} };

const suite: BenchmarkSuite = {
  name: 'join',
  async run(bench) {
    const blocks = Number(process.env.NACRE_JOIN_BLOCKS ?? BLOCKS_DEFAULT);
    const directory = await mkdtemp(join(tmpdir(), 'nacre-join-'));
    const chain = new DecidedChain(Date.now() - blocks * 2_000);
    const { genesis } = chain;
    const serving = join(directory, 'serving');
    await makeFollower(serving, chain, { bootstrap: [] });
    const open = () => LevelStore.open(homePaths(serving).store, { formatVersion: STORE_FORMAT_VERSION, genesisHash: genesis.hash });
    const store = await open();
    const verifier = createVerifier(genesis.scheme);
    const dependencies = { genesis, store, verifier, log: SILENT };
    const snapshots = new Snapshots(dependencies);
    // Of the block below which the rest is fetched as blocks; it has real commits.
    const snapshotHeight = Math.floor((blocks - BEHIND_SNAPSHOT) / SIGNED_EVERY) * SIGNED_EVERY;
    const after = async (ledger: Ledger): Promise<void> => {
      if (ledger.tip.height === snapshotHeight) await takeSnapshot(ledger, snapshots, { keep: 1, pace: () => Promise.resolve() });
    };
    await chain.write(store, blocks, { signedEvery: SIGNED_EVERY, after });
    await store.close();
    await bench.measure(`a store of ${blocks} blocks is opened and its end verified`, { iterations: 1, unit: 'start' }, async () => {
      const opened = await open();
      await Ledger.open({ ...dependencies, store: opened });
      await opened.close();
    });
    const { process: server, multiaddr } = await serveProcess(serving);
    try {
      for (const [how, snapshot] of [
        ['by blocks', { fetch: false }],
        ['by snapshot', { behindBlocks: BEHIND_SNAPSHOT }],
      ] as const) {
        const seconds: number[] = [];
        for (let run = 0; run < STARTS && (run === 0 || blocks <= BLOCKS_FEW); run++) {
          const home = join(directory, `${how} ${run}`);
          await makeFollower(home, chain, { bootstrap: [multiaddr], snapshot });
          const startedMs = performance.now();
          await caughtUp(home, blocks);
          seconds.push((performance.now() - startedMs) / 1000);
          await rm(home, { recursive: true });
        }
        const sorted = seconds.toSorted((a, b) => a - b);
        const median = sorted[sorted.length >> 1] as number;
        const spread = sorted.length === 1 ? 'once' : `${sorted[0]?.toFixed(2)} to ${sorted.at(-1)?.toFixed(2)} s`;
        bench.note(
          `a follower joins a network of ${blocks} blocks ${how}: ${median.toFixed(2)} s (${spread}), from one peer, its own start included`,
        );
      }
    } finally {
      server.kill('SIGTERM');
      await once(server, 'exit');
      await rm(directory, { recursive: true });
    }
  },
};

export default suite;
