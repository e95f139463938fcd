import { assert } from '@nacre/base';
import { encodeRequest } from '@nacre/replica';
import { expect, test } from 'vitest';
import { Stage } from './support/stage.ts';

/** First byte of the keys under which the ledger stores blocks. */
const BLOCK_PREFIX = 2;

// @mutation packages/replica/src/replica.ts
// - return await this.#serving.answer(frame);
// + return this.#serving.answer(frame);
test('a question that the store cannot answer is left without an answer, and stops the replica', async () => {
  const stage = await Stage.create({ weights: [1] });
  const { replica, name, home } = await stage.start({ validator: 0 });
  await replica.submit((await stage.chain.anyTransaction()).bytes);
  await stage.clock.run(50);
  const { height, blockHash } = replica.ledger.tip;
  expect(height).toBe(1);
  const puppet = stage.puppet(null);
  stage.hub.connect(name, puppet.name);
  await stage.clock.run(5);
  const key = Uint8Array.of(BLOCK_PREFIX, ...blockHash);
  assert(home.store.get(key) !== undefined, 'the block stands there');
  home.store.damage(key, Uint8Array.of(1, 2, 3));
  const asked = puppet.ask(encodeRequest({ kind: 'block', hash: blockHash }));
  await stage.clock.run(50);
  expect(replica.status().mode).toBe('stopped');
  await stage.clock.run(2_000);
  expect(await asked).toMatchObject({ ok: false, error: { code: 'NO_ANSWER' } });
});
