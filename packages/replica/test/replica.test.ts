import { FRAME_BYTES_MAX } from '@nacre/base';
import { blockHash, bodyKey } from '@nacre/ledger';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { ANSWER_BYTES_MAX, decodeAnswer, encodeMessage, encodeRequest } from '../src/index.ts';
import type { Puppet } from './support/puppet.ts';
import { claim } from './support/serving-puppet.ts';
import { type Actor, Stage } from './support/stage.ts';
import { append, service } from './support/test-chain.ts';

let stage: Stage;
let actor: Actor;
let puppets: Puppet[];

beforeEach(async () => {
  stage = await Stage.create();
  ({ actor, puppets } = await stage.replicaAmongPuppets(0));
});

const now = (): number => stage.clock.nowMs();

describe('a frame', () => {
  test('that does not decode costs its sender, and the replica goes on', async () => {
    const [peer] = puppets as [Puppet];
    for (const frame of [new Uint8Array(0), Uint8Array.of(9, 9), Uint8Array.of(1, 99), Uint8Array.of(1, 1, 1)]) peer.sayBytes(frame);
    peer.sayBytes(encodeMessage({ kind: 'transactions', bodies: [new Uint8Array(FRAME_BYTES_MAX)] }));
    await stage.clock.run(5);
    expect(stage.penaltiesOf(actor).map(({ code }) => code)).toEqual([
      'FRAME_VERSION',
      'FRAME_VERSION',
      'FRAME_KIND',
      'MALFORMED',
      'FRAME_TOO_LARGE',
    ]);
    expect(actor.replica.status()).toMatchObject({ mode: 'consensus', peers: 3 });
  });
});

describe('a failure', () => {
  test('of the vote journal stops the replica and is told to whoever waits for its end', async () => {
    actor.home.directory.failure = new Error('no space');
    puppets[0]?.say(await stage.proposing(stage.chain.candidate([], { timeMs: now() })));
    await stage.clock.run(2_000);
    await expect(actor.replica.finished).rejects.toMatchObject({ code: 'JOURNAL_FAILED' });
    expect(actor.replica.status().mode).toBe('stopped');
    expect(stage.votesOf(actor, 0)).toHaveLength(0);
    expect(stage.events).toContain('error replica stopped by a failure');
    expect(await actor.replica.submit((await stage.chain.anyTransaction()).bytes)).toEqual({ ok: false, error: { code: 'STOPPED' } });
  });

  test('of the store while a block is saved stops the replica before it votes', async () => {
    actor.home.store.failure = new Error('bad sector');
    puppets[0]?.say(await stage.proposing(stage.chain.candidate([], { timeMs: now() })));
    await stage.clock.run(2_000);
    await expect(actor.replica.finished).rejects.toThrow('bad sector');
    expect(stage.votesOf(actor, 0)).toHaveLength(0);
  });

  test('of the store while a block is applied stops the replica', async () => {
    const { block, certificate } = await stage.chain.decide([], now());
    actor.home.store.failure = new Error('bad sector');
    puppets[0]?.say({ kind: 'decided', certificate, block: block.bytes });
    await stage.clock.run(100);
    await expect(actor.replica.finished).rejects.toThrow('bad sector');
  });

  // @mutation packages/replica/src/replica.ts
  // - this.#failure ??= { error };
  // +
  // @mutation packages/replica/src/replica.ts
  // - if (this.#failure !== null) throw this.#failure.error;
  // +
  test('while a peer is answered stops the replica, and the peer has no answer', async () => {
    const transaction = await stage.chain.anyTransaction();
    const { block, certificate } = await stage.chain.decide([transaction], now());
    puppets[0]?.say({ kind: 'transactions', bodies: [transaction.bytes] });
    puppets[0]?.say({ kind: 'decided', certificate, block: block.bytes });
    await stage.clock.run(20);
    vi.spyOn(actor.home.store, 'get').mockImplementation(() => {
      throw new Error('the disk is gone');
    });
    const answer = puppets[0]?.ask(encodeRequest({ kind: 'block', hash: block.hash }));
    await stage.clock.run(20);
    expect(await answer).toMatchObject({ ok: false, error: { code: 'NO_ANSWER' } });
    await expect(actor.replica.finished).rejects.toThrow('the disk is gone');
  });
});

