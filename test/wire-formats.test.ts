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
  expect(toHex(chain.genesis.hash)).toBe('bcb44772b54c485cf8dd3c0d043a0ad71b6175656e4522b808de0d0ad9f754f6');
  expect(digest(utf8(formatGenesis(chain.genesis)))).toBe('9d47828ed8b17f0a06675b0278d55834');
});

test('version 1 of the chain: the block hash and state root after three blocks', () => {
  const { blockHash, stateRoot } = chain.ledger.tip;
  expect([toHex(blockHash), toHex(stateRoot)]).toEqual([
    '2c922ca56defef8d4055025d2615075192e1a9131158b6cc2df40ea5bf64caad',
    '9764d45695b368e219d8d68e4358efc393f80ccd946ca64a033a08170826b597',
  ]);
});

test('version 1 of the store: every kind of entry, by the first byte of its key', async () => {
  expect(await digestByKind(store)).toEqual({
    store: '1 0af0859b68c23a0aff14b369b91b1567',
    tip: '1 00a819a204e8f770d074cadf36a38e42',
    blocks: '3 5e39dc5a459c57dc635afc83ddb9cd22',
    heights: '3 8e9e7c124c489df1d76f5a3f30edeec7',
    bodies: '5 70dfafbb23f767d36e1cbb95767ac333',
    statuses: '5 bf68071dac5ec4505b22f5472078af2e',
    'state values': '11 7f5fedb36af9df62d472a5745b45eeb9',
    'state pages': '1 d1d90ed67e929450de6374846ada8d0d',
    'history tiles': '1 53dc7cd3a6da91972d1de0c9bbc3c4d9',
    'log tiles': '1 78784068eb1ba606378364f3e86c4095',
    'record ranges': '1 2533828e5405714af491273edae385c5',
    'record keys': '3 9903bebc1f3ac47516faebe2211a6a2b',
  });
});

test("version 1 of LevelDB's values: a CRC-32 over key and value behind the value", async () => {
  const key = utf8('\0format');
  const [format] = await store.scan({ gte: key, lt: utf8('\0formau'), limit: 1 });
  assert(format !== undefined, 'the store says of which network it is');
  const checksum = new Uint8Array(4);
  new DataView(checksum.buffer).setUint32(0, crc32(format.value, crc32(key)));
  const names = await readdir(join(root, 'store'));
  const log = await readFile(join(root, 'store', names.find((name) => name.endsWith('.log')) as string));
  expect(log.includes(Buffer.concat([format.value, checksum]))).toBe(true);
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
  expect(digest(pending.key, pending.value)).toBe('de5efdd8fd1549fcbd4e92ebaf03f7b5');
});

describe('version 1 of proofs', () => {
  test.each([
    ['included', { index: 0 }, '4d60401e5764efddc651ca6fb28a92e3'],
    ['latest', { key: 'low' }, '6ba7696ebbf17755cde345f371f913bc'],
    ['absent', { key: 'never' }, '218432d7116e1f1422abc6fb0089fdef'],
  ])('%s', async (_, wanted, pinned) => {
    const proof = await chain.ledger.prove({ service: 'prices', ...wanted });
    assert(proof.ok, 'the ledger proves what it holds');
    expect(digest(proof.value)).toBe(pinned);
  });
});
