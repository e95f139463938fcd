/**
 * node write-large-state.ts STORE FORMAT_VERSION GENESIS_FILE KEYS
 * Begins a chain whose state has so many keys before its first block, each with a latest record: what a network holds after years, of which the
 * records themselves are pruned. Every root is the true one. A million keys take about ten seconds, against minutes by blocks.
 */
import { readFile } from 'node:fs/promises';
import { assert, compareBytes, type Hash, type Store, type StoreOperation } from '@nacre/base';
import {
  appendToLog,
  EMPTY_LOG_ROOT,
  EMPTY_STATE_ROOT,
  encodePage,
  type LogPeaks,
  type Page,
  type PageId,
  pageKey,
  type StateUpdate,
  type Tile,
  updateTree,
} from '@nacre/crypto';
import { createVerifier } from '@nacre/crypto/native';
import { LevelStore } from '@nacre/ledger/level';
import { genesisState } from '../../src/genesis-state.ts';
import { type Genesis, Ledger, parseGenesis } from '../../src/index.ts';
import { logTileKey, recordKeyKey, statePageKey, stateValueKey, tipKey } from '../../src/keys.ts';
import { LATEST_RECORD, RECORD_LOG, SERVICE, type Service, stateValueHash } from '../../src/state-kinds.ts';
import { storedTipCodec } from '../../src/tip.ts';

const SERVICE_NAME = 'large';
const HASH_BYTES = 32;
/** Leaves of the log, and updates of the tree, that are written at once. */
const AT_ONCE = 4096;
/** Groups of keys by their first two bytes, in whose order the tree is built: nothing below a group is touched again after it. */
const GROUPS = 2 ** 16;
/** Digits of a group. Pages nearer to the root are kept until the end. */
const GROUP_DIGITS = 4;

/** The state keys of all records' keys, by index; each stands for the hash of its record as well. */
function stateKeys(count: number): Uint8Array {
  const keys = new Uint8Array(count * HASH_BYTES);
  for (let index = 0; index < count; index++)
    keys.set(LATEST_RECORD.stateKey({ service: SERVICE_NAME, key: `key ${index}` }), index * HASH_BYTES);
  return keys;
}

const keyAt = (keys: Uint8Array, index: number): Hash => keys.subarray(index * HASH_BYTES, (index + 1) * HASH_BYTES);
const groupOf = (key: Uint8Array): number => ((key[0] as number) << 8) | (key[1] as number);

/** Indices of the keys, group by group. @returns them, and where each group begins */
function grouped(keys: Uint8Array, count: number): { readonly indices: Uint32Array; readonly starts: Uint32Array } {
  const starts = new Uint32Array(GROUPS + 1);
  const add = (counts: Uint32Array, at: number, added: number): number => {
    const before = counts[at] as number;
    counts[at] = before + added;
    return before;
  };
  for (let index = 0; index < count; index++) add(starts, groupOf(keyAt(keys, index)) + 1, 1);
  for (let group = 0; group < GROUPS; group++) add(starts, group + 1, starts[group] as number);
  const next = starts.slice();
  const indices = new Uint32Array(count);
  for (let index = 0; index < count; index++) indices[add(next, groupOf(keyAt(keys, index)), 1)] = index;
  return { indices, starts };
}

/** @returns root of the log over all records */
async function writeLog(store: Store, keys: Uint8Array, count: number): Promise<Hash> {
  let root = EMPTY_LOG_ROOT;
  let peaks: LogPeaks = [];
  /** The last tile of each level, which may still grow. */
  const last = new Map<number, Tile>();
  for (let size = 0; size < count; size += AT_ONCE) {
    const added = Array.from({ length: Math.min(AT_ONCE, count - size) }, (_, i) => keyAt(keys, size + i));
    const readTile = (level: number, index: number) => (last.get(level)?.index === index ? last.get(level)?.bytes : undefined);
    const log = appendToLog({ size, peaks, readTile }, added);
    ({ root, peaks } = log);
    for (const tile of log.tiles) last.set(tile.level, tile);
    await store.write(
      log.tiles.map(({ level, index, bytes }) => ({ type: 'put', key: logTileKey(SERVICE_NAME, level, index), value: bytes })),
      { sync: false },
    );
  }
  return root;
}

