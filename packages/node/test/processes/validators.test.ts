import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SignedLoad } from '../../src/bench/signed-load.ts';
import { callRpc } from '../../src/cli/rpc-client.ts';
import { homePaths, openHome } from '../../src/home.ts';
import { PROGRAMS, RunningTestnet, SETUP_TIMEOUT_MS, startProgram, until } from '../support/running-testnet.ts';

const VALIDATORS = [0, 1, 2, 3] as const;
/** Every so many ms each validator is handed a transaction of one record, from the beginning to the end. */
const LOAD_EVERY_MS = 250;

interface Listed {
  readonly epoch: number;
  readonly validators: readonly { readonly address: string; readonly weight: number; readonly baseWeight: number | null }[];
}
interface Decided {
  readonly proposal: string;
  readonly approved: { readonly actsAtEpoch: number } | null;
}
interface Block {
  readonly header: { readonly epoch: number };
  readonly certificate: { readonly commits: readonly { readonly validator: string }[] } | null;
}

describe('validators come and go', { timeout: 4 * SETUP_TIMEOUT_MS }, () => {
  let net: RunningTestnet;
  let load: SignedLoad;
  let loading: Promise<unknown>;
  let isLoaded = true;
  const acknowledged: string[] = [];
  let home = '';
  let url = '';
  let address = '';
  let program: ReturnType<typeof startProgram> | undefined;

  beforeAll(async () => {
    net = await RunningTestnet.prepare();
    await net.up('--no-feed', '--parameter', 'epochMs=1000', 'epochBlocksMin=4');
    const homes = await Promise.all(
      VALIDATORS.map((node) => openHome(homePaths(homeOf(node)), { genesisPath: net.genesis, passphrase: undefined })),
    );
    const nodes = homes.flatMap(({ validator }, node) => (validator === null ? [] : [{ url: net.url(node), validator }]));
    load = await SignedLoad.prepare(homes[0]?.genesis ?? expect.unreachable(), nodes);
    loading = Promise.all(VALIDATORS.map(feed));
  }, SETUP_TIMEOUT_MS);
  afterAll(async () => {
    isLoaded = false;
    if (program !== undefined) process.kill(program.pid, 'SIGKILL');
    await net.remove();
  }, SETUP_TIMEOUT_MS);

  async function feed(node: number): Promise<void> {
    while (isLoaded) {
      const [tx] = await load.sign(node, 1, 1);
      acknowledged.push((await callRpc(net.url(node), 'tx_submit', { tx })).txId as string);
      await sleep(LOAD_EVERY_MS);
    }
  }

  const homeOf = (node: number) => join(net.directory, `node${node}`);

  /** Runs a command at node 0. @returns the JSON that it printed */
  async function nacre<Printed>(...args: string[]): Promise<Printed> {
    const { stdout, stderr, status } = await net.nacre([...args, '--json', '--rpc', net.url(0)]);
    expect([status, stderr]).toEqual([0, '']);
    return JSON.parse(stdout) as Printed;
  }

  /** Has a change proposed by the first validator and approved by as many others as it takes. @returns from which epoch on it acts */
  async function decide(...change: string[]): Promise<number> {
    let decided = await nacre<Decided>('validators', 'propose', ...change, '--home', homeOf(0));
    for (const node of [1, 2, 3]) {
      if (decided.approved !== null) break;
      decided = await nacre<Decided>('validators', 'approve', decided.proposal.slice(0, 16), '--home', homeOf(node));
    }
    return decided.approved?.actsAtEpoch ?? expect.unreachable();
  }

  const list = (height?: number) =>
    callRpc(net.url(0), 'validator_list', height === undefined ? {} : { height }) as Promise<unknown> as Promise<Listed>;
  const entry = async (height?: number) => (await list(height)).validators.find((validator) => validator.address === address);
  const untilEpoch = (epoch: number) => until(`epoch ${epoch} has begun`, async () => (await list()).epoch >= epoch);

  /** Waits until a block from an epoch on carries a commit of the newcomer. */
  async function untilItDecides(fromEpoch: number): Promise<void> {
    await untilEpoch(fromEpoch);
    await until('it signs what is decided', async () => {
      const { header, certificate } = (await callRpc(net.url(0), 'block_get', { height: (await net.height(0)) - 1 })) as unknown as Block;
      return header.epoch >= fromEpoch && (certificate?.commits.some(({ validator }) => validator === address) ?? false);
    });
  }

  test('a newcomer follows, and decides from the epoch that was announced', async () => {
    home = join(net.directory, 'newcomer');
    const peer = `/ip4/127.0.0.1/tcp/${net.basePort + 1_000}`;
    const where = [...net.joiningFlags(0), '--peer', peer, '--genesis', net.genesis];
    program = startProgram([PROGRAMS.nacre, 'join', ...where, '--home', home, '--validator', '--json']);
    const ready = () =>
      program
        ?.output()
        .split('\n')
        .find((line) => line.startsWith('{"ready":true'));
    await until('the newcomer is ready', async () => ready() !== undefined);
    url = (JSON.parse(ready() ?? '') as { rpc: string }).rpc;
    const proof = await net.nacre(['keys', 'prove', '--home', home]);
    address = (JSON.parse(proof.stdout) as { address: string }).address;
    await writeFile(join(net.directory, 'proof.json'), proof.stdout);
    expect(((await callRpc(url, 'node_status', {})) as { address: string }).address).toBe(address);
    const join_ = ['join', '--proof', join(net.directory, 'proof.json'), '--weight', '1000'];
    const { after } = await nacre<{ after: Listed }>('validators', 'propose', ...join_, '--home', homeOf(0), '--dry-run');
    // Not the total: in epochs of a second, a validator of a busy machine can miss enough to weigh less for it.
    expect(after.validators.find((validator) => validator.address === address)?.weight).toBe(1000);
    const epoch = await decide(...join_);
    await untilItDecides(epoch);
    const { header } = (await callRpc(url, 'block_get', { height: 'latest' })) as unknown as Block;
    expect(header.epoch).toBeGreaterThanOrEqual(epoch);
    let height = await net.height(0);
    while (((await callRpc(net.url(0), 'block_get', { height })) as unknown as Block).header.epoch >= epoch) height--;
    expect(await entry(height)).toBeUndefined();
    expect((await entry(height + 1))?.weight).toBe(1000);
  });

  test('it gets more weight', async () => {
    const epoch = await decide('weight', address, '1500');
    await untilItDecides(epoch);
    expect((await entry())?.baseWeight).toBe(1500);
  });

  test('its key is rotated while it runs, and the old one is erased when it has cast its last vote', async () => {
    const { nextValidatorKey } = homePaths(home);
    const before = (await net.nacre(['keys', 'show', homePaths(home).validatorKey])).stdout;
    const { votesFromEpoch } = await nacre<{ votesFromEpoch: number }>('keys', 'rotate', '--home', home);
    await untilItDecides(votesFromEpoch);
    await until('the old key is erased', async () => !existsSync(nextValidatorKey));
    expect((await net.nacre(['keys', 'show', homePaths(home).validatorKey])).stdout).not.toBe(before);
    await until('it is in order', async () => {
      const { networkState } = (await callRpc(url, 'node_status', {})) as { networkState: { state: string } };
      return networkState.state === 'NORMAL';
    });
  });

  test('it leaves, and goes on as a follower', async () => {
    const epoch = await decide('leave', address);
    await untilEpoch(epoch);
    expect(await entry()).toBeUndefined();
    const target = await net.height(0);
    await until('it follows', async () => {
      const { chains } = (await callRpc(url, 'node_status', {})) as { chains: { height: number; validator: boolean }[] };
      return (chains[0]?.height ?? 0) > target && chains[0]?.validator === false;
    });
  });

  test('nothing that was acknowledged is lost', async () => {
    isLoaded = false;
    await loading;
    expect(acknowledged.length).toBeGreaterThan(100);
    for (const node of [net.url(0), url]) {
      for (const txId of acknowledged) {
        await until('it is final', async () => (await callRpc(node, 'tx_get', { txId })).status === 'committed');
      }
    }
  });
});
