import { bytesEqual, type Hash } from '@nacre/base';
import { Block, type Candidate } from '@nacre/ledger';
import { beforeEach, describe, expect, test } from 'vitest';
import { encodeAnswer, type ReplicaConfiguration } from '../src/index.ts';
import type { Puppet } from './support/puppet.ts';
import { claim } from './support/serving-puppet.ts';
import { type Actor, Stage } from './support/stage.ts';
import { append, service } from './support/test-chain.ts';
import { spoilt, type TestKey } from './support/test-keys.ts';

let stage: Stage;
let proposer: number;
let voter: number;
let actor: Actor;
let puppets: Puppet[];

beforeEach(async () => {
  stage = await Stage.create();
  proposer = stage.chain.proposer(1);
  voter = (proposer + 2) % 4; // Nor has it the turn at height 2.
  ({ actor, puppets } = await stage.replicaAmongPuppets(voter));
});

const now = (): number => stage.clock.nowMs();

function giveBodies(puppet: Puppet, { transactions }: Pick<Candidate, 'transactions'>): void {
  puppet.answer = async (request) =>
    request.kind === 'bodies' ? encodeAnswer('bodies', { bodies: transactions.map(({ bytes }) => bytes) }) : undefined;
}

/** The choices of our prepares so far. */
const prepared = (): (Hash | null)[] =>
  stage
    .votesOf(actor, voter)
    .filter(({ kind }) => kind === 'prepare')
    .map(({ blockHash }) => blockHash);

/** The others decide a block and show it. */
async function decide(timeMs = now()): Promise<Block> {
  const { block, certificate } = await stage.chain.decide([], timeMs);
  puppets[0]?.say({ kind: 'decided', certificate, block: block.bytes });
  await stage.clock.run(20);
  expect(actor.replica.status().height).toBe(block.header.height);
  return block;
}

/** A block with other parts. */
function copyOf(block: Block, parts: Partial<Parameters<typeof Block.assemble>[0]>): Block {
  const { header, bodyHashes, parentCertificate, lateCommits } = block;
  return Block.assemble({ header, bodyHashes, parentCertificate, lateCommits, ...parts });
}

