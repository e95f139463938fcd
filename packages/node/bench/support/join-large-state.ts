/**
 * node join-large-state.ts HOME
 * Runs a follower until it has taken up a snapshot and the blocks after it. Prints what that took.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '@nacre/base';
import { readConfiguration } from '../../src/configuration.ts';
import { homePaths, openHome, readConfigurationText } from '../../src/home.ts';
import { startNode } from '../../src/node.ts';
import { BLOCKS, type Joined } from './large-state.ts';

const POLL_MS = 20;

async function main([home = '']: readonly string[]): Promise<Joined> {
  const paths = homePaths(home);
  const file = { path: paths.configuration, text: await readConfigurationText(paths) };
  const configuration = readConfiguration({ file, environment: {}, flags: {} });
  const opened = await openHome(paths, { genesisPath: configuration.genesis, passphrase: undefined });
  const times = new Map<string, number>();
  const mark = (event: string): void => void times.set(event, times.get(event) ?? performance.now());
  const log: Log = { debug() {}, info: (_, event) => mark(event), warn() {}, error() {} };
  const node = await startNode(opened, configuration, log);
  const cpu = process.cpuUsage();
  try {
    while (node.status().height < BLOCKS) {
      const { snapshot } = node.status();
      if (snapshot !== null && snapshot.parts >= snapshot.partsTotal) mark('fetched');
      await sleep(POLL_MS);
    }
  } finally {
    await node.stop();
  }
  const secondsUntil = (event: string) => ((times.get(event) ?? Number.NaN) - (times.get('fetching a snapshot') ?? Number.NaN)) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return {
    fetchedSeconds: secondsUntil('fetched'),
    adoptedSeconds: secondsUntil('took over a snapshot'),
    cpuSeconds: (user + system) / 1_000_000,
    peakBytes: process.resourceUsage().maxRSS * 1024,
  };
}

console.log(JSON.stringify(await main(process.argv.slice(2))));
