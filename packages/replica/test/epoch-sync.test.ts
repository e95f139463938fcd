import { assert } from '@nacre/base';
import { equivocationOf } from '@nacre/consensus';
import { changesCommittee, type Header, type Operation, POSSESSION_CONTEXT, possessionMessage, proposalId } from '@nacre/ledger';
import { expect, test } from 'vitest';
import type { Puppet } from './support/puppet.ts';
import { claim, lie, serve } from './support/serving-puppet.ts';
import { type Actor, Stage } from './support/stage.ts';
import { openLedger, TestChain } from './support/test-chain.ts';
import { TestKey } from './support/test-keys.ts';

const FIVE = [1000, 1000, 1000, 1000, 1000];
const BLOCKS = 50;

/** A chain of five validators, of whom the first leaves, so that all places are others: four decide from the third epoch on. */
async function withLeave(epochBlocksMin = 10): Promise<TestChain> {
  const chain = await TestChain.create({ weights: FIVE, parameters: { epochMs: 1, epochBlocksMin } });
  const proposal = await chain.transaction(chain.key(1), [{ kind: 'validator.leave', address: chain.key(0).address }]);
  const id = proposalId(proposal.txId, 0);
  const approvals = [2, 3, 4].map((index) => chain.transaction(chain.key(index), [{ kind: 'proposal.approve', id }]));
  await chain.decide([proposal, ...(await Promise.all(approvals))]);
  return grown(chain);
}

/** A chain of epochs of one block, whose first one quarantines a validator. */
async function withQuarantine(): Promise<TestChain> {
  const chain = await TestChain.create({ weights: FIVE, parameters: { epochMs: 1, epochBlocksMin: 1 } });
  const content = { height: 1, round: 0, kind: 'commit' as const };
  const [a, b] = await Promise.all([1, 2].map((fill) => chain.vote(4, { ...content, blockHash: new Uint8Array(32).fill(fill) })));
  const equivocation = a && b && equivocationOf(a, b);
  assert(equivocation, 'the two votes differ');
  await chain.decide([await chain.transaction(chain.key(0), [{ kind: 'evidence', equivocation }])]);
  return grown(chain);
}

async function grown(chain: TestChain): Promise<TestChain> {
  while (chain.ledger.tip.height < BLOCKS) await chain.decide();
  return chain;
}

/** A follower that knows nothing, and a peer that has the whole chain. */
async function apart(chain: TestChain): Promise<{ stage: Stage; actor: Actor; holder: Puppet }> {
  const stage = Stage.on(chain);
  const actor = await stage.start({ validator: null });
  const holder = stage.puppet(1);
  serve(holder, chain.ledger);
  stage.hub.connect(actor.name, holder.name);
  return { stage, actor, holder };
}

/** Heights after which the committee changes. */
function borders(chain: TestChain): number[] {
  const headers = Array.from({ length: BLOCKS }, (_, index) => chain.ledger.headerAt(index + 1) as Header);
  return headers.filter(changesCommittee).map(({ height }) => height);
}

// @mutation packages/replica/src/block-sync.ts
// - const range = await (isAsked ? next.range : this.#askForHeaders(id, tip, ledger.committeeAt(tip.height + 1)));
// + const range = await (isAsked ? next.range : this.#askForHeaders(id, tip, ledger.committeeAt(tip.height)));
// @mutation packages/replica/src/block-sync.ts
// - if (claimedHeight <= height + 1 || changesCommittee(headers.at(-1) as Header)) return;
// + if (claimedHeight <= height + 1) return;
// @mutation packages/replica/src/serving.ts
// - return next.firstHeight - 1;
// + return next.firstHeight;
test('whoever is behind a change of committees follows it, and keeps the certificate that hands over', async () => {
  const chain = await withLeave();
  expect(borders(chain)).toEqual([20]);
  const { stage, actor, holder } = await apart(chain);
  holder.say(claim(BLOCKS + 1));
  await stage.clock.until(() => actor.replica.ledger.tip.height === BLOCKS);
  expect(stage.penaltiesOf(actor)).toEqual([]);
  const { ledger } = actor.replica;
  expect(ledger.tip.blockHash).toEqual(chain.ledger.tip.blockHash);
  expect(ledger.linkCertificate(20)).toMatchObject({ height: 20, blockHash: chain.ledger.headerAt(21)?.parentHash });
  expect(ledger.committeeAt(21).size).toBe(4);
  const copy = await openLedger(chain.genesis, actor.home.store);
  expect(copy.linkCertificate(20)).toEqual(ledger.linkCertificate(20));
});

