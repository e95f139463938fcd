import { expect, test } from 'vitest';
import { isNeeded } from '../src/needed-value.ts';

const hash = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);
const key = (prefix: number, rest: Uint8Array): Uint8Array => Uint8Array.of(prefix, ...rest);
const heightKey = (height: number): Uint8Array => key(4, Uint8Array.of(0, 0, 0, 0, 0, 0, 0, height));
/** Blocks from 10 to 12: each has its height as its hash, and 100 more as that of its transaction. */
const ledger = {
  tip: { height: 12 },
  firstHeight: 10,
  blockAt: (height: number) => ({ hash: hash(height), bodyHashes: [hash(height + 100)] }),
} as unknown as Parameters<typeof isNeeded>[1];

// @mutation packages/simulator/src/needed-value.ts
// - getBigUint64(0)) >= ledger.firstHeight;
// + getBigUint64(0)) >= 0;
// @mutation packages/simulator/src/needed-value.ts
// - return false;
// + return true;
// @mutation packages/simulator/src/needed-value.ts
// - if (!isOfBlocks) return true;
// + if (!isOfBlocks) return false;
test('blocks before the first one that a node has are not needed, and all else is', () => {
  expect([9, 10, 12, 13].map((height) => isNeeded(key(2, hash(height)), ledger))).toEqual([false, true, true, false]);
  expect([9, 10, 12, 13].map((height) => isNeeded(key(5, hash(height + 100)), ledger))).toEqual([false, true, true, false]);
  expect([9, 10].map((height) => isNeeded(heightKey(height), ledger))).toEqual([false, true]);
  expect([1, 6, 7, 8, 0x11].map((prefix) => isNeeded(key(prefix, hash(1)), ledger))).toEqual([true, true, true, true, true]);
});
