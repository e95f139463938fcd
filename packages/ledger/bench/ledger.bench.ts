import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assert, uint64Bytes } from '@nacre/base';
import type { Bench, BenchmarkSuite } from '@nacre/base/benchmark';
import { encodePage, PageCache, pageKey, type StateUpdate, sha256, updateTree } from '@nacre/crypto';
import type { NewRecord, Operation, RecordAppend, Transaction } from '@nacre/ledger';
import { LevelStore } from '@nacre/ledger/level';
import { ClassicLevel } from 'classic-level';
import { statePageKey, tipKey } from '../src/keys.ts';
import { LATEST_RECORD } from '../src/state-kinds.ts';
import { readTip } from '../src/stored-tail.ts';
import { storedTipCodec } from '../src/tip.ts';
import { appendOf, TestChain, type TestKey } from '../test/support/test-chain.ts';

const TRANSACTIONS = 10;
const RECORDS = 100;
const RECORD_BYTES = 250;
const KEYS = 1_000_000;
/** Above what warming up and measuring one row takes. */
const BLOCKS = 300;
/** After so many blocks most pages of the state are in memory, as on a node that has run for a while. */
const SETTLING_BLOCKS = 200;
/** Parts in which the tree is filled, each a range of keys so that it touches pages of its own. */
const FILL_PARTS = 16;

const keyName = (index: number) => `key-${index}`;

/** The same numbers in every run. */
function numbers(seed: number): (below: number) => number {
  let state = sha256(uint64Bytes(seed));
  return (below) => {
    state = sha256(state);
    return new DataView(state.buffer, state.byteOffset).getUint32(0) % below;
  };
}

/**
 * Blocks of ten transactions of 100 records, made before anything is measured: more than a row takes, so that keys do not come back. Ids
 * are made up when a block is taken: signing and decoding have rows of their own.
 */
function blockMaker(template: Transaction, keyed: boolean): () => Transaction[] {
  const random = numbers(1);
  const payload = new Uint8Array(RECORD_BYTES).fill(7);
  const newRecord = (): NewRecord => ({ key: keyed ? keyName(random(KEYS)) : '', payload });
  const transactions = Array.from({ length: BLOCKS * TRANSACTIONS }, (): Transaction => {
    const operation: Operation = {
      ...template.contents.operations[0],
      records: Array.from({ length: RECORDS }, newRecord),
    } as RecordAppend;
    return { ...template, contents: { ...template.contents, operations: [operation] } };
  });
  let taken = 0;
  return () =>
    Array.from({ length: TRANSACTIONS }, () => {
      const transaction = transactions[taken % transactions.length] as Transaction;
      const txId = sha256(uint64Bytes(++taken));
      return { ...transaction, txId, bodyHash: sha256(txId) };
    });
}

/** Puts a million keys under the service into the state tree of a chain that has no block yet, as if they had been written. */
async function fill(store: LevelStore): Promise<void> {
  const pages = new PageCache({ pagesMax: 200_000 }, (id) => store.get(statePageKey(pageKey(id))));
  const tip = readTip(store);
  if (tip === undefined) throw new Error('the chain was not begun');
  let root = tip.stateRoot;
  const keys = Array.from({ length: KEYS }, (_, index) => LATEST_RECORD.stateKey({ service: 'prices', key: keyName(index) }));
  const parts = Map.groupBy(keys, (key) => Math.floor(((key[0] as number) * FILL_PARTS) / 256));
  for (const part of parts.values()) {
    const updates = part.map((key): StateUpdate => ({ key, valueHash: key }));
    const updated = updateTree(pages, root, updates);
    root = updated.root;
    pages.apply(updated.pages);
    const operations = updated.pages.map(({ id, page }) => {
      const key = statePageKey(pageKey(id));
      return page === null ? { type: 'delete' as const, key } : { type: 'put' as const, key, value: encodePage(page) };
    });
    await store.write(operations, { sync: false });
  }
  await store.write([{ type: 'put', key: tipKey(), value: storedTipCodec.encode({ ...tip, stateRoot: root }) }], { sync: true });
}

