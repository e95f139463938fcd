import { AssertionError, concatBytes, type Hash, toHex, ZERO_HASH } from '@nacre/base';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { proveKey, type StateClaim, type StateProof, sha256, verifyStateProof } from '../src/index.ts';
import { hashedKey, keyOf, naiveStateProof, StoredTree } from './state-oracle.ts';

const value = (number: number): Hash => sha256(Uint8Array.of(number));
const flip = (bytes: Hash, bit: number): Hash => bytes.map((byte, i) => (i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));

function treeOf(keys: readonly Uint8Array[]): StoredTree {
  const tree = new StoredTree();
  tree.update(keys.map((key, i) => ({ key, valueHash: value(i) })));
  return tree;
}

const hashedKeys = (count: number): Uint8Array[] => Array.from({ length: count }, (_, n) => hashedKey(n));

const crowdedKey = fc.tuple(fc.constantFrom(0, 1, 0x10), fc.nat({ max: 70 })).map(([start, end]) => keyOf(start).with(31, end));
const anyKey = fc.oneof(fc.nat({ max: 300 }).map(hashedKey), crowdedKey);
const anyTree = fc.uniqueArray(anyKey, { maxLength: 150, size: 'max', selector: toHex }).map(treeOf);

/** Why a claim is told from others: the tree, and what is altered in its proof. */
function altered(
  tree: StoredTree,
  key: Uint8Array,
): (change: Partial<Omit<StateClaim, 'proof'>> & { proof?: Partial<StateProof> }) => boolean {
  const proven = proveKey(tree, tree.root, key);
  return ({ proof, ...change }) =>
    verifyStateProof({ root: tree.root, key, valueHash: proven.valueHash, ...change, proof: { ...proven.proof, ...proof } });
}

describe('proving', () => {
  test('gives the proof of the definition, for every key, present or absent, and it verifies', () => {
    fc.assert(
      fc.property(anyTree, anyKey, (tree, key) => {
        const { valueHash, proof } = proveKey(tree, tree.root, key);
        expect(proof).toEqual(naiveStateProof(tree.entries(), key));
        expect(valueHash).toEqual(tree.values.get(toHex(key)) ?? null);
        expect(verifyStateProof({ root: tree.root, key, valueHash, proof })).toBe(true);
      }),
    );
  });

  test('an empty tree proves that every key is absent', () => {
    const proven = proveKey({ get: () => undefined }, ZERO_HASH, keyOf(1));
    expect(proven).toEqual({ valueHash: null, proof: { siblings: [], others: [] } });
    expect(verifyStateProof({ root: ZERO_HASH, key: keyOf(1), ...proven })).toBe(true);
  });

  test('keys that differ in their last half byte only are told apart by 252 siblings', () => {
    const tree = treeOf(Array.from({ length: 33 }, (_, end) => keyOf().with(31, end)));
    const proven = proveKey(tree, tree.root, keyOf());
    expect(proven.proof.siblings).toHaveLength(252);
    expect(proven.proof.others).toHaveLength(15);
    expect(verifyStateProof({ root: tree.root, key: keyOf(), ...proven })).toBe(true);
  });

  test('fails by a typed error on a damaged store, and a key of another length is a bug', () => {
    const tree = treeOf(hashedKeys(50));
    expect(() => proveKey({ get: () => undefined }, tree.root, hashedKey(1))).toThrow(expect.objectContaining({ code: 'PAGE_MISSING' }));
    expect(() => proveKey(tree, value(1), hashedKey(1))).toThrow(expect.objectContaining({ code: 'PAGE_DAMAGED' }));
    expect(() => proveKey(tree, tree.root, new Uint8Array(31))).toThrow(AssertionError);
  });
});

