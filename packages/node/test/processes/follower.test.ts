import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SignedLoad } from '../../src/bench/signed-load.ts';
import { callRpc } from '../../src/cli/rpc-client.ts';
import { homePaths, openHome } from '../../src/home.ts';
import { PROGRAMS, RunningTestnet, SETUP_TIMEOUT_MS, startProgram, until } from '../support/running-testnet.ts';

const VALIDATORS = [0, 1, 2, 3] as const;
/** Blocks that others decide while the follower is away: some ten a second on an idle machine, one on a very busy one. */
const MISSED_BLOCKS = Number(process.env.NACRE_MISSED_BLOCKS ?? 80);
const COMMIT_MS = 30_000;
/** Every so many ms each validator is handed a transaction of ten records, for as long as there is load. */
const LOAD_EVERY_MS = 100;

interface Follower {
  readonly url: string;
  readonly p2p: string;
  readonly program: ReturnType<typeof startProgram>;
}

describe('a follower', { timeout: 2 * SETUP_TIMEOUT_MS }, () => {
  let net: RunningTestnet;
  let load: SignedLoad;
  const running: Follower[] = [];

  beforeAll(async () => {
    net = await RunningTestnet.prepare();
    await net.up('--no-feed');
    const homes = await Promise.all(
      VALIDATORS.map((node) =>
        openHome(homePaths(join(net.directory, `node${node}`)), { genesisPath: net.genesis, passphrase: undefined }),
      ),
    );
    const nodes = homes.flatMap(({ validator }, node) => (validator === null ? [] : [{ url: net.url(node), validator }]));
    load = await SignedLoad.prepare(homes[0]?.genesis ?? expect.unreachable(), nodes);
  }, SETUP_TIMEOUT_MS);
  afterAll(async () => {
    for (const { program } of running) process.kill(program.pid, 'SIGKILL');
    await net.remove();
  }, SETUP_TIMEOUT_MS);

  async function start(name: string, peer: string): Promise<Follower> {
    const home = join(net.directory, name);
    const where = net.joiningFlags(running.length);
    const program = startProgram([PROGRAMS.nacre, 'join', '--genesis', net.genesis, '--peer', peer, '--home', home, ...where, '--json']);
    const readyLine = () =>
      program
        .output()
        .split('\n')
        .find((line) => line.startsWith('{"ready":true'));
    await until(`${name} is ready`, async () => readyLine() !== undefined);
    const { rpc, multiaddrs } = JSON.parse(readyLine() ?? '') as { rpc: string; multiaddrs: string[] };
    const follower = { url: rpc, p2p: multiaddrs[0] ?? '', program };
    running.push(follower);
    return follower;
  }

  /** A node that has not heard of an account yet refuses what it signed. */
  async function joinAndSync(name: string, peer: string): Promise<Follower> {
    const follower = await start(name, peer);
    const target = await heightAt(net.url(0));
    await until(`${name} has synced`, async () => (await heightAt(follower.url)) >= target);
    return follower;
  }

  async function leave(follower: Follower): Promise<void> {
    running.splice(running.indexOf(follower), 1);
    process.kill(follower.program.pid, 'SIGTERM');
    expect(await follower.program.ended).toBe(0);
  }

  async function heightAt(url: string): Promise<number> {
    const { chains } = (await callRpc(url, 'node_status', {})) as { chains: { height: number }[] };
    return chains[0]?.height ?? 0;
  }

  const submit = (url: string, tx: string | undefined) =>
    callRpc(url, 'tx_submit', { tx, wait: 'committed', timeoutMs: COMMIT_MS }, { waitMs: COMMIT_MS });
  const validatorAddress = (node: number) => `/ip4/127.0.0.1/tcp/${net.basePort + 1_000 + node}`;

  test('joins with genesis and one address, serves reads and proofs, and passes transactions on', async () => {
    const follower = await joinAndSync('follower', validatorAddress(1));
    const [tx] = await load.sign(0, 1, 3);
    const submitted = await submit(follower.url, tx);
    expect(submitted.status).toBe('committed');
    await until('the follower has the block', async () => (await heightAt(follower.url)) >= (submitted.height as number));
    const { records } = (await callRpc(follower.url, 'record_list', { service: load.service })) as { records: unknown[] };
    expect(records).toHaveLength(3);
    const proof = await net.nacre(['record', 'proof', '--service', load.service, '--index', '2', '--rpc', follower.url]);
    const proven = await net.nacre(['verify', '--genesis', net.genesis, '--service', load.service, '--index', '2'], proof.stdout);
    expect(proven.status).toBe(0);
    await leave(follower);
  });

  test('joins through another follower alone, and its transactions are decided too', async () => {
    const near = await joinAndSync('near', validatorAddress(2));
    const far = await joinAndSync('far', near.p2p);
    const [tx] = await load.sign(1, 1, 1);
    const submitted = await submit(far.url, tx);
    expect(submitted.status).toBe('committed');
    await until('the far one has the block', async () => (await heightAt(far.url)) >= (submitted.height as number));
    await leave(far);
    await leave(near);
  });

  test('that was away under load catches up under load', async () => {
    const before = await start('away', validatorAddress(3));
    let isLoaded = true;
    const feed = async (node: number): Promise<void> => {
      while (isLoaded) {
        const [tx] = await load.sign(node, 1, 10);
        await callRpc(net.url(node), 'tx_submit', { tx });
        await sleep(LOAD_EVERY_MS);
      }
    };
    const feeds = Promise.all(VALIDATORS.map(feed));
    await leave(before);
    const enough = (await heightAt(net.url(0))) + MISSED_BLOCKS;
    await until('the others have gone on', async () => (await heightAt(net.url(0))) >= enough, SETUP_TIMEOUT_MS);
    const after = await start('away', validatorAddress(3));
    await until('it is where the others are, while they go on', async () => {
      const target = await heightAt(net.url(0));
      return (await heightAt(after.url)) >= target;
    });
    isLoaded = false;
    await feeds;
    const height = await heightAt(net.url(0));
    await until('it has the last block', async () => (await heightAt(after.url)) >= height);
    const hashes = await Promise.all(
      [after.url, net.url(0)].map(async (url) => (await callRpc(url, 'block_get', { chain: 0, height })).hash),
    );
    expect(hashes[0]).toBe(hashes[1]);
    await leave(after);
  });
});
