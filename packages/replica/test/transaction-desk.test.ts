import { type Hash, type Urgency, utf8 } from '@nacre/base';
import { buildTransaction, createGenesis, encodeHeader, type Transaction } from '@nacre/ledger';
import { beforeEach, describe, expect, test } from 'vitest';
import { decodeMessage } from '../src/wire.ts';
import type { Puppet } from './support/puppet.ts';
import { type Actor, Stage } from './support/stage.ts';
import { append, service } from './support/test-chain.ts';
import { SCHEME, spoilt, TestKey } from './support/test-keys.ts';

let stage: Stage;
let actor: Actor;
let puppets: Puppet[];

beforeEach(async () => {
  stage = await Stage.create({ parameters: { quotaBytesPerWindow: 2 ** 20 } });
  ({ actor, puppets } = await stage.replicaAmongPuppets(0));
});

const now = (): number => stage.clock.nowMs();

async function decide(transactions: readonly { readonly bytes: Uint8Array }[]): Promise<void> {
  const known = transactions.map(({ bytes }) => stage.chain.ledger.decode(bytes));
  const { block, certificate } = await stage.chain.decide(
    known.map((one) => {
      if (!one.ok) throw new Error(one.error.code);
      return one.value;
    }),
    now(),
  );
  puppets[0]?.say({ kind: 'transactions', bodies: transactions.map(({ bytes }) => bytes) });
  puppets[0]?.say({ kind: 'decided', certificate, block: block.bytes });
  await stage.clock.run(20);
  expect(actor.replica.status().height).toBe(block.header.height);
}

async function refusalOf(envelope: Uint8Array): Promise<string | null> {
  const admitted = await actor.replica.submit(envelope);
  return admitted.ok ? null : admitted.error.code;
}

describe('a client is refused, with the reason', () => {
  const key = (): TestKey => stage.chain.key(1);

  const REFUSALS: readonly [reason: string, code: string, envelope: () => Promise<Uint8Array>][] = [
    ['bytes that are no transaction', 'MALFORMED', async () => utf8('hello')],
    [
      'a header in place of a transaction',
      'MALFORMED',
      async () => encodeHeader(stage.chain.candidate([], { timeMs: now() }).block.header),
    ],
    ['more bytes than a transaction may have', 'TRANSACTION_TOO_LARGE', async () => new Uint8Array(2 ** 20 + 1)],
    [
      'another network',
      'WRONG_NETWORK',
      async () => {
        const genesis = createGenesis({
          network: 'other',
          timeMs: now(),
          scheme: SCHEME,
          validators: [{ publicKey: key().publicKey, weight: 1 }],
          allowLargeWeights: true,
        });
        const operations = [{ kind: 'validator.recover' as const, nonce: new Uint8Array(16) }];
        const nonce = new Uint8Array(16);
        return (await buildTransaction({ genesis, account: key().address, operations, validUntilMs: now() + 1, nonce, signer: key() }))
          .bytes;
      },
    ],
    [
      'a false signature',
      'SIGNATURE_INVALID',
      async () => {
        const { bytes, signature } = await stage.chain.anyTransaction(1);
        return new Uint8Array([...bytes.slice(0, -signature.length), ...spoilt({ signature }).signature]);
      },
    ],
    ['an unknown account', 'UNKNOWN_ACCOUNT', async () => (await stage.chain.transaction(new TestKey('stranger'), [recover()])).bytes],
    ['a time that is over', 'EXPIRED', async () => (await stage.chain.anyTransaction(1, { validUntilMs: now() - 1 })).bytes],
    ['a time too far ahead', 'TOO_FAR_AHEAD', async () => (await stage.chain.anyTransaction(1, { validUntilMs: now() + 3_600_001 })).bytes],
    [
      'who may not write',
      'NOT_A_WRITER',
      async () => {
        await decide([await stage.chain.transaction(key(), [service('prices', key())])]);
        return (await stage.chain.transaction(stage.chain.key(2), [append('prices', 'one')])).bytes;
      },
    ],
    [
      'what is in the chain already',
      'DUPLICATE',
      async () => {
        const transaction = await stage.chain.anyTransaction(1);
        await decide([transaction]);
        return transaction.bytes;
      },
    ],
    [
      'what its quota has no room for',
      'QUOTA_EXCEEDED',
      async () => {
        await decide([await stage.chain.transaction(key(), [service('prices', key())])]);
        const large = Array.from({ length: 5 }, () => append('prices', new Uint8Array(60_000)));
        return (await stage.chain.transaction(key(), large)).bytes;
      },
    ],
  ];
  const recover = () => ({ kind: 'validator.recover' as const, nonce: new Uint8Array(16) });

  test.each(REFUSALS)('%s: %s', async (_, code, envelope) => {
    const bytes = await envelope();
    stage.hub.sent.length = 0;
    expect(await refusalOf(bytes)).toBe(code);
    expect(actor.replica.status().pending).toBe(0);
    expect(stage.messagesOf(actor.name).filter(({ kind }) => kind === 'transactions')).toEqual([]);
  });

  // @mutation packages/replica/src/transaction-desk.ts
  // - if (valid !== true) return fail({ code: 'SIGNATURE_INVALID', account: transaction.contents.account });
  // +
  test('before anything is stored or passed on: a false signature', async () => {
    const { bytes, signature } = await stage.chain.anyTransaction(1);
    const forged = new Uint8Array([...bytes.slice(0, -signature.length), ...spoilt({ signature }).signature]);
    expect(await refusalOf(forged)).toBe('SIGNATURE_INVALID');
  });
});

