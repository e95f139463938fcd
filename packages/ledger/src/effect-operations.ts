import { ContainerType } from '@chainsafe/ssz';
import { assert, type StoreOperation } from '@nacre/base';
import { HashType, strictCodec, Uint53Type } from '@nacre/consensus';
import { encodePage, pageKey } from '@nacre/crypto';
import type { BlockEffects, RecordRun } from './block-effects.ts';
import { logTileKey, recordKeyKey, recordRangeKey, statePageKey, stateValueKey } from './keys.ts';
import { Uint32Type } from './wire.ts';

/** What the store holds of a run of records; service and first index are its key. */
export type StoredRun = Omit<RecordRun, 'service' | 'firstIndex'>;

export const storedRunCodec = strictCodec<StoredRun>(
  new ContainerType({ count: Uint32Type, height: Uint53Type, timeMs: Uint53Type, bodyHash: HashType, operation: Uint32Type }),
  { name: 'record run', bytesMax: 64 },
);

/** What a block's effects write: values, pages, tiles, and where records stand. */
export function effectOperations(effects: BlockEffects): StoreOperation[] {
  const operations: StoreOperation[] = [];
  const put = (key: Uint8Array, value: Uint8Array) => operations.push({ type: 'put', key, value });
  for (const { stateKey, bytes } of effects.values) put(stateValueKey(stateKey), bytes);
  for (const { id, page } of effects.pages) {
    assert(page !== null, 'nothing ever leaves the state, so no page becomes empty');
    put(statePageKey(pageKey(id)), encodePage(page));
  }
  for (const { service, tile } of effects.logTiles) put(logTileKey(service, tile.level, tile.index), tile.bytes);
  for (const run of effects.runs) put(recordRangeKey(run.service, run.firstIndex), storedRunCodec.encode(run));
  for (const { stateKey, index, leafHash } of effects.keyed) put(recordKeyKey(stateKey, index), leafHash);
  return operations;
}
