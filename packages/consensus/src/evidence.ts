import { ContainerType, UnionType, type ValueOf } from '@chainsafe/ssz';
import { bytesEqual, compareBytes, fail, ok, type Refusal, type Result, type Verifier } from '@nacre/base';
import type { ChainContext } from './chain-context.ts';
import { type Codec, convertedCodec } from './codec.ts';
import type { Committee } from './committee.ts';
import {
  PROPOSAL_BYTES_MAX,
  PROPOSAL_CONTEXT,
  type Proposal,
  ProposalType,
  proposalFromWire,
  proposalMessage,
  proposalToWire,
} from './proposal.ts';
import type { Equivocation } from './signed-messages.ts';
import { sameChoice, VOTE_CONTEXT, type Vote, VoteType, voteFromWire, voteMessage, voteToWire } from './vote.ts';

export type { Equivocation } from './signed-messages.ts';

export type EvidenceRefusal = Refusal<'EVIDENCE_NO_OFFENCE' | 'EVIDENCE_UNORDERED' | 'EVIDENCE_VALIDATOR' | 'EVIDENCE_SIGNATURE'>;

/** @returns the offence that the two messages prove if their signatures are valid, or null if they prove none */
export function equivocationOf(a: Vote | Proposal, b: Vote | Proposal): Equivocation | null {
  if ('kind' in a) return 'kind' in b ? doubleVote(a, b) : null;
  return 'kind' in b ? null : doubleProposal(a, b);
}

function doubleVote(a: Vote, b: Vote): Equivocation | null {
  const onePlace = a.validator === b.validator && a.height === b.height && a.round === b.round && a.kind === b.kind;
  if (!onePlace || sameChoice(a.blockHash, b.blockHash)) return null;
  const [first, second] = b.blockHash === null || (a.blockHash !== null && compareBytes(a.blockHash, b.blockHash) > 0) ? [b, a] : [a, b];
  return { kind: 'vote', validator: a.validator, first, second };
}

function doubleProposal(a: Proposal, b: Proposal): Equivocation | null {
  const onePlace = a.proposer === b.proposer && a.height === b.height && a.round === b.round;
  if (!onePlace || sameProposal(a, b)) return null;
  const order = compareBytes(a.blockHash, b.blockHash) || a.validRound - b.validRound;
  const [first, second] = order > 0 ? [b, a] : [a, b];
  return { kind: 'proposal', validator: a.proposer, first, second };
}

/** Whether the contents are equal; signatures are randomised and prove nothing either way. */
export function sameProposal(a: Proposal, b: Proposal): boolean {
  return a.height === b.height && a.round === b.round && a.validRound === b.validRound && bytesEqual(a.blockHash, b.blockHash);
}

/** That the evidence is an offence in its one form and both messages were signed by that validator of the committee. */
export async function verifyEquivocation(options: {
  readonly committee: Committee;
  readonly context: ChainContext;
  readonly equivocation: Equivocation;
  readonly verifier: Verifier;
}): Promise<Result<void, EvidenceRefusal>> {
  const { committee, context, equivocation, verifier } = options;
  const { validator, first, second } = equivocation;
  const proven = equivocationOf(first, second);
  if (proven === null || proven.validator !== validator) return fail({ code: 'EVIDENCE_NO_OFFENCE', validator });
  if (proven.first !== first) return fail({ code: 'EVIDENCE_UNORDERED', validator });
  if (validator >= committee.size) return fail({ code: 'EVIDENCE_VALIDATOR', validator });
  const { publicKey } = committee.validator(validator);
  const verdicts = await Promise.all(
    [first, second].map((signed) =>
      'kind' in signed
        ? verifier.verify({ publicKey, message: voteMessage(context, signed), context: VOTE_CONTEXT, signature: signed.signature })
        : verifier.verify({ publicKey, message: proposalMessage(context, signed), context: PROPOSAL_CONTEXT, signature: signed.signature }),
    ),
  );
  return verdicts.every(Boolean) ? ok(undefined) : fail({ code: 'EVIDENCE_SIGNATURE', validator });
}

const VotePairType = new ContainerType({ first: VoteType, second: VoteType });
const ProposalPairType = new ContainerType({ first: ProposalType, second: ProposalType });

export const EquivocationType = new UnionType([VotePairType, ProposalPairType]);

/** Longest encoding in bytes: the selector, two offsets and the longer of the two pairs. */
export const EQUIVOCATION_BYTES_MAX = 1 + 2 * 4 + 2 * PROPOSAL_BYTES_MAX;

/** For containers that hold evidence. */
export function equivocationToWire(equivocation: Equivocation): ValueOf<typeof EquivocationType> {
  return equivocation.kind === 'vote'
    ? { selector: 0, value: { first: voteToWire(equivocation.first), second: voteToWire(equivocation.second) } }
    : { selector: 1, value: { first: proposalToWire(equivocation.first), second: proposalToWire(equivocation.second) } };
}

/** For decoders of containers that hold evidence. @returns `EVIDENCE_NO_OFFENCE`, `EVIDENCE_UNORDERED` */
export function equivocationFromWire(wire: ValueOf<typeof EquivocationType>): Result<Equivocation, EvidenceRefusal> {
  const [first, second] =
    wire.selector === 0
      ? pairOf(wire.value as ValueOf<typeof VotePairType>, voteFromWire)
      : pairOf(wire.value as ValueOf<typeof ProposalPairType>, proposalFromWire);
  const equivocation = equivocationOf(first, second);
  if (equivocation === null) return fail({ code: 'EVIDENCE_NO_OFFENCE' });
  // Otherwise one offence would have two encodings.
  return equivocation.first === first ? ok(equivocation) : fail({ code: 'EVIDENCE_UNORDERED', validator: equivocation.validator });
}

function pairOf<Wire, Message>(pair: { first: Wire; second: Wire }, fromWire: (wire: Wire) => Message): [Message, Message] {
  return [fromWire(pair.first), fromWire(pair.second)];
}

export const equivocationCodec: Codec<Equivocation> = convertedCodec(EquivocationType, {
  name: 'equivocation',
  bytesMax: EQUIVOCATION_BYTES_MAX,
  toWire: equivocationToWire,
  fromWire: (wire) => {
    const read = equivocationFromWire(wire);
    if (!read.ok) throw new RangeError(read.error.code);
    return read.value;
  },
});
