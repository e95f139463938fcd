/**
 * Every key of the store, by its first byte. Numbers in keys are big-endian, so that they sort as numbers.
 * Keys that begin with a zero byte belong to the store itself and to the vote journal.
 */
import { concatBytes, HASH_BYTES, type Hash, type StoreOperation, type StoreRange, uint64Bytes, utf8 } from '@nacre/base';

/** Made once: a block of a thousand keyed records makes four thousand keys. */
const prefix = (byte: number): Uint8Array => Uint8Array.of(byte);

const PREFIX = {
  /** The tip: see `tip.ts`. */
  tip: prefix(0x01),
  /** Block hash -> compact block, decided or not. */
  block: prefix(0x02),
  /** Height, block hash -> empty: blocks saved before they were decided. */
  candidate: prefix(0x03),
  /** Height -> hash of the decided block. */
  height: prefix(0x04),
  /** Body hash -> transaction. */
  body: prefix(0x05),
  /** Transaction id -> where it was included and how it ended. */
  status: prefix(0x06),
  /** State key -> value; latest-record entries have none, they follow from `recordKey` and the log. */
  stateValue: prefix(0x07),
  /** Page id -> page of the state tree. */
  statePage: prefix(0x08),
  /** Level, index -> tile of the tree over header hashes. */
  historyTile: prefix(0x09),
  /** Service, level, index -> tile of the service's record log. */
  logTile: prefix(0x0a),
  /** Service, index of its first record -> where a run of records stands. */
  recordRange: prefix(0x0b),
  /** State key of (service, key), record index -> hash of the record as a leaf. The last one for each state key is never pruned: it is part of the state. */
  recordKey: prefix(0x0c),
  /** Height of the last block of an epoch -> certificate of it, if the next one has another committee. */
  link: prefix(0x0d),
  /** Lowest height from which all blocks are here; not there while they all are: see `Ledger.firstHeight`. */
  firstHeight: prefix(0x0e),
  /** Height -> header of a block that is not here itself: the last of a committee, for proofs. */
  keptHeader: prefix(0x0f),
  /** Height -> manifest of a snapshot of which all parts are here. */
  snapshot: prefix(0x10),
  /** Height, name -> part of a snapshot, being made, being fetched, or whole. */
  snapshotPart: prefix(0x11),
  /** Which snapshot is being fetched, and whether it is being taken over. */
  snapshotTarget: prefix(0x12),
  /** Height -> header and transaction ids of a block inside the validity window that is not here itself. */
  includedIds: prefix(0x13),
  /** Transaction id -> empty: included in a block of those. */
  included: prefix(0x14),

  /** Transaction id -> body hash and standing: what waits in the replica's mempool. */
  pending: prefix(0x20),
  /** Transaction id -> when it was seen to have expired. Local: other nodes may never have heard of it. */
  expired: prefix(0x21),
  /** Service, request id -> which transaction this node made of it. Local: request ids are scoped to a node. */
  request: prefix(0x22),
  /** Time, service, request id -> empty: the order in which requests are forgotten. */
  requestTime: prefix(0x23),
} as const;

/** All keys that begin with `prefix`. */
function rangeOf(prefix: Uint8Array): Pick<StoreRange, 'gte' | 'lt'> {
  const end = Uint8Array.from(prefix);
  const last = end.length - 1;
  // No prefix below ends in 0xff, because first bytes are small and everything after them has a fixed length or a length byte.
  end[last] = (end[last] as number) + 1;
  return { gte: prefix, lt: end };
}

/** The length byte keeps one name's keys from standing between another's. */
function named(service: string): Uint8Array {
  const name = utf8(service);
  return concatBytes(Uint8Array.of(name.length), name);
}

function hashBehind(prefix: Uint8Array, key: Uint8Array): Hash | undefined {
  return key.length === prefix.length + HASH_BYTES && key[0] === prefix[0] ? key.subarray(prefix.length) : undefined;
}

/** The number that ends a key made by `uint64Bytes`. */
export function numberAtEnd(storeKey: Uint8Array): number {
  return Number(new DataView(storeKey.buffer, storeKey.byteOffset, storeKey.length).getBigUint64(storeKey.length - 8));
}

