import { ContainerType, ListCompositeType, type ValueOf } from '@chainsafe/ssz';
import {
  assert,
  COMMITTEE_SIZE_MAX,
  fail,
  type Hash,
  ok,
  type Refusal,
  type Result,
  SIGNATURE_BYTES_MAX,
  type Verifier,
} from '@nacre/base';
import { taggedHash } from '@nacre/crypto';
import type { ChainContext } from './chain-context.ts';
import { type Codec, convertedCodec } from './codec.ts';
import type { Committee } from './committee.ts';
import {
  BlockHashType,
  bitsToValidators,
  FORMAT_VERSION,
  RoundType,
  SignatureType,
  Uint53Type,
  VALIDATOR_SET_BYTES_MAX,
  ValidatorSetType,
  VersionType,
  validatorsToBits,
} from './ssz.ts';
import { sameChoice, VOTE_CONTEXT, type Vote, voteMessage } from './vote.ts';

/** Commit votes of one round for one block. With more than 2/3 of the committee's weight, the block is decided. */
export interface Certificate {
  readonly height: number;
  readonly round: number;
  readonly blockHash: Hash;
  /** Ascending by validator, each once. */
  readonly commits: readonly CertificateCommit[];
}

export interface CertificateCommit {
  readonly validator: number;
  readonly signature: Uint8Array;
}

export type CertificateRefusal = Refusal<'CERTIFICATE_SIGNERS' | 'CERTIFICATE_WEIGHT' | 'CERTIFICATE_SIGNATURE'>;

const CERTIFICATE_TAG = 'nacre/1/certificate';

const signedFields = {
  version: VersionType,
  height: Uint53Type,
  round: RoundType,
  blockHash: BlockHashType,
  signers: ValidatorSetType,
};

const CertificateDigestType = new ContainerType(signedFields);

export const CertificateType = new ContainerType({
  ...signedFields,
  /** In the order of the signers. */
  signatures: new ListCompositeType(SignatureType, COMMITTEE_SIZE_MAX),
});

/** Longest encoding in bytes: fixed fields with two offsets, the bit list, and per signature its offset and bytes. */
export const CERTIFICATE_BYTES_MAX = 1 + 8 + 4 + 32 + 8 + VALIDATOR_SET_BYTES_MAX + COMMITTEE_SIZE_MAX * (4 + SIGNATURE_BYTES_MAX);

/** For containers that hold certificates. */
export function certificateToWire(certificate: Certificate): ValueOf<typeof CertificateType> {
  return { ...signedPart(certificate), signatures: certificate.commits.map((commit) => commit.signature) };
}

/** @throws {RangeError} if there are fewer signatures than signers; call it inside a strict codec, which also refuses more */
export function certificateFromWire(wire: ValueOf<typeof CertificateType>): Certificate {
  const { height, round, blockHash, signers, signatures } = wire;
  const commits = bitsToValidators(signers).map((validator, i) => {
    const signature = signatures[i];
    if (signature === undefined) throw new RangeError('a signer without a signature');
    return { validator, signature };
  });
  return { height, round, blockHash, commits };
}

export const certificateCodec: Codec<Certificate> = convertedCodec(CertificateType, {
  name: 'certificate',
  bytesMax: CERTIFICATE_BYTES_MAX,
  toWire: certificateToWire,
  fromWire: certificateFromWire,
});

export const encodeCertificate = certificateCodec.encode;
export const decodeCertificate = certificateCodec.decode;

/**
 * What a header says of its parent's certificate: the contents that were signed and who signed. Signatures are randomised,
 * so two certificates that mean the same may differ in their bytes and have one digest.
 */
export function certificateDigest(certificate: Certificate): Hash {
  return taggedHash(CERTIFICATE_TAG, CertificateDigestType.serialize(signedPart(certificate)));
}

