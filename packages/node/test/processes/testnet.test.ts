import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { HealthAnswer } from '@nacre/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RpcFailure } from '../../src/cli/rpc-client.ts';
import { PROGRAMS, processesOf, RunningTestnet, SETUP_TIMEOUT_MS, startProgram, until } from '../support/running-testnet.ts';

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
    // Account and service of every node are there before the cut.
    for (const node of ALL) await net.record(node, `before the cut, at ${node}`);
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

  test('a supervisor that does not answer is not taken for absent', async () => {
    await net.up('--no-feed');
    const [supervisor] = processesOf(net.directory).filter((pid) => !isNode(pid, net));
    process.kill(supervisor as number, 'SIGSTOP');
    try {
      await expect(net.up('--no-feed')).rejects.toThrow('ADMIN_UNREACHABLE');
    } finally {
      process.kill(supervisor as number, 'SIGCONT');
    }
    await net.command('down');
    await expect.poll(() => processesOf(net.directory)).toEqual([]);
  });

  test('a supervisor that is killed leaves no process, not even a frozen one for long', async () => {
    await net.up('--no-feed');
    await net.command('pause', '2');
    const [supervisor] = processesOf(net.directory).filter((pid) => !isNode(pid, net));
    process.kill(supervisor as number, 'SIGKILL');
    await until('the other nodes have ended', async () => processesOf(net.directory).length <= 1);
    await net.command('down');
    await expect.poll(() => processesOf(net.directory)).toEqual([]);
  });

  test('in the foreground: ready, and an interrupt stops everything', async () => {
    const up = startProgram([PROGRAMS.testnet, '--directory', net.directory, 'up', '--no-feed']);
    await until('it says what to try', async () => up.output().includes('Try, in another terminal'));
    process.kill(up.pid, 'SIGINT');
    expect(await up.ended).toBe(0);
    await expect.poll(() => processesOf(net.directory)).toEqual([]);
  });
});

describe('what keeps a node from starting', { timeout: SETUP_TIMEOUT_MS }, () => {
  let net: RunningTestnet;

  beforeAll(async () => {
    net = await RunningTestnet.prepare();
    await net.nacre(['testnet', 'init', '--nodes', '1', '--output', net.directory, '--base-port', String(net.basePort)]);
  }, SETUP_TIMEOUT_MS);
  afterAll(() => net.remove());

  test('a node alone decides; its twin, its ports and its home are in use', async () => {
    const home = join(net.directory, 'node0');
    const first = startProgram([PROGRAMS.nacre, 'start', '--home', home, '--json']);
    const { rpc } = await waitForReady(first);
    expect(rpc).toBe(net.url(0));
    const twin = await net.nacre(['start', '--home', home]);
    expect([twin.status, twin.stderr]).toEqual([7, expect.stringContaining('STORE_LOCKED')]);
    await net.nacre([
      'join',
      '--genesis',
      net.genesis,
      '--peer',
      '/ip4/127.0.0.1/tcp/1',
      '--home',
      join(net.directory, 'other'),
      '--no-run',
    ]);
    const port = await net.nacre(['start', '--home', join(net.directory, 'other'), '--rpc-port', String(net.basePort)]);
    expect([port.status, port.stderr]).toEqual([
      7,
      expect.stringContaining(`port ${net.basePort} for the RPC is in use by process ${first.pid}`),
    ]);
    const p2p = await net.nacre([
      'start',
      '--home',
      join(net.directory, 'other'),
      '--listen',
      `/ip4/127.0.0.1/tcp/${net.basePort + 1_000}`,
    ]);
    expect([p2p.status, p2p.stderr]).toEqual([7, expect.stringContaining('PORT_BUSY')]);
    await until('it decides alone', async () => (await net.ready(0))?.ready === true);
    const bench = await net.nacre(['bench', '--testnet', net.directory, '--seconds', '1', '--samples', '10', '--json']);
    const report = JSON.parse(bench.stdout) as { latency: { p50Ms: number }; single: { perSecond: number }; batched: { records: number } };
    expect([report.latency.p50Ms > 0, report.single.perSecond > 0, report.batched.records % 100]).toEqual([true, true, 0]);
    process.kill(first.pid, 'SIGINT');
    expect(await first.ended).toBe(0);
  });
});

describe('a full disk', { timeout: SETUP_TIMEOUT_MS }, () => {
  test('ends the node with hint and status 8, and nobody is told anything else', async () => {
    // Mounting a small file system of one's own takes namespaces. Where a container forbids them, this test has to run elsewhere.
    expect(spawnSync('unshare', ['-rm', 'true']).status, 'unshare -rm works here').toBe(0);
    const net = await RunningTestnet.prepare();
    const base = `${PROGRAMS.node} ${PROGRAMS.nacre}`;
    const script = [
      `mount -t tmpfs -o size=6m tmpfs ${net.directory}`,
      `${base} testnet init --nodes 1 --output ${net.directory}/net --base-port ${net.basePort}`,
      `exec ${base} start --home ${net.directory}/net/node0 --json`,
    ].join(' && ');
    const node = startProgram(['-rm', 'sh', '-c', script], 'unshare');
    try {
      await waitForReady(node);
      const payload = randomBytes(45_000).toString('base64');
      const submission = { service: 'big', payloads: Array.from({ length: 14 }, () => payload), wait: 'committed', timeoutMs: 30_000 };
      const refusals = new Set<unknown>();
      await until('the node is gone', async () => {
        const outcome = await net.call(0, 'record_submit', submission, 30_000).catch((error: unknown) => error);
        if (outcome instanceof RpcFailure) refusals.add(outcome.fields.nodeCode ?? outcome.code);
        return refusals.has('RPC_UNREACHABLE');
      });
      // Which write meets the full disk first is chance: the client's own, or the block's, which ends the node.
      expect(['STORE_FAILED', 'STOPPED', 'RPC_UNREACHABLE']).toEqual(expect.arrayContaining([...refusals]));
      expect(await node.ended).toBe(8);
      expect(node.output()).toMatch(/[Nn]o space left on device[\s\S]*Check free space/);
    } finally {
      await net.remove();
    }
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

async function waitForReady(program: ReturnType<typeof startProgram>): Promise<{ rpc: string }> {
  let status: number | null | undefined;
  void program.ended.then((code) => {
    status = code;
  });
  const find = () =>
    program
      .output()
      .split('\n')
      .find((line) => line.startsWith('{"ready":true'));
  await until('the node says that it is ready', async () => {
    if (status !== undefined) throw new Error(`the node has ended with ${status}: ${program.output()}`);
    return find() !== undefined;
  });
  return JSON.parse(find() ?? '') as { rpc: string };
}

function isNode(pid: number, net: RunningTestnet): boolean {
  return ALL.some((index) => processesOf(join(net.directory, `node${index}`)).includes(pid));
}
