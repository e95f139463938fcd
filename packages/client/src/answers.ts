import { anything, count, decimal, flag, list, nullable, object, oneOf, type ShapeOf, text, variant } from './answer-shape.ts';

/** What the methods of a node answer. Hashes are hex, addresses bech32m, bytes base64, times ms since 1970. */

export const RECORD = object({
  /** Position in the service's log. */
  index: count,
  txId: text,
  chain: count,
  height: count,
  service: text,
  key: nullable(text),
  /** `name@version` */
  schema: text,
  /** The JSON value; for other media types `{mediaType, base64}`. */
  payload: anything,
});
export type RecordAnswer = ShapeOf<typeof RECORD>;

export const RECORD_PAGE = object({ records: list(RECORD), nextIndex: nullable(count) });

export const LATEST = object({ record: nullable(RECORD), height: count, ageMs: count });
/** As of a decided height, `ageMs` after its block's time. */
export type LatestAnswer = ShapeOf<typeof LATEST>;

const NETWORK_STATE = object({ state: text, reason: nullable(text) });

export const SUBMISSION = object({
  txId: text,
  /** `pending`: the wait ran out, which is no error. */
  status: oneOf('admitted', 'committed', 'pending'),
  /** After this time the transaction is decided or never will be. */
  validUntilMs: count,
  chain: count,
  /** Of the block that holds it; null before. */
  height: nullable(count),
  index: nullable(count),
  /** With `pending`: what the node could do when the wait ran out, and why it may have to wait for longer; else null. */
  networkState: nullable(NETWORK_STATE),
});
export type SubmissionAnswer = ShapeOf<typeof SUBMISSION>;

const place = { txId: text, chain: count };
const transaction = nullable(object({ account: text, nonce: text, validUntilMs: count, operations: list(anything), tx: text }));
const final = { ...place, height: count };
const reason = object({ code: text, operation: count });

export const TRANSACTION_STATUS = variant('status', {
  admitted: object({ ...place, transaction }),
  committed: object({ ...final, index: count, transaction }),
  failed: object({ ...final, index: count, transaction, reason }),
  expired: object({ ...final, timeMs: count }),
  unknown: object(place),
});
export type TransactionAnswer = ShapeOf<typeof TRANSACTION_STATUS>;

export const STATUS = object({
  nodeId: text,
  /** The validator's; null for a follower. */
  address: nullable(text),
  /** The network's name. */
  chainId: text,
  genesisHash: text,
  version: text,
  networkState: NETWORK_STATE,
  chains: list(object({ chain: count, height: count, blockHash: text, timeMs: count, catchingUp: flag, validator: flag })),
  peers: count,
});
export type StatusAnswer = ShapeOf<typeof STATUS>;

export const BLOCK = object({
  hash: text,
  header: object({
    chain: count,
    height: count,
    timeMs: count,
    proposer: text,
    parentHash: text,
    transactionsRoot: text,
    stateRoot: text,
    committeeHash: text,
    historyRoot: text,
  }),
  transactions: list(text),
  certificate: nullable(
    object({ height: count, round: count, blockHash: text, commits: list(object({ validator: text, signature: text })) }),
  ),
});
export type BlockAnswer = ShapeOf<typeof BLOCK>;

export const VALIDATORS = object({
  chain: count,
  height: count,
  totalWeight: count,
  validators: list(
    object({
      address: text,
      weight: count,
      nextWeight: count,
      shard: nullable(count),
      performance: nullable(decimal),
      quarantined: flag,
      explanation: text,
    }),
  ),
});
export type ValidatorsAnswer = ShapeOf<typeof VALIDATORS>;

const SIDES = list(object({ validators: list(text), weight: count, mayDecide: flag, own: flag, reached: flag }));
const SYNC = object({
  state: oneOf('idle', 'catching-up', 'done', 'failed'),
  fromHeight: nullable(count),
  height: nullable(count),
  toHeight: nullable(count),
  blocksPerSecond: nullable(decimal),
  remainingMs: nullable(count),
  reason: nullable(text),
});

export const HEALTH = object({
  networkState: NETWORK_STATE,
  height: count,
  totalWeight: count,
  /** The least that can decide. */
  neededWeight: count,
  nodes: list(object({ address: text, name: nullable(text), weight: count, self: flag, heard: flag })),
  /** One where nobody is cut off. */
  sides: SIDES,
  partitions: list(object({ sinceMs: count, untilMs: nullable(count), sides: SIDES })),
  sync: SYNC,
});
/** As one node sees it. */
export type HealthAnswer = ShapeOf<typeof HEALTH>;

const seen = { sequence: count, atMs: count };
const HEALTH_EVENT = variant('kind', {
  state: object({ ...seen, networkState: NETWORK_STATE }),
  partition: object({ ...seen, change: oneOf('partitioned', 'changed', 'merged'), sides: SIDES }),
  sync: object({ ...seen, sync: SYNC }),
});

const BLOCK_EVENT = object({ chain: count, height: count, hash: text, timeMs: count, proposer: text, transactionCount: count });
const inBlock = { ...place, height: count, index: count };
const TRANSACTION_EVENT = variant('status', { committed: object(inBlock), failed: object({ ...inBlock, reason }) });

/** What the events of each topic carry. */
export const TOPICS = { blocks: BLOCK_EVENT, transactions: TRANSACTION_EVENT, records: RECORD, health: HEALTH_EVENT };
export type Topic = keyof typeof TOPICS;
export type TopicData<Name extends Topic> = ShapeOf<(typeof TOPICS)[Name]>;

/** What takes a checkpoint on. */
export const LIGHT_UPDATE = object({
  /** The canonical bytes, base64. */
  update: text,
  complete: flag,
});