/** @param votes at least one; commits of one height and round for one block, each validator once, in any order */
export function certificateFrom(votes: readonly Vote[]): Certificate {
  const first = votes[0];
  assert(first !== undefined && first.blockHash !== null, 'a certificate is made of commits for a block');
  const { height, round, blockHash } = first;
  for (const vote of votes) {
    const alike = vote.kind === 'commit' && vote.height === height && vote.round === round && sameChoice(vote.blockHash, blockHash);
    assert(alike, 'the commits of a certificate are alike');
  }
  const commits = votes.map(({ validator, signature }) => ({ validator, signature })).sort((a, b) => a.validator - b.validator);
  return { height, round, blockHash, commits };
}

/** The commits of a certificate as the votes that they were. */
export function certificateVotes(certificate: Certificate): Vote[] {
  const { height, round, blockHash } = certificate;
  return certificate.commits.map(({ validator, signature }) => ({ height, round, kind: 'commit', blockHash, validator, signature }));
}

/** As few of the commits as decide: the heaviest first, the lower index among equals, until they are a quorum. */
export function minimalCertificate(committee: Committee, certificate: Certificate): Certificate {
  return { ...certificate, commits: heaviestQuorum(committee, certificate.commits) };
}

/**
 * The heaviest of the given votes, the lower index among equals, until they are a quorum. None of them can be left out.
 *
 * @returns ascending by validator
 */
export function heaviestQuorum<Signed extends { readonly validator: number }>(committee: Committee, signed: readonly Signed[]): Signed[] {
  const byWeight = [...signed].sort((a, b) => committee.weight(b.validator) - committee.weight(a.validator) || a.validator - b.validator);
  const chosen: Signed[] = [];
  let weight = 0;
  for (const one of byWeight) {
    if (committee.isQuorum(weight)) break;
    chosen.push(one);
    weight += committee.weight(one.validator);
  }
  return chosen.sort((a, b) => a.validator - b.validator);
}

/** Whether no signer could be left out. Expects a certificate that passed `checkCertificate`. */
export function isMinimal(committee: Committee, certificate: Certificate): boolean {
  const weights = certificate.commits.map((commit) => committee.weight(commit.validator));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return !committee.isQuorum(total - Math.min(...weights));
}

/** Everything but the signatures: known signers in order, each once, and together more than 2/3 of the weight. */
export function checkCertificate(committee: Committee, certificate: Certificate): Result<void, CertificateRefusal> {
  const { height, round } = certificate;
  let previous = -1;
  let weight = 0;
  for (const { validator } of certificate.commits) {
    if (validator <= previous || validator >= committee.size) return fail({ code: 'CERTIFICATE_SIGNERS', height, round, validator });
    previous = validator;
    weight += committee.weight(validator);
  }
  if (!committee.isQuorum(weight)) {
    return fail({ code: 'CERTIFICATE_WEIGHT', height, round, weight, totalWeight: committee.totalWeight });
  }
  return ok(undefined);
}

/** `checkCertificate`, and every signature: a certificate with a false one among enough true ones is refused as well. */
export async function verifyCertificate(options: {
  readonly committee: Committee;
  readonly context: ChainContext;
  readonly certificate: Certificate;
  readonly verifier: Verifier;
}): Promise<Result<void, CertificateRefusal>> {
  const { committee, context, certificate, verifier } = options;
  const structure = checkCertificate(committee, certificate);
  if (!structure.ok) return structure;
  const { height, round, blockHash, commits } = certificate;
  const message = voteMessage(context, { height, round, kind: 'commit', blockHash });
  const verdicts = await Promise.all(
    commits.map(({ validator, signature }) =>
      verifier.verify({ publicKey: committee.validator(validator).publicKey, message, context: VOTE_CONTEXT, signature }),
    ),
  );
  const bad = verdicts.indexOf(false);
  if (bad >= 0) return fail({ code: 'CERTIFICATE_SIGNATURE', height, round, validator: commits[bad]?.validator });
  return ok(undefined);
}

function signedPart(certificate: Certificate): ValueOf<typeof CertificateDigestType> {
  const { height, round, blockHash, commits } = certificate;
  return { version: FORMAT_VERSION, height, round, blockHash, signers: validatorsToBits(commits.map((commit) => commit.validator)) };
}
