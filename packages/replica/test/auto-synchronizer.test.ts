import { toHex } from '@nacre/base';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { SyncState } from '../src/index.ts';
import type { Puppet } from './support/puppet.ts';
import { claim, lie, serve } from './support/serving-puppet.ts';
import { type Actor, Stage } from './support/stage.ts';
import { TestChain } from './support/test-chain.ts';

const BLOCKS = 200;

let chain: TestChain;
let stage: Stage;
let actor: Actor;
let states: SyncState[];
let stopListening: () => void;

async function decide(blocks: number): Promise<void> {
  for (let i = 0; i < blocks; i++) await chain.decide();
}

beforeEach(async () => {
  chain = await TestChain.create();
  await decide(BLOCKS);
  stage = Stage.on(chain);
  actor = await stage.start({ validator: 0 });
  states = [];
  stopListening = actor.replica.sync.onChange((state) => states.push(state));
});

afterEach(() => stopListening());

const height = (): number => chain.ledger.tip.height;
const isSynced = (): boolean => actor.replica.ledger.tip.height === height() && actor.replica.status().mode === 'consensus';
const kinds = (): string[] => states.map(({ kind }) => kind);

/** A peer with the whole chain; without a place in the committee, a follower of that name. */
function holder(validator: number | null, name?: string): Puppet {
  const puppet = stage.puppet(validator, name);
  serve(puppet, chain.ledger);
  stage.hub.connect(actor.name, puppet.name);
  return puppet;
}

describe('a sync', () => {
  test('is idle before it was needed, tells how far it is, and is done', async () => {
    expect(actor.replica.sync.state).toEqual({ kind: 'idle' });
    const puppets = [1, 2].map((index) => holder(index));
    for (const puppet of puppets) puppet.say(claim(height() + 1));
    await stage.clock.until(isSynced);
    expect(kinds()).toEqual(['catching-up', 'catching-up', 'catching-up', 'catching-up', 'done']);
    expect(states[0]).toMatchObject({ fromHeight: 1, height: 0, toHeight: BLOCKS, blocksPerSecond: null, remainingMs: null });
    const second = states[2];
    expect(second).toMatchObject({ height: 128, toHeight: BLOCKS });
    if (second?.kind !== 'catching-up' || second.blocksPerSecond === null) throw new Error('it has a rate after 128 blocks');
    expect(second.remainingMs).toBe(Math.round((1_000 * (BLOCKS - 128)) / second.blocksPerSecond));
    expect(actor.replica.sync.state).toMatchObject({ kind: 'done', fromHeight: 1, toHeight: BLOCKS });
  });

  // @mutation packages/replica/src/auto-synchronizer.ts
  // - if (3 * weight > committee.totalWeight) return claimedHeight;
  // + return claimedHeight;
  test('goes by no single peer’s word in saying how far it has to go', async () => {
    const [liar, honest] = [holder(1), holder(2)];
    liar.say(claim(2 ** 40));
    honest.say(claim(height() + 1));
    await stage.clock.until(isSynced);
    expect(states.length).toBeGreaterThan(2);
    expect(states.filter((state) => state.kind === 'catching-up' && state.toHeight > BLOCKS)).toEqual([]);
  });

  // @mutation packages/replica/src/block-sync.ts
  // - const stuck = this.needed();
  // + const stuck = false;
  test('fails where nobody gives what is proven to be there, and succeeds as soon as somebody does', async () => {
    const miser = holder(1);
    lie(miser, 'blocks', () => ({ blocks: [] }));
    miser.say(claim(height() + 1));
    await stage.clock.run(200);
    expect(actor.replica.sync.state).toMatchObject({ kind: 'failed', height: 0, toHeight: BLOCKS, reason: 'NO_SOURCE' });
    expect(actor.replica.status().mode).toBe('consensus');
    holder(2).say(claim(height() + 1));
    await stage.clock.until(isSynced);
    expect(actor.replica.sync.state.kind).toBe('done');
  });

  test('that is ended has not failed', async () => {
    const staller = holder(1);
    const { answer } = staller;
    staller.answer = (request, frame) => (request.kind === 'blocks' ? new Promise(() => {}) : answer(request, frame));
    staller.say(claim(height() + 1));
    await stage.clock.until(() => staller.requests.some(({ kind }) => kind === 'blocks'));
    const stopped = actor.replica.stop();
    await stage.clock.run(3_000);
    await stopped;
    expect(actor.replica.sync.state).toEqual({ kind: 'idle' });
  });
});

