import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Genesis } from '@nacre/ledger';
import { callRpc } from '../cli/rpc-client.ts';
import type { HomeKey } from '../home.ts';
import { LoadClient, prepareCall } from './load-client.ts';
import { SignedLoad } from './signed-load.ts';

export interface BenchNode {
  readonly url: string;
  readonly home: string;
  readonly validator: HomeKey;
}

export interface BenchOptions {
  /** Transactions that are submitted one by one, each when the one before is decided. */
  readonly latencySamples: number;
  /** How long the network is loaded in each of the two throughput runs, in seconds, as far as signed transactions last. */
  readonly seconds: number;
  /** How long memory is watched under load, in minutes; 0 leaves it out. */
  readonly memoryMinutes: number;
}

export interface BenchReport {
  /** Writing 4 KiB and syncing it, on the disk of the first home. */
  readonly syncMs: number;
  readonly latency: { readonly samples: number; readonly p50Ms: number; readonly p99Ms: number };
  /** One record and one signature each. */
  readonly single: { readonly transactions: number; readonly perSecond: number };
  /** Batches of 100 records under one signature each. */
  readonly batched: { readonly records: number; readonly perSecond: number };
  /** Resident memory of each node, in bytes, at each full minute of load. */
  readonly memory: { readonly minutes: readonly (readonly number[])[]; readonly growth: number } | null;
}

const BATCH_RECORDS = 100;
/** Transactions in one HTTP request, and requests at a time per node. */
const SINGLES_PER_CALL = 50;
const BATCHES_PER_CALL = 4;
const CALLS_AT_ONCE = 4;
/** Signed beforehand per second of load: above what a network of two cores decides. */
const SINGLES_PER_SECOND = 3_000;
const BATCHES_PER_SECOND = 900;
/** Load while memory is watched: transactions of 10 records a second, over all nodes. */
const MEMORY_LOAD_PER_SECOND = 100;
/** Transactions of the latency run that are not measured: a process that was just started still compiles what it runs often. */
const WARM_UP_PER_NODE = 50;
const SYNCS = 50;
const COMMIT_MS = 30_000;
const MINUTE_MS = 60_000;
const BUSY_MS = 50;

/** Measures a running testnet through the RPC, as clients see it. Everything is signed before a clock runs. */
export async function measureTestnet(
  nodes: readonly BenchNode[],
  { genesis, options, say }: { readonly genesis: Genesis; readonly options: BenchOptions; readonly say: (line: string) => void },
): Promise<BenchReport> {
  const syncMs = medianSyncMs(nodes[0]?.home ?? '.');
  const load = await SignedLoad.prepare(genesis, nodes);
  say(`latency: ${options.latencySamples} transactions one after the other`);
  const latency = await measureLatency(nodes, load, options.latencySamples);
  say(`single: signing ${options.seconds * SINGLES_PER_SECOND} transactions`);
  const single = await measureThroughput(nodes, load, {
    perNode: perNode(options.seconds * SINGLES_PER_SECOND, nodes),
    records: 1,
    perCall: SINGLES_PER_CALL,
    seconds: options.seconds,
  });
  say(`batched: signing ${options.seconds * BATCHES_PER_SECOND} transactions of ${BATCH_RECORDS} records`);
  const batched = await measureThroughput(nodes, load, {
    perNode: perNode(options.seconds * BATCHES_PER_SECOND, nodes),
    records: BATCH_RECORDS,
    perCall: BATCHES_PER_CALL,
    seconds: options.seconds,
  });
  const memory = options.memoryMinutes === 0 ? null : await watchMemory(nodes, load, { minutes: options.memoryMinutes, say });
  return {
    syncMs,
    latency,
    single: { transactions: single.records, perSecond: single.perSecond },
    batched: { records: batched.records, perSecond: batched.perSecond },
    memory,
  };
}

async function measureLatency(nodes: readonly BenchNode[], load: SignedLoad, samples: number): Promise<BenchReport['latency']> {
  const warmUp = WARM_UP_PER_NODE * nodes.length;
  const signed = await Promise.all(nodes.map((_, node) => load.sign(node, Math.ceil(samples / nodes.length) + WARM_UP_PER_NODE, 1)));
  const measured: number[] = [];
  for (let i = -warmUp; i < samples; i++) {
    const node = (i + warmUp) % nodes.length;
    const tx = signed[node]?.pop();
    const startedAt = performance.now();
    await callRpc(nodes[node]?.url ?? '', 'tx_submit', { tx, wait: 'committed', timeoutMs: COMMIT_MS }, { waitMs: COMMIT_MS });
    if (i >= 0) measured.push(performance.now() - startedAt);
  }
  const sorted = measured.toSorted((a, b) => a - b);
  const at = (part: number): number => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] as number;
  return { samples, p50Ms: at(0.5), p99Ms: at(0.99) };
}

