import { AssertionError, fromHex, type Hash, toHex } from '@nacre/base';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EMPTY_LOG_ROOT, leafHash, logRoot, nodeHash, verifyConsistency, verifyInclusion } from '../src/index.ts';
import { naiveConsistency, naiveInclusion, naiveRoot, someLeaves } from './log-oracle.ts';

/** Entries and roots of the reference tree in the tests of google/certificate-transparency (merkletree). */
const CT_ENTRIES = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'];
const CT_ROOTS = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];

const MAX = 70;
const leaves = someLeaves(MAX);
const roots = Array.from({ length: MAX + 1 }, (_, size) => naiveRoot(leaves.slice(0, size)));
const rootOf = (size: number): Hash => roots[size] as Hash;
const leafOf = (index: number): Hash => leaves[index] as Hash;

/** A claim with one bit of one hash, or one number, other than it should be. */
const spoil = (bytes: Hash): Hash => bytes.map((byte, i) => (i === 0 ? byte ^ 1 : byte));

describe('log root', () => {
  // @mutation packages/crypto/src/log-tree.ts
  // - const LEAF_PREFIX = Uint8Array.of(0x00);
  // + const LEAF_PREFIX = Uint8Array.of(0x02);
  // @mutation packages/crypto/src/log-tree.ts
  // - const NODE_PREFIX = 0x01;
  // + const NODE_PREFIX = 0x00;
  test('roots are those of the certificate transparency reference tree', () => {
    const hashes = CT_ENTRIES.map((hex) => leafHash(fromHex(hex) as Uint8Array));
    const found = CT_ROOTS.map((_, size) => toHex(logRoot(hashes.slice(0, size))));
    expect(found).toEqual(CT_ROOTS);
  });

  test('building level by level gives the tree of the definition at every size', () => {
    for (let size = 0; size <= MAX; size++) expect(logRoot(leaves.slice(0, size))).toEqual(rootOf(size));
  });

  test('a child that is no hash is a bug', () => {
    expect(() => nodeHash(leafOf(0), new Uint8Array(31))).toThrow(AssertionError);
    expect(() => nodeHash(new Uint8Array(33), leafOf(0))).toThrow(AssertionError);
  });
});

