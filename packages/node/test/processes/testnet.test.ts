import { join } from 'node:path';
import type { HealthAnswer } from '@nacre/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { processesOf, RunningTestnet, SETUP_TIMEOUT_MS, until } from '../support/running-testnet.ts';

const ROWS = 5105;
const ALL = [0, 1, 2, 3] as const;

describe('a testnet of four processes', { timeout: SETUP_TIMEOUT_MS }, () => {
  let net: RunningTestnet;

  beforeAll(async () => {
    net = await RunningTestnet.prepare();
    await net.up();
  }, SETUP_TIMEOUT_MS);
  afterAll(() => net.remove(), SETUP_TIMEOUT_MS);

  test('the feed records every row on all nodes, with one hash and one state root at every height', async () => {
    await until('the feed is done', async () => (await net.status()).feed?.state === 'done');
    for (const node of ALL) {
      const { records } = (await net.call(node, 'record_list', { service: 'prices/sp500', order: 'descending', limit: 1 })) as {
        records: { index: number; payload: { date: string } }[];
      };
      expect(records[0]).toMatchObject({ index: ROWS - 1, payload: { date: '2020-04-17' } });
    }
    const chains = await net.chains(...ALL);
    for (const chain of chains) expect(chain).toEqual(chains[0]);
  });

  test('links are hybrid post-quantum, by the word of whoever dialled', async () => {
    const groups = new Set<string>();
    for (const node of ALL) {
      const { peers } = (await net.call(node, 'net_peers')) as {
        peers: { direction: string; security: { protocol: string; group: string } }[];
      };
      expect(peers).toHaveLength(3);
      for (const { direction, security } of peers) groups.add(`${direction} ${security.protocol} ${security.group}`);
    }
    expect(groups).toEqual(new Set(['outbound tls X25519MLKEM768', 'inbound tls X25519MLKEM768 (pinned)']));
  });

  test.each([
    ['killed', 'kill'],
    ['frozen', 'pause'],
  ])('one node is %s: decisions go on', async (_, command) => {
    await net.command(command, '3');
    await net.record(0, { without: command });
    await net.command(command === 'pause' ? 'resume' : 'restart', '3');
    await net.untilReady(...ALL);
    const chains = await net.chains(...ALL);
    expect(chains[3]).toEqual(chains[0]);
  });

  test('one node is asked to end: it does, cleanly, and decisions go on', async () => {
    const pid = (await net.status()).nodes[1]?.pid ?? 0;
    process.kill(pid, 'SIGTERM');
    await until('its process is gone', async () => (await net.status()).nodes[1]?.pid === null);
    expect(await net.command('logs', '1')).toContain('node stopped');
    await net.record(0, 'without node 1');
    await net.command('restart', '1');
    await net.untilReady(...ALL);
  });

  test('two nodes are away: the others stop and say why; on return decisions go on without a restart', async () => {
    const before = (await net.status()).nodes.map(({ pid }) => pid);
    await net.command('kill', '2');
    await net.command('pause', '3');
    await until('node 0 says who is missing', async () => (await net.ready(0))?.reason?.includes('not connected: node2, node3') === true);
    expect(await net.ready(0)).toMatchObject({ ready: false, state: 'PARTITIONED' });
    const height = await net.height(0);
    const submitted = await net.call(
      0,
      'record_submit',
      { service: 'notes', payload: 'waits', wait: 'committed', timeoutMs: 2_000 },
      2_000,
    );
    expect(submitted.status).toBe('pending');
    expect(await net.height(0)).toBe(height);
    await net.command('resume', '3');
    await until('what waited is decided', async () => (await net.call(1, 'tx_get', { txId: submitted.txId })).status === 'committed');
    await net.command('restart', '2');
    await net.untilReady(...ALL);
    const after = (await net.status()).nodes.map(({ pid }) => pid);
    expect([after[0], after[1]]).toEqual([before[0], before[1]]);
    const chains = await net.chains(...ALL);
    expect(chains[2]).toEqual(chains[0]);
  });

  test('three and one: both name the sides, what either takes is decided once, and both tell of the merge', async () => {
    // Nobody has asked node 3 to record anything before.
    await net.record(0, 'before the cut');
    await net.command('partition', '0,1,2|3');
    await untilSides(net, 0, ['node0 node1 node2, may decide', 'node3, cannot decide']);
    await untilSides(net, 3, ['node3, cannot decide', 'node0 node1 node2, may decide']);
    await until('node 3 says so', async () => (await net.ready(3))?.state === 'PARTITIONED');
    const waiting = await submitWithoutQuorum(net, 3);
    await net.record(0, 'taken by the three');
    // What is read there is true as of the height that is named with it.
    const read = (await net.call(3, 'record_latest', { service: 'notes', key: 'none' })) as { height: number; ageMs: number };
    expect(read.height).toBeLessThan(await net.height(0));
    expect(read.ageMs).toBeGreaterThanOrEqual(500);
    await net.command('heal');
    await net.untilReady(...ALL);
    for (const node of ALL) await untilSides(net, node, ['node0 node1 node2 node3, may decide']);
    const { partitions } = (await net.call(3, 'node_health')) as unknown as HealthAnswer;
    expect(partitions.at(-1)?.untilMs).not.toBeNull();
    await untilDecidedOnce(net, waiting);
  });

  test('halves cannot decide, and heal into one chain with what both have taken', async () => {
    await net.command('partition', '0,1|2,3');
    for (const node of ALL) await until(`node ${node} is cut off`, async () => (await net.ready(node))?.state === 'PARTITIONED');
    await untilSides(net, 0, ['node0 node1, cannot decide', 'node2 node3, cannot decide']);
    await untilSides(net, 2, ['node2 node3, cannot decide', 'node0 node1, cannot decide']);
    const waiting = [await submitWithoutQuorum(net, 0), await submitWithoutQuorum(net, 2)];
    // A ban outlives the process.
    await net.command('restart', '3');
    await until('node 3 is back and cut off', async () => (await net.ready(3))?.state === 'PARTITIONED');
    await net.command('heal');
    await net.untilReady(...ALL);
    await net.record(3, 'one network again');
    const chains = await net.chains(...ALL);
    for (const chain of chains) expect(chain).toEqual(chains[0]);
    for (const each of waiting) await untilDecidedOnce(net, each);
  });

  test('down, and up again: nothing is fed twice', async () => {
    await net.command('down');
    // The supervisor says that it has stopped, and ends then.
    await expect.poll(() => processesOf(net.directory)).toEqual([]);
    await net.up();
    await until('the feed has looked', async () => (await net.status()).feed?.state === 'done');
    const { records } = (await net.call(2, 'record_list', { service: 'prices/sp500', order: 'descending', limit: 1 })) as {
      records: { index: number }[];
    };
    expect(records[0]?.index).toBe(ROWS - 1);
  });

  test('a stopped node’s store passes its check; a running one’s is locked', async () => {
    expect((await net.nacre(['check', '--home', join(net.directory, 'node3')])).status).toBe(7);
    await net.command('down');
    const checked = await net.nacre(['check', '--home', join(net.directory, 'node3'), '--json']);
    const { height, executed, problems } = JSON.parse(checked.stdout) as { height: number; executed: number; problems: string[] };
    expect(problems).toEqual([]);
    expect(executed).toBe(height);
  });
});

