import { assert, type Hash, keyOf, type Store, type StoreOperation, uint64Bytes } from '@nacre/base';
import { encodeCertificate } from '@nacre/consensus';
import { appendToLog, encodePage, leafHash, pageKey } from '@nacre/crypto';
import { encodeHeader } from './header.ts';
import {
  firstHeightKey,
  heightKey,
  historyTileKey,
  includedIdsKey,
  includedKey,
  keptHeaderKey,
  linkKey,
  logTileKey,
  recordKeyKey,
  snapshotKey,
  snapshotTargetKey,
  statePageKey,
  stateValueKey,
  tipKey,
} from './keys.ts';
import type { PartContents, SnapshotAnchor } from './snapshot-intake.ts';
import { includedIdsCodec, type SnapshotManifest, snapshotManifestCodec } from './snapshot-part.ts';
import { LATEST_RECORD } from './state-kinds.ts';
import { storedTipCodec } from './tip.ts';

/** Length of what the state says of a latest record. That of a record log is as long. */
const LATEST_RECORD_BYTES = 40;
const EMPTY = new Uint8Array(0);

const put = (key: Uint8Array, value: Uint8Array): StoreOperation => ({ type: 'put', key, value });

/**
 * What a part of a verified snapshot writes. Nothing ever leaves the state, so that all this can be written over an older one, in any order, and
 * again after a crash; only then is the tip put in its place.
 *
 * @param recordLogs see `SnapshotIntake.recordLogKeys`
 */
export function partOperations(contents: PartContents, recordLogs: ReadonlySet<string>): StoreOperation[] {
  switch (contents.kind) {
    case 'links':
      return contents.links.flatMap(({ header, certificate }) => [
        put(keptHeaderKey(header.height), encodeHeader(header)),
        put(linkKey(header.height), encodeCertificate(certificate)),
      ]);
    case 'history':
      return contents.tiles.map(({ level, index, bytes }) => put(historyTileKey(level, index), bytes));
    case 'logs':
      return contents.logs.flatMap(({ service, tiles }) =>
        tiles.map(({ level, index, bytes }) => put(logTileKey(service, level, index), bytes)),
      );
    case 'ids':
      return contents.blocks.flatMap(({ header, hash, txIds, ids }) => [
        put(heightKey(header.height), hash),
        put(includedIdsKey(header.height), includedIdsCodec.encode({ header: encodeHeader(header), ids })),
        ...txIds.map((txId) => put(includedKey(txId), EMPTY)),
      ]);
    case 'state':
      return [
        ...contents.pages.map(({ id, page }) => {
          assert(page !== null, 'a subtree is built of pages');
          return put(statePageKey(pageKey(id)), encodePage(page));
        }),
        ...contents.values.map(({ key, value }) => entryOperation(key, value, recordLogs)),
      ];
  }
}

function entryOperation(key: Hash, value: Uint8Array, recordLogs: ReadonlySet<string>): StoreOperation {
  const latest = value.length === LATEST_RECORD_BYTES && !recordLogs.has(keyOf(key)) ? LATEST_RECORD.codec.decode(value) : null;
  return latest?.ok ? put(recordKeyKey(key, latest.value.index), latest.value.leafHash) : put(stateValueKey(key), value);
}

/** What makes the snapshot's block the tip: written last and synced, behind everything else. */
export function tipOperations(
  store: Store,
  { header, blockHash, certificate }: SnapshotAnchor,
  manifest: SnapshotManifest,
): StoreOperation[] {
  const { height, stateRoot } = header;
  const readTile = (level: number, index: number) => store.get(historyTileKey(level, index));
  const history = appendToLog({ size: height - 1, readTile }, [leafHash(blockHash)]);
  return [
    ...history.tiles.map(({ level, index, bytes }) => put(historyTileKey(level, index), bytes)),
    put(keptHeaderKey(height), encodeHeader(header)),
    put(heightKey(height), blockHash),
    put(firstHeightKey(), uint64Bytes(height + 1)),
    put(tipKey(), storedTipCodec.encode({ height, blockHash, stateRoot, historyRoot: history.root, certificate })),
    put(snapshotKey(height), snapshotManifestCodec.encode(manifest)),
    { type: 'delete', key: snapshotTargetKey() },
  ];
}