describe('inclusion', () => {
  // @mutation packages/crypto/src/log-proof.ts
  // -       // A last node without a right sibling is carried up unchanged; those levels have no entry in the proof.
  // -       while (position % 2 === 0 && position !== 0) {
  // +       while (false) {
  test('every entry of every size is proven', () => {
    for (let size = 1; size <= MAX; size++) {
      for (let index = 0; index < size; index++) {
        const proof = naiveInclusion(index, leaves.slice(0, size));
        expect(verifyInclusion({ leafHash: leafOf(index), index, size, proof, root: rootOf(size) })).toBe(true);
      }
    }
  });

  // @mutation packages/crypto/src/log-proof.ts
  // -   return last === 0 && bytesEqual(root, claim.root);
  // +   return last === 0;
  // @mutation packages/crypto/src/log-proof.ts
  // -   return last === 0 && bytesEqual(root, claim.root);
  // +   return bytesEqual(root, claim.root);
  test('a proof is for one index, size, leaf and root, and none of its hashes can change, go or be added', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: MAX }), fc.nat(), fc.nat(), (size, a, b) => {
        const index = a % size;
        const claim = { leafHash: leafOf(index), index, size, proof: naiveInclusion(index, leaves.slice(0, size)), root: rootOf(size) };
        const { proof } = claim;
        expect(verifyInclusion(claim)).toBe(true);
        expect(verifyInclusion({ ...claim, leafHash: spoil(claim.leafHash) })).toBe(false);
        expect(verifyInclusion({ ...claim, root: spoil(claim.root) })).toBe(false);
        expect(verifyInclusion({ ...claim, proof: [...proof, leafOf(0)] })).toBe(false);
        if (size > 1) expect(verifyInclusion({ ...claim, index: (index + 1 + (b % (size - 1))) % size })).toBe(false);
        if (proof.length === 0) return;
        const at = b % proof.length;
        expect(verifyInclusion({ ...claim, proof: proof.map((hash, i) => (i === at ? spoil(hash) : hash)) })).toBe(false);
        expect(verifyInclusion({ ...claim, proof: proof.toSpliced(at, 1) })).toBe(false);
      }),
    );
  });

  // @mutation packages/crypto/src/log-proof.ts
  // -   if (!isSize(index) || !isSize(size) || index >= size) return false;
  // +   if (!isSize(index) || !isSize(size)) return false;
  test('an index at or beyond the size is not in the log', () => {
    expect(verifyInclusion({ leafHash: leafOf(0), index: 1, size: 1, proof: [], root: rootOf(1) })).toBe(false);
    expect(verifyInclusion({ leafHash: EMPTY_LOG_ROOT, index: 0, size: 0, proof: [], root: EMPTY_LOG_ROOT })).toBe(false);
  });

  test.each([Number.NaN, -1, 0.5, Infinity, 2 ** 53, 2 ** 60])('index or size %d is refused', (number) => {
    const claim = { leafHash: leafOf(0), index: 0, size: 2, proof: [leafOf(1)], root: rootOf(2) };
    expect(verifyInclusion(claim)).toBe(true);
    expect(verifyInclusion({ ...claim, index: number })).toBe(false);
    expect(verifyInclusion({ ...claim, size: number })).toBe(false);
  });

  test('hashes of wrong length and endless proofs are refused', () => {
    const claim = { leafHash: leafOf(0), index: 0, size: 2, proof: [leafOf(1)], root: rootOf(2) };
    expect(verifyInclusion({ ...claim, leafHash: leafOf(0).subarray(1) })).toBe(false);
    expect(verifyInclusion({ ...claim, proof: [leafOf(1).subarray(1)] })).toBe(false);
    expect(verifyInclusion({ ...claim, root: rootOf(2).subarray(1) })).toBe(false);
    expect(verifyInclusion({ ...claim, size: Number.MAX_SAFE_INTEGER, proof: new Array<Hash>(54).fill(leafOf(1)) })).toBe(false);
  });

  test('sizes beyond 32 bits are computed exactly', () => {
    // The last entry of a log of 2^40 + 1 stands alone beside the perfect tree of all others.
    const left = leafOf(3);
    const claim = { leafHash: leafOf(0), index: 2 ** 40, size: 2 ** 40 + 1, proof: [left], root: nodeHash(left, leafOf(0)) };
    expect(verifyInclusion(claim)).toBe(true);
    expect(verifyInclusion({ ...claim, index: 2 ** 40 - 1 })).toBe(false);
  });
});