/** Waits until a node names these sides, its own first. */
async function untilSides(net: RunningTestnet, node: number, expected: readonly string[]): Promise<void> {
  let named: string[] = [];
  const isNamed = async (): Promise<boolean> => {
    const { nodes, sides } = (await net.call(node, 'node_health')) as unknown as HealthAnswer;
    named = sides.map(({ validators, mayDecide }) => {
      const names = validators.map((address) => nodes.find((each) => each.address === address)?.name ?? address);
      return `${names.sort().join(' ')}, ${mayDecide ? 'may' : 'cannot'} decide`;
    });
    return named.join('|') === expected.join('|');
  };
  await until(`node ${node} names ${expected.join(' and ')}`, isNamed);
}

interface Waiting {
  readonly txId: unknown;
  readonly payload: string;
}

/** Has a node take a record that nobody there can decide: it says what it waits for instead of hanging. */
async function submitWithoutQuorum(net: RunningTestnet, node: number): Promise<Waiting> {
  const payload = `taken by node ${node} alone`;
  const params = { service: 'notes', payload, wait: 'committed', timeoutMs: 1_000 };
  const submitted = await net.call(node, 'record_submit', params, 1_000);
  expect(submitted).toMatchObject({ status: 'pending', networkState: { state: 'PARTITIONED' } });
  expect((submitted.networkState as { reason: string }).reason).toMatch(/^reaches weight \d+ of 4000, more than two thirds are needed/);
  return { txId: submitted.txId, payload };
}

async function untilDecidedOnce(net: RunningTestnet, { txId, payload }: Waiting): Promise<void> {
  for (const node of ALL) {
    await until(`node ${node} has what waited`, async () => (await net.call(node, 'tx_get', { txId })).status === 'committed');
    const { records } = (await net.call(node, 'record_list', { service: 'notes', limit: 1_000 })) as { records: { payload: unknown }[] };
    expect(records.filter((record) => record.payload === payload)).toHaveLength(1);
  }
}
