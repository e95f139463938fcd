import { ContainerType, type ValueOf } from '@chainsafe/ssz';
import { bytesEqual, HASH_BYTES, type Hash, SIGNATURE_BYTES_MAX, ZERO_HASH } from '@nacre/base';
import type { ChainContext } from './chain-context.ts';
import { type Codec, convertedCodec } from './codec.ts';
import type { Vote, VoteContent, VoteKind } from './signed-messages.ts';
import {
  ChainType,
  FlagType,
  FORMAT_VERSION,
  HashType,
  RoundType,
  SignatureType,
  Uint53Type,
  ValidatorIndexType,
  VersionType,
} from './ssz.ts';

export type { Vote, VoteContent, VoteKind } from './signed-messages.ts';

/** Context of a vote's signature. FIPS 204, section 5.2. */
export const VOTE_CONTEXT = 'nacre/1/vote';

const VoteMessageType = new ContainerType({
  version: VersionType,
  genesisHash: HashType,
  chain: ChainType,
  height: Uint53Type,
  round: RoundType,
  kind: FlagType,
  blockHash: HashType,
});

export const VoteType = new ContainerType({
  version: VersionType,
  height: Uint53Type,
  round: RoundType,
  kind: FlagType,
  blockHash: HashType,
  validator: ValidatorIndexType,
  signature: SignatureType,
});

/** Longest encoding of a vote in bytes: the fixed fields, one offset, one signature. */
export const VOTE_BYTES_MAX = 1 + 8 + 4 + 1 + 32 + 1 + 4 + SIGNATURE_BYTES_MAX;

/** What a vote's signature is over: where it counts and what it says. */
export interface SignedVote {
  readonly context: ChainContext;
  readonly content: VoteContent;
}

/** For whoever is asked to sign a vote and must know what it says. */
export const voteMessageCodec: Codec<SignedVote> = convertedCodec(VoteMessageType, {
  name: 'vote message',
  bytesMax: 1 + HASH_BYTES + 4 + 8 + 4 + 1 + HASH_BYTES,
  toWire: ({ context, content }: SignedVote) => ({
    version: FORMAT_VERSION,
    genesisHash: context.genesisHash,
    chain: context.chain,
    height: content.height,
    round: content.round,
    kind: voteKindToWire(content.kind),
    blockHash: content.blockHash ?? ZERO_HASH,
  }),
  fromWire: ({ genesisHash, chain, height, round, kind, blockHash }) => ({
    context: { genesisHash, chain },
    content: { height, round, kind: voteKindFromWire(kind), blockHash: bytesEqual(blockHash, ZERO_HASH) ? null : blockHash },
  }),
});

/** The bytes that a vote's signature is over. */
export function voteMessage(context: ChainContext, content: VoteContent): Uint8Array {
  return voteMessageCodec.encode({ context, content });
}

/** For containers that hold votes. */
export function voteToWire(vote: Vote): ValueOf<typeof VoteType> {
  const { height, round, kind, blockHash, validator, signature } = vote;
  return { version: FORMAT_VERSION, height, round, kind: voteKindToWire(kind), blockHash: blockHash ?? ZERO_HASH, validator, signature };
}

export function voteFromWire(wire: ValueOf<typeof VoteType>): Vote {
  const { height, round, kind, blockHash, validator, signature } = wire;
  return {
    height,
    round,
    kind: voteKindFromWire(kind),
    blockHash: bytesEqual(blockHash, ZERO_HASH) ? null : blockHash,
    validator,
    signature,
  };
}

export function voteKindToWire(kind: VoteKind): number {
  return kind === 'prepare' ? 0 : 1;
}

export function voteKindFromWire(wire: number): VoteKind {
  return wire === 0 ? 'prepare' : 'commit';
}

export const voteCodec: Codec<Vote> = convertedCodec(VoteType, {
  name: 'vote',
  bytesMax: VOTE_BYTES_MAX,
  toWire: voteToWire,
  fromWire: voteFromWire,
});

export const encodeVote = voteCodec.encode;
export const decodeVote = voteCodec.decode;

/** Whether both votes are for one block, or both for none. */
export function sameChoice(a: Hash | null, b: Hash | null): boolean {
  if (a === null || b === null) return a === b;
  return bytesEqual(a, b);
}
