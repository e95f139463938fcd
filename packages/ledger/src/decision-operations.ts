import type { Hash, StoreOperation } from '@nacre/base';
import type { Tile } from '@nacre/crypto';
import type { BlockEffects, Outcome } from './block-effects.ts';
import { effectOperations } from './effect-operations.ts';
import { historyTileKey, statusKey } from './keys.ts';
import { includedStatusCodec } from './status.ts';

interface Decision {
  readonly height: number;
  readonly effects: BlockEffects;
  /** Of the history that ends in the block. */
  readonly historyTiles: readonly Tile[];
  /** In the order of the block. */
  readonly statuses: readonly ({ readonly txId: Hash } & Outcome)[];
}

/** What a decided block writes beside itself: its effects, its place in the history, and how its transactions ended. */
export function decisionOperations({ height, effects, historyTiles, statuses }: Decision): StoreOperation[] {
  const operations = effectOperations(effects);
  for (const { level, index, bytes } of historyTiles) operations.push({ type: 'put', key: historyTileKey(level, index), value: bytes });
  for (const [index, { txId, ...outcome }] of statuses.entries()) {
    operations.push({ type: 'put', key: statusKey(txId), value: includedStatusCodec.encode({ ...outcome, height, index }) });
  }
  return operations;
}
