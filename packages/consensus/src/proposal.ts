import { ContainerType, type ValueOf } from '@chainsafe/ssz';
import { HASH_BYTES, SIGNATURE_BYTES_MAX } from '@nacre/base';
import type { ChainContext } from './chain-context.ts';
import { type Codec, convertedCodec } from './codec.ts';
import type { Proposal, ProposalContent } from './signed-messages.ts';
import {
  BlockHashType,
  ChainType,
  FORMAT_VERSION,
  HashType,
  RoundOrNoneType,
  RoundType,
  roundOrNoneFromWire,
  roundOrNoneToWire,
  SignatureType,
  Uint53Type,
  ValidatorIndexType,
  VersionType,
} from './ssz.ts';

export type { Proposal, ProposalContent } from './signed-messages.ts';

/** Context of a proposal's signature. FIPS 204, section 5.2. */
export const PROPOSAL_CONTEXT = 'nacre/1/proposal';

const ProposalMessageType = new ContainerType({
  version: VersionType,
  genesisHash: HashType,
  chain: ChainType,
  height: Uint53Type,
  round: RoundType,
  validRound: RoundOrNoneType,
  blockHash: BlockHashType,
});

export const ProposalType = new ContainerType({
  version: VersionType,
  height: Uint53Type,
  round: RoundType,
  validRound: RoundOrNoneType,
  blockHash: BlockHashType,
  proposer: ValidatorIndexType,
  signature: SignatureType,
});

/** Longest encoding of a proposal in bytes: the fixed fields, one offset, one signature. */
export const PROPOSAL_BYTES_MAX = 1 + 8 + 4 + 4 + 32 + 1 + 4 + SIGNATURE_BYTES_MAX;

/** What a proposal's signature is over: where it counts and what it says. */
export interface SignedProposal {
  readonly context: ChainContext;
  readonly content: ProposalContent;
}

/** For whoever is asked to sign a proposal and must know what it says. */
export const proposalMessageCodec: Codec<SignedProposal> = convertedCodec(ProposalMessageType, {
  name: 'proposal message',
  bytesMax: 1 + HASH_BYTES + 4 + 8 + 4 + 4 + HASH_BYTES,
  toWire: ({ context, content }: SignedProposal) => ({
    version: FORMAT_VERSION,
    genesisHash: context.genesisHash,
    chain: context.chain,
    height: content.height,
    round: content.round,
    validRound: roundOrNoneToWire(content.validRound),
    blockHash: content.blockHash,
  }),
  fromWire: ({ genesisHash, chain, height, round, validRound, blockHash }) => ({
    context: { genesisHash, chain },
    content: { height, round, validRound: roundOrNoneFromWire(validRound), blockHash },
  }),
});

/** The bytes that a proposal's signature is over. */
export function proposalMessage(context: ChainContext, content: ProposalContent): Uint8Array {
  return proposalMessageCodec.encode({ context, content });
}

/** For containers that hold proposals. */
export function proposalToWire(proposal: Proposal): ValueOf<typeof ProposalType> {
  const { height, round, validRound, blockHash, proposer, signature } = proposal;
  return { version: FORMAT_VERSION, height, round, validRound: roundOrNoneToWire(validRound), blockHash, proposer, signature };
}

export function proposalFromWire(wire: ValueOf<typeof ProposalType>): Proposal {
  const { height, round, validRound, blockHash, proposer, signature } = wire;
  return { height, round, validRound: roundOrNoneFromWire(validRound), blockHash, proposer, signature };
}

export const proposalCodec: Codec<Proposal> = convertedCodec(ProposalType, {
  name: 'proposal',
  bytesMax: PROPOSAL_BYTES_MAX,
  toWire: proposalToWire,
  fromWire: proposalFromWire,
});

export const encodeProposal = proposalCodec.encode;
export const decodeProposal = proposalCodec.decode;
