import { ContainerType, ListCompositeType, type ValueOf } from '@chainsafe/ssz';
import { COMMITTEE_SIZE_MAX, type Hash, ZERO_HASH } from '@nacre/base';
import { type Codec, convertedCodec } from './codec.ts';
import {
  BlockHashType,
  FORMAT_VERSION,
  HashType,
  RoundOrNoneType,
  RoundType,
  roundOrNoneFromWire,
  roundOrNoneToWire,
  VersionType,
} from './ssz.ts';
import { VOTE_BYTES_MAX, type Vote, VoteType, voteFromWire, voteToWire } from './vote.ts';

/**
 * What a validator must not forget within a height: the block it is bound to and the one it would propose.
 * The paper's lockedValue, lockedRound, validValue and validRound; there is no lock before there is a valid block.
 */
export interface Lock {
  /** Round of the last commit for a block; -1: not bound, but a valid block is known. */
  readonly lockedRound: number;
  /** null exactly if `lockedRound` is -1. */
  readonly lockedHash: Hash | null;
  readonly validRound: number;
  readonly validHash: Hash;
  /**
   * A prepare quorum for `validHash` in `validRound`, none of it dispensable. Kept with the lock, because if some of it came
   * from a validator that told nobody else, a restart would leave a lock that no one can be shown a reason to follow.
   */
  readonly prepares: readonly Vote[];
}

export const LockType = new ContainerType({
  version: VersionType,
  lockedRound: RoundOrNoneType,
  lockedHash: HashType,
  validRound: RoundType,
  validHash: BlockHashType,
  prepares: new ListCompositeType(VoteType, COMMITTEE_SIZE_MAX),
});

/** Longest encoding of a lock in bytes. */
export const LOCK_BYTES_MAX = 1 + 4 + 32 + 4 + 32 + 4 + COMMITTEE_SIZE_MAX * (4 + VOTE_BYTES_MAX);

/** For containers that hold locks. */
export function lockToWire(lock: Lock): ValueOf<typeof LockType> {
  return {
    version: FORMAT_VERSION,
    lockedRound: roundOrNoneToWire(lock.lockedRound),
    lockedHash: lock.lockedHash ?? ZERO_HASH,
    validRound: lock.validRound,
    validHash: lock.validHash,
    prepares: lock.prepares.map(voteToWire),
  };
}

export function lockFromWire(wire: ValueOf<typeof LockType>): Lock {
  const lockedRound = roundOrNoneFromWire(wire.lockedRound);
  return {
    lockedRound,
    // With a hash but no round, or the other way round, the encoding differs from the input and the strict codec refuses it.
    lockedHash: lockedRound < 0 ? null : BlockHashType.deserialize(wire.lockedHash),
    validRound: wire.validRound,
    validHash: wire.validHash,
    prepares: wire.prepares.map(voteFromWire),
  };
}

export const lockCodec: Codec<Lock> = convertedCodec(LockType, {
  name: 'lock',
  bytesMax: LOCK_BYTES_MAX,
  toWire: lockToWire,
  fromWire: lockFromWire,
});
