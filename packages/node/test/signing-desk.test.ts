import { type Hash, SIGNER_HEIGHTS_KEPT, SIGNER_RECALL_MESSAGES_MAX } from '@nacre/base';
import { decodeVote, encodeVote, VOTE_CONTEXT } from '@nacre/consensus';
import { nativeVerifySignature } from '@nacre/crypto/native';
import { buildTransaction, createGenesis, JOURNAL_FILE, type Operation, TRANSACTION_CONTEXT } from '@nacre/ledger';
import { SigningDesk } from '@nacre/replica';
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { flipMiddle, hash, KeptLog, NONE, proposal, SigningDeskHome, vote } from './support/signing-desk-home.ts';

let home: SigningDeskHome;
let desk: SigningDesk;

beforeEach(async () => {
  home = await SigningDeskHome.create();
  desk = await home.start();
});

async function codeOf(request: Parameters<SigningDesk['sign']>[0]): Promise<string> {
  const signed = await desk.sign(request);
  return signed.ok ? 'signed' : signed.error.code;
}

describe('votes and proposals', () => {
  test('are signed as they were asked for', async () => {
    const request = vote(5, 0, 'prepare', hash(1));
    const signed = await desk.sign(request);
    if (!signed.ok) throw new Error(signed.error.code);
    expect(nativeVerifySignature('ml-dsa-44', desk.publicKey, request.message, VOTE_CONTEXT, signed.value)).toBe(true);
  });

  // @mutation packages/replica/src/signing-desk.ts
  // - return isSame ? ok(same.content.signature)
  // + return isSame ? ok(await signer.sign(this.#messageOf(statement), VOTE_CONTEXT))
  test('the same content again gets the stored signature, after a restart as well', async () => {
    const request = vote(5, 0, 'prepare', hash(1));
    const first = await desk.sign(request);
    expect(await desk.sign(request)).toEqual(first);
    desk = await home.restart({ powerCut: true });
    expect(await desk.sign(request)).toEqual(first);
  });

  test.each([
    ['another block', vote(5, 0, 'prepare', hash(1)), vote(5, 0, 'prepare', hash(2))],
    ['no block', vote(5, 0, 'commit', hash(1)), vote(5, 0, 'commit', null)],
    ['a block after none', vote(5, 0, 'commit', null), vote(5, 0, 'commit', hash(1))],
    ['another proposal', proposal(5, 0, hash(1)), proposal(5, 0, hash(2))],
    ['another valid round', proposal(5, 3, hash(1), 1), proposal(5, 3, hash(1), 2)],
  ])('two contents at one place: %s is refused for ever', async (_, first, second) => {
    expect(await codeOf(first)).toBe('signed');
    expect(await codeOf(second)).toBe('SIGNED_OTHERWISE');
    desk = await home.restart({ powerCut: true });
    expect(await codeOf(second)).toBe('SIGNED_OTHERWISE');
    expect(await codeOf(first)).toBe('signed');
  });

  // @mutation packages/replica/src/signing-desk.ts
  // - const signed = this.#last.then(() => this.#signStatement(statement));
  // + const signed = this.#signStatement(statement);
  // @mutation packages/replica/src/signing-desk.ts
  // - if (same !== undefined) {
  // + if (same !== undefined && false) {
  test('of two contents asked for at once, one is signed', async () => {
    const codes = await Promise.all([codeOf(vote(5, 0, 'prepare', hash(1))), codeOf(vote(5, 0, 'prepare', hash(2)))]);
    expect(codes).toEqual(['signed', 'SIGNED_OTHERWISE']);
  });

  // @mutation packages/replica/src/signing-desk.ts
  // - await journal.append({ height, messages
  // + void journal.append({ height, messages
  test('no signature leaves before it is synced', async () => {
    const { promise: synced, resolve: sync } = Promise.withResolvers<void>();
    home.disk.beforeSync = () => synced;
    let isSigned = false;
    const signing = desk.sign(vote(5, 0, 'prepare', hash(1))).then(() => {
      isSigned = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(isSigned).toBe(false);
    sync();
    await signing;
    desk = await home.restart({ powerCut: true });
    expect(await codeOf(vote(5, 0, 'prepare', hash(2)))).toBe('SIGNED_OTHERWISE');
  });

  test('what was not synced was never said: a power cut leaves the place free', async () => {
    home.disk.beforeSync = () => new Promise(() => {});
    void desk.sign(vote(5, 0, 'prepare', hash(1)));
    await new Promise((resolve) => setImmediate(resolve));
    home.disk.beforeSync = () => Promise.resolve();
    desk = await home.restart({ powerCut: true });
    expect(await codeOf(vote(5, 0, 'prepare', hash(2)))).toBe('signed');
  });

  // @mutation packages/replica/src/signing-desk.ts
  // - content.round > round || (content.round === round
  // + (content.round === round
  test('a height never goes back to an earlier round', async () => {
    expect(await codeOf(vote(5, 2, 'prepare', null))).toBe('signed');
    expect(await codeOf(vote(5, 1, 'commit', hash(1)))).toBe('SIGNED_LATER');
    expect(await codeOf(vote(5, 3, 'prepare', hash(1)))).toBe('signed');
  });

  // @mutation packages/replica/src/signing-desk.ts
  // - > stepOf(statement)),
  // + > stepOf(statement) + 9),
  test('a round never goes back from commit to prepare, or from prepare to proposal', async () => {
    expect(await codeOf(vote(5, 0, 'commit', null))).toBe('signed');
    expect(await codeOf(vote(5, 0, 'prepare', hash(1)))).toBe('SIGNED_LATER');
    expect(await codeOf(vote(6, 0, 'prepare', hash(1)))).toBe('signed');
    expect(await codeOf(proposal(6, 0, hash(1)))).toBe('SIGNED_LATER');
  });

  test('proposal, prepare and commit follow one another, and so do heights, up and down: a store can fall behind by one', async () => {
    const requests = [proposal(5, 0, hash(1)), vote(5, 0, 'prepare', hash(1)), vote(5, 0, 'commit', hash(1)), vote(6, 0, 'prepare', null)];
    for (const request of [...requests, vote(5, 1, 'prepare', hash(1))]) expect(await codeOf(request)).toBe('signed');
  });

  // @mutation packages/replica/src/signing-desk.ts
  // - if (!bytesEqual(context.genesisHash, genesis.hash) || context.chain
  // + if (context.chain
  // @mutation packages/replica/src/signing-desk.ts
  // - || context.chain !== genesis.context.chain)
  // + )
  test('of another network or chain are refused', async () => {
    expect(await codeOf(vote(5, 0, 'prepare', null, { genesisHash: hash(8), chain: 0 }))).toBe('WRONG_CHAIN');
    expect(await codeOf(vote(5, 0, 'prepare', null, { genesisHash: hash(7), chain: 1 }))).toBe('WRONG_CHAIN');
  });

  test('that cannot be read are refused', async () => {
    const request = vote(5, 0, 'prepare', null);
    expect(await codeOf({ ...request, message: request.message.subarray(1) })).toBe('MALFORMED');
    expect(await codeOf({ ...request, context: 'nacre/1/proposal' })).toBe('MALFORMED');
  });
});

type Asked = {
  readonly height: number;
  readonly round: number;
  readonly step: 0 | 1 | 2;
  readonly block: 0 | 1 | 2;
  readonly end: 'kill' | 'power' | null;
};

test('property: whatever is asked in whatever order, over any restarts, a place has one content and signed places never fall within a height', async () => {
  const asked: fc.Arbitrary<Asked> = fc.record({
    height: fc.integer({ min: 1, max: 2 }),
    round: fc.integer({ min: 0, max: 2 }),
    step: fc.constantFrom(0, 1, 2),
    block: fc.constantFrom(0, 1, 2),
    end: fc.option(fc.constantFrom('kill', 'power'), { freq: 4 }),
  });
  const requestOf = ({ height, round, step, block }: Asked) =>
    step === 0
      ? proposal(height, round, hash(block + 1))
      : vote(height, round, step === 1 ? 'prepare' : 'commit', block === 0 ? null : hash(block));
  await fc.assert(
    fc.asyncProperty(fc.array(asked, { maxLength: 20 }), async (steps) => {
      const own = await SigningDeskHome.create();
      let signing = await own.start();
      const signedAt = new Map<string, number>();
      const latest = new Map<number, number>();
      for (const step of steps) {
        const { height, round, block, end } = step;
        const place = 3 * round + step.step;
        const before = signedAt.get(`${height}/${place}`);
        const allowed = before === undefined ? place > (latest.get(height) ?? -1) : before === block;
        expect((await signing.sign(requestOf(step))).ok).toBe(allowed);
        if (allowed) signedAt.set(`${height}/${place}`, block);
        if (allowed) latest.set(height, Math.max(latest.get(height) ?? -1, place));
        if (end !== null) signing = await own.restart({ powerCut: end === 'power' });
      }
    }),
    { numRuns: 40 },
  );
});

describe('the journal', () => {
  // @mutation packages/replica/src/signing-desk.ts
  // - if (journal.doubt !== null) return fail({ code: 'SIGNER_IN_DOUBT' });
  // +
  test('in doubt: no vote is signed, who the node is still is, and an operator ends it above a height', async () => {
    await desk.sign(vote(5, 0, 'prepare', hash(1)));
    home.disk.damage(JOURNAL_FILE, flipMiddle);
    desk = await home.restart();
    expect(desk.inDoubt).toBe(true);
    expect(await codeOf(vote(9, 0, 'prepare', null))).toBe('SIGNER_IN_DOUBT');
    expect(desk.recall(0, 0)).toMatchObject({ ok: false, error: { code: 'SIGNER_IN_DOUBT' } });
    expect(await codeOf({ context: 'nacre/1/admission', message: hash(1), contents: NONE })).toBe('signed');
    const journal = await home.journal();
    await journal.reset({ floorHeight: 100 });
    desk = await home.restart();
    expect(await codeOf(vote(100, 0, 'prepare', null))).toBe('BELOW_FLOOR');
    expect(await codeOf(vote(101, 0, 'prepare', null))).toBe('signed');
  });

  test('missing beside a key is doubt', async () => {
    home.disk.damage(JOURNAL_FILE, () => undefined);
    desk = await home.restart();
    expect(await codeOf(vote(9, 0, 'prepare', null))).toBe('SIGNER_IN_DOUBT');
  });

  // @mutation packages/replica/src/signing-desk.ts
  // - const keepAbove = this.#highest - SIGNER_HEIGHTS_KEPT;
  // + const keepAbove = this.#highest;
  test('is rotated: what is forgotten lies below a floor, and the last heights are kept', async () => {
    const journal = await home.journal();
    const latest = 100;
    for (let height = 1; height < latest; height++) {
      const bytes = encodeVote({ height, round: 0, kind: 'prepare', blockHash: hash(1), validator: 0, signature: new Uint8Array(4627) });
      await journal.append({ height, messages: Array.from({ length: 16 }, () => ({ kind: 'vote', bytes }) as const), lock: null });
    }
    desk = await home.restart();
    expect(await codeOf(vote(latest, 0, 'prepare', hash(1)))).toBe('signed');
    expect(desk.floorHeight).toBe(latest - SIGNER_HEIGHTS_KEPT);
    expect(await codeOf(vote(desk.floorHeight, 0, 'prepare', hash(1)))).toBe('BELOW_FLOOR');
    expect(await codeOf(vote(desk.floorHeight + 1, 0, 'prepare', hash(2)))).toBe('SIGNED_OTHERWISE');
  });

  // @mutation packages/replica/src/signing-desk.ts
  // - messages.length > end
  // + messages.length > end + 1
  test('is recalled page by page, above a height, in the order of signing', async () => {
    for (let height = 1; height <= SIGNER_RECALL_MESSAGES_MAX + 3; height++) await desk.sign(vote(height, 0, 'prepare', hash(1)));
    const pages = [0, SIGNER_RECALL_MESSAGES_MAX].map((skip) => desk.recall(2, skip));
    expect(pages.map((page) => page.ok && [page.value.messages.length, page.value.more])).toEqual([
      [SIGNER_RECALL_MESSAGES_MAX, true],
      [1, false],
    ]);
    const heights = pages.flatMap((page) => (page.ok ? page.value.messages : [])).map(({ bytes }) => decodeVote(bytes));
    expect(heights.map((decoded) => decoded.ok && decoded.value.height)).toEqual(
      Array.from({ length: SIGNER_RECALL_MESSAGES_MAX + 1 }, (_, index) => index + 3),
    );
  });
});

describe('everything else', () => {
  test('who this node is, and where, is signed; other domains are refused', async () => {
    for (const context of ['nacre/1/admission', 'nacre/1/address-record']) {
      expect(await codeOf({ context, message: hash(1), contents: NONE })).toBe('signed');
    }
    for (const context of ['', 'nacre/2/vote', 'nacre/1/vote ', 'anything']) {
      expect(await codeOf({ context, message: vote(5, 0, 'prepare', null).message, contents: NONE })).toBe('DOMAIN_NOT_ALLOWED');
    }
  });

  const validators = [{ name: 'one', publicKey: new Uint8Array(1312).fill(3), weight: 1 }];
  const genesis = createGenesis({ network: 'test', timeMs: 1, scheme: 'ml-dsa-44', allowLargeWeights: true, validators });

  /** Has the desk asked for a transaction's signature as `buildTransaction` asks. */
  async function transaction(operations: readonly Operation[], shown: { readonly message?: Hash; readonly contents?: Uint8Array } = {}) {
    const asking = new SigningDesk(
      { genesis, operations: new Set(['validator.recover']) },
      { signer: home.key, journal: await home.journal(), log: new KeptLog() },
    );
    const codes: string[] = [];
    const sign = async (message: Uint8Array, context: string, contents: Uint8Array = NONE): Promise<Uint8Array> => {
      const signed = await asking.sign({ context, message, contents, ...shown });
      codes.push(signed.ok ? 'signed' : signed.error.code);
      return signed.ok ? signed.value : new Uint8Array(2420);
    };
    const signer = { publicKey: home.key.publicKey, sign };
    await buildTransaction({ genesis, account: hash(4), operations, validUntilMs: 5, nonce: new Uint8Array(16), signer });
    return codes[0];
  }
  const recovery: Operation = { kind: 'validator.recover', nonce: new Uint8Array(16) };
  const account: Operation = { kind: 'account.create', publicKey: new Uint8Array(1312) };

  // @mutation packages/replica/src/signing-desk.ts
  // - return other === undefined ? null
  // + return other !== undefined ? null
  test('a transaction is signed if each of its operations is allowed', async () => {
    expect(await transaction([recovery])).toBe('signed');
    expect(await transaction([recovery, account])).toBe('OPERATION_NOT_ALLOWED');
  });

  // @mutation packages/replica/src/signing-desk.ts
  // - if (!bytesEqual(decoded.value.txId, message)) return
  // + if (false) return
  test('a hash is signed only for somebody who shows what it is the hash of', async () => {
    expect(await transaction([recovery], { message: hash(9) })).toBe('CONTENTS_MISMATCH');
    expect(await transaction([recovery], { contents: NONE })).toBe('MALFORMED');
    expect(await codeOf({ context: TRANSACTION_CONTEXT, message: hash(1), contents: NONE })).toBe('MALFORMED');
  });

  test('a transaction of another network is refused', async () => {
    const sign = async (message: Uint8Array, context: string, contents: Uint8Array = NONE): Promise<Uint8Array> => {
      expect(await codeOf({ context, message, contents })).toBe('WRONG_CHAIN');
      return new Uint8Array(2420);
    };
    const signer = { publicKey: home.key.publicKey, sign };
    await buildTransaction({ genesis, account: hash(4), operations: [recovery], validUntilMs: 5, nonce: new Uint8Array(16), signer });
  });
});