describe('what others had to restart their nodes for', () => {
  // @mutation packages/replica/src/replica.ts
  // - if (isProven) this.#driver?.end();
  // +
  test('cometbft #3340, #3372: a node that falls behind while it runs catches up without a restart, each time', async () => {
    const puppets = [1, 2, 3].map((index) => holder(index));
    for (let round = 1; round <= 4; round++) {
      for (const puppet of puppets) puppet.say(claim(height() + 1));
      await stage.clock.until(isSynced);
      // It goes on with consensus in between, and blocks pass it by again.
      await stage.clock.run(1_000);
      expect(kinds().filter((kind) => kind === 'done')).toHaveLength(round);
      await decide(20 * round);
    }
    expect(toHex(actor.replica.ledger.tip.blockHash)).toBe(toHex(chain.decided[BLOCKS + 120 - 1]?.block.hash as Uint8Array));
  });

  // @mutation packages/replica/src/block-sync.ts
  // - const able = peers.mostTrusted(
  // + const able = (
  // @mutation packages/replica/src/peer-table.ts
  // - .sort((a, b) => rank(a) - rank(b) || a.fruitless - b.fruitless || b.claimedHeight - a.claimedHeight);
  // + .sort((a, b) => b.claimedHeight - a.claimedHeight);
  test('CVE-2025-24371: peers that lie about their height, however many and whatever they claim, do not stall a sync', async () => {
    const liars = Array.from({ length: 40 }, (_, i) => stage.puppet(null, `liar ${i}`));
    const tellLies = (): void => {
      for (const [i, liar] of liars.entries()) liar.say(claim(2 ** 40 - i));
    };
    for (const liar of liars) {
      liar.answer = () => new Promise(() => {});
      stage.hub.connect(actor.name, liar.name);
    }
    const honest = holder(1);
    honest.say(claim(height() + 1));
    const startMs = stage.clock.nowMs();
    tellLies();
    for (let i = 0; i < 40 && !(actor.replica.ledger.tip.height === height()); i++) {
      tellLies();
      await stage.clock.run(100);
    }
    expect(actor.replica.ledger.tip.height).toBe(height());
    // One question to a liar may have been under way; forty would have taken eighty seconds.
    expect(stage.clock.nowMs() - startMs).toBeLessThan(4_100);
  });

  // @mutation packages/replica/src/block-sync.ts
  // - source.fruitless = 0;
  // + source.fruitless++;
  // @mutation packages/replica/src/block-sync.ts
  // - if (range === null) claimant.fruitless++;
  // + if (false) claimant.fruitless++;
  test('CVE-2025-24371: a validator that lies about its height is asked after those that gave what they claimed', async () => {
    const [liar, honest] = [stage.puppet(1), holder(2)];
    liar.answer = async () => undefined;
    stage.hub.connect(actor.name, liar.name);
    honest.say(claim(height() + 1));
    await stage.clock.until(isSynced);
    liar.say(claim(2 ** 40));
    await stage.clock.run(1_000);
    await decide(20);
    const asked: string[] = [];
    for (const puppet of [liar, honest]) {
      const { answer } = puppet;
      puppet.answer = (request, frame) => {
        asked.push(puppet.name);
        return answer(request, frame);
      };
    }
    // While somebody else is asked, both claims come in.
    const slow = stage.puppet(null, 'slow');
    slow.answer = () => new Promise((resolve) => stage.clock.schedule(50, () => resolve(undefined)));
    stage.hub.connect(actor.name, 'slow');
    slow.say(claim(2 ** 40));
    await stage.clock.run(10);
    liar.say(claim(2 ** 40));
    honest.say(claim(height() + 1));
    await stage.clock.until(() => actor.replica.ledger.tip.height === height());
    expect(asked[0]).toBe(honest.name);
  });
});
