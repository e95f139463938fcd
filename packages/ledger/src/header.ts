import { ContainerType, ListCompositeType, type ValueOf } from '@chainsafe/ssz';
import { type Address, bytesEqual, type Hash } from '@nacre/base';
import {
  bitsToValidators,
  ChainType,
  type Codec,
  convertedCodec,
  FORMAT_VERSION,
  HashType,
  Uint53Type,
  ValidatorSetType,
  VersionType,
  validatorsToBits,
} from '@nacre/consensus';
import { taggedHash } from '@nacre/crypto';
import { PARAMETER_RULES } from './parameters.ts';

const BLOCK_TAG = 'nacre/1/block';

/** Validators whose commits for an earlier height a block credits. */
export interface LateCommitters {
  readonly height: number;
  /** Positions in that height's committee: at least one, ascending. */
  readonly validators: readonly number[];
}

/** What is decided. It names no round, so the block stays the same when a later round proposes it again. Protocol section 4. */
export interface Header {
  readonly genesisHash: Hash;
  readonly chain: number;
  readonly epoch: number;
  /** From 1 on. */
  readonly height: number;
  /** Ms since 1970, strictly later than the parent's. */
  readonly timeMs: number;
  /** Who made the block; signs the proposal that first carries it. */
  readonly proposer: Address;
  /** The block below, or the genesis hash at height 1. */
  readonly parentHash: Hash;
  /** Digest of the parent's canonical certificate; zero at height 1. */
  readonly parentCertificateDigest: Hash;
  /** RFC 6962 root over the body hashes, in order. */
  readonly transactionsRoot: Hash;
  /** Root of the state tree after this block. */
  readonly stateRoot: Hash;
  /** The committee that decides this block. */
  readonly committeeHash: Hash;
  /** The committee that decides the next one, after this block's execution. */
  readonly nextCommitteeHash: Hash;
  /** RFC 6962 root over the hashes of all earlier headers: leaf i is the hash of height i + 1. */
  readonly historyRoot: Hash;
  /** The block of chain 0 that a shard's block refers to; zero on chain 0 itself. */
  readonly chain0Reference: { readonly height: number; readonly hash: Hash };
  /** Ascending by height. */
  readonly lateCommits: readonly LateCommitters[];
}

const LateCommittersType = new ContainerType({ height: Uint53Type, validators: ValidatorSetType });

export const HeaderType = new ContainerType({
  version: VersionType,
  genesisHash: HashType,
  chain: ChainType,
  epoch: Uint53Type,
  height: Uint53Type,
  timeMs: Uint53Type,
  proposer: HashType,
  parentHash: HashType,
  parentCertificateDigest: HashType,
  transactionsRoot: HashType,
  stateRoot: HashType,
  committeeHash: HashType,
  nextCommitteeHash: HashType,
  historyRoot: HashType,
  chain0Reference: new ContainerType({ height: Uint53Type, hash: HashType }),
  lateCommits: new ListCompositeType(LateCommittersType, PARAMETER_RULES.lateCommitHeights.max),
});

/** Above the longest encoding of a header in bytes: fixed fields, and for each late height an offset, a number and 101 bits. */
export const HEADER_BYTES_MAX = 1024;

export type WireHeader = ValueOf<typeof HeaderType>;

/** For containers that hold headers. */
export function headerToWire(header: Header): WireHeader {
  const lateCommits = header.lateCommits.map(({ height, validators }) => ({ height, validators: validatorsToBits(validators) }));
  return { ...header, version: FORMAT_VERSION, lateCommits };
}

export function headerFromWire(wire: WireHeader): Header {
  const { version: _, ...fields } = wire;
  const lateCommits = wire.lateCommits.map(({ height, validators }) => ({ height, validators: bitsToValidators(validators) }));
  return { ...fields, lateCommits };
}

const headerCodec: Codec<Header> = convertedCodec(HeaderType, {
  name: 'header',
  bytesMax: HEADER_BYTES_MAX,
  toWire: headerToWire,
  fromWire: headerFromWire,
});

export const encodeHeader = headerCodec.encode;
export const decodeHeader = headerCodec.decode;

/** The block's identity: what votes, certificates and the next block name. */
export function blockHash(header: Header): Hash {
  return taggedHash(BLOCK_TAG, encodeHeader(header));
}

/** Whether another committee decides the next block. */
export function changesCommittee({ committeeHash, nextCommitteeHash }: Pick<Header, 'committeeHash' | 'nextCommitteeHash'>): boolean {
  return !bytesEqual(committeeHash, nextCommitteeHash);
}
