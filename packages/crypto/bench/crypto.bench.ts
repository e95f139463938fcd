import { type Hash, type Signer, uint64Bytes, type Verifier } from '@nacre/base';
import type { Bench, BenchmarkSuite } from '@nacre/base/benchmark';
import {
  appendToLog,
  createCachingVerifier,
  EMPTY_STATE_ROOT,
  encodePage,
  inclusionProof,
  leafHash,
  nodeHash,
  PageCache,
  portableSigner,
  portableVerifier,
  proveKey,
  type StateUpdate,
  sha256,
  type Tile,
  taggedHash,
  updateTree,
  verifyInclusion,
  verifyStateProof,
} from '../src/index.ts';
import { nativeSigner, nativeVerifier } from '../src/native.ts';
import * as portableHash from '../src/sha256-portable.ts';

/** Keys in the state tree and entries in the log, both, before anything is measured. */
const ENTRIES = 1_000_000;
const BATCH = 1_000;
const PAGES_CACHED = 8_192;
/** Verifications under way at once, about those of two blocks. */
const BURST = 64;
const SCHEME = 'ml-dsa-44';

/** Deterministic, well spread numbers below `bound` (splitmix32), so that two runs measure the same work. */
function* numbersBelow(bound: number): Generator<number, never> {
  for (let state = 1; ; state = (state + 0x9e3779b9) | 0) {
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    yield ((mixed ^ (mixed >>> 15)) >>> 0) % bound;
  }
}

const keyOf = (number: number): Hash => sha256(uint64Bytes(number));

async function measureHashing(bench: Bench): Promise<void> {
  const [left, right] = [keyOf(1), keyOf(2)];
  const node = new Uint8Array(65);
  const record = new Uint8Array(250);
  await bench.measure('SHA-256, 65 bytes, node:crypto', { unit: 'hash' }, () => sha256(node));
  await bench.measure('SHA-256, 65 bytes, portable', { unit: 'hash' }, () => portableHash.sha256(node));
  await bench.measure('inner node of a tree', { unit: 'hash' }, () => nodeHash(left, right));
  await bench.measure('tagged hash, 250 bytes', { unit: 'hash' }, () => taggedHash('nacre/1/bench', record));
}

async function measureSigning(bench: Bench): Promise<void> {
  const seed = new Uint8Array(32).fill(7);
  const message = new Uint8Array(300);
  const context = 'nacre/1/bench';
  const [native, portable]: [Signer, Signer] = [nativeSigner(SCHEME, seed), portableSigner(SCHEME, seed)];
  const signed = { publicKey: native.publicKey, message, context, signature: await native.sign(message, context) };
  const verifiers: { native: Verifier; portable: Verifier } = { native: nativeVerifier(SCHEME), portable: portableVerifier(SCHEME) };

  const nativeSign = await bench.measure(`${SCHEME} sign, native`, { unit: 'signature' }, () => native.sign(message, context));
  const portableSign = await bench.measure(`${SCHEME} sign, portable`, { unit: 'signature' }, () => portable.sign(message, context));
  const verifyOne = await bench.measure(`${SCHEME} verify, native`, { unit: 'signature' }, () => verifiers.native.verify(signed));
  const burst = () => Promise.all(Array.from({ length: BURST }, () => verifiers.native.verify(signed)));
  const verifyBurst = await bench.measure(`${SCHEME} verify, native, ${BURST} at once`, { unit: 'signature', perIteration: BURST }, burst);
  const portableVerify = await bench.measure(`${SCHEME} verify, portable`, { unit: 'signature' }, () => verifiers.portable.verify(signed));
  const caching = createCachingVerifier(verifiers.native, { entriesMax: 1000 });
  await caching.verify(signed);
  await bench.measure(`${SCHEME} verify, known to the cache`, { unit: 'signature' }, () => caching.verify(signed));

  const ratio = (a: number, b: number): string => (a / b).toFixed(1);
  bench.note(
    `native over portable: signing ${ratio(portableSign, nativeSign)} times, verifying ${ratio(portableVerify, verifyOne)} times as fast`,
  );
  bench.note(`${BURST} verifications at once on the thread pool: ${ratio(verifyOne, verifyBurst)} times the rate of one after another`);
}

