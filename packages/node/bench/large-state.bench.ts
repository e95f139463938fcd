import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { assert } from '@nacre/base';
import type { Bench, BenchmarkSuite } from '@nacre/base/benchmark';
import { type Genesis, parseGenesis } from '@nacre/ledger';
import { homePaths } from '../src/home.ts';
import { makeFollower, serveProcess } from './support/follower.ts';
import type { Joined, Made } from './support/large-state.ts';
import { diskSpeed, loopbackSpeed } from './support/plain-speed.ts';

/** Unless `NACRE_STATE_BYTES` says otherwise: of a snapshot. A gigabyte takes minutes. */
const BYTES_DEFAULT = 100_000_000;
/** Of a snapshot, for each key that has a latest record. */
const KEY_BYTES = 84;
const SERVING = [1, 3];

const MAKE = join(import.meta.dirname, 'support', 'make-large-state.ts');
const JOIN = join(import.meta.dirname, 'support', 'join-large-state.ts');

/** Runs a program of its own, so that its processor time and memory are its own. */
async function run<Said>(program: string, ...args: readonly string[]): Promise<Said> {
  const { stdout } = await promisify(execFile)(process.execPath, [program, ...args]);
  return JSON.parse(stdout) as Said;
}

const megabytes = (bytes: number): string => (bytes / 1_000_000).toFixed(0);

/** The most memory that a process has had, in bytes. */
async function peakBytes(pid: number): Promise<number> {
  const kilobytes = /VmHWM:\s+(\d+) kB/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes) * 1024;
}

interface Snapshot {
  readonly bytes: number;
  readonly genesis: Genesis;
  readonly directory: string;
}

/** Lets a newcomer take it up from all of these homes at once. */
async function takeUp(bench: Bench, homes: readonly string[], { bytes, genesis, directory }: Snapshot): Promise<void> {
  const servers = await Promise.all(homes.map(serveProcess));
  try {
    const home = join(directory, `joining ${homes.length}`);
    const bootstrap = servers.map(({ multiaddr }) => multiaddr);
    await makeFollower(home, { genesis }, { bootstrap, snapshot: { behindBlocks: 2 } });
    const { fetchedSeconds, adoptedSeconds, cpuSeconds, peakBytes: peak } = await run<Joined>(JOIN, home);
    const peaks = await Promise.all(servers.map(({ process }) => peakBytes(process.pid as number)));
    bench.note(
      `taken up from ${homes.length}: ${fetchedSeconds.toFixed(1)} s until all was here and verified (${megabytes(bytes / fetchedSeconds)} MB/s), ${adoptedSeconds.toFixed(1)} s until it was in place (${megabytes(bytes / adoptedSeconds)} MB/s)`,
    );
    bench.note(
      `  processor time ${cpuSeconds.toFixed(1)} s; at most ${megabytes(peak)} MB of memory, and ${peaks.map(megabytes).join(', ')} MB in who served`,
    );
    await rm(home, { recursive: true });
  } finally {
    for (const { process } of servers) {
      process.kill('SIGTERM');
      await once(process, 'exit');
    }
  }
}

const suite: BenchmarkSuite = {
  name: 'large state',
  async run(bench) {
    const keys = Math.round(Number(process.env.NACRE_STATE_BYTES ?? BYTES_DEFAULT) / KEY_BYTES);
    const directory = await mkdtemp(join(tmpdir(), 'nacre-large-state-'));
    try {
      const [disk, link] = [await diskSpeed(directory), await loopbackSpeed()];
      bench.note(`plain: ${disk.toFixed(0)} MB/s to the disk, synced at the end; ${link.toFixed(0)} MB/s over loopback`);
      const first = join(directory, 'serving 0');
      const made = await run<Made>(MAKE, first, String(keys));
      const { bytes, parts, seconds, cpuSeconds } = made;
      bench.note(
        `a snapshot of ${keys} keys, ${megabytes(bytes)} MB in ${parts} parts, made in ${seconds.toFixed(1)} s (${(bytes / 1_000_000 / seconds).toFixed(1)} MB/s), ${cpuSeconds.toFixed(1)} s of processor time, at most ${megabytes(made.peakBytes)} MB of memory`,
      );
      const genesis = parseGenesis(await readFile(homePaths(first).genesis, 'utf8'));
      assert(genesis.ok, 'the genesis is one');
      const homes = [first];
      for (const serving of SERVING) {
        while (homes.length < serving) {
          const home = join(directory, `serving ${homes.length}`);
          await makeFollower(home, { genesis: genesis.value }, { bootstrap: [] });
          await cp(homePaths(first).store, homePaths(home).store, { recursive: true });
          homes.push(home);
        }
        await takeUp(bench, homes, { bytes, genesis: genesis.value, directory });
      }
    } finally {
      await rm(directory, { recursive: true });
    }
  },
};

export default suite;
