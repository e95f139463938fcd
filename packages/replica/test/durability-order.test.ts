import { bytesEqual } from '@nacre/base';
import { encodeVote, PROPOSAL_CONTEXT, VOTE_CONTEXT } from '@nacre/consensus';
import type { Candidate } from '@nacre/ledger';
import { beforeEach, describe, expect, test } from 'vitest';
import { encodeAnswer } from '../src/index.ts';
import type { Puppet } from './support/puppet.ts';
import { type Actor, Stage } from './support/stage.ts';
import { openLedger } from './support/test-chain.ts';

let stage: Stage;
/** Not the proposer of height 1. */
let voter: number;
let proposer: number;

beforeEach(async () => {
  stage = await Stage.create();
  proposer = stage.chain.proposer(1);
  voter = (proposer + 1) % 4;
});

async function nextBlock(): Promise<Candidate> {
  return stage.chain.candidate([await stage.chain.anyTransaction()], { timeMs: stage.clock.nowMs() });
}

/** A puppet has proposed; it gives the bodies, too. */
async function propose(puppets: readonly Puppet[], candidate: Candidate): Promise<void> {
  const source = puppets[0] as Puppet;
  source.answer = async (request) =>
    request.kind === 'bodies' ? encodeAnswer('bodies', { bodies: candidate.transactions.map(({ bytes }) => bytes) }) : undefined;
  source.say(await stage.proposing(candidate));
}

describe('before a vote leaves', () => {
  // @mutation packages/replica/src/height-driver.ts
  // - journal.append({
  // + void journal.append({
  test('it is synced in the vote journal', async () => {
    const { actor, puppets } = await stage.replicaAmongPuppets(voter);
    const candidate = await nextBlock();
    actor.home.directory.syncs.shut();
    await propose(puppets, candidate);
    await stage.clock.run(100);
    expect(actor.home.directory.syncs.waiting).toBe(1);
    expect(stage.votesOf(actor, voter)).toHaveLength(0);
    actor.home.directory.syncs.open();
    await stage.clock.run(5);
    expect(stage.votesOf(actor, voter)).toMatchObject([{ height: 1, round: 0, kind: 'prepare', blockHash: candidate.blockHash }]);
  });

  // @mutation packages/replica/src/height-driver.ts
  // - ...ready.sign.map((message) => this.#blockDurable(message)),
  // +
  // @mutation packages/replica/src/block-desk.ts
  // - if (held !== undefined) return held.durable;
  // + if (held !== undefined) return;
  // @mutation packages/replica/src/height-driver.ts
  // - await Promise.all([
  // + void Promise.all([
  test('the block that it names is synced with its bodies', async () => {
    const { actor, puppets } = await stage.replicaAmongPuppets(voter);
    const candidate = await nextBlock();
    actor.home.store.syncs.shut();
    await propose(puppets, candidate);
    await stage.clock.run(100);
    expect(actor.home.store.syncs.waiting).toBe(1);
    expect(stage.votesOf(actor, voter)).toHaveLength(0);
    actor.home.store.syncs.open();
    await stage.clock.run(5);
    expect(stage.votesOf(actor, voter)).toMatchObject([{ kind: 'prepare', blockHash: candidate.blockHash }]);
    const { store } = actor.home.afterPowerCut();
    const stored = (await openLedger(stage.chain.genesis, store)).loadBlock(candidate.blockHash);
    expect(stored?.transactions).toHaveLength(1);
  });

  // @mutation packages/replica/src/height-driver.ts
  // - if (this.#ended) return; // Journaled but not sent: the next start sends it.
  // +
  test('nothing leaves once the replica has been told to stop', async () => {
    const { actor, puppets } = await stage.replicaAmongPuppets(voter);
    actor.home.directory.syncs.shut();
    await propose(puppets, await nextBlock());
    await stage.clock.run(50);
    const stopped = actor.replica.stop();
    actor.home.directory.syncs.open();
    await stopped;
    await stage.clock.run(50);
    expect(stage.votesOf(actor, voter)).toHaveLength(0);
  });

  // @mutation packages/replica/src/height-driver.ts
  // - lock: ready.lock,
  // + lock: null,
  test('the lock that goes with it is in the journal: a restart does not free the validator', async () => {
    const { actor, puppets } = await stage.replicaAmongPuppets(voter);
    const candidate = await nextBlock();
    await propose(puppets, candidate);
    await stage.clock.run(20);
    await stage.voting(puppets, 'prepare', { height: 1, blockHash: candidate.blockHash });
    await stage.clock.run(20);
    expect(stage.votesOf(actor, voter).map(({ kind }) => kind)).toEqual(['prepare', 'commit']);
    stage.kill(actor);

    const again = await stage.start({ validator: voter, home: actor.home.afterPowerCut(), name: 'again' });
    for (const { name } of puppets) stage.hub.connect('again', name);
    await stage.clock.run(20);
    await stage.voting(puppets, 'commit', { height: 1, blockHash: null });
    const other = stage.chain.candidate([], { timeMs: stage.clock.nowMs(), round: 1 });
    puppets[0]?.say(await stage.proposing(other, { round: 1 }));
    await stage.clock.run(1_000);
    const later = stage.votesOf(again, voter).filter(({ round, kind }) => round === 1 && kind === 'prepare');
    expect(later).not.toEqual([]);
    expect(later.every(({ blockHash }) => blockHash === null || bytesEqual(blockHash, candidate.blockHash))).toBe(true);
  });
});

