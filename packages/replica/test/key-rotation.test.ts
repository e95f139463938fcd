import { VOTE_CONTEXT, type Vote, voteMessage } from '@nacre/consensus';
import { POSSESSION_CONTEXT, possessionMessage } from '@nacre/ledger';
import { ValidatorKeys } from '@nacre/replica';
import { beforeEach, expect, test } from 'vitest';
import { Stage } from './support/stage.ts';
import { TestKey, testVerifier } from './support/test-keys.ts';

let stage: Stage;
/** Not the proposer of the first heights. */
let voter: number;
let key: TestKey;
const next = new TestKey('the next one');

beforeEach(async () => {
  stage = await Stage.create();
  const proposers = [stage.chain.proposer(1), stage.chain.proposer(2)];
  voter = [0, 1, 2, 3].find((index) => !proposers.includes(index)) as number;
  key = stage.chain.key(voter);
});

/** A validator whose home has these keys, behind a block that rotates from the first one to the second. */
async function rotated(home: readonly TestKey[]) {
  const keys = new ValidatorKeys({ address: key.address, signers: home }, { read: async () => home, retire: async () => {} });
  const { actor, puppets } = await stage.replicaAmongPuppets(voter, { keys });
  const { context } = stage.chain.genesis;
  const proofOfPossession = await next.sign(possessionMessage(context, key.address, 'rotate'), POSSESSION_CONTEXT);
  const rotation = await stage.chain.transaction(key, [{ kind: 'key.rotate', publicKey: next.publicKey, proofOfPossession }]);
  const { block, certificate } = await stage.chain.decide([rotation], stage.clock.nowMs());
  puppets[0]?.say({ kind: 'transactions', bodies: [rotation.bytes] });
  puppets[0]?.say({ kind: 'decided', certificate, block: block.bytes });
  await stage.clock.run(50);
  expect(actor.replica.ledger.account(key.address)?.publicKey).toEqual(next.publicKey);
  return { actor, puppets };
}

// @mutation packages/replica/src/replica.ts
// - return (keys?.holds(publicKey) ?? bytesEqual(publicKey, signer.publicKey)) ? index : null;
// + return bytesEqual(publicKey, signer.publicKey) ? index : null;
test('a validator votes on with its old key until the committee has the new one', async () => {
  const { actor, puppets } = await rotated([key, next]);
  expect(actor.replica.status()).toMatchObject({ height: 1, voting: true });
  const candidate = stage.chain.candidate([], { timeMs: stage.clock.nowMs() });
  puppets[0]?.say(await stage.proposing(candidate));
  await stage.clock.run(20);
  const [vote] = stage.votesOf(actor, voter).filter(({ height }) => height === 2);
  expect(vote).toMatchObject({ kind: 'prepare', blockHash: candidate.blockHash });
  const { signature, ...content } = vote as Vote;
  const message = voteMessage(stage.chain.genesis.context, content);
  expect(await testVerifier.verify({ publicKey: key.publicKey, message, context: VOTE_CONTEXT, signature })).toBe(true);
  expect(stage.penaltiesOf(actor)).toEqual([]);
});

test('a validator without the key that the committee knows stays mute', async () => {
  const { actor } = await rotated([next]);
  expect(actor.replica.status()).toMatchObject({ height: 1, voting: false });
});