test('an admitted transaction goes to validators and followers, and its status is known from then on', async () => {
  const follower = stage.puppet(null, 'follower');
  stage.hub.connect(actor.name, 'follower');
  const transaction = await stage.chain.anyTransaction(1);
  const statusOf = (txId: Hash): string => actor.replica.transactionStatus(txId).status;
  expect(statusOf(transaction.txId)).toBe('unknown');
  const { txId, contents } = transaction;
  expect(await actor.replica.submit(transaction.bytes)).toEqual({ ok: true, value: { txId, validUntilMs: contents.validUntilMs } });
  expect(statusOf(txId)).toBe('admitted');
  await stage.clock.run(5);
  for (const peer of [follower, ...puppets]) expect(peer.heard('transactions')).toMatchObject([{ bodies: [transaction.bytes] }]);
  await decide([transaction]);
  expect(actor.replica.transactionStatus(txId)).toEqual({ status: 'committed', height: 1, index: 0 });
});

// @mutation packages/replica/src/transaction-desk.ts
// - if (this.#admitted.push(transaction) > 1) return;
// + this.#send([transaction], EVERYONE);
test('what one sync has made durable goes out in one frame', async () => {
  const [first, ...others] = await Promise.all(Array.from({ length: 20 }, () => stage.chain.anyTransaction(1)));
  await Promise.all([first, ...others].map((transaction) => actor.replica.submit((transaction as Transaction).bytes)));
  await stage.clock.run(5);
  const frames = puppets[0]?.heard('transactions').map(({ bodies }) => bodies.length);
  expect(frames).toEqual([1, 19]);
});

// @mutation packages/replica/src/replica.ts
// - this.#transactions.resend(nowMs, this.#configuration.resendIntervalMs);
// +
test('an admitted transaction that stays undecided is offered again, a heard one is not', async () => {
  const [own, heard] = [await stage.chain.anyTransaction(1), await stage.chain.anyTransaction(2)];
  await actor.replica.submit(own.bytes);
  puppets[0]?.say({ kind: 'transactions', bodies: [heard.bytes] });
  await stage.clock.run(4_500);
  const bodies = puppets[1]?.heard('transactions').flatMap((message) => message.bodies) ?? [];
  expect(bodies).toHaveLength(3);
  for (const body of bodies) expect(body).toEqual(own.bytes);
});

