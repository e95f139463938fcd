import { toHex } from '@nacre/base';
import { VOTE_CONTEXT } from '@nacre/consensus';
import { type Transaction, VoteJournal } from '@nacre/ledger';
import { beforeEach, describe, expect, test } from 'vitest';
import { encodeAnswer } from '../src/index.ts';
import type { Puppet } from './support/puppet.ts';
import { type Actor, Home, Stage } from './support/stage.ts';

const SELF = 0;
let stage: Stage;
let actor: Actor;
let puppets: Puppet[];

/** A validator whose home has lost its vote journal. */
beforeEach(async () => {
  stage = await Stage.create();
  ({ actor, puppets } = await stage.replicaAmongPuppets(SELF, { home: new Home() }));
});

/** The different recoveries that the validator has offered, oldest first. */
function offers(of: Actor = actor): Transaction[] {
  const offered = new Map<string, Transaction>();
  for (const message of stage.messagesOf(of.name)) {
    if (message.kind !== 'transactions') continue;
    for (const body of message.bodies) {
      const decoded = stage.chain.ledger.decode(body);
      if (decoded.ok && decoded.value.contents.operations[0]?.kind === 'validator.recover')
        offered.set(toHex(decoded.value.txId), decoded.value);
    }
  }
  return [...offered.values()];
}

/** The others decide the next block and show it to the replica. */
async function decide(transactions: readonly Transaction[], to: Actor = actor): Promise<void> {
  const { block, certificate } = await stage.chain.decide(transactions, stage.clock.nowMs());
  const [puppet] = puppets as [Puppet];
  puppet.answer = async (request) =>
    request.kind === 'bodies' ? encodeAnswer('bodies', { bodies: transactions.map(({ bytes }) => bytes) }) : undefined;
  puppet.say({ kind: 'decided', certificate, block: block.bytes });
  await stage.clock.run(50);
  expect(to.replica.status().height).toBe(block.header.height);
}

async function proposeNext(): Promise<void> {
  const candidate = stage.chain.candidate([], { timeMs: stage.clock.nowMs() });
  puppets[0]?.say(await stage.proposing(candidate));
  await stage.clock.run(50);
}

describe('a validator in doubt', () => {
  // @mutation packages/replica/src/replica.ts
  // - if (this.#journal.doubt !== null || height
  // + if (height
  test('is mute, whatever is proposed to it', async () => {
    expect(actor.replica.status()).toMatchObject({ voting: false, doubt: {} });
    await proposeNext();
    await stage.clock.run(5_000);
    expect(stage.chain.key(SELF).signed.get(VOTE_CONTEXT)).toBeUndefined();
    expect(stage.votesOf(actor, SELF)).toHaveLength(0);
    expect(stage.events.some((event) => event.startsWith('error vote journal in doubt'))).toBe(true);
  });

  // @mutation packages/replica/src/recovery.ts
  // - await journal.reset({ floorHeight: recovered.height });
  // + await journal.reset({ floorHeight: 0 });
  test('offers its recovery, and votes again above the block that carries it', async () => {
    await decide([]);
    await stage.clock.run(1_200);
    expect(offers()).toHaveLength(1);
    await decide(offers());
    expect(actor.replica.status()).toMatchObject({ doubt: null, height: 2 });
    await proposeNext();
    expect(stage.votesOf(actor, SELF)).toMatchObject([{ height: 3, kind: 'prepare' }]);
    const { store, directory } = actor.home.afterPowerCut();
    const journal = await VoteJournal.open(
      { validator: stage.chain.key(SELF).address },
      { store, directory, random: { bytes: (length) => new Uint8Array(length) } },
    );
    expect(journal).toMatchObject({ floorHeight: 2, doubt: null });
  });

  // @mutation packages/replica/src/recovery.ts
  // - if (recovered === undefined || !bytesEqual(recovered.nonce, this.#nonce)) return;
  // + if (recovered === undefined) return;
  test('is not freed by a recovery that was offered before the doubt', async () => {
    const old = await stage.chain.transaction(stage.chain.key(SELF), [{ kind: 'validator.recover', nonce: new Uint8Array(16).fill(3) }]);
    await decide([old]);
    expect(actor.replica.status().doubt).not.toBeNull();
    await stage.clock.run(1_200);
    await decide(offers());
    expect(actor.replica.status().doubt).toBeNull();
  });

  test('is not freed in its next life by what it offered in the one before', async () => {
    await stage.clock.run(1_200);
    const before = offers();
    expect(before).toHaveLength(1);
    stage.kill(actor);
    const again = await stage.start({ validator: SELF, home: actor.home.afterPowerCut(), name: 'again' });
    for (const { name } of puppets) stage.hub.connect('again', name);
    await stage.clock.run(5);
    await decide(before, again);
    expect(again.replica.status().doubt).not.toBeNull();
    await stage.clock.run(1_200);
    await decide(offers(again).slice(-1), again);
    expect(again.replica.status().doubt).toBeNull();
  });

  // @mutation packages/replica/src/recovery.ts
  // - if (this.#offer !== null && this.#offer.contents.validUntilMs > clock.nowMs()) return;
  // + if (this.#offer !== null) return;
  // @mutation packages/replica/src/recovery.ts
  // - if (this.#offer !== null && this.#offer.contents.validUntilMs > clock.nowMs()) return;
  // +
  test('keeps one recovery on offer and renews it when its time is over', async () => {
    await stage.clock.run(30_000);
    expect(offers()).toHaveLength(1);
    await stage.clock.run(32_000);
    const [first, second] = offers() as [Transaction, Transaction];
    expect(offers()).toHaveLength(2);
    expect(second.contents.validUntilMs).toBeGreaterThan(first.contents.validUntilMs);
    expect(second.contents.operations).toEqual(first.contents.operations);
    await decide([second]);
    expect(actor.replica.status().doubt).toBeNull();
  });

  // @mutation packages/replica/src/recovery.ts
  // - if (await submit(offer)) this.#offer = offer;
  // + await submit(offer);
  // + this.#offer = offer;
  test('offers anew at once when its own node refused the offer', async () => {
    actor.home.store.failure = new Error('disk full');
    await stage.clock.run(1_200);
    expect(offers()).toHaveLength(0);
    expect(stage.events).toContain('warn own recovery refused, trying again');
    actor.home.store.failure = null;
    await stage.clock.run(1_200);
    expect(offers()).toHaveLength(1);
  });
});

test('a validator that comes to doubt while it runs recovers with a nonce made after that', async () => {
  stage = await Stage.create();
  const shown = await stage.chain.vote(SELF, { height: 1, round: 4, kind: 'commit', blockHash: null });
  puppets = [1, 2, 3].map((index) => stage.puppet(index));
  for (const puppet of puppets) puppet.confrontsWith = [shown];
  ({ actor } = await stage.replicaAmongPuppets(SELF, { puppets }));
  expect(actor.replica.status().doubt).toMatchObject({ code: 'VOTE_UNKNOWN' });
  await stage.clock.run(1_200);
  expect(offers()).toHaveLength(1);
  await decide(offers());
  expect(actor.replica.status()).toMatchObject({ doubt: null, height: 1 });
  for (const puppet of puppets) puppet.confrontsWith = [];
  await stage.clock.run(1_200);
  expect(actor.replica.status().voting).toBe(true);
});
