import { type Hash, toHex } from '@nacre/base';
import type { Committee } from '@nacre/consensus';
import type { Genesis } from './genesis.ts';

/**
 * A place in the chain that its holder trusts, and the committee that decides what comes next: all that a light client keeps. The first one is
 * the genesis itself; each later one was reached from one before by links and headers that carry a quorum.
 */
export interface Checkpoint {
  readonly genesisHash: Hash;
  /** 0 is the genesis. */
  readonly height: number;
  /** Of this height; the genesis hash at height 0. */
  readonly blockHash: Hash;
  /** Of this block, ms since 1970. */
  readonly timeMs: number;
  /** No later than the epoch of the next height. */
  readonly epoch: number;
  /** Decides the next height. */
  readonly committee: Committee;
}

/** Where everybody begins who trusts nothing but the genesis file. */
export function genesisCheckpoint({ hash, timeMs, committee }: Genesis): Checkpoint {
  return { genesisHash: hash, height: 0, blockHash: hash, timeMs, epoch: 0, committee };
}

/** For logs and people, who compare it with what others have. */
export function checkpointFields({ height, blockHash, timeMs, epoch, committee }: Checkpoint) {
  return { height, blockHash: toHex(blockHash), timeMs, epoch, committeeHash: toHex(committee.hash) };
}