describe('what peers pass on', () => {
  // @mutation packages/replica/src/transaction-desk.ts
  // - if (view.peer.validator === undefined) this.#send(heard, ['committee']);
  // +
  // @mutation packages/replica/src/transaction-desk.ts
  // - if (view.peer.validator === undefined) this.#send(heard, ['committee']);
  // + this.#send(heard, ['committee']);
  test('goes on to the validators if it comes from a follower, and no further if it comes from a validator', async () => {
    const follower = stage.puppet(null, 'follower');
    stage.hub.connect(actor.name, 'follower');
    const [a, b] = [await stage.chain.anyTransaction(1), await stage.chain.anyTransaction(2)];
    follower.say({ kind: 'transactions', bodies: [a.bytes] });
    puppets[0]?.say({ kind: 'transactions', bodies: [b.bytes] });
    await stage.clock.run(10);
    expect(actor.replica.status().pending).toBe(2);
    expect(puppets[1]?.heard('transactions').flatMap(({ bodies }) => bodies)).toEqual([a.bytes]);
    expect(follower.heard('transactions')).toEqual([]);
  });

  // @mutation packages/replica/src/transaction-desk.ts
  // - if (verdicts.includes(false)) transport.penalize(view.peer.id, { code: 'SIGNATURE_INVALID' });
  // +
  // @mutation packages/replica/src/transaction-desk.ts
  // - verdicts[i] === true && mempool.hear(
  // + mempool.hear(
  test('costs the peer if it is falsely signed; what stands beside it is taken', async () => {
    const [good, { bytes, signature }] = [await stage.chain.anyTransaction(1), await stage.chain.anyTransaction(2)];
    const forged = new Uint8Array([...bytes.slice(0, -signature.length), ...spoilt({ signature }).signature]);
    puppets[0]?.say({ kind: 'transactions', bodies: [forged, good.bytes] });
    await stage.clock.run(10);
    expect(stage.penaltiesOf(actor)).toEqual([{ against: puppets[0]?.name, code: 'SIGNATURE_INVALID' }]);
    expect(actor.replica.status().pending).toBe(1);
    expect(actor.replica.pendingTransaction(good.txId)?.bytes).toEqual(good.bytes);
  });

  test('costs the peer if it does not decode', async () => {
    puppets[0]?.say({ kind: 'transactions', bodies: [utf8('nonsense')] });
    await stage.clock.run(10);
    expect(stage.penaltiesOf(actor)).toEqual([{ against: puppets[0]?.name, code: 'MALFORMED' }]);
  });

  /** A transaction as another epoch's parameters may allow it. */
  function beyondLimits(): Promise<Transaction> {
    const { genesis } = stage.chain;
    const signer = stage.chain.key(1);
    return buildTransaction({
      genesis,
      account: signer.address,
      signer,
      nonce: new Uint8Array(16),
      validUntilMs: now() + 1000,
      parameters: { ...genesis.parameters, operationsMax: 1024 },
      operations: Array.from(
        { length: genesis.parameters.operationsMax + 1 },
        () => ({ kind: 'validator.recover', nonce: new Uint8Array(16) }) as const,
      ),
    });
  }

  // @mutation packages/replica/src/transaction-desk.ts
  // - if (ledger.read(body).ok) continue;
  // +
  test('costs nothing if it is only late, unknown, known, or beyond the limits of this epoch', async () => {
    const known = await stage.chain.anyTransaction(1);
    await actor.replica.submit(known.bytes);
    const late = await stage.chain.anyTransaction(1, { validUntilMs: now() - 1 });
    const stranger = await stage.chain.transaction(new TestKey('stranger'), [{ kind: 'validator.recover', nonce: new Uint8Array(16) }]);
    puppets[0]?.say({ kind: 'transactions', bodies: [known.bytes, late.bytes, stranger.bytes, (await beyondLimits()).bytes] });
    await stage.clock.run(10);
    expect(stage.penaltiesOf(actor)).toEqual([]);
    expect(actor.replica.status().pending).toBe(1);
  });
});