describe('the end', () => {
  test('may be asked for twice, and nothing is said or answered after it', async () => {
    await Promise.all([actor.replica.stop(), actor.replica.stop()]);
    await actor.replica.finished;
    const said = stage.hub.sent.filter(({ from }) => from === actor.name).length;
    puppets[0]?.say(claim(5));
    puppets[0]?.say(await stage.proposing(stage.chain.candidate([], { timeMs: now() })));
    const answer = puppets[0]?.ask(encodeRequest({ kind: 'headers', from: 1, count: 1 }));
    await stage.clock.run(5_000);
    expect(stage.hub.sent.filter(({ from }) => from === actor.name)).toHaveLength(said);
    expect(await answer).toMatchObject({ ok: false });
    expect(actor.replica.status()).toMatchObject({ mode: 'stopped', voting: false });
  });

  test('waits for the write under way', async () => {
    const transaction = await stage.chain.anyTransaction();
    actor.home.directory.syncs.shut();
    puppets[0]?.say({ kind: 'transactions', bodies: [transaction.bytes] });
    puppets[0]?.say(await stage.proposing(stage.chain.candidate([], { timeMs: now() })));
    await stage.clock.run(20);
    let stopped = false;
    const stopping = actor.replica.stop().then(() => {
      stopped = true;
    });
    await stage.clock.run(20);
    expect(stopped).toBe(false);
    actor.home.directory.syncs.open();
    await stopping;
  });

  test('of a replica that has just started is at once', async () => {
    const { replica } = await stage.start({ validator: null, name: 'idle' });
    await replica.stop();
    expect(replica.status().mode).toBe('stopped');
  });
});

test('starting twice is starting once', async () => {
  actor.replica.start();
  await stage.clock.run(50);
  expect(actor.replica.status().mode).toBe('consensus');
});

test('whoever listens hears of each block once, until it has had enough', async () => {
  const heard: number[] = [];
  const stop = actor.replica.onDecided(({ height }) => heard.push(height));
  for (let i = 0; i < 3; i++) {
    const { block, certificate } = await stage.chain.decide([], now());
    for (const puppet of puppets) puppet.say({ kind: 'decided', certificate, block: block.bytes });
    await stage.clock.run(20);
    if (i === 1) stop();
  }
  expect(heard).toEqual([1, 2]);
  expect(actor.replica.status().height).toBe(3);
});