describe('a proposal', () => {
  test('of the right proposer is prepared; a second one of the round is an offence and changes nothing', async () => {
    const [first, second] = [stage.chain.candidate([], { timeMs: now() }), stage.chain.candidate([], { timeMs: now() + 1 })];
    puppets[0]?.say(await stage.proposing(first));
    await stage.clock.run(10);
    puppets[1]?.say(await stage.proposing(second));
    await stage.clock.run(10);
    expect(prepared()).toEqual([first.blockHash]);
    expect(stage.events).toContain('warn equivocation seen');
    expect(stage.penaltiesOf(actor)).toEqual([]);
  });

  // @mutation packages/replica/src/height-driver.ts
  // - if (!valid) return this.#penalize(view, { code: 'PROPOSAL_SIGNATURE', height: this.height, round: proposal.round });
  // +
  test('with a false signature costs its sender and is not prepared', async () => {
    const message = await stage.proposing(stage.chain.candidate([], { timeMs: now() }));
    puppets[0]?.say({ ...message, proposal: spoilt(message.proposal) });
    await stage.clock.run(20);
    expect(stage.penaltiesOf(actor)).toEqual([{ against: puppets[0]?.name, code: 'PROPOSAL_SIGNATURE' }]);
    expect(prepared()).toHaveLength(0);
  });

  // @mutation packages/replica/src/height-driver.ts
  // - if (proposal.proposer !== expected ||
  // + if (
  test('of someone whose turn it is not is refused', async () => {
    const message = await stage.proposing(stage.chain.candidate([], { timeMs: now() }), { proposer: (proposer + 2) % 4 });
    puppets[0]?.say(message);
    puppets[0]?.say({ ...message, proposal: { ...message.proposal, proposer: 77 } });
    await stage.clock.run(20);
    expect(stage.penaltiesOf(actor).map(({ code }) => code)).toEqual(['PROPOSAL_INVALID', 'PROPOSAL_INVALID']);
    expect(prepared()).toHaveLength(0);
  });

  // @mutation packages/replica/src/height-driver.ts
  // - !bytesEqual(block.hash, proposal.blockHash) ||
  // +
  test('beside another block than it names is refused', async () => {
    const [named, sent] = [stage.chain.candidate([], { timeMs: now() }), stage.chain.candidate([], { timeMs: now() + 1 })];
    const message = await stage.proposing(named);
    puppets[0]?.say({ ...message, block: sent.block.bytes });
    puppets[0]?.say({ ...message, block: Uint8Array.of(1, 2) });
    await stage.clock.run(20);
    expect(stage.penaltiesOf(actor).map(({ code }) => code)).toEqual(['PROPOSAL_INVALID', 'MALFORMED']);
    expect(prepared()).toHaveLength(0);
  });

  test('of a block that is not valid is answered with a prepare for none, at once', async () => {
    const { block } = stage.chain.candidate([], { timeMs: now() });
    const bad = copyOf(block, { header: { ...block.header, stateRoot: new Uint8Array(32).fill(1) } });
    puppets[0]?.say(await stage.proposing({ block: bad }));
    await stage.clock.run(10);
    expect(prepared()).toEqual([null]);
    expect(stage.events).toContain('warn block refused');
  });

  test('of a block with a falsely signed transaction is answered with a prepare for none', async () => {
    const honest = await stage.chain.anyTransaction();
    const forged = spoilt(honest);
    const decoded = stage.chain.ledger.decode(new Uint8Array([...honest.bytes.slice(0, -2420), ...forged.signature]));
    if (!decoded.ok) throw new Error(decoded.error.code);
    const candidate = stage.chain.candidate([decoded.value], { timeMs: now() });
    giveBodies(puppets[0] as Puppet, candidate);
    puppets[0]?.say(await stage.proposing(candidate));
    await stage.clock.run(20);
    expect(prepared()).toEqual([null]);
  });

  test('too old when it arrives is answered with a prepare for none', async () => {
    const message = await stage.proposing(stage.chain.candidate([], { timeMs: now() }));
    await stage.clock.run(3_600);
    puppets[0]?.say(message);
    await stage.clock.run(10);
    expect(prepared()).toEqual([null]);
  });

  // @mutation packages/replica/src/inbox.ts
  // - this.#dispatch(early.view, early.message, early.arrivalMs);
  // + this.#dispatch(early.view, early.message, this.#dependencies.clock.nowMs());
  test('for the next height counts as arrived when it came, however long it waits here', async () => {
    const first = await stage.chain.decide([], now());
    const second = stage.chain.candidate([], { timeMs: now() + 1 });
    puppets[1]?.say(await stage.proposing(second));
    await stage.clock.run(5_000);
    puppets[0]?.say({ kind: 'decided', certificate: first.certificate, block: first.block.bytes });
    await stage.clock.run(10);
    expect(prepared()).toEqual([second.blockHash]);
  });
});

