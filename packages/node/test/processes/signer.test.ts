import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SETUP_TIMEOUT_MS, until } from '../support/running-testnet.ts';
import { type Part, WatchedTestnet } from '../support/watched-testnet.ts';

/** Each kind of victim once; `npm run test:crash` asks for fifty cycles in all. */
const CYCLES = Math.ceil(Number(process.env.NACRE_CRASH_CYCLES ?? 10) / 4);
const TIMEOUT_MS = 180_000;
/** How long there is load before something is killed, and until it is started again, at most, in ms. */
const LOAD_MS_MAX = 1_500;
const DEAD_MS_MAX = 1_000;
const OTHERS: readonly Part[] = ['node1', 'node2', 'node3'];
const VICTIMS: readonly (readonly Part[])[] = [['signer'], ['node0'], ['signer', 'node0']];

describe('a validator whose key is in another process', () => {
  let net: WatchedTestnet;

  beforeAll(async () => {
    net = await WatchedTestnet.prepare();
    await net.moveKeyToSigner();
    net.start('signer', 'node0', ...OTHERS);
    await net.untilReady('node0', ...OTHERS);
    net.load('node1', 'node2');
  }, SETUP_TIMEOUT_MS);
  afterAll(() => net.remove(), SETUP_TIMEOUT_MS);

  test(
    `${CYCLES} times: kill -9 of signer, node or both at any moment, and it goes on without a second statement at any place`,
    async () => {
      for (let cycle = 0; cycle < CYCLES; cycle++) {
        const victims = VICTIMS[cycle % VICTIMS.length] as readonly Part[];
        await sleep(randomInt(LOAD_MS_MAX));
        await net.kill(...victims);
        await sleep(randomInt(DEAD_MS_MAX));
        net.start(...victims);
        await net.untilReady('node0');
        await net.untilCommits('node1');
      }
      await net.checkStatements();
      expect(net.statements).toBeGreaterThan(3 * CYCLES);
      expect(await net.equivocations()).toEqual([]);
    },
    CYCLES * TIMEOUT_MS,
  );

  test(
    'while the signer is away the node follows, and says why it is silent',
    async () => {
      await net.kill('signer');
      const isSilent = async () => (await net.state('node0'))?.reason?.startsWith('the signer is away') === true;
      await until('the node says so', isSilent);
      const { height } = (await net.state('node1')) ?? { height: 0 };
      await until('the node follows', async () => ((await net.state('node0'))?.height ?? 0) > height);
      await until('the node still says so', isSilent);
      net.start('signer');
      await net.untilReady('node0');
      await net.untilCommits('node1');
      expect(await net.equivocations()).toEqual([]);
    },
    TIMEOUT_MS,
  );

  test(
    'two nodes on one signer never both vote: the second waits, and takes over when the first is killed',
    async () => {
      net.start('twin');
      await until('the second waits', async () => net.output('twin').includes('it serves another node'));
      await net.untilCommits('node1');
      expect(await net.state('twin')).toBeNull();
      await net.kill('node0');
      await net.untilReady('twin');
      await net.untilCommits('node1');
      await net.kill('twin');
      net.start('node0');
      await net.untilReady('node0');
      expect(await net.equivocations()).toEqual([]);
    },
    TIMEOUT_MS,
  );

  test(
    'an old copy of the home of the node votes nothing twice: the signer knows what it has forgotten',
    async () => expect(await equivocationsWithOldCopy('node0')).toEqual([]),
    2 * TIMEOUT_MS,
  );

  test(
    'an old copy of the home of the signer votes nothing twice: the node knows what it has forgotten',
    async () => expect(await equivocationsWithOldCopy('signer')).toEqual([]),
    2 * TIMEOUT_MS,
  );

  async function equivocationsWithOldCopy(part: 'signer' | 'node0'): Promise<string[]> {
    await net.kill(part);
    await net.copyHome(part, `old-${part}`);
    net.start(part);
    await net.untilReady('node0');
    // Frozen, they still stand behind this process, so validator 0 speaks at a height that nobody can decide.
    net.signal('SIGSTOP', 'node2', 'node3');
    await net.untilSpokenAtUndecidedHeight();
    await net.kill('signer', 'node0');
    await net.restoreHome(part, `old-${part}`);
    net.start('signer', 'node0');
    net.signal('SIGCONT', 'node2', 'node3');
    await net.untilReady('node0', ...OTHERS);
    await net.untilCommits('node1');
    await net.checkStatements();
    return net.equivocations();
  }
});
