import { assert, NacreError } from '@nacre/base';
import { bodyKey, Ledger } from '@nacre/ledger';
import { encodeRequest } from '@nacre/replica';
import { describe, expect, test } from 'vitest';
import { claim } from './support/serving-puppet.ts';
import { Home, Stage } from './support/stage.ts';
import { silentLog, TestChain } from './support/test-chain.ts';
import { testVerifier } from './support/test-keys.ts';

/** First byte of the keys under which the ledger stores blocks. */
const BLOCK_PREFIX = 2;
/** First byte of the keys of the state's values. */
const STATE_PREFIX = 7;
const DAMAGED = Uint8Array.of(1, 2, 3);

/** A validator that has decided a block with a transaction, and a follower that has it too. */
async function decided() {
  const stage = await Stage.create({ weights: [1] });
  const { replica, name, home } = await stage.start({ validator: 0 });
  const other = await stage.start({ validator: null });
  stage.hub.connect(name, other.name);
  await replica.submit((await stage.chain.anyTransaction()).bytes);
  await stage.clock.run(2_000);
  const { height, blockHash } = replica.ledger.tip;
  expect(height).toBeGreaterThan(0);
  expect(other.replica.ledger.tip.height).toBe(height);
  const key = Uint8Array.of(BLOCK_PREFIX, ...blockHash);
  assert(home.store.get(key) !== undefined, 'the block stands there');
  const puppet = stage.puppet(null);
  stage.hub.connect(name, puppet.name);
  await stage.clock.run(5);
  return { stage, replica, name, home, other, puppet, blockHash, key };
}

describe('what the store cannot give', () => {
  // @mutation packages/replica/src/replica.ts
  // - return await this.#serving.answer(frame);
  // + return this.#serving.answer(frame);
  // @mutation packages/replica/src/replica.ts
  // - this.#spawn(this.#keeper.tick());
  // + // Nobody asks.
  test('a block that cannot be read is left without an answer, fetched from a peer that has it, and put back', async () => {
    const { stage, replica, home, puppet, blockHash, key } = await decided();
    const whole = home.store.get(key) as Uint8Array;
    home.store.damage(key, DAMAGED);
    const asked = puppet.ask(encodeRequest({ kind: 'block', hash: blockHash }));
    await stage.clock.run(5_000);
    expect(await asked).toMatchObject({ ok: false, error: { code: 'NO_ANSWER' } });
    expect(home.store.get(key)).toEqual(whole);
    expect(replica.storeStatus()).toMatchObject({ found: 1, mended: 1, waiting: 0 });
    expect(replica.status().mode).toBe('consensus');
  });

  // @mutation packages/replica/src/replica.ts
  // - if (this.#keeper.takes(error)) return null;
  // +
  test('the latest block is not told to whoever lacks it while it is damaged, and that ends nothing', async () => {
    const { stage, replica, home, puppet, key } = await decided();
    const { height } = replica.ledger.tip;
    home.store.damage(key, DAMAGED);
    puppet.say(claim(height));
    await stage.clock.run(5_000);
    expect(replica.status().mode).toBe('consensus');
    expect(replica.storeStatus()).toMatchObject({ mended: 1, waiting: 0 });
  });

  test('what no peer has waits, and holds up nothing', async () => {
    const { stage, replica, home, name, other, puppet, blockHash, key } = await decided();
    stage.hub.disconnect(name, other.name);
    home.store.damage(key, DAMAGED);
    void puppet.ask(encodeRequest({ kind: 'block', hash: blockHash }));
    await stage.clock.run(10_000);
    expect(replica.storeStatus()).toMatchObject({ found: 1, mended: 0, waiting: 1 });
    await replica.submit((await stage.chain.anyTransaction()).bytes);
    await stage.clock.run(2_000);
    expect(replica.ledger.tip.height).toBeGreaterThan(1);
  });

  // @mutation packages/replica/src/height-driver.ts
  // - this.fail(error);
  // + throw error;
  test('damage that shows when a block is made at its time ends the replica by its error, and nothing else', async () => {
    const stage = await Stage.create({ weights: [1] });
    const { replica, home } = await stage.start({ validator: 0, configuration: { idleIntervalMs: 0, emptyIntervalMs: 0 } });
    await stage.clock.until(() => replica.ledger.tip.height >= 3);
    home.store.get = () => {
      throw new NacreError('STORE_DAMAGED', 'planted');
    };
    const ended = replica.finished.catch((error: unknown) => error);
    await stage.clock.run(5);
    expect(await ended).toMatchObject({ code: 'STORE_DAMAGED' });
    expect(replica.status().mode).toBe('stopped');
  });
});

