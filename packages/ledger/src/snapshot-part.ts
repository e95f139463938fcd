import { ByteListType, ContainerType, ListCompositeType } from '@chainsafe/ssz';
import { type Hash, SNAPSHOT_INLINE_BYTES_MAX, SNAPSHOT_PART_BYTES, SNAPSHOT_PARTS_MAX } from '@nacre/base';
import {
  BoundedUintType,
  type Codec,
  convertedCodec,
  FlagType,
  FORMAT_VERSION,
  HashType,
  strictCodec,
  Uint53Type,
  VersionType,
} from '@nacre/consensus';
import { BUCKET_LEAVES_MAX, LOG_FRONTIER_BYTES_MAX, PAGE_BYTES_MAX, STATE_KEY_BYTES } from '@nacre/crypto';
import { HEADER_BYTES_MAX } from './header.ts';
import { LIGHT_UPDATE_BYTES_MAX } from './light-update.ts';
import { PARAMETER_RULES } from './parameters.ts';
import { NameType } from './wire.ts';

/**
 * A snapshot is a set of parts with names:
 *
 * - `links/0`, `links/1`, …: light updates that lead from the genesis to the block, the last one with its certificate;
 * - `state/` with the hexadecimal digits that lead to a page of the state tree: the entries below it, or the page itself where they are too
 *   many; with all 64 digits of a key: a value that is too long to stand among others;
 * - `history`: what the tree over all headers needs to grow;
 * - `logs/0`, …: the same for the record log of each service;
 * - `ids/0`, …: headers and transaction ids from the block backwards, as far as an id may still come again.
 */
export type PartName = string;

export const HISTORY_PART: PartName = 'history';
export const linksPart = (index: number): PartName => `links/${index}`;
export const logsPart = (index: number): PartName => `logs/${index}`;
export const idsPart = (index: number): PartName => `ids/${index}`;
export const statePart = (place: string): PartName => `state/${place}`;

const PART_NAME = /^(links|logs|ids)\/(0|[1-9][0-9]{0,6})$|^state\/[0-9a-f]{0,64}$|^history$/;
/** Bytes of the longest name. */
export const PART_NAME_BYTES_MAX = 'state/'.length + 2 * STATE_KEY_BYTES;

export function isPartName(text: string): text is PartName {
  return PART_NAME.test(text);
}

/** What a snapshot says of itself. Nothing but `height` is relied on: wrong counts show when parts are missing or too many. */
export interface SnapshotManifest {
  readonly height: number;
  /** How many parts there are of each kind that is numbered. */
  readonly links: number;
  readonly logs: number;
  readonly ids: number;
  /** Of the state, for whoever shows progress. */
  readonly stateParts: number;
  /** Of all parts, likewise. */
  readonly bytes: number;
}

const PartCountType = new BoundedUintType(4, { min: 0, max: SNAPSHOT_PARTS_MAX });

const SnapshotManifestType = new ContainerType({
  version: VersionType,
  height: Uint53Type,
  links: PartCountType,
  logs: PartCountType,
  ids: PartCountType,
  stateParts: PartCountType,
  bytes: Uint53Type,
});

export const snapshotManifestCodec: Codec<SnapshotManifest> = convertedCodec(SnapshotManifestType, {
  name: 'snapshot manifest',
  bytesMax: 64,
  toWire: (manifest) => ({ ...manifest, version: FORMAT_VERSION }),
  fromWire: ({ height, links, logs, ids, stateParts, bytes }) => ({ height, links, logs, ids, stateParts, bytes }),
});

/** The snapshot that a node is taking up. */
export interface SnapshotTarget {
  readonly manifest: SnapshotManifest;
  /** Whether it is complete and is being written over the state. */
  readonly isAdopting: boolean;
}

const TargetType = new ContainerType({ manifest: SnapshotManifestType, isAdopting: FlagType });
export const snapshotTargetCodec: Codec<SnapshotTarget> = convertedCodec(TargetType, {
  name: 'target of a snapshot',
  bytesMax: 128,
  toWire: ({ manifest, isAdopting }) => ({ manifest: { ...manifest, version: FORMAT_VERSION }, isAdopting: isAdopting ? 1 : 0 }),
  fromWire: ({ manifest: { height, links, logs, ids, stateParts, bytes }, isAdopting }) => ({
    manifest: { height, links, logs, ids, stateParts, bytes },
    isAdopting: isAdopting === 1,
  }),
});

export interface StateEntry {
  readonly key: Hash;
  /** The value, or its hash where it is too long: then it is a part of its own. */
  readonly content: { readonly value: Uint8Array } | { readonly valueHash: Hash };
}

export type StatePart =
  /** Its children are parts of their own. */
  | { readonly kind: 'branch'; readonly page: Uint8Array }
  /** All entries below the place, ascending. */
  | { readonly kind: 'entries'; readonly entries: readonly StateEntry[] };

