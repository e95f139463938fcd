import { createHash } from 'node:crypto';
import { FRAME_BYTES_MAX } from '@nacre/base';
import type { RoundState, Vote } from '@nacre/consensus';
import { BLOCK_BYTES_MAX, encodeHeader, type Header } from '@nacre/ledger';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  type Answers,
  BODIES_PER_REQUEST_MAX,
  decodeAnswer,
  decodeMessage,
  decodeRequest,
  encodeAnswer,
  encodeMessage,
  encodeRequest,
  HEADERS_PER_REQUEST_MAX,
  type Message,
  type Request,
  VOTES_PER_FRAME_MAX,
} from '../src/index.ts';
import { TestChain } from './support/test-chain.ts';

const hash = fc.uint8Array({ minLength: 32, maxLength: 32 }).filter((bytes) => bytes.some((byte) => byte !== 0));
const bytes = fc.uint8Array({ maxLength: 200 });
const height = fc.nat(Number.MAX_SAFE_INTEGER);
const round = fc.nat(1_000_000);
const signature = fc.uint8Array({ maxLength: 300 });
const validator = fc.nat(99);
const instance = fc.uint8Array({ minLength: 16, maxLength: 16 });

const vote: fc.Arbitrary<Vote> = fc.record({
  height,
  round,
  kind: fc.constantFrom('prepare' as const, 'commit' as const),
  blockHash: fc.option(hash),
  validator,
  signature,
});
const votes = fc.array(vote, { maxLength: 5 });
const proposal = fc.record({
  height,
  round,
  validRound: fc.integer({ min: -1, max: 1_000_000 }),
  blockHash: hash,
  proposer: validator,
  signature,
});
const signers = fc.uniqueArray(validator, { maxLength: 8 }).map((all) => all.sort((a, b) => a - b));
const certificate = fc.record({
  height,
  round,
  blockHash: hash,
  commits: signers.chain((all) => fc.tuple(...all.map((one) => fc.record({ validator: fc.constant(one), signature })))),
});
const state: fc.Arbitrary<RoundState> = fc.record({
  height,
  round,
  step: fc.constantFrom('propose' as const, 'prepare' as const, 'commit' as const),
  working: fc.boolean(),
  hasProposal: fc.boolean(),
  votes: fc.array(fc.record({ round, kind: fc.constantFrom('prepare' as const, 'commit' as const), validators: signers }), {
    maxLength: 4,
  }),
});

const MESSAGES: { readonly [Kind in Message['kind']]: fc.Arbitrary<Extract<Message, { kind: Kind }>> } = {
  proposal: fc.record({ kind: fc.constant('proposal' as const), proposal, block: bytes, justification: votes }),
  votes: fc.record({ kind: fc.constant('votes' as const), votes }),
  'round-state': fc.record({ kind: fc.constant('round-state' as const), state }),
  transactions: fc.record({ kind: fc.constant('transactions' as const), bodies: fc.array(bytes, { maxLength: 5 }) }),
  decided: fc.record({ kind: fc.constant('decided' as const), certificate, block: bytes }),
  instance: fc.record({ kind: fc.constant('instance' as const), instance }),
  'instance-answer': fc.record({ kind: fc.constant('instance-answer' as const), instance, accepted: fc.boolean(), votes }),
  reach: fc.record({ kind: fc.constant('reach' as const), epoch: height, heard: signers }),
};
const message = fc.oneof(...Object.values(MESSAGES)) as fc.Arbitrary<Message>;
const request: fc.Arbitrary<Request> = fc.oneof(
  fc.record({ kind: fc.constant('block' as const), hash }),
  fc.record({ kind: fc.constant('bodies' as const), hashes: fc.array(hash, { maxLength: 5 }) }),
  fc.record({ kind: fc.constant('headers' as const), from: height, count: fc.integer({ min: 1, max: HEADERS_PER_REQUEST_MAX }) }),
  fc.record({ kind: fc.constant('blocks' as const), from: height, count: fc.integer({ min: 1, max: 64 }) }),
  fc.record({ kind: fc.constant('snapshots' as const) }),
  fc.record({
    kind: fc.constant('snapshot-parts' as const),
    height,
    names: fc.array(fc.constantFrom('history', 'links/0', 'state/', 'state/0f', 'ids/12'), { maxLength: 5 }),
  }),
);
const count = fc.nat(1000);

