import { toHex } from '@nacre/base';
import {
  type Certificate,
  type Committee,
  certificateDigest,
  certificateFrom,
  certificateVotes,
  checkCertificate,
  isMinimal,
  minimalCertificate,
  verifyCertificate,
} from '@nacre/consensus';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { block, CONTEXT, committeeOf, FAKE_VERIFIER, voteOf } from './support/fixtures.ts';

const A = block('A');
const FOUR = committeeOf(1, 1, 1, 1);

function certificateOf(committee: Committee, ...validators: number[]): Certificate {
  return certificateFrom(validators.map((validator) => voteOf(committee, validator, { round: 2, kind: 'commit' }, A)));
}

async function verdict(certificate: Certificate, committee = FOUR, context = CONTEXT): Promise<unknown> {
  const result = await verifyCertificate({ committee, context, certificate, verifier: FAKE_VERIFIER });
  return result.ok ? 'valid' : result.error;
}

test('commits of one block become a certificate, ascending, and its votes again', () => {
  const votes = [3, 0, 2].map((validator) => voteOf(FOUR, validator, { round: 2, kind: 'commit' }, A));
  const certificate = certificateFrom(votes);
  expect(certificate).toMatchObject({ height: 8, round: 2, blockHash: A });
  expect(certificateVotes(certificate)).toEqual([votes[1], votes[2], votes[0]]);
});

// @mutation packages/consensus/src/certificate.ts
// - assert(alike, 'the commits of a certificate are alike');
// +
test('votes that differ are no certificate', () => {
  const commit = voteOf(FOUR, 0, { round: 2, kind: 'commit' }, A);
  const others = [
    voteOf(FOUR, 1, { round: 2, kind: 'commit' }, block('B')),
    voteOf(FOUR, 1, { round: 1, kind: 'commit' }, A),
    voteOf(FOUR, 1, { round: 2, kind: 'prepare' }, A),
    voteOf(FOUR, 1, { height: 9, round: 2, kind: 'commit' }, A),
    voteOf(FOUR, 1, { round: 2, kind: 'commit' }, null),
  ];
  for (const other of others) expect(() => certificateFrom([commit, other])).toThrow('alike');
});

// @mutation packages/consensus/src/certificate.ts
// - assert(first !== undefined && first.blockHash !== null, 'a certificate is made of commits for a block');
// + assert(first !== undefined, 'a certificate is made of commits for a block');
test('commits for no block are no certificate', () => {
  expect(() => certificateFrom([])).toThrow('commits for a block');
  expect(() => certificateFrom([voteOf(FOUR, 0, { round: 2, kind: 'commit' }, null)])).toThrow('commits for a block');
});

test('a certificate with a quorum of true signatures is valid', async () => {
  expect(await verdict(certificateOf(FOUR, 0, 1, 3))).toBe('valid');
});

// @mutation packages/consensus/src/certificate.ts
// - if (!committee.isQuorum(weight)) {
// + if (weight === 0) {
test('a certificate below the quorum is refused', async () => {
  expect(await verdict(certificateOf(FOUR, 0, 1))).toMatchObject({ code: 'CERTIFICATE_WEIGHT', weight: 2, totalWeight: 4 });
  expect(await verdict({ ...certificateOf(FOUR, 0), commits: [] })).toMatchObject({ code: 'CERTIFICATE_WEIGHT', weight: 0 });
});

// @mutation packages/consensus/src/certificate.ts
// - if (validator <= previous || validator >= committee.size) return
// + if (validator >= committee.size) return
test('a certificate that counts a signer twice, or out of order, is refused', () => {
  const { commits, ...rest } = certificateOf(FOUR, 0, 1, 3);
  for (const order of [
    [0, 0, 1],
    [1, 0, 2],
  ]) {
    const changed = { ...rest, commits: order.map((index) => commits[index] as (typeof commits)[number]) };
    expect(checkCertificate(FOUR, changed)).toMatchObject({ error: { code: 'CERTIFICATE_SIGNERS' } });
  }
});