interface Run {
  readonly perNode: number;
  /** In each transaction. */
  readonly records: number;
  readonly perCall: number;
  readonly seconds: number;
}

/** @returns records decided from the first submission until the last of what was admitted is decided, and their rate */
async function measureThroughput(
  nodes: readonly BenchNode[],
  load: SignedLoad,
  { perNode: count, records, perCall, seconds }: Run,
): Promise<{ records: number; perSecond: number }> {
  const signed = await Promise.all(nodes.map((_, node) => load.sign(node, count, records)));
  const calls = signed.map((mine) => chunksOf(mine, perCall).map(prepareCall));
  const client = new LoadClient();
  const before = await recordCount(nodes, load.service);
  const startedAt = performance.now();
  const deadline = startedAt + seconds * 1000;
  let admitted = 0;
  const feed = async (node: number): Promise<void> => {
    const mine = calls[node] ?? [];
    while (performance.now() < deadline) {
      const call = mine.pop();
      if (call === undefined) return;
      const refused = await client.submit(nodes[node]?.url ?? '', call);
      admitted += call.transactions.length - refused.length;
      if (refused.length === 0) continue;
      mine.push(prepareCall(refused));
      await sleep(BUSY_MS);
    }
  };
  await Promise.all(nodes.flatMap((_, node) => Array.from({ length: CALLS_AT_ONCE }, () => feed(node))));
  const expected = before + admitted * records;
  while ((await recordCount(nodes, load.service)) < expected) await sleep(BUSY_MS);
  const tookMs = performance.now() - startedAt;
  client.close();
  return { records: admitted * records, perSecond: (admitted * records * 1000) / tookMs };
}

function chunksOf<Item>(items: readonly Item[], length: number): Item[][] {
  return Array.from({ length: Math.ceil(items.length / length) }, (_, i) => items.slice(i * length, (i + 1) * length));
}

async function recordCount(nodes: readonly BenchNode[], service: string): Promise<number> {
  const { records } = (await callRpc(nodes[0]?.url ?? '', 'record_list', { service, order: 'descending', limit: 1 })) as {
    records: { index: number }[];
  };
  return (records[0]?.index ?? -1) + 1;
}

/** Steady load for some minutes. Here each second's transactions are signed in the second before, because memory is what counts. */
async function watchMemory(
  nodes: readonly BenchNode[],
  load: SignedLoad,
  { minutes, say }: { readonly minutes: number; readonly say: (line: string) => void },
): Promise<BenchReport['memory']> {
  const measured: number[][] = [];
  const client = new LoadClient();
  const startedAt = performance.now();
  for (let second = 0; second < minutes * 60; second++) {
    await Promise.all(
      nodes.map(async ({ url }, node) => {
        await client.submit(url, prepareCall(await load.sign(node, perNode(MEMORY_LOAD_PER_SECOND, nodes), 10)));
      }),
    );
    await sleep(Math.max(0, startedAt + (second + 1) * 1000 - performance.now()));
    if ((second + 1) % 60 !== 0) continue;
    measured.push(await Promise.all(nodes.map(({ url }) => residentBytes(url))));
    say(
      `memory after minute ${measured.length}: ${(measured.at(-1) ?? []).map((bytes) => `${(bytes / 2 ** 20).toFixed(0)} MiB`).join(', ')}`,
    );
    if (performance.now() - startedAt > (minutes + 1) * MINUTE_MS) break;
  }
  client.close();
  const [first = [], last = []] = [measured[0], measured.at(-1)];
  return { minutes: measured, growth: Math.max(...last.map((bytes, node) => bytes / (first[node] ?? bytes))) };
}

async function residentBytes(url: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(/^process_resident_memory_bytes (\S+)$/m.exec(text)?.[1] ?? Number.NaN);
}

function perNode(total: number, nodes: readonly unknown[]): number {
  return Math.ceil(total / nodes.length);
}

function medianSyncMs(directory: string): number {
  const path = join(directory, 'sync-probe');
  const file = openSync(path, 'w', 0o600);
  const block = new Uint8Array(4096);
  const samples = Array.from({ length: SYNCS }, () => {
    const startedAt = performance.now();
    writeSync(file, block);
    fdatasyncSync(file);
    return performance.now() - startedAt;
  });
  closeSync(file);
  rmSync(path);
  return samples.toSorted((a, b) => a - b)[SYNCS / 2] as number;
}
