import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '@nacre/base';
import { formatGenesis } from '@nacre/ledger';
import { readConfiguration } from '../../src/configuration.ts';
import type { ConfigurationFile } from '../../src/configuration-schema.ts';
import { createHome, homePaths, newKey, openHome, readConfigurationText } from '../../src/home.ts';
import { startNode } from '../../src/node.ts';
import type { DecidedChain } from './decided-chain.ts';

const POLL_MS = 20;
const PROGRAM = join(import.meta.dirname, '..', '..', 'src', 'main.ts');
const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {} };

/** Makes the home of a follower on free ports. */
export async function makeFollower(directory: string, chain: Pick<DecidedChain, 'genesis'>, settings: ConfigurationFile): Promise<void> {
  const { genesis } = chain;
  const { scheme } = genesis;
  const configuration = { rpc: { port: 0 }, listen: ['/ip4/127.0.0.1/tcp/0'], ...settings };
  await createHome({ directory, scheme, genesisText: formatGenesis(genesis), configuration, validator: null, service: newKey(scheme) });
}

/** Starts a node in a process of its own, as those are that one syncs from. @returns where it listens */
export async function serveProcess(home: string): Promise<{ process: ChildProcessWithoutNullStreams; multiaddr: string }> {
  const server = spawn(process.execPath, [PROGRAM, 'start', '--home', home, '--json']);
  for await (const line of createInterface({ input: server.stdout })) {
    const said = JSON.parse(line) as { ready?: boolean; multiaddrs?: string[] };
    if (said.ready === true) return { process: server, multiaddr: said.multiaddrs?.[0] ?? '' };
  }
  throw new Error('the serving node did not start');
}

/** How fast a node caught up, from the first block that it had on. */
export interface CaughtUp {
  readonly blocksPerSecond: number;
  /** Processor time of this process, all threads together: what is left to compare where other work takes turns on the same cores. */
  readonly cpuMsPerBlock: number;
}

/** Starts a node here, waits until it is at the height, and stops it. */
export async function caughtUp(home: string, blocks: number): Promise<CaughtUp> {
  const paths = homePaths(home);
  const file = { path: paths.configuration, text: await readConfigurationText(paths) };
  const configuration = readConfiguration({ file, environment: {}, flags: {} });
  const opened = await openHome(paths, { genesisPath: configuration.genesis, passphrase: undefined });
  const node = await startNode(opened, configuration, SILENT);
  try {
    let first: { readonly height: number; readonly atMs: number; readonly cpu: NodeJS.CpuUsage } | null = null;
    for (;;) {
      const { height } = node.status();
      const atMs = performance.now();
      if (height > 0) first ??= { height, atMs, cpu: process.cpuUsage() };
      if (height === blocks && first !== null) {
        const { user, system } = process.cpuUsage(first.cpu);
        const counted = height - first.height;
        return { blocksPerSecond: (counted * 1000) / (atMs - first.atMs), cpuMsPerBlock: (user + system) / 1000 / counted };
      }
      await sleep(POLL_MS);
    }
  } finally {
    await node.stop();
  }
}
