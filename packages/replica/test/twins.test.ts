import type { Vote } from '@nacre/consensus';
import { beforeEach, describe, expect, test } from 'vitest';
import { TwinWatch } from '../src/twin-watch.ts';
import type { Puppet } from './support/puppet.ts';
import { type Actor, Home, Stage } from './support/stage.ts';
import { spoilt, TestKey } from './support/test-keys.ts';

let stage: Stage;

beforeEach(async () => {
  stage = await Stage.create();
});

const hashOf = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);

/** Real replicas of all validators, each connected to each. */
async function everyone(): Promise<Actor[]> {
  const actors: Actor[] = [];
  for (const validator of stage.chain.keys.keys()) actors.push(await stage.start({ validator }));
  for (const [i, a] of actors.entries()) for (const b of actors.slice(i + 1)) stage.hub.connect(a.name, b.name);
  await stage.clock.run(20);
  return actors;
}

async function submit({ replica }: Actor): Promise<void> {
  expect((await replica.submit((await stage.chain.anyTransaction()).bytes)).ok).toBe(true);
}

describe('two processes with one key', () => {
  // @mutation packages/replica/src/twin-watch.ts
  // - if (answer.accepted) guard.acknowledged(id, validator);
  // + guard.acknowledged(id, validator);
  test('never both vote', async () => {
    const actors = await everyone();
    const [first] = actors as [Actor];
    const twin = await stage.start({ validator: 0, name: 'twin', home: first.home.copy() });
    for (const { name } of actors) stage.hub.connect('twin', name);
    for (let i = 0; i < 5; i++) {
      await submit(actors[i % 4] as Actor);
      await stage.clock.run(2_000);
    }
    expect(first.replica.status()).toMatchObject({ voting: true });
    expect(first.replica.status().height).toBeGreaterThan(4);
    expect(twin.replica.status()).toMatchObject({ voting: false, height: first.replica.status().height });
    expect(stage.votesOf(twin, 0)).toHaveLength(0);
    expect(stage.events).toContain('warn second process with one validator key refused');
  });

  // @mutation packages/replica/src/twin-watch.ts
  // - for (const vote of answer.votes) if (await this.#isForgotten(vote)) return vote;
  // +
  test('one after the other: a copied home that does not know the last votes is in doubt, and says nothing', async () => {
    const actors = await everyone();
    const [first, ...others] = actors as [Actor, ...Actor[]];
    await submit(first);
    await stage.clock.run(1_000);
    const copied = first.home.copy();
    // Half a height more: the first process votes, and the block is not decided because nobody hears its commit or another's.
    stage.hub.interpose = ({ frame }) => (isCommit(frame) ? [] : [frame]);
    await submit(first);
    await stage.clock.run(100);
    const { height } = first.replica.status();
    expect(stage.votesOf(first, 0).some((vote) => vote.height === height + 1)).toBe(true);
    stage.kill(first);

    const second = await stage.start({ validator: 0, name: 'second', home: copied });
    for (const { name } of others) stage.hub.connect('second', name);
    await stage.clock.run(50);
    expect(second.replica.status()).toMatchObject({ voting: false, doubt: { code: 'VOTE_UNKNOWN', height: height + 1 } });
    expect(stage.votesOf(second, 0)).toHaveLength(0);
  });

  function isCommit(frame: Uint8Array): boolean {
    // Votes, and the first of them a commit: its kind stands after two offsets, version, height and round.
    return frame[1] === 1 && frame[2 + 4 + 4 + 13] === 1;
  }
});