describe('answers', () => {
  async function ask<Kind extends 'block' | 'bodies' | 'headers' | 'blocks'>(kind: Kind, request: Uint8Array) {
    const asked = puppets[0]?.ask(request);
    await stage.clock.run(10);
    const answer = await asked;
    if (answer === undefined || !answer.ok) throw new Error('no answer');
    expect(answer.value.length).toBeLessThanOrEqual(ANSWER_BYTES_MAX);
    const decoded = decodeAnswer(kind, answer.value);
    if (!decoded.ok) throw new Error(decoded.error.code);
    return decoded.value;
  }

  /** Nine blocks with 1.7 MB of bodies each: more than one answer holds. */
  async function large(): Promise<Uint8Array[]> {
    const key = stage.chain.key(1);
    const hashes: Uint8Array[] = [];
    const payload = new Uint8Array(60_000);
    await shown([await stage.chain.transaction(key, [service('prices', key)])]);
    for (let i = 0; i < 9; i++) {
      const transactions = [];
      for (let j = 0; j < 2; j++)
        transactions.push(
          await stage.chain.transaction(
            key,
            Array.from({ length: 14 }, () => append('prices', payload)),
          ),
        );
      hashes.push(...transactions.map(({ bodyHash }) => bodyHash));
      await shown(transactions);
    }
    return hashes;
  }

  async function shown(transactions: Parameters<Stage['chain']['decide']>[0]): Promise<void> {
    const { block, certificate } = await stage.chain.decide(transactions, now());
    for (const { bytes } of transactions ?? []) puppets[0]?.say({ kind: 'transactions', bodies: [bytes] });
    puppets[0]?.say({ kind: 'decided', certificate, block: block.bytes });
    await stage.clock.run(20);
    expect(actor.replica.status().height).toBe(block.header.height);
  }

  // @mutation packages/replica/src/serving.ts
  // - bytes += body.length + ANSWER_ITEM_OVERHEAD_BYTES;
  // - if (bytes > ANSWER_BYTES_MAX) break;
  // + bytes += body.length + ANSWER_ITEM_OVERHEAD_BYTES;
  test('with bodies stop before they are too long', async () => {
    const hashes = await large();
    const { bodies } = await ask('bodies', encodeRequest({ kind: 'bodies', hashes: [new Uint8Array(32), ...hashes] }));
    expect(bodies).toHaveLength(Math.floor(ANSWER_BYTES_MAX / (bodies[0]?.length ?? 0)));
  });

  // @mutation packages/replica/src/serving.ts
  // - if (bytes > ANSWER_BYTES_MAX) break;
  // - found.push({ block: block.bytes, bodies });
  // + found.push({ block: block.bytes, bodies });
  test('with blocks stop before they are too long', async () => {
    await large();
    const { blocks } = await ask('blocks', encodeRequest({ kind: 'blocks', from: 1, count: 64 }));
    const bytes = blocks.flatMap(({ bodies }) => bodies).reduce((sum, body) => sum + body.length, 0);
    expect(blocks.length).toBeLessThan(10);
    expect(bytes).toBeGreaterThan(ANSWER_BYTES_MAX - 2_000_000);
  });

  test('to questions beyond what is here are empty', async () => {
    await shown([]);
    expect(await ask('blocks', encodeRequest({ kind: 'blocks', from: 0, count: 3 }))).toEqual({ blocks: [] });
    expect(await ask('blocks', encodeRequest({ kind: 'blocks', from: Number.MAX_SAFE_INTEGER, count: 3 }))).toEqual({ blocks: [] });
    expect(await ask('headers', encodeRequest({ kind: 'headers', from: 2, count: 512 }))).toEqual({ headers: [], certificate: null });
    expect(await ask('headers', encodeRequest({ kind: 'headers', from: Number.MAX_SAFE_INTEGER, count: 512 }))).toMatchObject({
      certificate: null,
    });
    const { headers } = await ask('headers', encodeRequest({ kind: 'headers', from: 0, count: 512 }));
    expect(headers.map((header) => blockHash(header))).toEqual([stage.chain.decided[0]?.block.hash]);
    expect(await ask('block', encodeRequest({ kind: 'block', hash: new Uint8Array(32).fill(1) }))).toEqual({ block: null });
  });

  test('stop where a body is missing', async () => {
    const transaction = await stage.chain.anyTransaction();
    await shown([]);
    await shown([transaction]);
    await actor.home.store.write([{ type: 'delete', key: bodyKey(transaction.bodyHash) }], { sync: true });
    expect((await ask('blocks', encodeRequest({ kind: 'blocks', from: 1, count: 3 }))).blocks).toHaveLength(1);
  });

  test('are not given to nonsense', async () => {
    const asked = puppets[0]?.ask(Uint8Array.of(1, 77));
    await stage.clock.run(10);
    expect(await asked).toMatchObject({ ok: false, error: { code: 'NO_ANSWER' } });
  });
});

// @mutation packages/replica/src/replica.ts
// - if (stalled || statusDue) this.#broadcast({ kind: 'round-state', state });
// + if (statusDue) this.#broadcast({ kind: 'round-state', state });
test('while a height does not move, round states go out every repair interval, and else every status interval', async () => {
  const states = (): number => puppets[1]?.heard('round-state').length ?? 0;
  let before = states();
  await stage.clock.run(3_000);
  expect(states() - before).toBeLessThanOrEqual(4);
  // Three hundred milliseconds of a round are no time for it to end.
  await stage.voting(puppets.slice(0, 1), 'prepare', { height: 1, blockHash: null });
  await stage.clock.run(150);
  before = states();
  await stage.clock.run(220);
  expect(states() - before).toBeGreaterThanOrEqual(2);
});

test('a peer is answered one round state per half repair interval', async () => {
  const [peer] = puppets as [Puppet];
  await stage.voting(puppets.slice(1), 'prepare', { height: 1, blockHash: null });
  await stage.clock.run(60);
  const before = peer.received.length;
  const { state } = claim(1);
  for (let i = 0; i < 20; i++)
    peer.say({ kind: 'round-state', state: { ...state, votes: [{ round: 0, kind: 'prepare', validators: [] }] } });
  await stage.clock.run(10);
  expect(peer.received.slice(before).filter(({ kind }) => kind === 'votes')).toHaveLength(1);
});