let headers: Header[];
beforeAll(async () => {
  const chain = await TestChain.create();
  for (let at = 1; at <= 3; at++) await chain.decide();
  headers = chain.decided.map(({ block }) => block.header);
});

const answers: fc.Arbitrary<{ [Kind in Request['kind']]: { kind: Kind; answer: Answers[Kind] } }[Request['kind']]> = fc.oneof(
  fc.record({ kind: fc.constant('block' as const), answer: fc.record({ block: fc.option(bytes) }) }),
  fc.record({ kind: fc.constant('bodies' as const), answer: fc.record({ bodies: fc.array(bytes, { maxLength: 5 }) }) }),
  fc
    .record({ count: fc.nat(3), certificate: fc.option(certificate) })
    .map(({ count, certificate: last }) => ({ kind: 'headers' as const, answer: { headers: headers.slice(0, count), certificate: last } })),
  fc.record({
    kind: fc.constant('blocks' as const),
    answer: fc.record({ blocks: fc.array(fc.record({ block: bytes, bodies: fc.array(bytes, { maxLength: 3 }) }), { maxLength: 4 }) }),
  }),
  fc.record({
    kind: fc.constant('snapshots' as const),
    answer: fc.record({
      manifests: fc.array(fc.record({ height, links: count, logs: count, ids: count, stateParts: count, bytes: height }), { maxLength: 4 }),
    }),
  }),
  fc.record({ kind: fc.constant('snapshot-parts' as const), answer: fc.record({ parts: fc.array(bytes, { maxLength: 5 }) }) }),
);

describe('what is encoded decodes to the same', () => {
  test('messages', () => {
    fc.assert(
      fc.property(message, (one) => {
        expect(decodeMessage(encodeMessage(one))).toEqual({ ok: true, value: one });
      }),
    );
  });

  test('requests', () => {
    fc.assert(
      fc.property(request, (one) => {
        expect(decodeRequest(encodeRequest(one))).toEqual({ ok: true, value: one });
      }),
    );
  });

  test('answers', () => {
    fc.assert(
      fc.property(answers, ({ kind, answer }) => {
        expect(decodeAnswer(kind, encodeAnswer(kind, answer as never))).toEqual({ ok: true, value: answer });
      }),
    );
  });
});

