import type { Hash } from '@nacre/base';
import { decodeVote, encodeVote, VOTE_CONTEXT, type Vote } from '@nacre/consensus';
import type { Candidate } from '@nacre/ledger';
import { beforeEach, describe, expect, test } from 'vitest';
import { encodeAnswer } from '../src/index.ts';
import type { Puppet } from './support/puppet.ts';
import { type Actor, Home, Stage } from './support/stage.ts';
import { TestCustody } from './support/test-custody.ts';
import type { TestKey } from './support/test-keys.ts';

let stage: Stage;
/** Not the proposer of the first rounds. */
let voter: number;
let key: TestKey;
let custody: TestCustody;

beforeEach(async () => {
  stage = await Stage.create();
  const proposers = [stage.chain.proposer(1), stage.chain.proposer(1, 1), stage.chain.proposer(2)];
  voter = [0, 1, 2, 3].find((index) => !proposers.includes(index)) as number;
  key = stage.chain.key(voter);
  custody = new TestCustody(key);
});

const start = (more: { home?: Home; puppets?: readonly Puppet[] } = {}) => stage.replicaAmongPuppets(voter, { custody, ...more });
const votesOf = (actor: Actor): Vote[] => stage.votesOf(actor, voter);
const emptyBlock = (round = 0): Candidate => stage.chain.candidate([], { timeMs: stage.clock.nowMs(), round });
const signedVotes = (): number => key.signed.get(VOTE_CONTEXT) ?? 0;

async function propose([puppet]: readonly Puppet[], candidate: Candidate, round = 0): Promise<void> {
  puppet?.say(await stage.proposing(candidate, { round, proposer: stage.chain.proposer(1, round) }));
  await stage.clock.run(20);
}

async function decide([puppet]: readonly Puppet[]): Promise<void> {
  const { block, certificate } = await stage.chain.decide([], stage.clock.nowMs());
  puppet?.say({ kind: 'decided', certificate, block: block.bytes });
  await stage.clock.run(50);
}

describe('a signer that is away', () => {
  test('leaves its validator an observer, which follows the chain and votes when it is back', async () => {
    custody.session = null;
    const { actor, puppets } = await start();
    await propose(puppets, emptyBlock());
    expect(actor.replica.status()).toMatchObject({ voting: false });
    await decide(puppets);
    expect(actor.replica.status()).toMatchObject({ height: 1, voting: false });
    expect(votesOf(actor)).toHaveLength(0);
    custody.comeBack();
    await stage.clock.run(2_000);
    expect(actor.replica.status()).toMatchObject({ voting: true });
    await stage.clock.run(60_000);
    expect(votesOf(actor)[0]).toMatchObject({ height: 2 });
  });

  test('while it signs: the height goes on without the vote, and ends by what the others decide', async () => {
    const { actor, puppets } = await start();
    custody.diesAfterSigning = true;
    await propose(puppets, emptyBlock());
    expect(votesOf(actor)).toHaveLength(0);
    expect(actor.replica.status()).toMatchObject({ voting: false, mode: 'consensus' });
    await decide(puppets);
    expect(actor.replica.status().height).toBe(1);
  });

  // @mutation packages/replica/src/signing-watch.ts
  // - await journal.append(this.#entryOf(read, message));
  // +
  test('having signed a vote: when it is back, that very vote is sent, and nothing else at its place', async () => {
    const { actor, puppets } = await start();
    const candidate = emptyBlock();
    custody.diesAfterSigning = true;
    await propose(puppets, candidate);
    custody.comeBack();
    await stage.clock.run(20);
    await propose(puppets, candidate);
    const [vote, ...others] = votesOf(actor);
    expect(vote).toMatchObject({ height: 1, round: 0, kind: 'prepare', blockHash: candidate.blockHash, validator: voter });
    expect({ ...vote, validator: 0 }).toEqual(lastSigned());
    expect(others.filter(({ round, kind }) => round === 0 && kind === 'prepare')).toHaveLength(0);
    expect(signedVotes()).toBe(1);
  });

  // @mutation packages/replica/src/recovery.ts
  // - if (!(error instanceof SignerError)) throw error;
  // + throw error;
  test('does not stop a validator whose journal is in doubt, which waits to have its recovery signed', async () => {
    custody.session = null;
    const { actor } = await start({ home: new Home() });
    await stage.clock.run(30_000);
    expect(actor.replica.status()).toMatchObject({ mode: 'consensus', voting: false, doubt: { code: 'IDENTITY_MISSING' } });
    expect(stage.events).toContain('warn own recovery not signed, trying again');
  });

  function lastSigned(): Vote | null {
    const decoded = decodeVote(custody.memory.at(-1)?.message.bytes ?? new Uint8Array(0));
    return decoded.ok ? decoded.value : null;
  }
});