describe('a validator that is shown a vote of its own', () => {
  async function confronted(votes: readonly Vote[], validator = 0): Promise<Actor> {
    const puppets = [1, 2, 3].map((index) => stage.puppet(index));
    for (const puppet of puppets) puppet.confrontsWith = votes;
    return (await stage.replicaAmongPuppets(validator, { puppets })).actor;
  }

  test('that it does not know is in doubt from then on, across restarts', async () => {
    const unknown = await stage.chain.vote(0, { height: 1, round: 2, kind: 'commit', blockHash: hashOf(1) });
    const actor = await confronted([unknown]);
    expect(actor.replica.status()).toMatchObject({ voting: false, doubt: { code: 'VOTE_UNKNOWN', height: 1, round: 2 } });
    stage.kill(actor);
    const again = await stage.start({ validator: 0, home: actor.home.afterPowerCut(), name: 'again' });
    expect(again.replica.status().doubt).toMatchObject({ code: 'VOTE_UNKNOWN' });
  });

  // @mutation packages/replica/src/twin-watch.ts
  // - if (await verifier.verify(signed)) return !holdsVote(identity.journal, vote);
  // + return !holdsVote(identity.journal, vote);
  test('with a false signature is not impressed', async () => {
    const forged = spoilt(await stage.chain.vote(0, { height: 1, round: 2, kind: 'commit', blockHash: hashOf(1) }));
    expect((await confronted([forged])).replica.status()).toMatchObject({ voting: true, doubt: null });
  });

  test('of another key is not impressed', async () => {
    const foreign = await stage.chain.vote(1, { height: 1, round: 2, kind: 'commit', blockHash: hashOf(1) });
    expect((await confronted([{ ...foreign, validator: 0 }])).replica.status()).toMatchObject({ voting: true, doubt: null });
  });

  // @mutation packages/replica/src/twin-watch.ts
  // - if (await verifier.verify(signed)) return !holdsVote(identity.journal, vote);
  // + if (await verifier.verify(signed)) return true;
  // @mutation packages/replica/src/restore.ts
  // - (own) => own.round === vote.round && own.kind === vote.kind && sameChoice(own.blockHash, vote.blockHash),
  // + (own) => own.round === vote.round && own.kind === vote.kind && own.blockHash === vote.blockHash,
  test('that its journal knows goes on, although the signature is another one', async () => {
    const proposer = stage.chain.proposer(1);
    const { actor } = await stage.replicaAmongPuppets(proposer);
    await submit(actor);
    await stage.clock.run(50);
    const [own] = stage.votesOf(actor, proposer) as [Vote];
    stage.kill(actor);

    const signedAnew = await stage.chain.vote(proposer, own);
    const again = await stage.start({ validator: proposer, home: actor.home.copy(), name: 'again' });
    for (const index of [0, 1, 2, 3].filter((other) => other !== proposer)) {
      const puppet = stage.puppet(index, `later ${index}`);
      puppet.confrontsWith = [signedAnew];
      stage.hub.connect('again', puppet.name);
    }
    await stage.clock.run(20);
    expect(again.replica.status()).toMatchObject({ voting: true, doubt: null });
  });

  // @mutation packages/replica/src/restore.ts
  // - (own) => own.round === vote.round && own.kind === vote.kind && sameChoice(own.blockHash, vote.blockHash),
  // + (own) => own.round === vote.round && own.kind === vote.kind,
  test('for another block than the one in its journal is in doubt', async () => {
    const proposer = stage.chain.proposer(1);
    const { actor, puppets } = await stage.replicaAmongPuppets(proposer);
    await submit(actor);
    await stage.clock.run(50);
    expect(stage.votesOf(actor, proposer)).toHaveLength(1);
    const other = await stage.chain.vote(proposer, { height: 1, round: 0, kind: 'prepare', blockHash: hashOf(9) });
    const [puppet] = puppets as [Puppet];
    puppet.confrontsWith = [other];
    stage.hub.disconnect(actor.name, puppet.name);
    stage.hub.connect(actor.name, puppet.name);
    await stage.clock.run(20);
    expect(actor.replica.status()).toMatchObject({ voting: false, doubt: { code: 'VOTE_UNKNOWN' } });
  });

  // @mutation packages/replica/src/twin-watch.ts
  // - if (vote.height <= ledger.tip.height || vote.height <= identity.journal.floorHeight) return false;
  // +
  test('for a height that is decided here is not in doubt: nothing can come of it', async () => {
    const { actor, puppets } = await stage.replicaAmongPuppets(0);
    const { block, certificate } = await stage.chain.decide([], stage.clock.nowMs());
    puppets[0]?.say({ kind: 'decided', certificate, block: block.bytes });
    await stage.clock.run(20);
    expect(actor.replica.status().height).toBe(1);
    const [puppet] = puppets as [Puppet];
    puppet.confrontsWith = [await stage.chain.vote(0, { height: 1, round: 7, kind: 'commit', blockHash: hashOf(1) })];
    stage.hub.disconnect(actor.name, puppet.name);
    stage.hub.connect(actor.name, puppet.name);
    await stage.clock.run(20);
    expect(actor.replica.status().doubt).toBeNull();
  });
});