describe('bodies that are not here', () => {
  async function again(configuration: Partial<ReplicaConfiguration>): Promise<{ actor: Actor; puppets: Puppet[] }> {
    stage = await Stage.create();
    return stage.replicaAmongPuppets(voter, { configuration });
  }

  test('are fetched from the sender of the proposal first', async () => {
    const transactions = [await stage.chain.anyTransaction()];
    const candidate = stage.chain.candidate(transactions, { timeMs: now() });
    for (const puppet of puppets) giveBodies(puppet, candidate);
    puppets[2]?.say(await stage.proposing(candidate));
    await stage.clock.run(20);
    expect(prepared()).toEqual([candidate.blockHash]);
    expect(puppets.map(({ requests }) => requests.length)).toEqual([0, 0, 1]);
  });

  test('are fetched from another peer when the first is silent', async () => {
    ({ actor, puppets } = await again({ requestTimeoutMs: 100 }));
    (puppets[0] as Puppet).answer = () => new Promise(() => {});
    const candidate = stage.chain.candidate([await stage.chain.anyTransaction()], { timeMs: now() });
    for (const puppet of puppets.slice(1)) giveBodies(puppet, candidate);
    puppets[0]?.say(await stage.proposing(candidate));
    await stage.clock.run(150);
    expect(prepared()).toEqual([candidate.blockHash]);
  });

  // @mutation packages/replica/src/peer-requests.ts
  // - if (!decoded.ok || !wanted.delete(keyOf(decoded.value.bodyHash))) {
  // + if (!decoded.ok) {
  test('are fetched from another peer when the first gives others, which costs it', async () => {
    const other = [await stage.chain.anyTransaction()];
    giveBodies(puppets[0] as Puppet, { transactions: other });
    const candidate = stage.chain.candidate([await stage.chain.anyTransaction()], { timeMs: now() });
    for (const puppet of puppets.slice(1)) giveBodies(puppet, candidate);
    puppets[0]?.say(await stage.proposing(candidate));
    await stage.clock.run(50);
    expect(prepared()).toEqual([candidate.blockHash]);
    expect(stage.penaltiesOf(actor)).toEqual([{ against: puppets[0]?.name, code: 'BODY_UNASKED' }]);
  });

  test('are put together from halves that two peers have', async () => {
    const candidate = stage.chain.candidate([await stage.chain.anyTransaction(), await stage.chain.anyTransaction()], { timeMs: now() });
    giveBodies(puppets[0] as Puppet, { transactions: candidate.transactions.slice(0, 1) });
    for (const puppet of puppets.slice(1)) giveBodies(puppet, { transactions: candidate.transactions.slice(1) });
    puppets[0]?.say(await stage.proposing(candidate));
    await stage.clock.run(20);
    expect(prepared()).toEqual([candidate.blockHash]);
  });

  test('are not asked for when they are pending here', async () => {
    const transaction = await stage.chain.anyTransaction();
    puppets[1]?.say({ kind: 'transactions', bodies: [transaction.bytes] });
    await stage.clock.run(5);
    const candidate = stage.chain.candidate([transaction], { timeMs: now() });
    puppets[0]?.say(await stage.proposing(candidate));
    await stage.clock.run(10);
    expect(prepared()).toEqual([candidate.blockHash]);
    expect(puppets.flatMap(({ requests }) => requests)).toEqual([]);
  });
});

describe('a bad signature beside a good block', () => {
  /** The next block, and a copy of it with a false signature in its parent's certificate. */
  async function twoCopies(): Promise<{ candidate: Candidate; bad: Block }> {
    await decide();
    const candidate = stage.chain.candidate([], { timeMs: now() });
    const { parentCertificate } = candidate.block;
    if (parentCertificate === null) throw new Error('height 2 has a parent');
    const commits = parentCertificate.commits.map((commit, i) => (i === 1 ? spoilt(commit) : commit));
    return { candidate, bad: copyOf(candidate.block, { parentCertificate: { ...parentCertificate, commits } }) };
  }

  // @mutation packages/replica/src/block-desk.ts
  // - copy = await this.#fetchBlock(hash);
  // + copy = null;
  // @mutation packages/replica/src/block-desk.ts
  // - if (source !== null) transport.penalize(source, signatures.error);
  // +
  test('costs its sender and not the block, which is fetched from another peer and prepared', async () => {
    const { candidate, bad } = await twoCopies();
    expect(bytesEqual(bad.hash, candidate.blockHash)).toBe(true);
    for (const puppet of puppets.slice(1)) puppet.answer = async () => encodeAnswer('block', { block: candidate.block.bytes });
    const message = await stage.proposing({ block: bad });
    puppets[0]?.say(message);
    await stage.clock.run(20);
    expect(stage.votesOf(actor, voter)).toMatchObject([{ height: 2, kind: 'prepare', blockHash: candidate.blockHash }]);
    expect(stage.penaltiesOf(actor)).toEqual([{ against: puppets[0]?.name, code: 'CERTIFICATE_SIGNATURE' }]);
  });

  // @mutation packages/replica/src/block-desk.ts
  // - if (signatures.ok) return true;
  // + return true;
  test('never enters a block of ours', async () => {
    const { bad } = await twoCopies();
    puppets[0]?.say(await stage.proposing({ block: bad }));
    await stage.clock.run(300);
    expect(stage.votesOf(actor, voter)).toHaveLength(0);
  });
});

