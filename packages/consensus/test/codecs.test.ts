/** Every format: one encoding per value, and bytes from outside never throw. */
import { ROUND_MAX, toHex } from '@nacre/base';
import {
  CERTIFICATE_BYTES_MAX,
  type Certificate,
  type Codec,
  certificateCodec,
  EQUIVOCATION_BYTES_MAX,
  equivocationCodec,
  equivocationOf,
  LOCK_BYTES_MAX,
  type Lock,
  lockCodec,
  PROPOSAL_BYTES_MAX,
  type Proposal,
  proposalCodec,
  ROUND_STATE_BYTES_MAX,
  ROUND_STATE_SETS_MAX,
  type RoundState,
  roundStateCodec,
  strictCodec,
  Uint53Type,
  VOTE_BYTES_MAX,
  type Vote,
  voteCodec,
} from '@nacre/consensus';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { block } from './support/fixtures.ts';

const hash = fc.uint8Array({ minLength: 32, maxLength: 32 }).filter((bytes) => bytes.some((byte) => byte !== 0));
const signature = fc.uint8Array({ maxLength: 40 });
const height = fc.maxSafeNat();
const round = fc.integer({ min: 0, max: ROUND_MAX });
const validator = fc.integer({ min: 0, max: 99 });
const validators = fc.uniqueArray(validator, { maxLength: 20 }).map((list) => list.sort((a, b) => a - b));
const kind = fc.constantFrom('prepare' as const, 'commit' as const);

const vote: fc.Arbitrary<Vote> = fc.record({ height, round, kind, blockHash: fc.option(hash), validator, signature });
const proposal: fc.Arbitrary<Proposal> = fc.record({
  height,
  round,
  validRound: fc.integer({ min: -1, max: ROUND_MAX }),
  blockHash: hash,
  proposer: validator,
  signature,
});
const certificate: fc.Arbitrary<Certificate> = fc
  .record({ height, round, blockHash: hash, signers: validators, signature })
  .map(({ signers, signature: bytes, ...rest }) => ({
    ...rest,
    commits: signers.map((signer) => ({ validator: signer, signature: bytes })),
  }));
const lock: fc.Arbitrary<Lock> = fc
  .record({
    locked: fc.option(fc.record({ lockedRound: round, lockedHash: hash })),
    validRound: round,
    validHash: hash,
    prepares: fc.array(vote, { maxLength: 4 }),
  })
  .map(({ locked, ...rest }) => ({ ...(locked ?? { lockedRound: -1, lockedHash: null }), ...rest }));
const roundState: fc.Arbitrary<RoundState> = fc.record({
  height,
  round,
  step: fc.constantFrom('propose' as const, 'prepare' as const, 'commit' as const),
  working: fc.boolean(),
  hasProposal: fc.boolean(),
  votes: fc.array(fc.record({ round, kind, validators }), { maxLength: ROUND_STATE_SETS_MAX }),
});
const equivocation = fc
  .oneof(
    fc.tuple(vote, hash).map(([one, other]) => equivocationOf(one, { ...one, blockHash: other })),
    fc.tuple(proposal, hash).map(([one, other]) => equivocationOf(one, { ...one, blockHash: other })),
  )
  .filter((offence) => offence !== null);

interface Format {
  readonly name: string;
  readonly codec: Codec<unknown>;
  readonly values: fc.Arbitrary<unknown>;
  readonly bytesMax: number;
}

function format<Value>(name: string, codec: Codec<Value>, values: fc.Arbitrary<Value>, bytesMax: number): Format {
  return { name, codec: codec as Codec<unknown>, values, bytesMax };
}

const FORMATS: Format[] = [
  format('vote', voteCodec, vote, VOTE_BYTES_MAX),
  format('proposal', proposalCodec, proposal, PROPOSAL_BYTES_MAX),
  format('certificate', certificateCodec, certificate, CERTIFICATE_BYTES_MAX),
  format('lock', lockCodec, lock, LOCK_BYTES_MAX),
  format('round state', roundStateCodec, roundState, ROUND_STATE_BYTES_MAX),
  format('equivocation', equivocationCodec, equivocation, EQUIVOCATION_BYTES_MAX),
];

test.each(FORMATS)('a $name decodes to what was encoded', ({ codec, values }) => {
  fc.assert(
    fc.property(values, (value) => {
      expect(codec.decode(codec.encode(value))).toEqual({ ok: true, value });
    }),
  );
});

/** Flips, cuts, insertions: where a lax decoder accepts what it would not write. */
const mutation = fc.record({ at: fc.nat(), byte: fc.integer({ min: 0, max: 255 }), how: fc.constantFrom('set', 'cut', 'insert', 'swap') });

