import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SETUP_TIMEOUT_MS, until } from '../support/running-testnet.ts';
import { type Part, WatchedTestnet } from '../support/watched-testnet.ts';

/** `npm run test:crash` asks for fifty cycles in all. */
const CYCLES = Math.ceil(Number(process.env.NACRE_CRASH_CYCLES ?? 10) / 5);
const TIMEOUT_MS = 240_000;
/** Looks in a row that find the same one voting. */
const SETTLED_POLLS = 10;
const OTHERS: readonly Part[] = ['node1', 'node2', 'node3'];

describe('two processes on one copied home', () => {
  let net: WatchedTestnet;

  beforeAll(async () => {
    net = await WatchedTestnet.prepare();
    net.start('node0', ...OTHERS);
    await net.untilReady('node0', ...OTHERS);
    net.load('node1', 'node2');
  }, SETUP_TIMEOUT_MS);
  afterAll(() => net.remove(), SETUP_TIMEOUT_MS);

  /** Which of the two votes, once both run and their connections have come to rest. */
  async function settledVoter(): Promise<'node0' | 'twin'> {
    let voter: 'node0' | 'twin' = 'node0';
    let times = 0;
    await until('one of them votes', async () => {
      const [first, second] = [await net.state('node0'), await net.state('twin')];
      const [one, other] = [first?.state === 'NORMAL', second?.state === 'NORMAL'];
      const now = one ? 'node0' : 'twin';
      times = first !== null && second !== null && one !== other && now === voter ? times + 1 : 0;
      voter = now;
      return times >= SETTLED_POLLS;
    });
    return voter;
  }

  const isReady = async (part: Part): Promise<boolean> => (await net.state(part))?.state === 'NORMAL';

  test(
    `${CYCLES} times: started at the same instant, one of them votes; when it is killed, the other one does, and says nothing of it twice`,
    async () => {
      for (let cycle = 0; cycle < CYCLES; cycle++) {
        await net.kill('node0');
        // As the same peer it is refused while the other one is connected; as another it comes in, and its claim is refused.
        await net.copyToTwin({ asOtherPeer: cycle % 2 === 0 });
        net.start('node0', 'twin');
        const voter = await settledVoter();
        const silent = voter === 'node0' ? 'twin' : 'node0';
        await net.untilCommits('node1');
        expect([await isReady(voter), await isReady(silent)]).toEqual([true, false]);
        // What it holds is older than what the other one said: it has to recover first.
        await net.kill(voter);
        await net.untilReady(silent);
        await net.untilCommits('node1');
        await net.kill(silent);
        if (silent === 'twin') await net.putTwinInPlace();
        net.start('node0');
        await net.untilReady('node0');
        expect(await net.equivocations()).toEqual([]);
      }
    },
    CYCLES * TIMEOUT_MS,
  );

  test(
    'an old copy of a home, started beside its newer self or after it, says nothing twice',
    async () => {
      await net.kill('node0');
      await net.copyToTwin({ asOtherPeer: true });
      net.start('node0');
      await net.untilReady('node0');
      await net.untilCommits('node1');
      net.start('twin');
      await until('the old copy runs', async () => (await net.state('twin')) !== null);
      await net.untilCommits('node1');
      expect([await isReady('node0'), await isReady('twin')]).toEqual([true, false]);
      // Frozen, the others cannot decide the height at which the first process speaks; then only the old copy is left.
      net.signal('SIGSTOP', 'node2', 'node3');
      await net.untilSpokenAtUndecidedHeight();
      await net.kill('node0');
      net.signal('SIGCONT', 'node2', 'node3');
      await net.untilReady('twin');
      await net.untilCommits('node1');
      await net.checkStatements();
      expect(await net.equivocations()).toEqual([]);
    },
    TIMEOUT_MS,
  );
});
