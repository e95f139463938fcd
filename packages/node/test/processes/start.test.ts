import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RpcFailure } from '../../src/cli/rpc-client.ts';
import { PROGRAMS, RunningTestnet, SETUP_TIMEOUT_MS, startProgram, until } from '../support/running-testnet.ts';

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