// @mutation packages/consensus/src/certificate.ts
// - if (validator <= previous || validator >= committee.size) return
// + if (validator <= previous) return
test('a certificate with a signer outside of the committee is refused', () => {
  const certificate = certificateOf(committeeOf(1, 1, 1, 1, 1), 1, 2, 4);
  expect(checkCertificate(FOUR, certificate)).toMatchObject({ error: { code: 'CERTIFICATE_SIGNERS', validator: 4 } });
});

// @mutation packages/consensus/src/certificate.ts
// - if (bad >= 0) return
// + if (bad > 0) return
test('one false signature spoils a certificate, even among enough true ones', async () => {
  for (const spoiled of [0, 2]) {
    const { commits, ...rest } = certificateOf(FOUR, 0, 1, 2, 3);
    const changed = commits.map((commit, index) => (index === spoiled ? { ...commit, signature: new Uint8Array(32) } : commit));
    expect(await verdict({ ...rest, commits: changed })).toMatchObject({ code: 'CERTIFICATE_SIGNATURE', validator: spoiled });
  }
});

// @mutation packages/consensus/src/vote.ts
// - chain: context.chain,
// + chain: 0,
// @mutation packages/consensus/src/vote.ts
// - round: content.round,
// + round: 0,
test('a certificate holds only for its network, chain, height, round and block', async () => {
  const certificate = certificateOf(FOUR, 0, 1, 3);
  const refused = { code: 'CERTIFICATE_SIGNATURE' };
  expect(await verdict(certificate, FOUR, { ...CONTEXT, chain: 1 })).toMatchObject(refused);
  expect(await verdict(certificate, FOUR, { ...CONTEXT, genesisHash: A })).toMatchObject(refused);
  for (const changes of [{ height: 9 }, { round: 1 }, { blockHash: block('B') }]) {
    expect(await verdict({ ...certificate, ...changes })).toMatchObject(refused);
  }
});

// @mutation packages/consensus/src/certificate.ts
// - return { version: FORMAT_VERSION, height, round, blockHash, signers: validatorsToBits(commits.map((commit) => commit.validator)) };
// + return { version: FORMAT_VERSION, height, round, blockHash, signers: validatorsToBits([]) };
test('the digest covers what was signed and who signed, not the signatures', () => {
  const certificate = certificateOf(FOUR, 0, 1, 3);
  const resigned = { ...certificate, commits: certificate.commits.map((commit) => ({ ...commit, signature: new Uint8Array(5) })) };
  expect(certificateDigest(resigned)).toEqual(certificateDigest(certificate));
  const others = [
    { ...certificate, height: 9 },
    { ...certificate, round: 1 },
    { ...certificate, blockHash: block('B') },
    certificateOf(FOUR, 0, 1, 2),
  ];
  expect(new Set([certificate, ...others].map((one) => toHex(certificateDigest(one)))).size).toBe(5);
});

// @mutation packages/consensus/src/certificate.ts
// - committee.weight(b.validator) - committee.weight(a.validator) || a.validator - b.validator
// + a.validator - b.validator
test('the minimal certificate takes the heaviest first, the lower index among equals', () => {
  const committee = committeeOf(1, 2, 3, 2, 3);
  const minimal = minimalCertificate(committee, certificateOf(committee, 0, 1, 2, 3, 4));
  expect(minimal.commits.map(({ validator }) => validator)).toEqual([1, 2, 4]);
});

// @mutation packages/consensus/src/certificate.ts
// - return !committee.isQuorum(total - Math.min(...weights));
// + return !committee.isQuorum(total - Math.max(...weights));
test('a certificate is minimal exactly if no signer can be left out', () => {
  const members = fc.array(fc.tuple(fc.integer({ min: 1, max: 9 }), fc.boolean()), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(members, (list) => {
      const committee = committeeOf(...list.map(([weight]) => weight));
      const signers = list.flatMap(([, signs], index) => (signs ? [index] : []));
      fc.pre(committee.isQuorum(committee.weightOf(signers)));
      const certificate = certificateOf(committee, ...signers);
      const isTight = signers.every((one) => !committee.isQuorum(committee.weightOf(signers.filter((signer) => signer !== one))));
      expect(isMinimal(committee, certificate)).toBe(isTight);
      const minimal = minimalCertificate(committee, certificate);
      expect(checkCertificate(committee, minimal).ok).toBe(true);
      expect(isMinimal(committee, minimal)).toBe(true);
    }),
  );
});