describe('the scrub', () => {
  const scrub = { bytesPerSecond: 1024 * 1024, intervalMs: 1_000 };

  // @mutation packages/replica/src/store-keeper.ts
  // - this.#care.start();
  // + // Nobody looks.
  test('finds a block and a body that nobody asks for, and has them mended', async () => {
    const { stage, replica, home, name, other, blockHash, key } = await decided();
    const [body] = replica.ledger.blockAt(1)?.bodyHashes ?? [];
    assert(body !== undefined, 'the block holds a transaction');
    await replica.stop();
    stage.hub.leave(name);
    const bodyAt = bodyKey(body);
    const whole = [key, bodyAt].map((at) => home.store.get(at));
    const again = await stage.start({ validator: 0, home, scrub });
    stage.hub.connect(again.name, other.name);
    await stage.clock.run(1_000);
    expect(again.replica.storeStatus()).toMatchObject({ passes: 1, found: 0 });
    for (const at of [key, bodyAt]) home.store.damage(at, DAMAGED);
    await stage.clock.run(6_000);
    expect(again.replica.storeStatus()).toMatchObject({ found: 2, mended: 2, waiting: 0 });
    expect([key, bodyAt].map((at) => home.store.get(at))).toEqual(whole);
    expect(blockHash).toEqual(replica.ledger.tip.blockHash);
  });

  // @mutation packages/replica/src/store-care.ts
  // - fail(damage.error);
  // + // It may pass.
  test('ends the replica where the state is damaged, so that it starts anew with another store', async () => {
    const { stage, replica, home, name } = await decided();
    await replica.stop();
    stage.hub.leave(name);
    const again = await stage.start({ validator: 0, home, scrub: { ...scrub, intervalMs: 100 } });
    await stage.clock.run(1_000);
    const [value] = await home.store.scan({ gte: Uint8Array.of(STATE_PREFIX), lt: Uint8Array.of(STATE_PREFIX + 1), limit: 1 });
    assert(value !== undefined, 'the state holds something');
    home.store.damage(value.key, DAMAGED);
    const ended = again.replica.finished.catch((error: unknown) => error);
    await stage.clock.run(2_000);
    expect(again.replica.status().mode).toBe('stopped');
    expect(await ended).toMatchObject({ code: 'LEDGER_DAMAGED' });
  });
});

describe('a decided block that does not execute on the state that is here', () => {
  /** The chain up to block 3, without a value of the state that no start looks at and block 4 needs. */
  async function lacking(chain: TestChain): Promise<Home> {
    await chain.decide([await chain.anyTransaction()]);
    await chain.decide();
    await chain.decide();
    const whole = chain.store.copy();
    const { block, transactions } = await chain.decide([await chain.anyTransaction()]);
    const values = await whole.scan({ gte: Uint8Array.of(STATE_PREFIX), lt: Uint8Array.of(STATE_PREFIX + 1), limit: 100 });
    for (const { key } of values) {
      const store = whole.copy();
      await store.write([{ type: 'delete', key }], { sync: true });
      const opened = await Ledger.open({ genesis: chain.genesis, store, verifier: testVerifier, log: silentLog }).catch(() => null);
      if (opened?.check(block, transactions).ok === false) return new Home(store);
    }
    return expect.unreachable('something of the state is needed');
  }

  const BEHIND: readonly (readonly [which: string, more: number])[] = [
    ['the next one', 0],
    ['one of many that are missing', 5],
  ];

  // @mutation packages/replica/src/fault-error.ts
  // - if (fault.code === 'DECIDED_INVALID') {
  // + if (fault.height < 0 && fault.code === 'DECIDED_INVALID') {
  test.each(BEHIND)('is taken for damage of the store: %s', async (_which, more) => {
    const chain = await TestChain.create();
    const home = await lacking(chain);
    for (let i = 0; i < more; i++) await chain.decide();
    const stage = Stage.on(chain);
    const whole = await stage.start({ validator: null, name: 'whole', home: new Home(chain.store.copy()) });
    const damaged = await stage.start({ validator: null, name: 'damaged', home });
    const ended = damaged.replica.finished.catch((error: unknown) => error);
    stage.hub.connect('damaged', 'whole');
    await stage.clock.run(5_000);
    expect(damaged.replica.status()).toMatchObject({ mode: 'stopped', height: 3 });
    expect(await ended).toMatchObject({ code: 'LEDGER_DAMAGED', message: expect.stringContaining('does not execute here') });
    expect(whole.replica.status().mode).toBe('consensus');
  });
});
