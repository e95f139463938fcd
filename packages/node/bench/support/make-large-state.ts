/**
 * node make-large-state.ts HOME KEYS
 * Fills the store of a new follower with a chain whose state has so many keys, and with a snapshot made of it as a node makes one that has nothing
 * else to do. Prints what that took.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { assert, type Log } from '@nacre/base';
import { createVerifier } from '@nacre/crypto/native';
import { type Ledger, Snapshots } from '@nacre/ledger';
import { LevelStore } from '@nacre/ledger/level';
import { SnapshotMaking } from '@nacre/replica';
import { homePaths } from '../../src/home.ts';
import { STORE_FORMAT_VERSION } from '../../src/store-format.ts';
import { systemClock } from '../../src/system-ports.ts';
import { DecidedChain } from './decided-chain.ts';
import { makeFollower } from './follower.ts';
import { BLOCKS, type Made, SNAPSHOT_HEIGHT } from './large-state.ts';

const WRITER = join(import.meta.dirname, '..', '..', '..', 'ledger', 'bench', 'support', 'write-large-state.ts');

async function main([home = '', keys = '']: readonly string[]): Promise<Made> {
  const chain = new DecidedChain(Date.now() - BLOCKS * 2_000);
  const { genesis } = chain;
  await makeFollower(home, chain, { bootstrap: [] });
  const paths = homePaths(home);
  await promisify(execFile)(process.execPath, [WRITER, paths.store, String(STORE_FORMAT_VERSION), paths.genesis, keys]);
  const store = await LevelStore.open(paths.store, { formatVersion: STORE_FORMAT_VERSION, genesisHash: genesis.hash });
  const { promise: made, resolve, reject } = Promise.withResolvers<void>();
  const log: Log = { debug() {}, info: () => resolve(), warn() {}, error: (fields, event) => reject(new Error(event, { cause: fields })) };
  const snapshots = new Snapshots({ genesis, store, verifier: createVerifier(genesis.scheme), log });
  let making: SnapshotMaking | undefined;
  let took = { seconds: 0, cpuSeconds: 0 };
  const after = async (ledger: Ledger): Promise<void> => {
    const options = { snapshotIntervalBlocks: SNAPSHOT_HEIGHT, snapshotsKept: 1 };
    making ??= new SnapshotMaking(options, { ledger, snapshots, clock: systemClock, log });
    if (ledger.tip.height !== SNAPSHOT_HEIGHT) return;
    const [startedMs, cpu] = [performance.now(), process.cpuUsage()];
    making.afterBlock();
    await made;
    const { user, system } = process.cpuUsage(cpu);
    took = { seconds: (performance.now() - startedMs) / 1000, cpuSeconds: (user + system) / 1_000_000 };
  };
  await chain.write(store, BLOCKS, { after });
  const manifest = snapshots.manifest(SNAPSHOT_HEIGHT);
  assert(manifest !== undefined, 'a snapshot was made');
  await store.close();
  return { ...took, bytes: manifest.bytes, parts: manifest.stateParts, peakBytes: process.resourceUsage().maxRSS * 1024 };
}

console.log(JSON.stringify(await main(process.argv.slice(2))));