describe('consistency', () => {
  // @mutation packages/crypto/src/log-proof.ts
  // -   const path = position === 0 ? [oldRoot, ...proof] : proof;
  // +   const path = proof;
  test('every size is a prefix of every later one', () => {
    for (let newSize = 1; newSize <= MAX; newSize++) {
      for (let oldSize = 1; oldSize <= newSize; oldSize++) {
        const proof = naiveConsistency(oldSize, leaves.slice(0, newSize));
        expect(verifyConsistency({ oldSize, oldRoot: rootOf(oldSize), newSize, newRoot: rootOf(newSize), proof })).toBe(true);
      }
    }
  });

  test('the empty log is a prefix of every log, by the empty proof and its own root only', () => {
    const claim = { oldSize: 0, oldRoot: EMPTY_LOG_ROOT, newSize: 5, newRoot: rootOf(5), proof: [] };
    expect(verifyConsistency(claim)).toBe(true);
    expect(verifyConsistency({ ...claim, oldRoot: rootOf(1) })).toBe(false);
    expect(verifyConsistency({ ...claim, proof: [rootOf(1)] })).toBe(false);
  });

  // @mutation packages/crypto/src/log-proof.ts
  // -   if (oldSize === newSize) return proof.length === 0 && bytesEqual(oldRoot, newRoot);
  // +   if (oldSize === newSize) return proof.length === 0;
  test('one size has one root', () => {
    expect(verifyConsistency({ oldSize: 5, oldRoot: rootOf(5), newSize: 5, newRoot: rootOf(5), proof: [] })).toBe(true);
    expect(verifyConsistency({ oldSize: 5, oldRoot: rootOf(5), newSize: 5, newRoot: rootOf(6), proof: [] })).toBe(false);
    expect(verifyConsistency({ oldSize: 5, oldRoot: rootOf(5), newSize: 5, newRoot: rootOf(5), proof: [rootOf(1)] })).toBe(false);
  });

  // @mutation packages/crypto/src/log-proof.ts
  // -   return last === 0 && bytesEqual(oldFold, oldRoot) && bytesEqual(newFold, newRoot);
  // +   return last === 0 && bytesEqual(newFold, newRoot);
  // @mutation packages/crypto/src/log-proof.ts
  // -   return last === 0 && bytesEqual(oldFold, oldRoot) && bytesEqual(newFold, newRoot);
  // +   return last === 0 && bytesEqual(oldFold, oldRoot);
  // @mutation packages/crypto/src/log-proof.ts
  // -   return last === 0 && bytesEqual(oldFold, oldRoot) && bytesEqual(newFold, newRoot);
  // +   return bytesEqual(oldFold, oldRoot) && bytesEqual(newFold, newRoot);
  test('a proof is for one pair of sizes and roots, and none of its hashes can change, go or be added', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: MAX }), fc.nat(), fc.nat(), (newSize, a, b) => {
        const oldSize = 1 + (a % (newSize - 1));
        const proof = naiveConsistency(oldSize, leaves.slice(0, newSize));
        const claim = { oldSize, oldRoot: rootOf(oldSize), newSize, newRoot: rootOf(newSize), proof };
        expect(verifyConsistency(claim)).toBe(true);
        expect(verifyConsistency({ ...claim, oldRoot: spoil(claim.oldRoot) })).toBe(false);
        expect(verifyConsistency({ ...claim, newRoot: spoil(claim.newRoot) })).toBe(false);
        expect(verifyConsistency({ ...claim, oldSize: newSize, newSize: oldSize })).toBe(false);
        expect(verifyConsistency({ ...claim, newSize: 4 * newSize })).toBe(false);
        expect(verifyConsistency({ ...claim, proof: [...proof, leafOf(0)] })).toBe(false);
        expect(verifyConsistency({ ...claim, proof: [] })).toBe(false);
        const at = b % proof.length;
        expect(verifyConsistency({ ...claim, proof: proof.map((hash, i) => (i === at ? spoil(hash) : hash)) })).toBe(false);
        expect(verifyConsistency({ ...claim, proof: proof.toSpliced(at, 1) })).toBe(false);
      }),
    );
  });

  test('a rewritten entry breaks the proof', () => {
    const rewritten = leaves.with(2, leafHash(Uint8Array.of(99)));
    const proof = naiveConsistency(5, rewritten.slice(0, 9));
    expect(verifyConsistency({ oldSize: 5, oldRoot: rootOf(5), newSize: 9, newRoot: naiveRoot(rewritten.slice(0, 9)), proof })).toBe(false);
  });

  test('malformed claims are refused', () => {
    const claim = { oldSize: 1, oldRoot: rootOf(1), newSize: 2, newRoot: rootOf(2), proof: [leafOf(1)] };
    expect(verifyConsistency(claim)).toBe(true);
    for (const number of [Number.NaN, -1, 0.5, 2 ** 53]) {
      expect(verifyConsistency({ ...claim, oldSize: number })).toBe(false);
      expect(verifyConsistency({ ...claim, newSize: number })).toBe(false);
    }
    expect(verifyConsistency({ ...claim, oldRoot: rootOf(1).subarray(1) })).toBe(false);
    expect(verifyConsistency({ ...claim, newRoot: rootOf(2).subarray(1) })).toBe(false);
    expect(verifyConsistency({ ...claim, proof: [leafOf(1).subarray(1)] })).toBe(false);
    expect(verifyConsistency({ ...claim, newSize: Number.MAX_SAFE_INTEGER, proof: new Array<Hash>(55).fill(leafOf(1)) })).toBe(false);
  });
});

test('fuzz: no claim makes the verifiers throw, and none made at random holds', () => {
  const hash = fc.uint8Array({ minLength: 30, maxLength: 33 });
  const number = fc.oneof(fc.nat({ max: 20 }), fc.double(), fc.maxSafeInteger());
  const proofs = fc.array(hash, { maxLength: 60 });
  fc.assert(
    fc.property(number, number, hash, hash, proofs, (first, second, one, other, proof) => {
      expect(verifyInclusion({ leafHash: one, index: first, size: second, proof, root: other })).toBe(false);
      expect(verifyConsistency({ oldSize: first, oldRoot: one, newSize: second + 1, newRoot: other, proof })).toBe(false);
    }),
  );
});