describe('a vote', () => {
  // @mutation packages/replica/src/height-driver.ts
  // - if (!valid) return this.#penalize(view, { code: 'VOTE_SIGNATURE', height: vote.height, validator: vote.validator });
  // +
  test('with a false signature costs its sender and does not count', async () => {
    const candidate = stage.chain.candidate([], { timeMs: now() });
    puppets[0]?.say(await stage.proposing(candidate));
    await stage.clock.run(10);
    const place = { height: 1, round: 0, kind: 'prepare' as const, blockHash: candidate.blockHash };
    const [good, bad] = [await stage.chain.vote(proposer, place), spoilt(await stage.chain.vote((voter + 1) % 4, place))];
    puppets[0]?.say({ kind: 'votes', votes: [good, bad] });
    await stage.clock.run(10);
    expect(stage.penaltiesOf(actor)).toEqual([{ against: puppets[0]?.name, code: 'VOTE_SIGNATURE' }]);
    expect(stage.votesOf(actor, voter).map(({ kind }) => kind)).toEqual(['prepare']);
    puppets[1]?.say({ kind: 'votes', votes: [await stage.chain.vote((voter + 1) % 4, place)] });
    await stage.clock.run(10);
    expect(stage.votesOf(actor, voter).map(({ kind }) => kind)).toEqual(['prepare', 'commit']);
  });

  test('of a validator that does not exist costs its sender', async () => {
    const vote = await stage.chain.vote(proposer, { height: 1, round: 0, kind: 'prepare', blockHash: null });
    puppets[0]?.say({ kind: 'votes', votes: [{ ...vote, validator: 9 }] });
    await stage.clock.run(10);
    expect(stage.penaltiesOf(actor)).toEqual([{ against: puppets[0]?.name, code: 'VOTE_INVALID' }]);
  });
});

