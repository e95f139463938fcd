/**
 * What only a whole chain shows of version 1's formats; each package pins its own (see README.md). A changed hash here means
 * that nodes of two versions would not understand each other, or a node its own disk: it needs a new version and a way to read the old.
 */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { assert, type Clock, type Store, toHex, utf8 } from '@nacre/base';
import { sha256 } from '@nacre/crypto';
import { formatGenesis } from '@nacre/ledger';
import { FileDirectory, LevelStore } from '@nacre/ledger/level';
import { Replica } from '@nacre/replica';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { realRandom, SETUP_TIMEOUT_MS } from './support/cluster.ts';
import { MemoryNetwork } from './support/memory-network.ts';
import { PinnedChain, silentLog, trustingVerifier } from './support/pinned-chain.ts';

/** More than the pinned chain stores. */
const ENTRIES_MAX = 10_000;

let root: string;
let store: LevelStore;
let chain: PinnedChain;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'nacre-formats-'));
  chain = await PinnedChain.create(async ({ hash }) => {
    store = await LevelStore.open(join(root, 'store'), { formatVersion: 1, genesisHash: hash });
    return store;
  });
}, SETUP_TIMEOUT_MS);

afterAll(async () => {
  await store.close();
  await rm(root, { recursive: true });
});

/** The first half of a SHA-256: long enough for accidents. */
function digest(...parts: readonly Uint8Array[]): string {
  return toHex(sha256(Buffer.concat(parts))).slice(0, 32);
}

/** What the first byte of a key says. */
const ENTRY_KINDS: Readonly<Record<number, string>> = {
  0: 'store',
  1: 'tip',
  2: 'blocks',
  4: 'heights',
  5: 'bodies',
  6: 'statuses',
  7: 'state values',
  8: 'state pages',
  9: 'history tiles',
  10: 'log tiles',
  11: 'record ranges',
  12: 'record keys',
};

/** For each kind of entry, how many there are and the hash over them. */
async function digestByKind(from: Store): Promise<Record<string, string>> {
  const entries = await from.scan({ gte: new Uint8Array(0), lt: Uint8Array.of(255), limit: ENTRIES_MAX });
  const groups = Map.groupBy(entries, ({ key }) => key[0] as number);
  const digests = [...groups].map(([prefix, group]) => {
    const parts = group.flatMap(({ key, value }) => [Uint8Array.of(key.length, value.length >> 8, value.length & 255), key, value]);
    return [ENTRY_KINDS[prefix] ?? prefix, `${group.length} ${digest(...parts)}`] as const;
  });
  return Object.fromEntries(digests);
}

test('version 1 of the genesis: its hash and its file', () => {
  expect(toHex(chain.genesis.hash)).toBe('5b29dda3d442150c8437f435dff459b5cbd1d0a9080de5e818b09ea93d7d614c');
  expect(digest(utf8(formatGenesis(chain.genesis)))).toBe('45c11422d79b1140f68f18f529e960d1');
});

test('version 1 of the chain: the block hash and state root after three blocks', () => {
  const { blockHash, stateRoot } = chain.ledger.tip;
  expect([toHex(blockHash), toHex(stateRoot)]).toEqual([
    '5afe1f794768aa4e192605f63606f7b385c6827d5ae985f6d6819e3bccc36af5',
    'e865845c2b200b90f47ed4a37480c49bda6f3e7ce744503c2c589a5056660ebe',
  ]);
});

test('version 1 of the store: every kind of entry, by the first byte of its key', async () => {
  expect(await digestByKind(store)).toEqual({
    store: '1 4778f555f3770e8e7129e2303bb867fc',
    tip: '1 3125d01983b085c84f1e7b1fe5fbd20c',
    blocks: '3 8d69fa4d55f808d89b74faf62ca2eff9',
    heights: '3 e22a9067c764b7e3fa7428322f3cdc97',
    bodies: '5 ff7628a6186501e40c4088dab5eed7ba',
    statuses: '5 e524759159756ba6b718437095fa1a71',
    'state values': '15 3d56d64083dad1a1a303c22be45bc699',
    'state pages': '1 a09b3e454c4c96a443609c06a58a38bf',
    'history tiles': '1 51a4c3189f21dcdae91859610a7b6544',
    'log tiles': '1 a58c4aeaed68fc43d0b2e5a341ea6a67',
    'record ranges': '1 248a150f4ee8ea56d9124890d0297a34',
    'record keys': '3 3415ece04e98f334e7031b77bd52f2d7',
  });
});

