import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { quantile } from './quantile.ts';

const SYNCS = 50;

/** What the figures were measured on; without it they mean nothing. */
export function describeMachine(): string[] {
  const gigabytes = (totalmem() / 2 ** 30).toFixed(0);
  const processors = cpus();
  return [
    `${processors[0]?.model ?? 'unknown processor'}, ${availableParallelism()} cores, ${gigabytes} GiB, ${process.platform} ${process.arch}`,
    `Node.js ${process.versions.node}, OpenSSL ${process.versions.openssl}`,
    `4 KiB appended and synced in ${tmpdir()}: median ${(medianSyncMs() * 1000).toFixed(0)} µs`,
  ];
}

/** Durability costs what the disk below the temporary directory takes; benchmarks of stores write there too. */
export function medianSyncMs(): number {
  const directory = mkdtempSync(join(tmpdir(), 'nacre-bench-'));
  const file = openSync(join(directory, 'sync'), 'w');
  const block = new Uint8Array(4096);
  const samples: number[] = [];
  for (let i = 0; i < SYNCS; i++) {
    const startedAt = performance.now();
    writeSync(file, block);
    fdatasyncSync(file);
    samples.push(performance.now() - startedAt);
  }
  closeSync(file);
  rmSync(directory, { recursive: true });
  return quantile(samples, 0.5);
}