describe('acknowledgements', () => {
  // @mutation packages/replica/src/twin-watch.ts
  // - if (validator === undefined || !bytesEqual(answer.instance, guard.instance)) return null;
  // + if (validator === undefined) return null;
  test('of another instance count for nothing', async () => {
    const puppets = [1, 2, 3].map((index) => stage.puppet(index));
    for (const puppet of puppets) puppet.acknowledges = false;
    const { actor } = await stage.replicaAmongPuppets(0, { puppets });
    for (const puppet of puppets) puppet.say({ kind: 'instance-answer', instance: new Uint8Array(16).fill(1), accepted: true, votes: [] });
    await stage.clock.run(20);
    expect(actor.replica.status().voting).toBe(false);
  });

  // @mutation packages/replica/src/replica.ts
  // - for (const { peer } of this.#peers.all()) this.#twins.claim(peer);
  // +
  test('that were refused are asked for again', async () => {
    const puppets = [1, 2, 3].map((index) => stage.puppet(index));
    for (const puppet of puppets) puppet.acknowledges = false;
    const { actor } = await stage.replicaAmongPuppets(0, { puppets });
    expect(actor.replica.status().voting).toBe(false);
    for (const puppet of puppets) puppet.acknowledges = true;
    await stage.clock.run(1_200);
    expect(actor.replica.status().voting).toBe(true);
  });

  // @mutation packages/replica/src/replica.ts
  // - this.#guard.disconnected(peer.id);
  // - this.#reconsiderVoting();
  // + this.#guard.disconnected(peer.id);
  test('end with their connections, and the right to vote with them', async () => {
    const { actor, puppets } = await stage.replicaAmongPuppets(0);
    expect(actor.replica.status().voting).toBe(true);
    for (const { name } of puppets.slice(1)) stage.hub.disconnect(actor.name, name);
    await stage.clock.run(5);
    expect(actor.replica.status().voting).toBe(false);
    const [left] = puppets as [Puppet];
    left.say({ kind: 'votes', votes: [await stage.chain.vote(1, { height: 1, round: 0, kind: 'prepare', blockHash: null })] });
    await stage.clock.run(2_000);
    expect(left.heard('votes')).toEqual([]);
    stage.hub.connect(actor.name, (puppets[1] as Puppet).name);
    await stage.clock.run(5);
    expect(actor.replica.status().voting).toBe(true);
  });

  test('are given to one live instance of a key, with the last vote seen of it', async () => {
    const { actor, puppets } = await stage.replicaAmongPuppets(0);
    const [puppet] = puppets as [Puppet];
    const votes = [
      await stage.chain.vote(1, { height: 1, round: 1, kind: 'commit', blockHash: null }),
      await stage.chain.vote(1, { height: 1, round: 1, kind: 'prepare', blockHash: null }),
      await stage.chain.vote(1, { height: 1, round: 0, kind: 'commit', blockHash: null }),
    ];
    for (const vote of votes) puppet.say({ kind: 'votes', votes: [vote] });
    const [live, other] = [hashOf(5).slice(0, 16), hashOf(6).slice(0, 16)];
    puppet.say({ kind: 'instance', instance: live });
    await stage.clock.run(20);
    expect(puppet.heard('instance-answer')).toEqual([{ kind: 'instance-answer', instance: live, accepted: true, votes: [votes[0]] }]);
    const twin = stage.puppet(1, 'twin');
    stage.hub.connect(actor.name, 'twin');
    twin.say({ kind: 'instance', instance: other });
    await stage.clock.run(20);
    expect(twin.heard('instance-answer')).toMatchObject([{ accepted: false }]);
  });

  test('are not given to who has proven no key', async () => {
    const { actor } = await stage.replicaAmongPuppets(0);
    const stranger = stage.puppet(null, 'stranger');
    stage.hub.connect(actor.name, 'stranger');
    stranger.say({ kind: 'instance', instance: hashOf(5).slice(0, 16) });
    stranger.say({ kind: 'instance-answer', instance: hashOf(5).slice(0, 16), accepted: true, votes: [] });
    await stage.clock.run(20);
    // It may be a validator from the next block on.
    expect(stage.penaltiesOf(actor)).toEqual([]);
    expect(stranger.heard('instance-answer')).toEqual([]);
  });
});

test('a validator alone votes without anyone', async () => {
  stage = await Stage.create({ weights: [1] });
  const actor = await stage.start({ validator: 0, home: await stage.newHome(0) });
  await submit(actor);
  await stage.clock.run(100);
  expect(actor.replica.status()).toMatchObject({ height: 1, voting: true });
});

test.each([
  ['height', { height: 5, round: 0, kind: 'prepare' }, { height: 6, round: 0, kind: 'prepare' }],
  ['round', { height: 5, round: 0, kind: 'commit' }, { height: 5, round: 1, kind: 'prepare' }],
  ['kind', { height: 5, round: 0, kind: 'prepare' }, { height: 5, round: 0, kind: 'commit' }],
] as const)('of two votes of a key the one of the later %s is remembered', async (_, earlier, later) => {
  const sent: Uint8Array[] = [];
  const { address } = new TestKey('someone');
  const vote = (place: typeof earlier | typeof later): Vote => ({ ...place, blockHash: null, validator: 0, signature: new Uint8Array(3) });
  for (const order of [
    [earlier, later],
    [later, earlier],
  ]) {
    const actor = await stage.start({ validator: null, name: `f${sent.length}`, home: new Home() });
    const watch = new TwinWatch({
      chain: stage.chain.genesis.context,
      guard: { claim: () => true } as never,
      ledger: actor.replica.ledger,
      transport: { send: (_to: string, frame: Uint8Array) => sent.push(frame) } as never,
      verifier: { verify: async () => true },
      log: { debug() {}, info() {}, warn() {}, error() {} },
      identity: null,
    });
    for (const place of order) watch.voteSeen(address, vote(place));
    watch.answer(
      { peer: { id: 'p', validator: address }, claimedHeight: 0, fruitless: 0, repairedAtMs: 0, verifying: 0, heard: false },
      new Uint8Array(16),
    );
  }
  expect(sent[0]).toEqual(sent[1]);
});