describe('a decided block', () => {
  // @mutation packages/replica/src/height-driver.ts
  // - if (!verified.ok) return this.#penalize(view, verified.error);
  // +
  test('needs a true certificate for that very block', async () => {
    const candidate = stage.chain.candidate([], { timeMs: now() });
    const other = stage.chain.candidate([], { timeMs: now() + 1 });
    const certificate = await stage.chain.certificate({ height: 1, blockHash: candidate.blockHash });
    const commits = certificate.commits.map((commit, i) => (i === 0 ? spoilt(commit) : commit));
    const [liar] = puppets as [Puppet];
    liar.say({ kind: 'decided', certificate: { ...certificate, commits }, block: candidate.block.bytes });
    liar.say({ kind: 'decided', certificate: { ...certificate, commits: certificate.commits.slice(2) }, block: candidate.block.bytes });
    liar.say({ kind: 'decided', certificate, block: other.block.bytes });
    liar.say({ kind: 'decided', certificate, block: Uint8Array.of(1) });
    await stage.clock.run(10);
    expect(actor.replica.status().height).toBe(0);
    const codes = stage.penaltiesOf(actor).map(({ code }) => code);
    expect(codes.sort()).toEqual(['CERTIFICATE_INVALID', 'CERTIFICATE_SIGNATURE', 'CERTIFICATE_WEIGHT', 'MALFORMED']);
    liar.say({ kind: 'decided', certificate, block: candidate.block.bytes });
    await stage.clock.run(10);
    expect(actor.replica.status().height).toBe(1);
  });

  test('is applied once its quorum of commits is here, and told to followers', async () => {
    const follower = stage.puppet(null, 'follower');
    stage.hub.connect(actor.name, 'follower');
    const candidate = stage.chain.candidate([], { timeMs: now() });
    puppets[0]?.say(await stage.proposing(candidate));
    await stage.voting(puppets, 'commit', { height: 1, blockHash: candidate.blockHash });
    await stage.clock.run(20);
    expect(actor.replica.status()).toMatchObject({ height: 1 });
    expect(follower.heard('decided')).toMatchObject([{ block: candidate.block.bytes }]);
    expect(puppets.flatMap((puppet) => puppet.heard('decided'))).toEqual([]);
  });

  test('is given to whoever is a height behind, and what is missing to whoever is beside', async () => {
    const block = await decide();
    puppets[1]?.say(claim(1));
    await stage.clock.run(5);
    expect(puppets[1]?.heard('decided')).toMatchObject([{ block: block.bytes }]);
    const next = stage.chain.candidate([], { timeMs: now() });
    puppets[0]?.say(await stage.proposing(next));
    await stage.clock.run(100);
    const { state } = claim(2);
    puppets[1]?.say({ kind: 'round-state', state: { ...state, votes: [{ round: 0, kind: 'prepare', validators: [] }] } });
    await stage.clock.run(5);
    expect(puppets[1]?.heard('proposal')).toMatchObject([{ block: next.block.bytes }]);
    expect(puppets[1]?.votes().filter(({ height }) => height === 2).length).toBeGreaterThan(1);
  });

  // @mutation packages/replica/src/inbox.ts
  // - for (const early of this.#early.take(height)) this.#dispatch(early.view, early.message, early.arrivalMs);
  // +
  test('is followed by what was said of the next height before', async () => {
    const first = await stage.chain.decide([], now());
    const second = stage.chain.candidate([], { timeMs: now() + 1 });
    puppets[1]?.say(await stage.proposing(second));
    await stage.voting(puppets.slice(0, 2), 'prepare', { height: 2, blockHash: second.blockHash });
    await stage.clock.run(5);
    puppets[0]?.say({ kind: 'decided', certificate: first.certificate, block: first.block.bytes });
    await stage.clock.run(20);
    expect(stage.votesOf(actor, voter)).toMatchObject([
      { height: 2, kind: 'prepare', blockHash: second.blockHash },
      { height: 2, kind: 'commit', blockHash: second.blockHash },
    ]);
  });
});