async function measureLog(bench: Bench): Promise<void> {
  const tiles = new Map<number, Uint8Array>();
  const readTile = (level: number, index: number) => tiles.get(level * 2 ** 40 + index);
  const store = (changed: readonly Tile[]): void => {
    for (const { level, index, bytes } of changed) tiles.set(level * 2 ** 40 + index, bytes);
  };
  const leaves = Array.from({ length: ENTRIES }, (_, i) => leafHash(uint64Bytes(i)));
  let log = appendToLog({ size: 0, readTile }, leaves);
  store(log.tiles);
  const batch = leaves.slice(0, BATCH);
  await bench.measure(`log of a million: append ${BATCH}`, { unit: 'leaf', iterations: 4, perIteration: BATCH }, () => {
    log = appendToLog({ size: log.size, readTile }, batch);
    store(log.tiles);
  });
  await bench.measure('log of a million: append one', { unit: 'leaf' }, () => {
    log = appendToLog({ size: log.size, readTile }, batch.slice(0, 1));
    store(log.tiles);
  });
  const { size, root } = log;
  const index = 123_456;
  const proof = inclusionProof({ size, readTile }, index);
  await bench.measure('log of a million: make an inclusion proof', { unit: 'proof' }, () => inclusionProof({ size, readTile }, index));
  const claim = { leafHash: leaves[index] as Hash, index, size, proof, root };
  await bench.measure('log of a million: verify it', { unit: 'proof' }, () => verifyInclusion(claim));
}

async function measureState(bench: Bench): Promise<void> {
  const stored = new Map<string, Uint8Array>();
  const cache = new PageCache({ pagesMax: PAGES_CACHED }, (id) => stored.get(id));
  let root: Hash = EMPTY_STATE_ROOT;
  let pagesWritten = 0;
  let bytesWritten = 0;
  const apply = (updates: readonly StateUpdate[]): void => {
    const updated = updateTree(cache, root, updates);
    root = updated.root;
    pagesWritten = updated.pages.length;
    bytesWritten = 0;
    for (const { id, page } of updated.pages) {
      if (page === null) {
        stored.delete(id);
      } else {
        const bytes = encodePage(page);
        stored.set(id, bytes);
        bytesWritten += bytes.length;
      }
    }
    cache.apply(updated.pages);
  };
  apply(Array.from({ length: ENTRIES }, (_, i) => ({ key: keyOf(i), valueHash: keyOf(i) })));

  const numbers = numbersBelow(ENTRIES);
  const someKeys = (): Hash[] => {
    const chosen = new Set<number>();
    while (chosen.size < BATCH) chosen.add(numbers.next().value);
    return [...chosen].map(keyOf);
  };
  const batches = Array.from({ length: 200 }, someKeys);
  let round = 0;
  const updateSome = (): void => {
    const valueHash = keyOf(ENTRIES + round);
    apply((batches[round++ % batches.length] as Hash[]).map((key) => ({ key, valueHash })));
  };
  // The cache is filled as it is on a node that has run for a while.
  for (let i = 0; i < batches.length; i++) updateSome();
  await bench.measure(
    `state of a million keys: update ${BATCH} at random`,
    { unit: 'key', iterations: 1, perIteration: BATCH },
    updateSome,
  );
  bench.note(`the last of these updates wrote ${pagesWritten} pages, ${Math.round(bytesWritten / 1024)} KiB; ${stored.size} pages in all`);
  const key = keyOf(123_456);
  const proven = proveKey(cache, root, key);
  await bench.measure('state of a million keys: make a proof', { unit: 'proof' }, () => proveKey(cache, root, key));
  await bench.measure('state of a million keys: verify it', { unit: 'proof' }, () => verifyStateProof({ root, key, ...proven }));
}

const suite: BenchmarkSuite = {
  name: 'crypto',
  async run(bench) {
    await measureHashing(bench);
    await measureSigning(bench);
    await measureLog(bench);
    await measureState(bench);
  },
};

export default suite;
