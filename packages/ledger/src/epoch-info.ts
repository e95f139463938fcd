import type { Committee } from '@nacre/consensus';

/** One epoch of the chain: who decides its blocks. */
export interface EpochInfo {
  /** From 0 on. */
  readonly epoch: number;
  readonly firstHeight: number;
  /** Block time, ms since 1970, of the block before the first; the genesis time for epoch 0. */
  readonly startMs: number;
  readonly committee: Committee;
}

/** Whether a block is the last of its epoch: the first one that is late enough and high enough. */
export function endsEpoch(
  block: { readonly height: number; readonly timeMs: number },
  { firstHeight, startMs }: Pick<EpochInfo, 'firstHeight' | 'startMs'>,
  { epochMs, epochBlocksMin }: { readonly epochMs: number; readonly epochBlocksMin: number },
): boolean {
  return block.timeMs - startMs >= epochMs && block.height - firstHeight + 1 >= epochBlocksMin;
}