// @mutation packages/replica/src/block-sync.ts
// - return certificate.height + (changesCommittee(last) ? 1 : 0);
// + return certificate.height;
test('a change right after the tip keeps nobody from catching up', async () => {
  const chain = await withQuarantine();
  expect(borders(chain)).toEqual([1]);
  const { stage, actor, holder } = await apart(chain);
  holder.say(claim(BLOCKS + 1));
  await stage.clock.until(() => actor.replica.ledger.tip.height === BLOCKS);
  expect(actor.replica.ledger.committeeAt(2).size).toBe(4);
});

// @mutation packages/replica/src/block-sync.ts
// - if (crossed >= 0) {
// + if (crossed >= headers.length) {
test('headers beyond a change of committees cost whoever gives them', async () => {
  const chain = await withLeave();
  const { stage, actor, holder } = await apart(chain);
  lie(holder, 'headers', () => ({
    headers: chain.decided.map(({ block }) => block.header),
    certificate: chain.decided.at(-1)?.certificate ?? null,
  }));
  holder.say(claim(BLOCKS + 1));
  await stage.clock.until(() => stage.penaltiesOf(actor).length > 0);
  expect(stage.penaltiesOf(actor)).toMatchObject([{ code: 'SYNC_COMMITTEE_CROSSED' }]);
  expect(actor.replica.ledger.tip.height).toBe(0);
});

/** Five validators that decide a block each time there is something to decide, in epochs of one block. */
async function network() {
  const chain = await TestChain.create({ weights: FIVE, parameters: { epochMs: 1, epochBlocksMin: 1 } });
  const stage = Stage.on(chain);
  const actors: Actor[] = [];
  for (let validator = 0; validator < 5; validator++) actors.push(await stage.start({ validator }));
  for (const a of actors) for (const b of actors) if (a.name < b.name) stage.hub.connect(a.name, b.name);
  const first = actors[0] as Actor;
  const submit = async (by: number, operation: Operation) => {
    const transaction = await chain.transaction(chain.key(by), [operation], { validUntilMs: stage.clock.nowMs() + 600_000 });
    return { txId: transaction.txId, admitted: await first.replica.submit(transaction.bytes) };
  };
  return { chain, stage, actors, first, submit };
}

test('a network of validators goes through epochs of one block and a leave, and the one who left follows', async () => {
  const { chain, stage, actors, first, submit } = await network();
  const proposal = await submit(0, { kind: 'validator.leave', address: chain.key(4).address });
  expect(proposal.admitted).toMatchObject({ ok: true });
  const id = proposalId(proposal.txId, 0);
  await stage.clock.until(() => first.replica.ledger.validatorSet.proposal(id) !== undefined);
  for (const index of [1, 2, 3]) expect((await submit(index, { kind: 'proposal.approve', id })).admitted).toMatchObject({ ok: true });
  await stage.clock.until(() => actors.every(({ replica }) => replica.ledger.committeeAt(replica.ledger.tip.height + 1).size === 4));
  const height = first.replica.ledger.tip.height + 3;
  await stage.clock.until(() => actors.every(({ replica }) => replica.ledger.tip.height >= height));
  expect(actors.map(({ replica }) => replica.status().voting)).toEqual(actors.map((_, index) => index !== 4));
});

// @mutation packages/replica/src/replica.ts
// - return (keys?.holds(publicKey) ?? bytesEqual(publicKey, signer.publicKey)) ? index : null;
// + return index;
test('whoever holds another key than the committee knows is silent, and the others go on', async () => {
  const { chain, stage, actors, first, submit } = await network();
  const next = new TestKey('the next one');
  const message = possessionMessage(chain.genesis.context, chain.key(4).address, 'rotate');
  const proofOfPossession = await next.sign(message, POSSESSION_CONTEXT);
  expect((await submit(4, { kind: 'key.rotate', publicKey: next.publicKey, proofOfPossession })).admitted).toMatchObject({ ok: true });
  await stage.clock.until(() => first.replica.ledger.tip.height === 1);
  expect((actors[4] as Actor).replica.status().voting).toBe(true);
  await stage.clock.until(() => actors.every(({ replica }) => replica.ledger.tip.height >= 4));
  expect(actors.map(({ replica }) => replica.status().voting)).toEqual(actors.map((_, index) => index !== 4));
  expect(stage.penaltiesOf(first)).toEqual([]);
});