describe('verifying', () => {
  // @mutation packages/crypto/src/state-proof.ts
  // -   return bytesEqual(hash, root);
  // +   return true;
  test('a proof holds for one root and one claim, and nothing in it can change, go or be added', () => {
    fc.assert(
      fc.property(anyTree, anyKey, fc.nat(), fc.nat({ max: 255 }), (tree, key, a, bit) => {
        const verify = altered(tree, key);
        const { valueHash, proof } = proveKey(tree, tree.root, key);
        const { siblings, others } = proof;
        expect(verify({ root: flip(tree.root, bit) })).toBe(false);
        expect(verify({ valueHash: valueHash === null ? value(1) : null })).toBe(false);
        if (valueHash !== null) expect(verify({ valueHash: flip(valueHash, bit) })).toBe(false);
        for (const added of [value(1), ZERO_HASH]) {
          for (const count of [1, 4]) {
            expect(verify({ proof: { siblings: [...siblings, ...new Array<Hash>(count).fill(added)] } })).toBe(false);
            expect(verify({ proof: { siblings: [...new Array<Hash>(count).fill(added), ...siblings] } })).toBe(false);
          }
        }
        const extra = { key: hashedKey(999), valueHash: value(1) };
        expect(verify({ proof: { others: [...others, extra] } })).toBe(false);
        if (others.length > 0) {
          const at = a % others.length;
          const other = others[at] as (typeof others)[number];
          expect(verify({ proof: { others: others.toSpliced(at, 1) } })).toBe(false);
          expect(verify({ proof: { others: others.with(at, { ...other, key: flip(other.key, bit) }) } })).toBe(false);
          expect(verify({ proof: { others: others.with(at, { ...other, valueHash: flip(other.valueHash, bit) }) } })).toBe(false);
        }
        if (others.length > 1) expect(verify({ proof: { others: others.toReversed() } })).toBe(false);
        if (siblings.length === 0) return;
        const at = a % siblings.length;
        expect(verify({ proof: { siblings: siblings.with(at, flip(siblings[at] as Hash, bit)) } })).toBe(false);
        expect(verify({ proof: { siblings: siblings.toSpliced(at, 1) } })).toBe(false);
        expect(verify({ proof: { siblings: siblings.slice(4) } })).toBe(false);
        expect(verify({ proof: { siblings: siblings.slice(0, -4) } })).toBe(false);
      }),
    );
  });

  // @mutation packages/crypto/src/state-proof.ts
  // -   if (others.some((leaf) => bytesEqual(leaf.key, key))) return null;
  // +
  test('a key that stands in the bucket is not shown to be absent', () => {
    const tree = treeOf(hashedKeys(40));
    const { valueHash, proof } = proveKey(tree, tree.root, hashedKey(7));
    const others = [...proof.others, { key: hashedKey(7), valueHash: valueHash ?? ZERO_HASH }].toSorted((x, y) =>
      toHex(x.key) < toHex(y.key) ? -1 : 1,
    );
    expect(verifyStateProof({ root: tree.root, key: hashedKey(7), valueHash: null, proof: { ...proof, others } })).toBe(false);
  });

  test('the proof of one key shows nothing of another whose path goes elsewhere', () => {
    const tree = treeOf(Array.from({ length: 64 }, (_, n) => keyOf(n * 4)));
    const { proof } = proveKey(tree, tree.root, keyOf(0x01));
    expect(verifyStateProof({ root: tree.root, key: keyOf(0x01), valueHash: null, proof })).toBe(true);
    expect(verifyStateProof({ root: tree.root, key: keyOf(0x02), valueHash: null, proof })).toBe(true);
    expect(verifyStateProof({ root: tree.root, key: keyOf(0x41), valueHash: null, proof })).toBe(false);
  });

  // @mutation packages/crypto/src/state-proof.ts
  // -   if (valueHash === null && others.length === 0 && depth > 0 && siblings.slice(-BRANCH_LEVELS).every(isEmptyHash)) return false;
  // +
  test('an empty place is shown where the path ends, not deeper', () => {
    const tree = treeOf(Array.from({ length: 33 }, (_, n) => keyOf(0x10).with(31, n)));
    const verify = altered(tree, keyOf(0xf0));
    const { siblings } = proveKey(tree, tree.root, keyOf(0xf0)).proof;
    expect(siblings).toHaveLength(4);
    expect(verify({})).toBe(true);
    expect(verify({ proof: { siblings: [...siblings, ZERO_HASH, ZERO_HASH, ZERO_HASH, ZERO_HASH] } })).toBe(false);
    expect(altered(new StoredTree(), keyOf(1))({ proof: { siblings: [ZERO_HASH, ZERO_HASH, ZERO_HASH, ZERO_HASH] } })).toBe(false);
  });

  test('a branch is not taken for a bucket, nor a bucket for a branch', () => {
    const tree = treeOf(hashedKeys(200));
    const levels = proveKey(tree, tree.root, hashedKey(3)).proof.siblings;
    const left = levels[0] as Hash;
    expect(verifyStateProof({ root: tree.root, key: left, valueHash: levels[1] as Hash, proof: { siblings: [], others: [] } })).toBe(false);
    const bucket = sha256(concatBytes(Uint8Array.of(0), left, value(1)));
    expect(verifyStateProof({ root: bucket, key: left, valueHash: value(1), proof: { siblings: [], others: [] } })).toBe(true);
  });

  // @mutation packages/crypto/src/state-proof.ts
  // -   if (count > BUCKET_LEAVES_MAX) return null;
  // +
  // @mutation packages/crypto/src/state-proof.ts
  // - depth > STATE_PROOF_SIBLINGS_MAX || depth % BRANCH_LEVELS !== 0 ||
  // + depth > STATE_PROOF_SIBLINGS_MAX ||
  test('a bucket of too many keys and a path that ends within a branch are invalid, whatever their hash', () => {
    const leaves = Array.from({ length: 33 }, (_, n) => ({ key: keyOf(n + 1), valueHash: value(n) }));
    const root = sha256(concatBytes(Uint8Array.of(0), ...leaves.flatMap((leaf) => [leaf.key, leaf.valueHash])));
    expect(verifyStateProof({ root, key: keyOf(99), valueHash: null, proof: { siblings: [], others: leaves } })).toBe(false);
    const bucket = sha256(concatBytes(Uint8Array.of(0), keyOf(1), value(1)));
    const joined = sha256(concatBytes(Uint8Array.of(1), bucket, value(2)));
    const claim = { key: keyOf(1), valueHash: value(1) };
    expect(verifyStateProof({ ...claim, root: joined, proof: { siblings: [value(2)], others: [] } })).toBe(false);
  });

  test('malformed proofs are invalid, and nothing is thrown', () => {
    const tree = treeOf(hashedKeys(40));
    const verify = altered(tree, hashedKey(0));
    const short = value(1).subarray(1);
    expect(verify({})).toBe(true);
    expect(verify({ root: short })).toBe(false);
    expect(verify({ key: short })).toBe(false);
    expect(verify({ valueHash: short })).toBe(false);
    expect(verify({ proof: { siblings: new Array<Hash>(4).fill(short) } })).toBe(false);
    expect(verify({ proof: { siblings: new Array<Hash>(260).fill(value(1)) } })).toBe(false);
    expect(verify({ proof: { others: [{ key: short, valueHash: value(0) }] } })).toBe(false);
    expect(verify({ proof: { others: [{ key: value(0), valueHash: short }] } })).toBe(false);
  });
});

test('wire format: the proofs of a known tree are pinned', () => {
  const tree = treeOf(hashedKeys(1000));
  const text = (number: number): string => {
    const { valueHash, proof } = proveKey(tree, tree.root, hashedKey(number));
    const others = proof.others.flatMap((leaf) => [leaf.key, leaf.valueHash]);
    return `${proof.siblings.length} ${proof.others.length} ${toHex(sha256(concatBytes(...proof.siblings, ...others)))} ${valueHash !== null}`;
  };
  expect(text(7)).toBe('8 3 ecf043212950c137a0ee56966d3206aa68b9e31c07b29b9c134b924a949dc348 true');
  expect(text(5000)).toBe('8 6 109cddbae880f0dd88a1b88f147352ab340c1fcc6e099d131a46e67c8c45d8ab false');
});