describe('our own block', () => {
  async function alone(configuration = {}): Promise<Actor> {
    stage = await Stage.create({ weights: [1] });
    return stage.start({ validator: 0, configuration });
  }

  // @mutation packages/replica/src/height-driver.ts
  // - if (waitMs > 0) return this.#after(waitMs, () => this.#build(round));
  // + if (waitMs > 0) return;
  test('waits until the clock is past the time of its parent', async () => {
    const heights = [1, 2, 3, 4].map((height) => stage.chain.proposer(height));
    const next = heights.indexOf(voter) + 1;
    for (let height = 1; height < next; height++) await decide(now() + 400);
    const parentMs = actor.replica.ledger.tip.timeMs;
    expect(parentMs).toBeGreaterThan(now());
    await actor.replica.submit((await stage.chain.anyTransaction()).bytes);
    await stage.clock.run(390);
    const [sent] = stage.proposalsOf(actor);
    expect(sent).toBeDefined();
    expect(Block.decode(sent?.block as Uint8Array)).toMatchObject({ value: { header: { height: next, timeMs: parentMs + 1 } } });
  });

  // @mutation packages/replica/src/height-driver.ts
  // - const intervalMs = mempool.count > 0 ? configuration.emptyIntervalMs : configuration.idleIntervalMs;
  // + const intervalMs = configuration.emptyIntervalMs;
  test('is made every idle interval when nothing is pending, and at once when something is', async () => {
    const { replica } = await alone();
    await stage.clock.run(9_500);
    expect(replica.status().height).toBe(1);
    await stage.clock.run(9_000);
    expect(replica.status().height).toBe(1);
    await stage.clock.run(1_500);
    expect(replica.status().height).toBe(2);
    await replica.submit((await stage.chain.anyTransaction()).bytes);
    await stage.clock.run(50);
    expect(replica.status().height).toBe(3);
  });

  // @mutation packages/replica/src/height-driver.ts
  // - if (mempool.count > 0 && !empty) return this.work();
  // + if (mempool.count > 0) return this.work();
  test('without what is pending, because its quota is used up, is followed only after the empty interval', async () => {
    stage = await Stage.create({ weights: [1], parameters: { quotaBytesPerWindow: 2 ** 20 } });
    const { replica } = await stage.start({ validator: 0 });
    const [key] = stage.chain.keys as [TestKey];
    await replica.submit((await stage.chain.transaction(key, [service('prices', key)])).bytes);
    await stage.clock.run(50);
    const large = Array.from({ length: 10 }, () => append('prices', new Uint8Array(60_000)));
    for (let i = 0; i < 2; i++) expect(await replica.submit((await stage.chain.transaction(key, large)).bytes)).toMatchObject({ ok: true });
    await stage.clock.run(100);
    const { height, pending } = replica.status();
    expect(pending).toBe(1);
    await stage.clock.run(5_000);
    expect(replica.status().height - height).toBeLessThanOrEqual(5);
  });

  // @mutation packages/replica/src/height-driver.ts
  // - else this.#after(PEERS_WORK_WAIT_MS, () => this.work());
  // + else this.work();
  // @mutation packages/replica/src/inbox.ts
  // - if (state.working && state.height === driver.height) driver.peerWorks();
  // +
  test('for which a peer asks waits a moment for what the peer has, which would wait long behind an empty one', async () => {
    const working = { height: 1, round: 0, step: 'propose' as const, working: true, hasProposal: false, votes: [] };
    const blockOf = (): unknown => stage.proposalsOf(actor).map(({ block }) => Block.decode(block));
    for (const comes of [true, false]) {
      stage = await Stage.create();
      ({ actor, puppets } = await stage.replicaAmongPuppets(stage.chain.proposer(1)));
      const transaction = await stage.chain.anyTransaction();
      puppets[0]?.say({ kind: 'round-state', state: working });
      await stage.clock.run(30);
      expect(stage.proposalsOf(actor)).toEqual([]);
      if (comes) puppets[0]?.say({ kind: 'transactions', bodies: [transaction.bytes] });
      await stage.clock.run(30);
      expect(blockOf()).toMatchObject([{ value: { bodyHashes: comes ? [transaction.bodyHash] : [] } }]);
    }
  });

  // @mutation packages/replica/src/late-votes.ts
  // - if (valid) commits.add(vote);
  // + if (valid || vote) commits.add(vote);
  test('credits commits that came after the decision, true ones only', async () => {
    const heights = [1, 2, 3, 4].map((height) => stage.chain.proposer(height));
    const next = heights.indexOf(voter) + 1;
    for (let height = 1; height < next; height++) {
      const candidate = stage.chain.candidate([], { timeMs: now() });
      const certificate = await stage.chain.certificate({ height, blockHash: candidate.blockHash }, [0, 1, 2]);
      await stage.chain.ledger.apply(candidate, certificate);
      puppets[0]?.say({ kind: 'decided', certificate, block: candidate.block.bytes });
      await stage.clock.run(20);
    }
    const { blockHash, height } = actor.replica.ledger.tip;
    const late = await stage.chain.vote(3, { height, round: 0, kind: 'commit', blockHash });
    puppets[1]?.say({ kind: 'votes', votes: [spoilt(late)] });
    await stage.clock.run(5);
    expect(stage.penaltiesOf(actor)).toEqual([{ against: puppets[1]?.name, code: 'VOTE_SIGNATURE' }]);
    puppets[1]?.say({ kind: 'votes', votes: [late] });
    await stage.clock.run(5);
    await actor.replica.submit((await stage.chain.anyTransaction()).bytes);
    await stage.clock.run(50);
    const sent = Block.decode(stage.proposalsOf(actor)[0]?.block as Uint8Array);
    if (!sent.ok) throw new Error(sent.error.code);
    expect(sent.value.parentCertificate?.commits).toHaveLength(4);
    expect(sent.value.parentCertificate?.commits[3]?.signature).toEqual(late.signature);
  });
});