describe('bytes of a stranger', () => {
  const CODES = ['FRAME_TOO_LARGE', 'FRAME_VERSION', 'FRAME_KIND', 'MALFORMED'];
  const decoders = [
    decodeMessage,
    decodeRequest,
    ...(['block', 'bodies', 'headers', 'blocks'] as const).map((kind) => (frame: Uint8Array) => decodeAnswer(kind, frame)),
  ];

  /** The codes with which the decoders refuse a frame, if they do. */
  function refusals(frame: Uint8Array): string[] {
    return decoders.map((decode) => decode(frame)).flatMap((decoded) => (decoded.ok ? [] : [decoded.error.code]));
  }

  test('never throw, and are refused with a code', () => {
    const anything = fc.uint8Array({ maxLength: 400 });
    const headed = fc.tuple(fc.nat(8), fc.uint8Array({ maxLength: 400 })).map(([kind, rest]) => Uint8Array.of(1, kind, ...rest));
    fc.assert(
      fc.property(fc.oneof(anything, headed), (frame) => {
        expect(CODES).toEqual(expect.arrayContaining(refusals(frame)));
      }),
      { numRuns: 2_000 },
    );
  });

  test('made by changing a true frame never throw; what is accepted is the one encoding of what it says', () => {
    const frame = fc.oneof(
      message.map(encodeMessage),
      request.map(encodeRequest),
      answers.map(({ kind, answer }) => encodeAnswer(kind, answer as never)),
    );
    const changed = fc
      .tuple(frame, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }), fc.nat(3))
      .map(([original, flips, cut]) => {
        const copy = original.slice(0, original.length - cut);
        for (const [at, value] of flips) if (copy.length > 0) copy[at % copy.length] = value;
        return copy;
      });
    fc.assert(
      fc.property(changed, (mutated) => {
        expect(CODES).toEqual(expect.arrayContaining(refusals(mutated)));
        const asMessage = decodeMessage(mutated);
        if (asMessage.ok) expect(encodeMessage(asMessage.value)).toEqual(mutated);
        const asRequest = decodeRequest(mutated);
        if (asRequest.ok) expect(encodeRequest(asRequest.value)).toEqual(mutated);
      }),
      { numRuns: 1_500 },
    );
  });

  // @mutation packages/replica/src/wire.ts
  // - if (version !== WIRE_VERSION) return fail({
  // + if (false) return fail({
  test('of another version are refused as such', () => {
    const frame = encodeMessage({ kind: 'votes', votes: [] });
    frame[0] = 2;
    expect(decodeMessage(frame)).toEqual({ ok: false, error: { code: 'FRAME_VERSION', version: 2 } });
    expect(decodeMessage(new Uint8Array(0))).toEqual({ ok: false, error: { code: 'FRAME_VERSION', version: null } });
  });

  test('of an unknown kind are refused as such', () => {
    expect(decodeMessage(Uint8Array.of(1, 8))).toEqual({ ok: false, error: { code: 'FRAME_KIND', kind: 8 } });
    expect(decodeRequest(Uint8Array.of(1, 6))).toEqual({ ok: false, error: { code: 'FRAME_KIND', kind: 6 } });
    expect(decodeRequest(Uint8Array.of(1))).toEqual({ ok: false, error: { code: 'FRAME_KIND', kind: null } });
  });

  // @mutation packages/replica/src/wire.ts
  // - if (unframed.value.kind !== kind) return fail({
  // + if (false) return fail({
  test('that answer another question are refused', () => {
    const frame = encodeAnswer('bodies', { bodies: [] });
    expect(decodeAnswer('block', frame)).toEqual({ ok: false, error: { code: 'FRAME_KIND', kind: 1 } });
  });

  // @mutation packages/replica/src/wire.ts
  // - if (bytes.length > bytesMax) return fail({
  // + if (false) return fail({
  test('longer than a frame are refused unread', () => {
    expect(decodeMessage(new Uint8Array(FRAME_BYTES_MAX + 1))).toMatchObject({ ok: false, error: { code: 'FRAME_TOO_LARGE' } });
  });

  test('with longer lists than allowed are refused', () => {
    const many = {
      kind: 'votes' as const,
      votes: Array.from({ length: VOTES_PER_FRAME_MAX }, () => fc.sample(vote, { numRuns: 1, seed: 7 })[0] as Vote),
    };
    expect(decodeMessage(encodeMessage(many)).ok).toBe(true);
    expect(() => encodeMessage({ ...many, votes: [...many.votes, many.votes[0] as Vote] })).not.toThrow();
    expect(decodeMessage(encodeMessage({ ...many, votes: [...many.votes, many.votes[0] as Vote] }))).toMatchObject({
      error: { code: 'MALFORMED' },
    });
    const hashes = Array.from({ length: BODIES_PER_REQUEST_MAX + 1 }, () => new Uint8Array(32));
    expect(decodeRequest(encodeRequest({ kind: 'bodies', hashes }))).toMatchObject({ error: { code: 'MALFORMED' } });
  });

  test('that ask for nothing or too much are refused', () => {
    const frame = encodeRequest({ kind: 'blocks', from: 1, count: 64 });
    for (const count of [0, 65]) {
      const changed = frame.slice();
      changed[10] = count;
      expect(decodeRequest(changed)).toMatchObject({ error: { code: 'MALFORMED' } });
    }
  });
});

test('the largest proposal that the rules allow fits a frame, and so does a full range of headers', () => {
  const large = {
    height: 1,
    round: 1,
    kind: 'prepare' as const,
    blockHash: new Uint8Array(32).fill(1),
    validator: 1,
    signature: new Uint8Array(4627),
  };
  const frame = encodeMessage({
    kind: 'proposal',
    proposal: { height: 1, round: 1, validRound: 0, blockHash: large.blockHash, proposer: 1, signature: large.signature },
    block: new Uint8Array(BLOCK_BYTES_MAX),
    justification: Array.from({ length: 100 }, (_, i) => ({ ...large, validator: i })),
  });
  expect(frame.length).toBeLessThanOrEqual(FRAME_BYTES_MAX);
  const header = headers[2] as Header;
  const lateCommits = Array.from({ length: 7 }, (_, i) => ({ height: i + 1, validators: [99] }));
  const bytesOfHeader = encodeHeader({ ...header, lateCommits }).length + 4;
  expect(bytesOfHeader * HEADERS_PER_REQUEST_MAX).toBeLessThan(FRAME_BYTES_MAX / 4);
});