describe('before a proposal leaves', () => {
  async function proposing(): Promise<{ actor: Actor; puppets: Puppet[] }> {
    const set = await stage.replicaAmongPuppets(proposer);
    const submitted = await set.actor.replica.submit((await stage.chain.anyTransaction()).bytes);
    expect(submitted.ok).toBe(true);
    return set;
  }

  // @mutation packages/replica/src/height-driver.ts
  // - journal.append({
  // + void journal.append({
  test('it is synced in the vote journal', async () => {
    const set = await stage.replicaAmongPuppets(proposer);
    set.actor.home.directory.syncs.shut();
    await set.actor.replica.submit((await stage.chain.anyTransaction()).bytes);
    await stage.clock.run(50);
    expect(set.actor.home.directory.syncs.waiting).toBe(1);
    expect(stage.proposalsOf(set.actor)).toHaveLength(0);
    set.actor.home.directory.syncs.open();
    await stage.clock.run(10);
    expect(stage.proposalsOf(set.actor)).toHaveLength(1);
  });

  // @mutation packages/replica/src/height-driver.ts
  // - ...ready.sign.map((message) => this.#blockDurable(message)),
  // +
  // @mutation packages/ledger/src/ledger.ts
  // - await this.#store.write(this.blocks.saveOperations(block, transactions, isStored), { sync: true });
  // + await this.#store.write(this.blocks.saveOperations(block, transactions, isStored), { sync: false });
  test('its block is synced with its bodies', async () => {
    const { actor, puppets } = await stage.replicaAmongPuppets(proposer);
    actor.home.store.syncs.shut();
    // Heard, not submitted: so that no sync but the block's is under way.
    puppets[0]?.say({ kind: 'transactions', bodies: [(await stage.chain.anyTransaction()).bytes] });
    await stage.clock.run(50);
    expect(actor.home.store.syncs.waiting).toBe(1);
    expect(stage.proposalsOf(actor)).toHaveLength(0);
    actor.home.store.syncs.open();
    await stage.clock.run(10);
    expect(stage.proposalsOf(actor)).toHaveLength(1);
  });

  test('and the validator prepares its own block in the same round', async () => {
    const { actor } = await proposing();
    await stage.clock.run(50);
    const [sent] = stage.proposalsOf(actor);
    expect(stage.votesOf(actor, proposer)).toMatchObject([{ kind: 'prepare', blockHash: sent?.proposal.blockHash }]);
  });
});

