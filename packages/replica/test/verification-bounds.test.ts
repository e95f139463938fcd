import { beforeEach, expect, test } from 'vitest';
import type { Puppet } from './support/puppet.ts';
import { Stage } from './support/stage.ts';

let stage: Stage;
let loud: Puppet;
let quiet: Puppet;

beforeEach(async () => {
  stage = await Stage.create();
  [loud, quiet] = (await stage.replicaAmongPuppets(0)).puppets as [Puppet, Puppet];
  stage.verifications.shut();
});

// @mutation packages/replica/src/height-driver.ts
// - if (view.verifying >= VERIFYING_PER_PEER_MAX) return;
// +
// @mutation packages/replica/src/height-driver.ts
// - view.verifying--;
// +
test('cometbft #5955: 256 votes of one peer are verified at once, other peers have their own room, and it is free again afterwards', async () => {
  const vote = await stage.chain.vote(1, { height: 1, round: 0, kind: 'prepare', blockHash: null });
  const many = { kind: 'votes' as const, votes: Array.from({ length: 200 }, () => vote) };
  loud.say(many);
  loud.say(many);
  await stage.clock.run(5);
  expect(stage.verifications.waiting).toBe(256);
  quiet.say({ kind: 'votes', votes: [vote] });
  await stage.clock.run(5);
  expect(stage.verifications.waiting).toBe(257);
  stage.verifications.open();
  await stage.clock.run(5);
  stage.verifications.shut();
  loud.say({ kind: 'votes', votes: [await stage.chain.vote(2, { height: 1, round: 0, kind: 'prepare', blockHash: null })] });
  await stage.clock.run(5);
  expect(stage.verifications.waiting).toBe(1);
});

// @mutation packages/replica/src/transaction-desk.ts
// - const taken = fresh.slice(0, VERIFYING_PER_PEER_MAX - view.verifying);
// + const taken = fresh;
// @mutation packages/replica/src/transaction-desk.ts
// - view.verifying -= taken.length;
// +
test('cometbft #5955: 4,096 transactions of one peer are verified at once, and the room is free again afterwards', async () => {
  const { bytes } = await stage.chain.transaction(stage.chain.key(1), [{ kind: 'validator.recover', nonce: new Uint8Array(16) }]);
  const many = { kind: 'transactions' as const, bodies: Array.from({ length: 1024 }, () => bytes) };
  for (let i = 0; i < 5; i++) loud.say(many);
  await stage.clock.run(5);
  expect(stage.verifications.waiting).toBe(4096);
  stage.verifications.open();
  await stage.clock.run(5);
  stage.verifications.shut();
  loud.say({ kind: 'transactions', bodies: [(await stage.chain.anyTransaction(2)).bytes] });
  await stage.clock.run(5);
  expect(stage.verifications.waiting).toBe(1);
});