describe('fixtures: a change here splits the network', () => {
  const fill = (byte: number, length = 32): Uint8Array => new Uint8Array(length).fill(byte);
  const one: Vote = { height: 5, round: 2, kind: 'commit', blockHash: fill(1), validator: 3, signature: fill(9, 2420) };
  const none: Vote = { ...one, kind: 'prepare', blockHash: null };
  const certified = {
    height: 5,
    round: 2,
    blockHash: fill(1),
    commits: [0, 1, 3].map((at) => ({ validator: at, signature: fill(at, 2420) })),
  };
  const frames: Readonly<Record<string, () => Uint8Array>> = {
    proposal: () =>
      encodeMessage({
        kind: 'proposal',
        proposal: { height: 5, round: 2, validRound: 0, blockHash: fill(1), proposer: 3, signature: fill(8, 2420) },
        block: fill(7, 100),
        justification: [none],
      }),
    votes: () => encodeMessage({ kind: 'votes', votes: [one, none] }),
    'round state': () =>
      encodeMessage({
        kind: 'round-state',
        state: {
          height: 5,
          round: 2,
          step: 'commit',
          working: true,
          hasProposal: false,
          votes: [{ round: 2, kind: 'commit', validators: [0, 3] }],
        },
      }),
    transactions: () => encodeMessage({ kind: 'transactions', bodies: [fill(1, 10), fill(2, 20)] }),
    decided: () => encodeMessage({ kind: 'decided', certificate: certified, block: fill(7, 100) }),
    instance: () => encodeMessage({ kind: 'instance', instance: fill(4, 16) }),
    'instance answer': () => encodeMessage({ kind: 'instance-answer', instance: fill(4, 16), accepted: true, votes: [one] }),
    reach: () => encodeMessage({ kind: 'reach', epoch: 3, heard: [0, 2, 3] }),
    'block request': () => encodeRequest({ kind: 'block', hash: fill(1) }),
    'bodies request': () => encodeRequest({ kind: 'bodies', hashes: [fill(1), fill(2)] }),
    'headers request': () => encodeRequest({ kind: 'headers', from: 7, count: 512 }),
    'blocks request': () => encodeRequest({ kind: 'blocks', from: 7, count: 64 }),
    'snapshots request': () => encodeRequest({ kind: 'snapshots' }),
    'snapshot parts request': () => encodeRequest({ kind: 'snapshot-parts', height: 7, names: ['history', 'state/0f'] }),
    'block answer': () => encodeAnswer('block', { block: fill(7, 100) }),
    'no block answer': () => encodeAnswer('block', { block: null }),
    'bodies answer': () => encodeAnswer('bodies', { bodies: [fill(1, 10)] }),
    'headers answer': () => encodeAnswer('headers', { headers: [], certificate: certified }),
    'blocks answer': () => encodeAnswer('blocks', { blocks: [{ block: fill(7, 100), bodies: [fill(1, 10), fill(2, 20)] }] }),
    'snapshots answer': () => encodeAnswer('snapshots', { manifests: [{ height: 7, links: 1, logs: 2, ids: 3, stateParts: 4, bytes: 5 }] }),
    'snapshot parts answer': () => encodeAnswer('snapshot-parts', { parts: [fill(7, 100), fill(8, 10)] }),
  };

  test.each(Object.entries(frames))('%s', (name, frame) => {
    expect(createHash('sha256').update(frame()).digest('hex').slice(0, 16)).toBe(PINNED[name]);
  });
});

/** First 8 bytes of the SHA-256 of each frame above. */
const PINNED: Readonly<Record<string, string>> = {
  proposal: '164dd1b2564196c7',
  votes: '437718bdb8435926',
  'round state': '3c01e63d7ed9ef5e',
  transactions: 'a5cf6e529c9d2bc8',
  decided: 'df727799df6be513',
  instance: '9f1a740fb9082427',
  reach: 'ff1b3734206795b1',
  'instance answer': '1e44f44135efa171',
  'block request': '053916b234ca9c7e',
  'bodies request': 'a9d57e634b7fab40',
  'headers request': 'b5d2ef3085747134',
  'blocks request': '64c9ad5f6106ff98',
  'snapshots request': '8c976f1fa59e7dba',
  'snapshot parts request': 'b490fb33a054197e',
  'block answer': 'fbfe2dff16b06150',
  'no block answer': '78e77c903e8800b6',
  'bodies answer': 'a52867c86146c54e',
  'headers answer': '723f70972c9e963e',
  'blocks answer': 'f18c325438d83414',
  'snapshots answer': '1ef6c2d1209a6416',
  'snapshot parts answer': '0e956784266db246',
};