function mutate(bytes: Uint8Array, { at, byte, how }: { at: number; byte: number; how: string }): Uint8Array {
  const place = at % (bytes.length + 1);
  if (how === 'cut') return bytes.slice(0, place);
  if (how === 'insert') return Uint8Array.from([...bytes.slice(0, place), byte, ...bytes.slice(place)]);
  const changed = Uint8Array.from(bytes);
  if (how === 'set') changed[place] = byte;
  else changed.copyWithin(place, 0, 4);
  return changed;
}

/** @returns whether the bytes were accepted */
function expectStrict({ codec, name }: Format, bytes: Uint8Array): boolean {
  const decoded = codec.decode(bytes);
  if (decoded.ok) expect(toHex(codec.encode(decoded.value))).toBe(toHex(bytes));
  else expect(decoded.error).toMatchObject({ code: 'MALFORMED', what: name, bytes: bytes.length });
  return decoded.ok;
}

// @mutation packages/consensus/src/codec.ts
// - return encodesTo(value, bytes) ? ok(value) : refuse('not canonical', bytes);
// + return ok(value);
test('mutated and random bytes are refused, or are the one encoding of something', () => {
  for (const one of FORMATS) {
    const outcomes = new Set<boolean>();
    fc.assert(
      fc.property(one.values, fc.array(mutation, { minLength: 1, maxLength: 3 }), (value, mutations) => {
        outcomes.add(expectStrict(one, mutations.reduce(mutate, one.codec.encode(value))));
      }),
      { numRuns: 600 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        outcomes.add(expectStrict(one, bytes));
      }),
      { numRuns: 300 },
    );
    expect({ name: one.name, outcomes }).toEqual({ name: one.name, outcomes: new Set([true, false]) });
  }
});

// @mutation packages/consensus/src/codec.ts
// - if (bytes.length > bytesMax) return refuse('too large', bytes);
// +
test.each(FORMATS)('a $name that is too large is refused unread', (one) => {
  expect(one.codec.decode(new Uint8Array(one.bytesMax + 1))).toMatchObject({ error: { reason: 'too large', bytes: one.bytesMax + 1 } });
});

test('the largest values of each format are within its bound', () => {
  const bytes = new Uint8Array(4627);
  const largeVote: Vote = { height: 1, round: 1, kind: 'commit', blockHash: block('A'), validator: 99, signature: bytes };
  const largeProposal: Proposal = { height: 1, round: 1, validRound: 0, blockHash: block('A'), proposer: 99, signature: bytes };
  const everyone = [...Array(100).keys()];
  const commits = everyone.map((one) => ({ validator: one, signature: bytes }));
  const votes = Array.from({ length: ROUND_STATE_SETS_MAX }, () => ({ round: 1, kind: 'commit' as const, validators: everyone }));
  const offence = equivocationOf(largeProposal, { ...largeProposal, blockHash: block('B') });
  if (offence === null) throw new Error('no offence');
  expect(voteCodec.encode(largeVote)).toHaveLength(VOTE_BYTES_MAX);
  expect(proposalCodec.encode(largeProposal)).toHaveLength(PROPOSAL_BYTES_MAX);
  expect(certificateCodec.encode({ height: 1, round: 1, blockHash: block('A'), commits }).length).toBeLessThanOrEqual(
    CERTIFICATE_BYTES_MAX,
  );
  expect(equivocationCodec.encode(offence)).toHaveLength(EQUIVOCATION_BYTES_MAX);
  const rounds = { lockedRound: 1, lockedHash: block('A'), validRound: 1, validHash: block('A') };
  expect(lockCodec.encode({ ...rounds, prepares: everyone.map(() => largeVote) })).toHaveLength(LOCK_BYTES_MAX);
  const state: RoundState = { height: 1, round: 1, step: 'commit', working: true, hasProposal: true, votes };
  expect(roundStateCodec.encode(state)).toHaveLength(ROUND_STATE_BYTES_MAX);
});

const VOTE: Vote = { height: 7, round: 3, kind: 'prepare', blockHash: block('A'), validator: 2, signature: new Uint8Array(4).fill(9) };
const PROPOSAL: Proposal = { height: 7, round: 3, validRound: 1, blockHash: block('A'), proposer: 2, signature: new Uint8Array(4).fill(9) };

function changed(bytes: Uint8Array, at: number, ...values: number[]): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy.set(values, at);
  return copy;
}

test('another version is refused', () => {
  expect(voteCodec.decode(voteCodec.encode(VOTE)).ok).toBe(true);
  for (const version of [0, 2]) expect(voteCodec.decode(changed(voteCodec.encode(VOTE), 0, version)).ok).toBe(false);
});

