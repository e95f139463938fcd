import type { Hash } from '@nacre/base';

/** Which network and chain a signature is for. Part of everything that is signed, so that nothing can be replayed elsewhere. */
export interface ChainContext {
  readonly genesisHash: Hash;
  /** 0 is the coordinating chain. */
  readonly chain: number;
}
