import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '@nacre/base';
import type { BenchmarkSuite } from '@nacre/base/benchmark';
import { formatGenesis } from '@nacre/ledger';
import { LevelStore } from '@nacre/ledger/level';
import { callRpc } from '../src/cli/rpc-client.ts';
import { readConfiguration } from '../src/configuration.ts';
import { createHome, homePaths, newKey, openHome, readConfigurationText } from '../src/home.ts';
import { startNode } from '../src/node.ts';
import { STORE_FORMAT_VERSION } from '../src/store-format.ts';
import { DecidedChain } from './support/decided-chain.ts';

const BLOCKS = 2_000;
const POLL_MS = 20;
const PROGRAM = join(import.meta.dirname, '..', 'src', 'main.ts');
const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {} };

/** Makes the home of a follower on free ports. */
async function makeFollower(directory: string, chain: DecidedChain, bootstrap: readonly string[]): Promise<void> {
  const { genesis } = chain;
  const { scheme } = genesis;
  const configuration = { rpc: { port: 0 }, listen: ['/ip4/127.0.0.1/tcp/0'], bootstrap: [...bootstrap] };
  await createHome({ directory, scheme, genesisText: formatGenesis(genesis), configuration, validator: null, service: newKey(scheme) });
}

/** Starts a node in a process of its own, as those are that one syncs from. @returns where it listens */
async function serve(home: string): Promise<{ process: ChildProcessWithoutNullStreams; multiaddr: string }> {
  const server = spawn(process.execPath, [PROGRAM, 'start', '--home', home, '--json']);
  for await (const line of createInterface({ input: server.stdout })) {
    const said = JSON.parse(line) as { ready?: boolean; multiaddrs?: string[] };
    if (said.ready === true) return { process: server, multiaddr: said.multiaddrs?.[0] ?? '' };
  }
  throw new Error('the serving node did not start');
}

/** Starts an empty node here and waits until it has every block. @returns blocks per second from the first that it has on */
async function sync(home: string): Promise<number> {
  const paths = homePaths(home);
  const file = { path: paths.configuration, text: await readConfigurationText(paths) };
  const configuration = readConfiguration({ file, environment: {}, flags: {} });
  const opened = await openHome(paths, { genesisPath: configuration.genesis, passphrase: undefined });
  const node = await startNode(opened, configuration, SILENT);
  try {
    let first: { readonly height: number; readonly atMs: number } | null = null;
    for (;;) {
      const { chains } = (await callRpc(node.rpcUrl, 'node_status', {})) as { chains: { height: number }[] };
      const { height = 0 } = chains[0] ?? {};
      const atMs = performance.now();
      if (height > 0) first ??= { height, atMs };
      if (height === BLOCKS && first !== null) return ((height - first.height) * 1000) / (atMs - first.atMs);
      await sleep(POLL_MS);
    }
  } finally {
    await node.stop();
  }
}

const suite: BenchmarkSuite = {
  name: 'block sync',
  async run(bench) {
    const directory = await mkdtemp(join(tmpdir(), 'nacre-sync-'));
    const chain = new DecidedChain(Date.now() - BLOCKS * 2_000);
    const serving = join(directory, 'serving');
    await makeFollower(serving, chain, []);
    const store = await LevelStore.open(homePaths(serving).store, { formatVersion: STORE_FORMAT_VERSION, genesisHash: chain.genesis.hash });
    await chain.write(store, BLOCKS);
    await store.close();
    const { process: server, multiaddr } = await serve(serving);
    try {
      const rates: number[] = [];
      await bench.measure(
        'a new node starts, syncs 2,000 small blocks and stops',
        { unit: 'block', iterations: 1, perIteration: BLOCKS },
        async () => {
          const home = join(directory, `new${rates.length}`);
          await makeFollower(home, chain, [multiaddr]);
          rates.push(await sync(home));
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