describe('a home older than the memory of its signer', () => {
  /** A process has prepared and committed a block in round 0, and is gone. */
  async function committed(): Promise<{ copied: Home; candidate: Candidate; puppets: Puppet[] }> {
    const { actor, puppets } = await start();
    const copied = actor.home.copy();
    const candidate = emptyBlock();
    await propose(puppets, candidate);
    await stage.voting(puppets, 'prepare', { height: 1, blockHash: candidate.blockHash });
    await stage.clock.run(20);
    expect(votesOf(actor)).toMatchObject([{ kind: 'prepare' }, { kind: 'commit', blockHash: candidate.blockHash }]);
    stage.kill(actor);
    stage.hub.sent.length = 0;
    return { copied, candidate, puppets };
  }

  // @mutation packages/replica/src/replica.ts
  // - while (this.#signing?.recallDue) await this.#recall(this.#signing);
  // +
  test('learns from it what it has said, and signs nothing there anew', async () => {
    const { copied, candidate, puppets } = await committed();
    const before = signedVotes();
    for (const puppet of puppets) puppet.answer = async () => encodeAnswer('block', { block: candidate.block.bytes });
    const { actor } = await start({ home: copied, puppets });
    await stage.clock.run(20);
    expect(votesOf(actor)).toMatchObject([{ kind: 'prepare' }, { kind: 'commit', blockHash: candidate.blockHash }]);
    expect(signedVotes()).toBe(before);
    expect(actor.replica.status()).toMatchObject({ voting: true, doubt: null });
  });

  // @mutation packages/replica/src/signing-watch.ts
  // - return { height, messages: [message], lock };
  // + return { height, messages: [message], lock: null };
  test('is bound by the commit that it had forgotten: it prepares no other block in a later round', async () => {
    const { copied, puppets } = await committed();
    const { actor } = await start({ home: copied, puppets });
    const other = emptyBlock(1);
    await stage.voting(puppets.slice(0, 2), 'prepare', { height: 1, round: 1, blockHash: null });
    await stage.clock.run(5);
    await propose(puppets, other, 1);
    const choice = (): Hash | null | undefined => votesOf(actor).find(({ round, kind }) => round === 1 && kind === 'prepare')?.blockHash;
    expect(choice()).toBe(null);
  });

  // @mutation packages/replica/src/replica.ts
  // - if (this.#signing !== null && !this.#signing.recalled) return;
  // +
  test('is not in doubt for a vote that a peer holds and its signer remembers', async () => {
    const { copied, puppets } = await committed();
    const [last] = custody.memory.slice(-1);
    const decoded = decodeVote(last?.message.bytes ?? new Uint8Array(0));
    if (!decoded.ok) throw new Error('not a vote');
    for (const puppet of puppets) puppet.confrontsWith = [{ ...decoded.value, validator: voter }];
    custody.goAway();
    const { actor } = await start({ home: copied, puppets });
    await stage.clock.run(2_000);
    expect(actor.replica.status()).toMatchObject({ voting: false, doubt: null });
    custody.comeBack();
    await stage.clock.run(2_000);
    expect(actor.replica.status()).toMatchObject({ voting: true, doubt: null });
  });

  // @mutation packages/replica/src/signing-watch.ts
  // - return votes.some(({ round, kind })
  // + return !votes.some(({ round, kind })
  test('whose journal says something else at a place is in doubt', async () => {
    const { actor, puppets } = await start();
    const candidate = emptyBlock();
    await propose(puppets, candidate);
    const [entry] = custody.memory;
    const decoded = decodeVote(entry?.message.bytes ?? new Uint8Array(0));
    if (!decoded.ok) throw new Error('not a vote');
    custody.memory = [{ height: 1, message: { kind: 'vote', bytes: encodeVote({ ...decoded.value, blockHash: null }) } }];
    custody.goAway();
    custody.comeBack();
    await stage.clock.run(50);
    expect(actor.replica.status()).toMatchObject({ voting: false, doubt: { code: 'SIGNER_DIVERGED', height: 1, round: 0 } });
  });
});

describe('a signer that refuses', () => {
  // @mutation packages/replica/src/height-driver.ts
  // - if (signed === null) return this.end();
  // + if (signed === null) return;
  // @mutation packages/replica/src/signing-watch.ts
  // - if (this.#doubtedHeight === height) this.#refusedHeight = height;
  // + if (this.#doubtedHeight !== height) this.#refusedHeight = height;
  test('is asked once more what it remembers; refused again, the validator is an observer of this height alone', async () => {
    const { actor, puppets } = await start();
    custody.refuses.add('prepare');
    const candidate = emptyBlock();
    await propose(puppets, candidate);
    await propose(puppets, candidate);
    expect(custody.recalls).toBe(2);
    expect(actor.replica.status()).toMatchObject({ voting: false });
    custody.refuses.clear();
    await decide(puppets);
    expect(actor.replica.status()).toMatchObject({ height: 1, voting: true });
    expect(votesOf(actor)).toHaveLength(0);
  });

  // @mutation packages/replica/src/replica.ts
  // - if (this.#signing !== null && !this.#signing.maySign(height)) return null;
  // +
  // @mutation packages/replica/src/signing-watch.ts
  // - && height > this.#dependencies.custody.floorHeight
  // + && height >= this.#dependencies.custody.floorHeight
  test('below its floor is not asked', async () => {
    custody.floorHeight = 1;
    const { actor, puppets } = await start();
    await propose(puppets, emptyBlock());
    expect(actor.replica.status()).toMatchObject({ voting: false });
    await decide(puppets);
    expect(actor.replica.status()).toMatchObject({ height: 1, voting: true });
  });
});
