import { concatBytes, type Hash, type SignedBytes, utf8, type Verifier } from '@nacre/base';
import {
  type ChainContext,
  Committee,
  type CoreOptions,
  PROPOSAL_CONTEXT,
  type Proposal,
  proposalMessage,
  type Validator,
  VOTE_CONTEXT,
  type Vote,
  type VoteKind,
  voteMessage,
} from '@nacre/consensus';
import { sha256 } from '@nacre/crypto';

export const CONTEXT: ChainContext = { genesisHash: sha256(utf8('genesis')), chain: 0 };
export const TIMEOUTS = { proposeMs: 1000, prepareMs: 500, commitMs: 300, growthMs: 100 };
export const TIME = { precisionMs: 200, delayMs: 1000, delayGrowthMs: 500 };

/** A block's hash, by name. */
export function block(name: string): Hash {
  return sha256(utf8(`block ${name}`));
}

export function validatorOf(index: number, weight: number): Validator {
  const address = new Uint8Array(32).fill(index + 1);
  return { address, publicKey: concatBytes(utf8('key of '), address), weight };
}

/** Validators stand in the order of the weights given. */
export function committeeOf(...weights: number[]): Committee {
  const created = Committee.create(
    weights.map((weight, index) => validatorOf(index, weight)),
    { allowLargeWeights: true },
  );
  if (!created.ok) throw new Error(created.error.code);
  return created.value;
}

/** Not a signature scheme: the "signature" is a hash that anyone can make, which is all that these tests need. */
function fakeSignature(signed: Omit<SignedBytes, 'signature'>): Uint8Array {
  return sha256(concatBytes(signed.publicKey, utf8(signed.context), signed.message));
}

export const FAKE_VERIFIER: Verifier = {
  verify: async (signed) => Buffer.compare(fakeSignature(signed), signed.signature) === 0,
};

interface VotePlace {
  readonly height?: number;
  readonly round: number;
  readonly kind: VoteKind;
}

export function voteOf(committee: Committee, validator: number, place: VotePlace, blockHash: Hash | null): Vote {
  const content = { height: place.height ?? HEIGHT, round: place.round, kind: place.kind, blockHash };
  const { publicKey } = committee.validator(validator);
  return { ...content, validator, signature: fakeSignature({ publicKey, message: voteMessage(CONTEXT, content), context: VOTE_CONTEXT }) };
}

export function proposalOf(
  committee: Committee,
  content: { round: number; blockHash: Hash; validRound?: number; height?: number },
): Proposal {
  const full = { height: HEIGHT, validRound: -1, ...content };
  const proposer = committee.proposer(full.height, full.round);
  const { publicKey } = committee.validator(proposer);
  const message = proposalMessage(CONTEXT, full);
  return { ...full, proposer, signature: fakeSignature({ publicKey, message, context: PROPOSAL_CONTEXT }) };
}

/** A height at which, among four of equal weight, validator r proposes in round r. */
export const HEIGHT = 8;

export function optionsOf(overrides: Partial<CoreOptions> = {}): CoreOptions {
  return { height: HEIGHT, committee: committeeOf(1, 1, 1, 1), self: 3, timeouts: TIMEOUTS, time: TIME, ...overrides };
}
