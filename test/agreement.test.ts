import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Hash, RECORDS_PAGE_MAX, toHex } from '@nacre/base';
import type { ServiceRecord } from '@nacre/ledger';
import type { Replica } from '@nacre/replica';
import { StatementChecker, statementsIn } from '@nacre/simulator';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Cluster, type Key, SETUP_TIMEOUT_MS, until } from './support/cluster.ts';
import { foundService, prices } from './support/prices.ts';

const SERVICE = 'prices';
const FOLLOWER = 4;
const TRANSACTIONS_PER_CLIENT = 75;
/** Every fifth transaction is a batch of so many records. */
const BATCH_RECORDS = 20;
/** Looks for so long whether a chain without work moves; a tenth of the idle interval. */
const RESTING_MS = 1_000;
/** Transactions that a client has on their way at once. */
const IN_FLIGHT = 5;

let root: string;
let cluster: Cluster;
const equivocations: string[] = [];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'nacre-agreement-'));
  const checker = new StatementChecker((code, detail) => equivocations.push(`${code}: ${detail}`));
  const observe = (frame: Parameters<typeof statementsIn>[0]): void => {
    for (const statement of statementsIn(frame)) checker.see(statement);
  };
  cluster = await Cluster.start({ root, observe });
}, SETUP_TIMEOUT_MS);

afterEach(async () => {
  await cluster.stopAll();
  await rm(root, { recursive: true });
});

/** Transactions number `from` to `to` of one client, at its own node. */
async function write(node: number, writer: Key, { from, to }: { from: number; to: number }): Promise<Hash[]> {
  const txIds: Hash[] = [];
  for (let start = from; start < to; start += IN_FLIGHT) {
    const numbers = Array.from({ length: Math.min(IN_FLIGHT, to - start) }, (_, offset) => start + offset);
    const submitted = numbers.map((number) => {
      const count = number % 5 === 0 ? BATCH_RECORDS : 1;
      const records = Array.from({ length: count }, (_, item) => [`key${item % 7}`, `${node}/${number}/${item}`] as const);
      return cluster.submit(node, writer, [prices(SERVICE, number % 3 === 0 ? records : records.map(([, text]) => text))]);
    });
    txIds.push(...(await Promise.all(submitted)));
  }
  return txIds;
}

async function allRecords({ ledger }: Replica): Promise<ServiceRecord[]> {
  const records: ServiceRecord[] = [];
  for (let fromIndex: number | null = 0; fromIndex !== null; ) {
    const page = await ledger.records({ service: SERVICE, fromIndex, limit: RECORDS_PAGE_MAX });
    records.push(...page.records);
    fromIndex = page.nextIndex;
  }
  return records;
}

/** Waits until all running replicas stand at one height with nothing pending. */
async function settled(): Promise<void> {
  await until('all replicas stand at one height', () => {
    const statuses = cluster.replicas.map((replica) => replica.status());
    return statuses.every(({ height, pending }) => height === statuses[0]?.height && pending === 0);
  });
}

// @mutation packages/replica/src/height-driver.ts
// - if (restored !== null && restored.messages.length > 0) this.#resume(restored.votes, restored.proposals);
// + if (restored !== null) this.#resume(restored.votes, restored.proposals);
test('an idle chain rests: nothing is decided while there is nothing to decide', async () => {
  await foundService(cluster, SERVICE);
  await settled();
  const { height } = cluster.replica(0).status();
  await new Promise((resolve) => setTimeout(resolve, RESTING_MS));
  expect(cluster.replicas.map((replica) => replica.status().height)).toEqual([height, height, height, height]);
});

test('300 transactions at four replicas, one of them away for a while: all committed once, in one order, everywhere, a fresh follower included', {
  timeout: 120_000,
}, async () => {
  const startedAtMs = performance.now();
  const writers = await foundService(cluster, SERVICE);
  const third = TRANSACTIONS_PER_CLIENT / 3;
  const writeAll = (nodes: readonly number[], range: { from: number; to: number }): Promise<Hash[][]> =>
    Promise.all(nodes.map((node) => write(node, writers[node] as Key, range)));

  const txIds = (await writeAll([0, 1, 2, 3], { from: 0, to: third })).flat();
  await cluster.stop(3);
  const without = (await writeAll([0, 1, 2], { from: third, to: 2 * third })).flat();
  await cluster.committed(without);
  txIds.push(...without);
  await cluster.start(3);
  txIds.push(...(await writeAll([3], { from: third, to: 2 * third })).flat());
  txIds.push(...(await writeAll([0, 1, 2, 3], { from: 2 * third, to: 3 * third })).flat());
  await cluster.committed(txIds);
  await cluster.start(FOLLOWER);
  await cluster.committed(txIds);
  await settled();
  const seconds = (performance.now() - startedAtMs) / 1000;

  const [first, ...others] = cluster.replicas as [Replica, ...Replica[]];
  const { height, stateRoot, blockHash } = first.ledger.tip;
  const records = await allRecords(first);
  const places = txIds.map((txId) => first.transactionStatus(txId));
  expect(txIds.length).toBe(300);
  expect(others.length).toBe(4);
  for (const replica of others) {
    expect(replica.ledger.tip.height).toBe(height);
    expect(toHex(replica.ledger.tip.blockHash)).toBe(toHex(blockHash));
    expect(toHex(replica.ledger.tip.stateRoot)).toBe(toHex(stateRoot));
    expect(txIds.map((txId) => replica.transactionStatus(txId))).toEqual(places);
    expect(await allRecords(replica)).toEqual(records);
  }
  const texts = records.map(({ payload }) => Buffer.from(payload).toString());
  const perClient = third * 3 + (TRANSACTIONS_PER_CLIENT / 5) * (BATCH_RECORDS - 1);
  expect(records.length).toBe(4 * perClient);
  expect(new Set(texts).size).toBe(records.length);
  expect(new Set(places.map((place) => JSON.stringify(place))).size).toBe(txIds.length);
  expect(equivocations).toEqual([]);
  expect(cluster.network.penalties).toEqual([]);
  expect(cluster.errors).toEqual([]);
  const laterRounds = Array.from({ length: height - 1 }, (_, index) => first.ledger.certificateAt(index + 1)?.round ?? 0).filter(
    (round) => round > 0,
  ).length;
  const blocks = `${height} heights, ${laterRounds} of them in a later round`;
  console.info(`agreement: 300 transactions with ${records.length} records in ${blocks}, ${seconds.toFixed(1)} s`);
});