/** What the state holds besides the records' keys. */
function otherValues(genesis: Genesis, count: number, logRoot: Hash): { readonly key: Hash; readonly value: Uint8Array }[] {
  const begun = genesisState(genesis).operations.flatMap((operation) => {
    const key = operation.key.subarray(1);
    const isValue = operation.type === 'put' && compareBytes(operation.key, stateValueKey(key)) === 0;
    return isValue ? [{ key, value: operation.value }] : [];
  });
  const [{ address: owner } = { address: undefined }] = genesis.validators;
  assert(owner !== undefined, 'a network has validators');
  const service: Service = {
    ...{ name: SERVICE_NAME, owners: [owner], writers: [owner], schemas: [{ name: 'large', version: 1 }] },
    ...{ shard: 0, retentionMs: 0, sponsor: owner },
  };
  return [
    ...begun,
    { key: SERVICE.stateKey(SERVICE_NAME), value: SERVICE.codec.encode(service) },
    { key: RECORD_LOG.stateKey(SERVICE_NAME), value: RECORD_LOG.codec.encode({ recordCount: count, logRoot }) },
  ];
}

/** Writes the tree and its entries in the order of their keys. @returns its root */
async function writeTree(store: Store, keys: Uint8Array, count: number, others: readonly StateUpdate[]): Promise<Hash> {
  const { indices, starts } = grouped(keys, count);
  const upper = new Map<PageId, Page>();
  const put = (id: PageId, page: Page): StoreOperation => ({ type: 'put', key: statePageKey(pageKey(id)), value: encodePage(page) });
  let root = EMPTY_STATE_ROOT;
  let updates: StateUpdate[] = [];
  let operations: StoreOperation[] = [];
  for (let group = 0; group < GROUPS; group++) {
    updates.push(...others.filter(({ key }) => groupOf(key) === group));
    const own: { key: Hash; index: number }[] = [];
    for (let at = starts[group] as number; at < (starts[group + 1] as number); at++)
      own.push({ key: keyAt(keys, indices[at] as number), index: indices[at] as number });
    for (const { key, index } of own.sort((a, b) => compareBytes(a.key, b.key))) {
      updates.push({ key, valueHash: stateValueHash(LATEST_RECORD.codec.encode({ index, leafHash: key })) });
      operations.push({ type: 'put', key: recordKeyKey(key, index), value: key });
    }
    if (updates.length < AT_ONCE && group + 1 < GROUPS) continue;
    const after = updateTree({ get: (id) => upper.get(id) }, root, updates);
    ({ root } = after);
    for (const { id, page } of after.pages) {
      assert(page !== null, 'nothing leaves the state');
      if (id.length < GROUP_DIGITS) upper.set(id, page);
      else operations.push(put(id, page));
    }
    await store.write(operations, { sync: false });
    [updates, operations] = [[], []];
  }
  await store.write(
    Array.from(upper, ([id, page]) => put(id, page)),
    { sync: false },
  );
  return root;
}

async function main([path = '', formatVersion = '', genesisFile = '', keysText = '']: readonly string[]): Promise<void> {
  const parsed = parseGenesis(await readFile(genesisFile, 'utf8'));
  assert(parsed.ok, 'the genesis is one');
  const genesis = parsed.value;
  const count = Number(keysText);
  const store = await LevelStore.open(path, { formatVersion: Number(formatVersion), genesisHash: genesis.hash });
  try {
    const keys = stateKeys(count);
    const others = otherValues(genesis, count, await writeLog(store, keys, count));
    const values = others.map(({ key, value }): StoreOperation => ({ type: 'put', key: stateValueKey(key), value }));
    await store.write(values, { sync: false });
    const updates = others.map(({ key, value }) => ({ key, valueHash: stateValueHash(value) }));
    const stateRoot = await writeTree(store, keys, count, updates);
    const tip = { ...genesisState(genesis).tip, stateRoot };
    await store.write([{ type: 'put', key: tipKey(), value: storedTipCodec.encode(tip) }], { sync: true });
    const log = { debug() {}, info() {}, warn() {}, error() {} };
    await Ledger.open({ genesis, store, verifier: createVerifier(genesis.scheme), log });
  } finally {
    await store.close();
  }
}

await main(process.argv.slice(2));