describe('a burst of more than two blocks', () => {
  const BURST = 12;

  beforeEach(async () => {
    stage = await Stage.create({ parameters: { blockBytesMax: 64 * 1024, transactionBytesMax: 32 * 1024 } });
    ({ actor, puppets } = await stage.replicaAmongPuppets(0));
    const key = stage.chain.key(1);
    await decide([await stage.chain.transaction(key, [service('prices', key)])]);
  });

  const burst = (): Promise<Transaction[]> =>
    Promise.all(
      Array.from({ length: BURST }, () => stage.chain.transaction(stage.chain.key(1), [append('prices', new Uint8Array(20_000))])),
    );

  // @mutation packages/replica/src/replica.ts
  // - this.#transactions.decided(this.#dependencies.clock.nowMs());
  // +
  test('is admitted as blocks make room for it', async () => {
    const transactions = await burst();
    const admissions = transactions.map(({ bytes }) => actor.replica.submit(bytes));
    await stage.clock.run(10);
    const first = actor.replica.status().pending;
    expect(first).toBeGreaterThanOrEqual(6);
    expect(first).toBeLessThan(BURST);
    await decide(transactions.slice(0, 3));
    expect(actor.replica.status().pending).toBeGreaterThanOrEqual(first);
    await stage.clock.run(5_200);
    expect(await Promise.all(admissions)).toEqual(Array(BURST).fill(expect.objectContaining({ ok: true })));
  });

  // @mutation packages/replica/src/replica.ts
  // - this.#transactions.tick(nowMs);
  // +
  test('is all admitted in time where nothing is decided', async () => {
    for (const { bytes } of await burst()) void actor.replica.submit(bytes);
    await stage.clock.run(5_200);
    expect(actor.replica.status().pending).toBe(BURST);
  });

  // @mutation packages/replica/src/replica.ts
  // - this.#transactions.tick(Number.POSITIVE_INFINITY);
  // +
  test('is answered when the replica stops, and none of it is lost', async () => {
    let answered = 0;
    for (const { bytes } of await burst()) {
      void actor.replica.submit(bytes).then(({ ok }) => {
        answered += ok ? 1 : 0;
      });
    }
    await stage.clock.run(10);
    expect(answered).toBeLessThan(BURST);
    void actor.replica.stop();
    await stage.clock.run(50);
    expect(answered).toBe(BURST);
  });
});

test('many transactions to be sent again go into frames of bounded size', async () => {
  const operations = (i: number) => [append('prices', new Uint8Array(60_000).fill(i)), append('prices', new Uint8Array(60_000).fill(i))];
  stage = await Stage.create();
  ({ actor, puppets } = await stage.replicaAmongPuppets(0));
  const key = stage.chain.key(1);
  await decide([await stage.chain.transaction(key, [service('prices', key)])]);
  for (let i = 0; i < 20; i++) await actor.replica.submit((await stage.chain.transaction(key, operations(i))).bytes);
  await stage.clock.run(100);
  stage.hub.sent.length = 0;
  await stage.clock.run(2_500);
  const frames = stage.hub.sent.filter(({ from, to, frame }) => from === actor.name && to === 'committee' && frame[1] === 3);
  expect(frames.length).toBeGreaterThan(2);
  for (const { frame } of frames) expect(frame.length).toBeLessThan(2 ** 20 + 2 ** 18);
});

// @mutation packages/replica/src/transaction-desk.ts
// -       for (const lane of lanes) this.#dependencies.transport.broadcast(lane, frame, 'bulk');
// +       for (const lane of lanes) this.#dependencies.transport.broadcast(lane, frame);
test('transactions are bulk, and nothing else is', async () => {
  stage = await Stage.create({ weights: [1] });
  actor = await stage.start({ validator: 0 });
  await actor.replica.submit((await stage.chain.anyTransaction(0)).bytes);
  await stage.clock.run(3_000);
  const kinds = (urgency: Urgency): Set<string> =>
    new Set(
      stage.hub.sent
        .filter((sent) => sent.from === actor.name && sent.urgency === urgency)
        .map(({ frame }) => {
          const decoded = decodeMessage(frame);
          return decoded.ok ? decoded.value.kind : decoded.error.code;
        }),
    );
  expect(kinds('bulk')).toEqual(new Set(['transactions']));
  expect(kinds('urgent')).toEqual(new Set(['proposal', 'votes', 'round-state', 'reach']));
});