export const tipKey = (): Uint8Array => concatBytes(PREFIX.tip);
export const blockKey = (hash: Hash): Uint8Array => concatBytes(PREFIX.block, hash);
/** The hash that a key made by `blockKey` ends in; undefined for any other key. */
export const hashAtBlockKey = (key: Uint8Array): Hash | undefined => hashBehind(PREFIX.block, key);
export const heightKey = (height: number): Uint8Array => concatBytes(PREFIX.height, uint64Bytes(height));
export const candidateKey = (height: number, hash: Hash): Uint8Array => concatBytes(PREFIX.candidate, uint64Bytes(height), hash);
/** Candidates of heights up to `height`. */
export const candidatesUpTo = (height: number): Pick<StoreRange, 'gte' | 'lt'> => ({
  gte: concatBytes(PREFIX.candidate),
  lt: concatBytes(PREFIX.candidate, uint64Bytes(height + 1)),
});
export const candidateHeight = (candidate: Uint8Array): number =>
  Number(new DataView(candidate.buffer, candidate.byteOffset + 1, 8).getBigUint64(0));
export const candidateHash = (candidate: Uint8Array): Hash => candidate.subarray(candidate.length - HASH_BYTES);
export const statusKey = (txId: Hash): Uint8Array => concatBytes(PREFIX.status, txId);
export const stateValueKey = (stateKey: Hash): Uint8Array => concatBytes(PREFIX.stateValue, stateKey);
export const statePageKey = (page: Uint8Array): Uint8Array => concatBytes(PREFIX.statePage, page);
export const historyTileKey = (level: number, index: number): Uint8Array =>
  concatBytes(PREFIX.historyTile, Uint8Array.of(level), uint64Bytes(index));
export const logTileKey = (service: string, level: number, index: number): Uint8Array =>
  concatBytes(PREFIX.logTile, named(service), Uint8Array.of(level), uint64Bytes(index));
export const recordRangeKey = (service: string, first: number): Uint8Array =>
  concatBytes(PREFIX.recordRange, named(service), uint64Bytes(first));
export const linkKey = (height: number): Uint8Array => concatBytes(PREFIX.link, uint64Bytes(height));
export const firstHeightKey = (): Uint8Array => concatBytes(PREFIX.firstHeight);
export const keptHeaderKey = (height: number): Uint8Array => concatBytes(PREFIX.keptHeader, uint64Bytes(height));
export const snapshotKey = (height: number): Uint8Array => concatBytes(PREFIX.snapshot, uint64Bytes(height));
export const snapshotsRange = (): Pick<StoreRange, 'gte' | 'lt'> => rangeOf(concatBytes(PREFIX.snapshot));
export const snapshotPartKey = (height: number, name: string): Uint8Array =>
  concatBytes(PREFIX.snapshotPart, uint64Bytes(height), utf8(name));
/** Parts of all snapshots from a height on. */
export const snapshotPartsFrom = (height: number): Pick<StoreRange, 'gte' | 'lt'> => ({
  ...rangeOf(concatBytes(PREFIX.snapshotPart)),
  gte: concatBytes(PREFIX.snapshotPart, uint64Bytes(height)),
});
/** The height in a key made by `snapshotPartKey`. */
export const snapshotPartHeight = (key: Uint8Array): number => numberAtEnd(key.subarray(0, 1 + 8));
export const snapshotTargetKey = (): Uint8Array => concatBytes(PREFIX.snapshotTarget);
export const includedIdsKey = (height: number): Uint8Array => concatBytes(PREFIX.includedIds, uint64Bytes(height));
export const includedKey = (txId: Hash): Uint8Array => concatBytes(PREFIX.included, txId);
export const recordKeyKey = (stateKey: Hash, index: number): Uint8Array => concatBytes(PREFIX.recordKey, stateKey, uint64Bytes(index));

export const blockOperation = (block: { readonly hash: Hash; readonly bytes: Uint8Array }): StoreOperation => ({
  type: 'put',
  key: blockKey(block.hash),
  value: block.bytes,
});

