import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Log } from '@nacre/base';
import { formatAddress } from '@nacre/crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCli } from '../src/cli/program.ts';
import { callRpc } from '../src/cli/rpc-client.ts';
import { readConfiguration } from '../src/configuration.ts';
import { homePaths, openHome, readConfigurationText } from '../src/home.ts';
import { createTestnet, type TestnetNode } from '../src/new-testnet.ts';
import { type RunningNode, startNode } from '../src/node.ts';
import { capturedIo } from './support/captured-io.ts';
import { freeBasePort } from './support/free-base-port.ts';
import { until } from './support/running-testnet.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';

const log: Log = { debug() {}, info() {}, warn() {}, error() {} };
const SETUP_MS = 60_000;

async function start({ home }: TestnetNode): Promise<RunningNode> {
  const paths = homePaths(home);
  const file = { path: paths.configuration, text: await readConfigurationText(paths) };
  const configuration = readConfiguration({ file, environment: {}, flags: {} });
  return startNode(await openHome(paths, { genesisPath: configuration.genesis, passphrase: undefined }), configuration, log);
}

describe('four nodes in one process', { timeout: SETUP_MS }, () => {
  let nodes: readonly TestnetNode[] = [];
  let running: RunningNode[] = [];
  let addresses: string[] = [];
  let cleanUp: () => Promise<void>;

  beforeAll(async () => {
    // That of `temporaryDirectory` lasts for one test.
    const directory = await mkdtemp(join(tmpdir(), 'nacre-nodes-'));
    const basePort = await freeBasePort();
    const made = await createTestnet({ directory: join(directory, 'net'), nodes: 4, basePort }, Date.now());
    nodes = made.nodes;
    addresses = made.genesis.validators.map(({ address }) => formatAddress(address));
    running = await Promise.all(nodes.map(start));
    cleanUp = () => rm(directory, { recursive: true, force: true });
  }, SETUP_MS);
  afterAll(async () => {
    await Promise.all(running.map((node) => node.stop()));
    await cleanUp();
  }, SETUP_MS);

  const url = (node: number): string => running[node]?.rpcUrl ?? '';
  const state = async (node: number) =>
    (await callRpc(url(node), 'node_status', {})).networkState as { state: string; reason: string | null };
  const peers = (node: number, ...args: string[]) => runCli(['peers', ...args, '--home', nodes[node]?.home ?? ''], capturedIo());

  test('they find each other, decide, and each tells the same', async () => {
    for (const node of [0, 1, 2, 3]) await until(`node ${node} is normal`, async () => (await state(node)).state === 'NORMAL');
    const params = { service: 'notes', payload: 1, wait: 'committed', timeoutMs: 30_000 };
    expect((await callRpc(url(2), 'record_submit', params, { waitMs: 30_000 })).status).toBe('committed');
    const hashes = await Promise.all(
      [0, 1, 2, 3].map(async (node) => (await callRpc(url(node), 'block_get', { chain: 0, height: 1 })).hash),
    );
    expect(new Set(hashes).size).toBe(1);
  });

  test('metrics of the transport stand beside the others', async () => {
    const text = await (await fetch(`${url(0)}/metrics`)).text();
    expect(text).toMatch(/^nacre_p2p_admitted_total \d+$/m);
    expect(text).toMatch(/^nacre_p2p_frames_received_total [1-9]\d*$/m);
    expect(text).toMatch(/^nacre_consensus_height [1-9]\d*$/m);
  });

  test('a second process of a home is kept out by the first one’s lock', async () => {
    await expect(start(nodes[1] as TestnetNode)).rejects.toMatchObject({ code: 'STORE_LOCKED' });
  });

  test('whom an operator bans is gone, also after a restart, until allowed again', async () => {
    for (const other of [1, 2, 3]) expect(await peers(0, 'ban', addresses[other] as string)).toBe(0);
    await until('node 0 is cut off', async () => (await state(0)).state === 'PARTITIONED');
    await running[0]?.stop();
    running[0] = await start(nodes[0] as TestnetNode);
    expect((await state(0)).reason).toContain('not connected: node1, node2, node3');
    for (const other of [1, 2, 3]) expect(await peers(0, 'allow', addresses[other] as string)).toBe(0);
    await until('node 0 is back', async () => (await state(0)).state === 'NORMAL');
    expect(await peers(0, 'ban', 'nobody')).toBe(5);
  });

  test('a stopped node has nothing open, and stopping twice is stopping once', async () => {
    const node = running[3] as RunningNode;
    await Promise.all([node.stop(), node.stop()]);
    await expect(node.finished).resolves.toBeUndefined();
    expect(await runCli(['check', '--home', nodes[3]?.home ?? ''], capturedIo())).toBe(0);
    running[3] = await start(nodes[3] as TestnetNode);
    await until('node 3 is back', async () => (await state(3)).state === 'NORMAL');
  });
});

describe('a node that cannot start', () => {
  test('names the writer that is no address', async () => {
    const { nodes } = await createTestnet({ directory: join(await temporaryDirectory(), 'net'), nodes: 1 }, Date.now());
    const paths = homePaths((nodes[0] as TestnetNode).home);
    const text = JSON.stringify({ records: { submit: true, writers: ['nacre1nobody'] } });
    const configuration = readConfiguration({ file: { path: 'config.json', text }, environment: {}, flags: { '--rpc-port': '0' } });
    const home = await openHome(paths, { genesisPath: 'genesis.json', passphrase: undefined });
    await expect(startNode(home, configuration, log)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });

  test('leaves nothing open behind it: the same home starts once the reason is gone', async () => {
    const { nodes } = await createTestnet({ directory: join(await temporaryDirectory(), 'net'), nodes: 1 }, Date.now());
    const paths = homePaths((nodes[0] as TestnetNode).home);
    const home = await openHome(paths, { genesisPath: 'genesis.json', passphrase: undefined });
    const at = (listen: string) =>
      readConfiguration({ file: { path: 'config.json', text: '{}' }, environment: {}, flags: { '--rpc-port': '0', '--listen': listen } });
    await expect(startNode(home, at('/ip4/127.0.0.1/udp/1'), log)).rejects.toMatchObject({ code: 'MULTIADDR_INVALID' });
    const node = await startNode(home, at('/ip4/127.0.0.1/tcp/0'), log);
    await node.stop();
  });
});