describe('after a crash', () => {
  // @mutation packages/replica/src/height-driver.ts
  // - this.#sendOwnVotes(votes.filter(({ blockHash }) => blockHash === null));
  // + this.#sendOwnVotes(votes);
  test('between journal and block, the vote is withheld until the block is here again', async () => {
    const { actor, puppets } = await stage.replicaAmongPuppets(voter);
    const candidate = await nextBlock();
    actor.home.store.syncs.shut();
    await propose(puppets, candidate);
    await stage.clock.run(50);
    stage.kill(actor);

    const again = await stage.start({ validator: voter, home: actor.home.afterPowerCut(), name: 'again' });
    const [source] = puppets as [Puppet];
    const bodies = source.answer;
    source.answer = async () => undefined;
    stage.hub.connect('again', source.name);
    stage.hub.connect('again', (puppets[1] as Puppet).name);
    await stage.clock.run(300);
    expect(source.requests).toContainEqual({ kind: 'block', hash: candidate.blockHash });
    expect(stage.votesOf(again, voter)).toHaveLength(0);

    source.answer = async (request, frame) =>
      request.kind === 'block' ? encodeAnswer('block', { block: candidate.block.bytes }) : bodies(request, frame);
    await stage.clock.run(600);
    expect(stage.votesOf(again, voter)[0]).toMatchObject({ round: 0, kind: 'prepare', blockHash: candidate.blockHash });
  });

  // @mutation packages/replica/src/height-driver.ts
  // - void this.#blocks.durable(hash).then(
  // + void Promise.resolve().then(
  test('a withheld vote waits until the fetched block is durable', async () => {
    const { actor, puppets } = await stage.replicaAmongPuppets(voter);
    const candidate = await nextBlock();
    actor.home.store.syncs.shut();
    await propose(puppets, candidate);
    await stage.clock.run(50);
    stage.kill(actor);

    const home = actor.home.afterPowerCut();
    const again = await stage.start({ validator: voter, home, name: 'again' });
    home.store.syncs.shut();
    const [source] = puppets as [Puppet];
    const bodies = source.answer;
    source.answer = async (request, frame) =>
      request.kind === 'block' ? encodeAnswer('block', { block: candidate.block.bytes }) : bodies(request, frame);
    stage.hub.connect('again', source.name);
    stage.hub.connect('again', (puppets[1] as Puppet).name);
    await stage.clock.run(300);
    expect(home.store.syncs.waiting).toBe(1);
    expect(stage.votesOf(again, voter)).toHaveLength(0);
    home.store.syncs.open();
    await stage.clock.run(5);
    expect(stage.votesOf(again, voter)).toMatchObject([{ kind: 'prepare', blockHash: candidate.blockHash }]);
  });

  // @mutation packages/replica/src/height-driver.ts
  // - ...(restored === null ? {} : { restored: { messages: restored.messages, lock: restored.lock } }),
  // +
  test('votes are sent again as they were, and nothing is signed anew', async () => {
    const { actor, puppets } = await stage.replicaAmongPuppets(voter);
    const candidate = await nextBlock();
    await propose(puppets, candidate);
    await stage.clock.run(50);
    const [before] = stage.votesOf(actor, voter);
    stage.kill(actor);

    const again = await stage.start({ validator: voter, home: actor.home.afterPowerCut(), name: 'again' });
    for (const { name } of puppets) stage.hub.connect('again', name);
    await stage.clock.run(20);
    await propose(puppets, candidate);
    await stage.clock.run(20);
    const votes = stage.votesOf(again, voter);
    expect(votes.map(encodeVote)).toEqual([before].map((vote) => encodeVote(vote as NonNullable<typeof vote>)));
    expect(stage.chain.key(voter).signed.get(VOTE_CONTEXT)).toBe(1);
  });

  // @mutation packages/replica/src/height-driver.ts
  // - ...(restored === null ? {} : { restored: { messages: restored.messages, lock: restored.lock } }),
  // +
  test('malachite #850: votes that peers send before anything else meet what the journal holds, and nothing contrary is signed', async () => {
    const { actor, puppets } = await stage.replicaAmongPuppets(voter);
    const candidate = await nextBlock();
    await propose(puppets, candidate);
    await stage.clock.run(50);
    expect(stage.votesOf(actor, voter)).toHaveLength(1);
    stage.kill(actor);

    const again = await stage.start({ validator: voter, home: actor.home.afterPowerCut(), name: 'again' });
    for (const { name } of puppets) stage.hub.connect('again', name);
    // Not a moment for the journal to be read after they are connected: every vote for none is there at once.
    await stage.voting(puppets, 'prepare', { height: 1, blockHash: null });
    await stage.clock.run(3_000);
    const first = stage.votesOf(again, voter).filter(({ kind, round }) => kind === 'prepare' && round === 0);
    expect(first.length).toBeGreaterThan(0);
    for (const { blockHash } of first) expect(blockHash).toEqual(candidate.blockHash);
  });

  // @mutation packages/replica/src/height-driver.ts
  // - const frame = encodeMessage({ kind: 'proposal', proposal, block: block.bytes, justification: [] });
  // - this.#context.transport.broadcast('committee', frame);
  // + encodeMessage({ kind: 'proposal', proposal, block: block.bytes, justification: [] });
  test('a proposal is sent again as it was, and no second one is made for the round', async () => {
    const { actor, puppets } = await stage.replicaAmongPuppets(proposer);
    await actor.replica.submit((await stage.chain.anyTransaction()).bytes);
    await stage.clock.run(20);
    const [before] = stage.proposalsOf(actor);
    stage.kill(actor);

    const again = await stage.start({ validator: proposer, home: actor.home.afterPowerCut(), name: 'again' });
    for (const { name } of puppets) stage.hub.connect('again', name);
    await stage.clock.run(20);
    expect(stage.proposalsOf(again)).toEqual([before]);
    expect(stage.chain.key(proposer).signed.get(PROPOSAL_CONTEXT)).toBe(1);
    expect(puppets[0]?.heard('proposal')).toHaveLength(2);
  });

  // @mutation packages/replica/src/height-driver.ts
  // - if (block === undefined) continue; // It was never sent: blocks are synced before the proposal that names them.
  // + if (block === undefined) throw new Error('a block is missing');
  test('between journal and block, the proposal that was never sent is not made again, and the round goes on without it', async () => {
    const { actor, puppets } = await stage.replicaAmongPuppets(proposer);
    actor.home.store.syncs.shut();
    // Heard, not submitted: so that no sync but the block's is under way.
    puppets[0]?.say({ kind: 'transactions', bodies: [(await stage.chain.anyTransaction()).bytes] });
    await stage.clock.run(50);
    expect(stage.proposalsOf(actor)).toHaveLength(0);
    expect(stage.chain.key(proposer).signed.get(PROPOSAL_CONTEXT)).toBe(1);
    stage.kill(actor);

    const again = await stage.start({ validator: proposer, home: actor.home.afterPowerCut(), name: 'again' });
    for (const { name } of puppets) stage.hub.connect('again', name);
    await stage.clock.run(600);
    expect(stage.proposalsOf(again)).toHaveLength(0);
    expect(stage.chain.key(proposer).signed.get(PROPOSAL_CONTEXT)).toBe(1);
    expect(stage.votesOf(again, proposer)[0]).toMatchObject({ round: 0, kind: 'prepare', blockHash: null });
  });
});