/** Bodies are stored once, whether they wait, stand in a candidate or in a decided block. */
export const bodyKey = (bodyHash: Hash): Uint8Array => concatBytes(PREFIX.body, bodyHash);
export const bodyOperation = (transaction: { readonly bodyHash: Hash; readonly bytes: Uint8Array }): StoreOperation => ({
  type: 'put',
  key: bodyKey(transaction.bodyHash),
  value: transaction.bytes,
});

/** The hash that a key made by `bodyKey` ends in; undefined for any other key. */
export const hashAtBodyKey = (key: Uint8Array): Hash | undefined => hashBehind(PREFIX.body, key);

/** Reserved for the mempool. */
export const pendingKey = (txId: Hash): Uint8Array => concatBytes(PREFIX.pending, txId);
export const pendingRange = (): Pick<StoreRange, 'gte' | 'lt'> => rangeOf(concatBytes(PREFIX.pending));
export const isPendingKey = (key: Uint8Array): boolean => key[0] === PREFIX.pending[0];
export const expiredKey = (txId: Hash): Uint8Array => concatBytes(PREFIX.expired, txId);

/**
 * What this node alone knows and no peer can tell it again: what waits here and what has expired here, and requests. Bodies of what waits
 * stand under `bodyKey`.
 */
export const localRange = (): Pick<StoreRange, 'gte' | 'lt'> => ({
  gte: concatBytes(PREFIX.pending),
  lt: Uint8Array.of((PREFIX.requestTime[0] as number) + 1),
});

/** Blocks, the index of their heights, and bodies. */
export const prunedRanges = (): readonly Pick<StoreRange, 'gte' | 'lt'>[] => [
  rangeOf(concatBytes(PREFIX.block)),
  rangeOf(concatBytes(PREFIX.height)),
  rangeOf(concatBytes(PREFIX.body)),
];

/** Everything that follows from the blocks: statuses, the state, histories, and where records stand. */
export const derivedRange = (): Pick<StoreRange, 'gte' | 'lt'> => ({ gte: concatBytes(PREFIX.status), lt: concatBytes(PREFIX.link) });

const DERIVED_NAMES: readonly (readonly [prefix: Uint8Array, name: string])[] = [
  [PREFIX.status, 'the status of a transaction'],
  [PREFIX.stateValue, 'a value of the state'],
  [PREFIX.statePage, 'a page of the state'],
  [PREFIX.historyTile, 'a part of the history'],
  [PREFIX.logTile, 'a part of the log of a service'],
  [PREFIX.recordRange, 'the place of a record'],
  [PREFIX.recordKey, 'the key of a record'],
];

/** What people call an entry of `derivedRange`. */
export const derivedName = (key: Uint8Array): string => DERIVED_NAMES.find(([prefix]) => prefix[0] === key[0])?.[1] ?? 'an entry';

/** Everything that is neither a block, nor a body, nor a part of the state: those are found by their hashes, and this by its place alone. */
export const unhashedRanges = (): readonly Pick<StoreRange, 'gte' | 'lt'>[] => [
  { gte: concatBytes(PREFIX.candidate), lt: concatBytes(PREFIX.body) },
  { gte: concatBytes(PREFIX.status), lt: concatBytes(PREFIX.stateValue) },
  { gte: concatBytes(PREFIX.historyTile), lt: Uint8Array.of((PREFIX.requestTime[0] as number) + 1) },
];

/** Reserved for the node's own submissions. A request's name is a service and an id that the client chose for it. */
export const requestName = (service: string, requestId: string): Uint8Array => concatBytes(named(service), utf8(requestId));
export const requestKey = (name: Uint8Array): Uint8Array => concatBytes(PREFIX.request, name);
export const requestTimeKey = (timeMs: number, name: Uint8Array): Uint8Array => concatBytes(PREFIX.requestTime, uint64Bytes(timeMs), name);
/** The name that ends a key made by `requestTimeKey`. */
export const requestNameOf = (timeKey: Uint8Array): Uint8Array => timeKey.subarray(1 + 8);
/** Requests from before `timeMs`, oldest first. */
export const requestsBefore = (timeMs: number): Pick<StoreRange, 'gte' | 'lt'> => ({
  gte: concatBytes(PREFIX.requestTime),
  lt: concatBytes(PREFIX.requestTime, uint64Bytes(timeMs)),
});