/** A store at rest: LevelDB would go on sorting what was filled in, on the core that the blocks to be measured need. */
async function settle(path: string): Promise<void> {
  const database = new ClassicLevel<Uint8Array, Uint8Array>(path, { keyEncoding: 'view', valueEncoding: 'view' });
  await database.open();
  await database.compactRange(new Uint8Array(0), new Uint8Array(64).fill(0xff));
  await database.close();
}

async function withChain(filled: boolean, run: (chain: TestChain, writer: TestKey) => Promise<void>): Promise<void> {
  const path = await mkdtemp(join(tmpdir(), 'nacre-bench-'));
  const open = () => LevelStore.open(path, { formatVersion: 1, genesisHash: new Uint8Array(32) });
  const parameters = { quotaBytesPerWindow: 2 ** 50, validityWindowMs: 24 * 3600 * 1000 };
  let store = await open();
  try {
    await TestChain.create({ store, parameters });
    if (filled) {
      await fill(store);
      await store.close();
      await settle(path);
      store = await open();
    }
    const { chain, writer } = await TestChain.withService({ store, parameters });
    await run(chain, writer);
  } finally {
    await store.close();
    await rm(path, { recursive: true });
  }
}

async function measureBlocks(bench: Bench, name: string, keyed: boolean): Promise<void> {
  await withChain(keyed, async (chain, writer) => {
    const payloads = Array.from({ length: RECORDS }, () => 'x'.repeat(RECORD_BYTES));
    const template = await chain.transaction(writer, [appendOf('prices', payloads)], { validUntilMs: chain.nextTimeMs + 23 * 3600 * 1000 });
    const nextBlock = blockMaker(template, keyed);
    if (!keyed)
      await bench.measure('decode a transaction of 100 records', { unit: 'transaction' }, () => chain.ledger.decode(template.bytes));
    const proposed = chain.propose(nextBlock());
    await bench.measure(`check a block of ${name}`, { unit: 'block', iterations: 1 }, () =>
      chain.ledger.check(proposed.block, proposed.transactions),
    );
    const decide = async (): Promise<void> => {
      const candidate = chain.propose(nextBlock());
      assert(candidate.transactions.length === TRANSACTIONS, 'the block holds all transactions');
      await chain.ledger.saveCandidate(candidate);
      await chain.ledger.apply(candidate, await chain.certificate(candidate));
    };
    const row = `execute, root and store ${name}`;
    if (keyed) {
      await bench.measure(`${row}, just started`, { unit: 'block', iterations: 1 }, decide);
      for (let i = 0; i < SETTLING_BLOCKS; i++) await decide();
    }
    await bench.measure(row, { unit: 'block', iterations: 1 }, decide);
    bench.note('with the sync that precedes a vote, the write of the decided block, and made-up transactions and commits');
  });
}

/** The worst case of a block: as many transactions as one may hold, each of one record. */
async function measureManyTransactions(bench: Bench): Promise<void> {
  await withChain(false, async (chain, writer) => {
    const template = await chain.append(writer, ['x'.repeat(RECORD_BYTES)]);
    const transactions = Array.from({ length: chain.genesis.parameters.blockTransactionsMax }, (_, i): Transaction => {
      const txId = sha256(uint64Bytes(i));
      // A size of its own, because 2 MiB hold no ten thousand transactions of ML-DSA's size.
      return { ...template, bytes: new Uint8Array(200), txId, bodyHash: sha256(txId) };
    });
    const { block } = chain.propose(transactions);
    await bench.measure('check a block of 10,000 transactions of one record', { unit: 'block', iterations: 1 }, () =>
      chain.ledger.check(block, transactions),
    );
  });
}

const suite: BenchmarkSuite = {
  name: 'ledger',
  async run(bench) {
    await measureBlocks(bench, '1,000 unkeyed records', false);
    await measureManyTransactions(bench);
    await measureBlocks(bench, '1,000 keyed records beside a million keys', true);
  },
};

export default suite;