// @mutation packages/consensus/src/ssz.ts
// - if (value < this.min || value > this.max) throw new RangeError(`${value} is not a ${this.typeName}`);
// +
test('a height above 2^53 is refused, not rounded', () => {
  const encoded = voteCodec.encode(VOTE);
  expect(voteCodec.decode(changed(encoded, 1, 255, 255, 255, 255, 255, 255, 31, 0))).toMatchObject({
    value: { height: Number.MAX_SAFE_INTEGER },
  });
  expect(voteCodec.decode(changed(encoded, 1, 0, 0, 0, 0, 0, 0, 32, 0)).ok).toBe(false);
  expect(strictCodec(Uint53Type, { name: 'number', bytesMax: 8 }).decode(new Uint8Array(8).fill(255)).ok).toBe(false);
});

// @mutation packages/consensus/src/ssz.ts
// - assert(Number.isInteger(value) && value >= this.min && value <= this.max, `${value} is not a ${this.typeName}`);
// +
test('a number that its field cannot hold is a bug in who encodes it, not another number', () => {
  for (const changes of [{ height: -1 }, { height: 2 ** 53 }, { round: ROUND_MAX + 1 }, { round: 0.5 }, { validator: 100 }]) {
    expect(() => voteCodec.encode({ ...VOTE, ...changes })).toThrow('is not a uint');
  }
});

test.each([
  ['round', 9, [0x41, 0x42, 0x0f, 0]],
  ['kind', 13, [2]],
  ['validator', 46, [100]],
])('a vote whose %s is out of range is refused', (_, at, values) => {
  expect(voteCodec.decode(changed(voteCodec.encode(VOTE), at, ...values))).toMatchObject({ error: { reason: 'undecodable' } });
});

// @mutation packages/consensus/src/ssz.ts
// - if (bytesEqual(value, ZERO_HASH)) throw new RangeError('the zero hash is no block');
// +
test('the zero hash means no block in a vote, and nothing anywhere else', () => {
  const none = voteCodec.decode(voteCodec.encode({ ...VOTE, blockHash: null }));
  expect(none).toMatchObject({ ok: true, value: { blockHash: null } });
  expect(proposalCodec.decode(changed(proposalCodec.encode(PROPOSAL), 17, ...new Uint8Array(32))).ok).toBe(false);
  const commits = [{ validator: 0, signature: new Uint8Array(4) }];
  const encoded = certificateCodec.encode({ height: 7, round: 3, blockHash: block('A'), commits });
  expect(certificateCodec.decode(changed(encoded, 13, ...new Uint8Array(32))).ok).toBe(false);
});

// @mutation packages/consensus/src/ssz.ts
// - assert(value.length === HASH_BYTES && !bytesEqual(value, ZERO_HASH), 'a block hash is 32 bytes and not zero');
// +
test('a proposal of no block is a bug in who makes it', () => {
  expect(() => proposalCodec.encode({ ...PROPOSAL, blockHash: new Uint8Array(32) })).toThrow('a block hash is 32 bytes');
});

// @mutation packages/consensus/src/ssz.ts
// - const bits = BitArray.fromBitLen(validators.length === 0 ? 0 : (validators.at(-1) as number) + 1);
// + const bits = BitArray.fromBitLen(100);
test('the signers of a certificate have one encoding, whatever the size of the committee', () => {
  const commits = [0, 2].map((one) => ({ validator: one, signature: new Uint8Array(1) }));
  const encoded = certificateCodec.encode({ height: 7, round: 3, blockHash: block('A'), commits });
  // Two signers 0 and 2 and the end bit: 1101. With one unset bit more, 10101, they would be the same.
  const at = encoded.indexOf(0b1101, 45);
  expect(at).toBe(53);
  expect(certificateCodec.decode(changed(encoded, at, 0b10101))).toMatchObject({ error: { reason: 'not canonical' } });
});

// @mutation packages/consensus/src/evidence.ts
// - if (equivocation === null) return fail({ code: 'EVIDENCE_NO_OFFENCE' });
// + if (equivocation === null) return ok({ kind: 'vote', validator: 0, first: first as Vote, second: second as Vote });
test('evidence of no offence does not decode', () => {
  const offence = equivocationOf(VOTE, { ...VOTE, blockHash: null });
  if (offence === null) throw new Error('no offence');
  const { kind: which, validator: offender, first } = offence;
  const none = equivocationCodec.encode({ kind: which, validator: offender, first, second: first } as typeof offence);
  expect(equivocationCodec.decode(none)).toMatchObject({ error: { reason: 'undecodable' } });
});
