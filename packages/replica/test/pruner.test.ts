import { BLOCKS_KEPT_MIN, type StoreRange } from '@nacre/base';
import { describe, expect, test } from 'vitest';
import { Pruner } from '../src/pruner.ts';
import { Home, Stage } from './support/stage.ts';
import { silentLog, TestChain } from './support/test-chain.ts';
import { VirtualClock } from './support/virtual-clock.ts';

const WINDOW_MS = 10_000;
const DECIDED = 300;
const RETENTION = { blocks: 150, ageMs: 0 };

async function decided(blocks = DECIDED): Promise<TestChain> {
  const chain = await TestChain.create({ parameters: { validityWindowMs: WINDOW_MS } });
  for (let i = 0; i < blocks; i++) await chain.decide();
  return chain;
}

function pruning(chain: TestChain, retention = RETENTION) {
  const clock = new VirtualClock(0);
  const reclaimed: (readonly Pick<StoreRange, 'gte' | 'lt'>[])[] = [];
  const failures: unknown[] = [];
  const pruner = new Pruner(retention, {
    ledger: chain.ledger,
    store: chain.store,
    clock,
    log: silentLog,
    reclaim: async (ranges) => void reclaimed.push(ranges),
    fail: (error) => failures.push(error),
  });
  return { pruner, clock, reclaimed, failures };
}

describe('pruning', () => {
  // @mutation packages/replica/src/pruner.ts
  // - if (due === BLOCKS_PER_TURN) this.#schedule();
  // +
  test('removes in small steps what is not kept, at the start and as the chain grows', async () => {
    const chain = await decided();
    const { pruner, clock, failures } = pruning(chain);
    pruner.start();
    await clock.run(25);
    expect(chain.ledger.firstHeight).toBeGreaterThan(1);
    expect(chain.ledger.firstHeight).toBeLessThan(DECIDED - RETENTION.blocks);
    await clock.run(1_000);
    expect(chain.ledger.firstHeight).toBe(DECIDED - RETENTION.blocks + 1);
    for (let i = 0; i < 64; i++) {
      await chain.decide();
      pruner.afterBlock();
      await clock.run(30);
    }
    const { firstHeight } = chain.ledger;
    expect(firstHeight).toBeGreaterThan(DECIDED - RETENTION.blocks + 1);
    expect(firstHeight).toBeLessThanOrEqual(DECIDED + 64 - RETENTION.blocks + 1);
    await pruner.stop();
    expect(failures).toEqual([]);
  });

  test('keeps everything unless it is told otherwise, and the last blocks in any case', async () => {
    const chain = await decided();
    for (const [retention, firstHeight] of [
      [{ blocks: 0, ageMs: 0 }, 1],
      [{ blocks: 1, ageMs: 0 }, DECIDED - BLOCKS_KEPT_MIN + 1],
    ] as const) {
      const { pruner, clock } = pruning(chain, retention);
      pruner.start();
      await clock.run(1_000);
      expect(chain.ledger.firstHeight).toBe(firstHeight);
      await pruner.stop();
    }
  });

  test('gives no room back for little, which would rewrite what is left for nothing', async () => {
    const { pruner, clock, reclaimed } = pruning(await decided());
    pruner.start();
    await clock.run(1_000);
    expect(reclaimed).toEqual([]);
    await pruner.stop();
  });
});

test('whoever syncs passes over a peer that has pruned what it needs, and penalizes nobody', async () => {
  const chain = await decided();
  const stage = Stage.on(chain);
  const copy = () => new Home(chain.store.copy());
  const pruned = await stage.start({ validator: null, name: 'pruned', home: copy(), pruning: RETENTION });
  const whole = await stage.start({ validator: null, name: 'whole', home: copy() });
  await stage.clock.run(1_000);
  expect(pruned.replica.ledger.firstHeight).toBe(DECIDED - RETENTION.blocks + 1);
  const behind = await stage.start({ validator: null, name: 'behind' });
  stage.hub.connect('behind', 'pruned');
  await stage.clock.run(5_000);
  expect(behind.replica.ledger.tip.height).toBe(0);
  stage.hub.connect('behind', 'whole');
  await stage.clock.run(10_000);
  expect(behind.replica.ledger.tip.height).toBe(DECIDED);
  expect(stage.hub.penalties).toEqual([]);
  expect(whole.replica.ledger.firstHeight).toBe(1);
});