const EntryType = new ContainerType({
  key: HashType,
  value: new ByteListType(SNAPSHOT_INLINE_BYTES_MAX),
  valueHash: new ListCompositeType(HashType, 1),
});

/** Counted for each entry besides its value. */
export const ENTRY_OVERHEAD_BYTES = 64;

const StatePartType = new ContainerType({
  version: VersionType,
  page: new ListCompositeType(new ByteListType(PAGE_BYTES_MAX), 1),
  entries: new ListCompositeType(EntryType, SNAPSHOT_PART_BYTES / ENTRY_OVERHEAD_BYTES),
});

export const statePartCodec: Codec<StatePart> = convertedCodec(StatePartType, {
  name: 'part of a state',
  bytesMax: SNAPSHOT_PART_BYTES + BUCKET_LEAVES_MAX * (SNAPSHOT_INLINE_BYTES_MAX + ENTRY_OVERHEAD_BYTES),
  toWire: (part) => {
    if (part.kind === 'branch') return { version: FORMAT_VERSION, page: [part.page], entries: [] };
    const entries = part.entries.map(({ key, content }) =>
      'value' in content ? { key, value: content.value, valueHash: [] } : { key, value: new Uint8Array(0), valueHash: [content.valueHash] },
    );
    return { version: FORMAT_VERSION, page: [], entries };
  },
  fromWire: ({ page: [page], entries }) => {
    if (page !== undefined) {
      if (entries.length > 0) throw new RangeError('a page and entries');
      return { kind: 'branch', page };
    }
    return {
      kind: 'entries',
      entries: entries.map(({ key, value, valueHash: [valueHash] }) => {
        if (valueHash === undefined) return { key, content: { value } };
        if (value.length > 0) throw new RangeError('a value and its hash');
        return { key, content: { valueHash } };
      }),
    };
  },
});

export interface HistoryPart {
  /** See `logFrontier`, of the headers below the block. */
  readonly frontier: Uint8Array;
}

const FrontierType = new ByteListType(LOG_FRONTIER_BYTES_MAX);

export const historyPartCodec: Codec<HistoryPart> = strictCodec(new ContainerType({ frontier: FrontierType }), {
  name: 'history of a snapshot',
  bytesMax: LOG_FRONTIER_BYTES_MAX + 4,
});

export interface LogsPart {
  readonly logs: readonly { readonly service: Uint8Array; readonly frontier: Uint8Array }[];
}

/** Services of one part. */
export const LOGS_PER_PART = 64;

const LogsPartType = new ContainerType({
  logs: new ListCompositeType(new ContainerType({ service: NameType, frontier: FrontierType }), LOGS_PER_PART),
});

export const logsPartCodec: Codec<LogsPart> = convertedCodec(LogsPartType, {
  name: 'record logs of a snapshot',
  bytesMax: LOGS_PER_PART * (LOG_FRONTIER_BYTES_MAX + 512),
  toWire: ({ logs }) => ({ logs: [...logs] }),
  fromWire: ({ logs }) => ({ logs }),
});

/** A block that is not here: its header, and of each of its transactions id and hash of the signature, one behind the other. */
export interface IncludedIds {
  readonly header: Uint8Array;
  readonly ids: Uint8Array;
}

export interface IdsPart {
  /** Descending by height. */
  readonly blocks: readonly IncludedIds[];
}

/** An id and the hash of a signature. */
export const ID_BYTES = 64;
/** Blocks of one part. */
export const IDS_BLOCKS_MAX = 4096;
/** Bytes after which a part of ids takes no further block. */
export const IDS_PART_BYTES = 256 * 1024;
const BLOCK_IDS_BYTES_MAX = PARAMETER_RULES.blockTransactionsMax.max * ID_BYTES;

const IncludedIdsType = new ContainerType({
  header: new ByteListType(HEADER_BYTES_MAX),
  ids: new ByteListType(BLOCK_IDS_BYTES_MAX),
});

export const includedIdsCodec: Codec<IncludedIds> = strictCodec(IncludedIdsType, {
  name: 'ids of a block',
  bytesMax: HEADER_BYTES_MAX + BLOCK_IDS_BYTES_MAX + 8,
});

export const idsPartCodec: Codec<IdsPart> = convertedCodec(
  new ContainerType({ blocks: new ListCompositeType(IncludedIdsType, IDS_BLOCKS_MAX) }),
  {
    name: 'ids of a snapshot',
    bytesMax: IDS_PART_BYTES + HEADER_BYTES_MAX + BLOCK_IDS_BYTES_MAX + 64,
    toWire: ({ blocks }) => ({ blocks: [...blocks] }),
    fromWire: ({ blocks }) => ({ blocks }),
  },
);

/** Above the longest part in bytes. */
export const SNAPSHOT_PART_BYTES_MAX = LIGHT_UPDATE_BYTES_MAX;
