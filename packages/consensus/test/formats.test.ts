/** What is on disks and wires must not change by accident: version 1 of each format, by the hash of its bytes. */
import { type Hash, toHex } from '@nacre/base';
import {
  Committee,
  certificateDigest,
  certificateFrom,
  encodeCertificate,
  encodeProposal,
  encodeVote,
  equivocationCodec,
  equivocationOf,
  lockCodec,
  PROPOSAL_CONTEXT,
  proposalMessage,
  type RoundState,
  roundStateCodec,
  VOTE_CONTEXT,
  verifyCertificate,
  voteMessage,
} from '@nacre/consensus';
import { portableSigner, portableVerifier, sha256 } from '@nacre/crypto';
import { expect, test } from 'vitest';
import { block, CONTEXT, committeeOf, proposalOf, voteOf } from './support/fixtures.ts';

const FOUR = committeeOf(1, 2, 3, 4);
const A: Hash = block('A');
const vote = voteOf(FOUR, 2, { height: 7, round: 3, kind: 'prepare' }, A);
const nullVote = voteOf(FOUR, 2, { height: 7, round: 3, kind: 'prepare' }, null);
const proposal = proposalOf(FOUR, { height: 7, round: 3, validRound: 1, blockHash: A });
const certificate = certificateFrom([1, 2, 3].map((index) => voteOf(FOUR, index, { height: 7, round: 3, kind: 'commit' }, A)));
const lock = { lockedRound: -1, lockedHash: null, validRound: 3, validHash: A, prepares: [vote] };
const state: RoundState = {
  height: 7,
  round: 3,
  step: 'prepare',
  working: true,
  hasProposal: false,
  votes: [{ round: 3, kind: 'commit', validators: [0, 2, 9] }],
};

function required<Value>(value: Value | null): Value {
  if (value === null) throw new Error('missing');
  return value;
}

test.each([
  ['vote', () => encodeVote(vote), '176164963499733ee31cbe847ad00eab7c1cb41ebf5e723083d02b475c474e7c'],
  ['vote for no block', () => encodeVote(nullVote), '71e6cae6ba8a953966e2b618eb1416dfe63d6dab36d9a6721ce027928b945729'],
  ['signed part of a vote', () => voteMessage(CONTEXT, vote), '1c2a60b04f2fe677db06bc3b82624f8665eca8767d7d6bfda771903aee8c068e'],
  ['proposal', () => encodeProposal(proposal), 'f04e035a416f05d002ef72bb48ecdf48eab9e62071a4733effaea78ade8948e9'],
  [
    'signed part of a proposal',
    () => proposalMessage(CONTEXT, proposal),
    '01b3659c6e790d1a1b4b479f6f4b0cff7d1d803d0e5d5697c1f5f19cfc63086b',
  ],
  ['certificate', () => encodeCertificate(certificate), 'be8097d637cf68075943f08e7fa462d1c36e8dbb26028317287a092a499e9272'],
  ['digest of a certificate', () => certificateDigest(certificate), 'cb7e392c1e6392092dbad81fbf37b3237c13cd3bef5eeedd3a9af1917c480efd'],
  ['hash of a committee', () => FOUR.hash, 'a140137a00609567e51cf5a4cf084f21c9e4260af2a2bfe4e4fcde35d30e85e7'],
  ['lock', () => lockCodec.encode(lock), '35b33547fdf75e20d1f5349a8709142cf6eec278b94bd09af66c1e5565ad3506'],
  ['round state', () => roundStateCodec.encode(state), 'f2713b39a55072294260aef845a2ef3977423346b81f354183e59929162c11b2'],
  [
    'double vote',
    () => equivocationCodec.encode(required(equivocationOf(vote, nullVote))),
    '960df02746ba6f94af2493db6707b89d2c24970adce8a5584c8772c8234ebeb8',
  ],
  [
    'double proposal',
    () => equivocationCodec.encode(required(equivocationOf(proposal, { ...proposal, validRound: -1 }))),
    '375908832a111c355a3bb9d16140152abe5eec127fa8fa3796e88f89e8cfc3ba',
  ],
])('version 1 of the %s', (_, encode, pinned) => {
  expect(toHex(sha256(encode()))).toBe(pinned);
});

test('the contexts of the signatures', () => {
  expect([VOTE_CONTEXT, PROPOSAL_CONTEXT]).toEqual(['nacre/1/vote', 'nacre/1/proposal']);
});

test('a certificate of real signatures is valid, and none of it can be left out or changed', async () => {
  const signers = [0, 1, 2, 3].map((index) => portableSigner('ml-dsa-44', new Uint8Array(32).fill(index + 1)));
  const validators = signers.map(({ publicKey }, index) => ({ address: new Uint8Array(32).fill(index + 1), publicKey, weight: 1 }));
  const created = Committee.create(validators);
  if (!created.ok) throw new Error(created.error.code);
  const content = { height: 7, round: 3, kind: 'commit', blockHash: A } as const;
  const votes = await Promise.all(
    [0, 2, 3].map(async (validator) => {
      const signature = await (signers[validator] as (typeof signers)[number]).sign(voteMessage(CONTEXT, content), VOTE_CONTEXT);
      return { ...content, validator, signature };
    }),
  );
  const options = { committee: created.value, context: CONTEXT, verifier: portableVerifier('ml-dsa-44') };
  const real = certificateFrom(votes);
  expect(encodeCertificate(real)).toHaveLength(7326);
  expect(await verifyCertificate({ ...options, certificate: real })).toEqual({ ok: true, value: undefined });
  const swapped = certificateFrom(votes.map((one, index) => ({ ...one, signature: (votes[(index + 1) % 3] as typeof one).signature })));
  expect(await verifyCertificate({ ...options, certificate: swapped })).toMatchObject({
    ok: false,
    error: { code: 'CERTIFICATE_SIGNATURE' },
  });
});