test("version 2 of LevelDB's values: behind the value a zero byte and a CRC-32 over key, value and that byte", async () => {
  const key = utf8('\0format');
  const [format] = await store.scan({ gte: key, lt: utf8('\0formau'), limit: 1 });
  assert(format !== undefined, 'the store says of which network it is');
  const value = Buffer.concat([format.value, Uint8Array.of(0)]);
  const checksum = new Uint8Array(4);
  new DataView(checksum.buffer).setUint32(0, crc32(value, crc32(key)));
  const names = await readdir(join(root, 'store'));
  const log = await readFile(join(root, 'store', names.find((name) => name.endsWith('.log')) as string));
  expect(log.includes(Buffer.concat([value, checksum]))).toBe(true);
});

test('version 1 of large values: CRC-32, lengths of key and value, key, value; and their places in LevelDB', async () => {
  const path = join(root, 'large');
  const large = await LevelStore.open(path, { formatVersion: 1, genesisHash: chain.genesis.hash });
  const [key, value] = [Uint8Array.of(7, 7), new Uint8Array(40_000).fill(3)];
  await large.write([{ type: 'put', key, value }], { sync: true });
  await large.close();
  const lengths = Uint8Array.of(0, 2, 0, 0, 0x9c, 0x40);
  const checksum = new Uint8Array(4);
  new DataView(checksum.buffer).setUint32(0, crc32(Buffer.concat([lengths, key, value])));
  const segment = await readFile(join(path, 'values', '0000000001.values'));
  expect(segment.equals(Buffer.concat([checksum, lengths, key, value]))).toBe(true);
  // Segment 1, offset 0, length.
  const place = Uint8Array.of(0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0x9c, 0x4c, 1);
  const placeChecksum = new Uint8Array(4);
  new DataView(placeChecksum.buffer).setUint32(0, crc32(place, crc32(key)));
  const names = await readdir(path);
  const log = await readFile(join(path, names.find((name) => name.endsWith('.log')) as string));
  expect(log.includes(Buffer.concat([place, placeChecksum]))).toBe(true);
});

test('version 1 of what waits in the mempool', async () => {
  const copy = await LevelStore.open(join(root, 'pending'), { formatVersion: 1, genesisHash: chain.genesis.hash });
  const entries = await store.scan({ gte: Uint8Array.of(1), lt: Uint8Array.of(255), limit: ENTRIES_MAX });
  await copy.write(
    entries.map((entry) => ({ type: 'put', ...entry })),
    { sync: false },
  );
  const nowMs = chain.ledger.tip.timeMs + 1;
  const clock: Clock = { nowMs: () => nowMs, schedule: () => ({ cancel: () => {} }) };
  const replica = await Replica.open(
    { genesis: chain.genesis, validator: null },
    {
      clock,
      random: realRandom,
      store: copy,
      directory: new FileDirectory(root),
      transport: new MemoryNetwork().attach(0, undefined),
      verifier: trustingVerifier,
      log: silentLog,
    },
  );
  replica.start();
  expect(await replica.submit((await chain.pendingTransaction()).bytes)).toMatchObject({ ok: true });
  await replica.stop();
  const [pending, ...others] = await copy.scan({ gte: Uint8Array.of(0x20), lt: Uint8Array.of(0x21), limit: 2 });
  await copy.close();
  assert(pending !== undefined && others.length === 0, 'one transaction waits');
  expect(digest(pending.key, pending.value)).toBe('0d3658726a8edf2bce00fc44db2d641d');
});

describe('version 1 of proofs', () => {
  test.each([
    ['included', { index: 0 }, '7303e8724e682c75641fea9b72ac95be'],
    ['latest', { key: 'low' }, '21bc00899cc1b859ede1d80081bcc20d'],
    ['absent', { key: 'never' }, 'af13636b0d8123975d7b88db86f6a482'],
  ])('%s', async (_, wanted, pinned) => {
    const proof = await chain.ledger.prove({ service: 'prices', ...wanted });
    assert(proof.ok, 'the ledger proves what it holds');
    expect(digest(proof.value)).toBe(pinned);
  });
});

test('version 1 of light updates', () => {
  const update = chain.ledger.lightUpdate();
  assert(update.ok, 'the ledger takes on whoever stands at the genesis');
  expect(digest(update.value.bytes)).toBe('67a012259974f46513cde3a5a240bb96');
});
