import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type StoreOperation, uint64Bytes } from '@nacre/base';
import type { Bench, BenchmarkSuite } from '@nacre/base/benchmark';
import { sha256 } from '@nacre/crypto';
import { type JournalEntry, VoteJournal } from '@nacre/ledger';
import { FileDirectory, LevelStore } from '@nacre/ledger/level';

const VALIDATOR = new Uint8Array(32).fill(1);
/** An encoded vote under ML-DSA-44, FIPS 204, Table 2: its signature and 50 bytes of contents. */
const VOTE_BYTES = 2420 + 50;
const SMALL_VALUES = 1_000;
const SMALL_VALUE_BYTES = 100;
const BATCH_BYTES = 25_000;

function bytesOf(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let offset = 0; offset < length; offset += 32) bytes.set(sha256(uint64Bytes(seed + offset)).subarray(0, length - offset), offset);
  return bytes;
}

/** Keys are hashes, as most of the ledger's are, so that writes spread over all tables. */
function puts(count: number, valueBytes: number, seed: number): StoreOperation[] {
  return Array.from({ length: count }, (_, index) => {
    const key = sha256(uint64Bytes(seed + index));
    return { type: 'put', key, value: bytesOf(valueBytes, seed + index) };
  });
}

async function measureJournal(bench: Bench, directory: FileDirectory, store: LevelStore): Promise<void> {
  const random = { bytes: (length: number) => bytesOf(length, 7) };
  const dependencies = { directory, store, random };
  await VoteJournal.create({ validator: VALIDATOR }, dependencies);
  const journal = await VoteJournal.open({ validator: VALIDATOR }, dependencies);
  const vote: JournalEntry = { height: 1, messages: [{ kind: 'vote', bytes: bytesOf(VOTE_BYTES, 3) }], lock: null };
  let height = 0;
  await bench.measure('vote journal: append, sync, mark', { unit: 'vote', iterations: 20 }, async () => {
    await journal.append({ ...vote, height: ++height });
    if (journal.needsRotation) await journal.rotate({ keepAbove: height });
  });
  await bench.measure('file: append and sync of the same bytes', { unit: 'append', iterations: 20 }, async () => {
    await directory.append('plain', vote.messages[0]?.bytes as Uint8Array);
    await directory.sync('plain');
  });
}

async function measureStore(bench: Bench, store: LevelStore): Promise<void> {
  const batches = Array.from({ length: 40 }, (_, index) => puts(SMALL_VALUES, SMALL_VALUE_BYTES, index * SMALL_VALUES));
  let calls = 0;
  await bench.measure('store: batch of 1,000 values of 100 B', { unit: 'batch', iterations: 2 }, () => {
    calls++;
    return store.write(batches[calls % batches.length] as StoreOperation[], { sync: false });
  });
  const one = puts(1, BATCH_BYTES, 5);
  await bench.measure('store: synced write of 25 KB', { unit: 'write', iterations: 10 }, () => store.write(one, { sync: true }));
  const keys = batches.flat().map(({ key }) => key);
  await bench.measure('store: get of 100 B, checked', { unit: 'get' }, () => {
    // A prime step visits all keys in no order that a block of LevelDB would share.
    calls += 7919;
    return store.get(keys[calls % keys.length] as Uint8Array);
  });
}

/** What durability costs on the disk that holds the temporary directory. */
const suite: BenchmarkSuite = {
  name: 'store and vote journal',
  async run(bench) {
    const path = await mkdtemp(join(tmpdir(), 'nacre-bench-'));
    const directory = new FileDirectory(path);
    const store = await LevelStore.open(join(path, 'store'), { formatVersion: 1, genesisHash: new Uint8Array(32) });
    try {
      await measureJournal(bench, directory, store);
      await measureStore(bench, store);
    } finally {
      await store.close();
      await directory.close();
      await rm(path, { recursive: true });
    }
  },
};

export default suite;
