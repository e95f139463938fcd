import { AssertionError, concatBytes, type Hash, toHex, ZERO_HASH } from '@nacre/base';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { nodeHash, proveKey, type StateProof, type StateTerminal, sha256, stateLeafHash, verifyStateProof } from '../src/index.ts';
import { hashedKey, keyOf, naiveStateProof, StoredTree } from './state-oracle.ts';

const value = (number: number): Hash => sha256(Uint8Array.of(number));
const flip = (bytes: Hash, bit: number): Hash => bytes.map((byte, i) => (i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));

function treeOf(keys: readonly Uint8Array[]): StoredTree {
  const tree = new StoredTree();
  tree.update(keys.map((key, i) => ({ key, valueHash: value(i) })));
  return tree;
}

const anyKeys = fc
  .uniqueArray(
    fc.oneof(
      fc.nat({ max: 300 }).map(hashedKey),
      fc.tuple(fc.constantFrom(0, 1, 0x10), fc.nat({ max: 3 })).map(([a, b]) => keyOf(a).with(31, b)),
    ),
    {
      maxLength: 60,
      selector: toHex,
    },
  )
  .map(treeOf);
const anyKey = fc.oneof(
  fc.nat({ max: 300 }).map(hashedKey),
  fc.nat({ max: 4 }).map((end) => keyOf(1).with(31, end)),
);

describe('proving', () => {
  test('gives the proof of the definition, for every key, present or absent, and it verifies', () => {
    fc.assert(
      fc.property(anyKeys, anyKey, (tree, key) => {
        const proof = proveKey(tree, tree.root, key);
        expect(proof).toEqual(expect.objectContaining(naiveStateProof(tree.entries(), key)));
        const known = tree.values.get(toHex(key));
        const finding = verifyStateProof({ root: tree.root, key, proof });
        expect(finding).toEqual(known === undefined ? { present: false } : { present: true, valueHash: known });
      }),
    );
  });

  test('an empty tree proves that every key is absent', () => {
    const proof = proveKey({ get: () => undefined }, ZERO_HASH, keyOf(1));
    expect(proof).toEqual({ siblings: [], terminal: { kind: 'empty' } });
    expect(verifyStateProof({ root: ZERO_HASH, key: keyOf(1), proof })).toEqual({ present: false });
  });

  test('two keys that differ in their last bit only are told apart by 256 siblings', () => {
    const tree = treeOf([keyOf(), keyOf().with(31, 1)]);
    const proof = proveKey(tree, tree.root, keyOf());
    expect(proof.siblings).toHaveLength(256);
    expect(verifyStateProof({ root: tree.root, key: keyOf(), proof })).toEqual({ present: true, valueHash: value(0) });
  });

  test('fails by a typed error on a damaged store, and a key of another length is a bug', () => {
    const tree = treeOf(Array.from({ length: 50 }, (_, n) => hashedKey(n)));
    expect(() => proveKey({ get: () => undefined }, tree.root, hashedKey(1))).toThrow(expect.objectContaining({ code: 'PAGE_MISSING' }));
    expect(() => proveKey(tree, value(1), hashedKey(1))).toThrow(expect.objectContaining({ code: 'PAGE_DAMAGED' }));
    expect(() => proveKey(tree, tree.root, new Uint8Array(31))).toThrow(AssertionError);
  });
});

describe('verifying', () => {
  // @mutation packages/crypto/src/state-proof.ts
  // -   if (!bytesEqual(hash, root)) return null;
  // +
  test('a proof holds for one root, and no hash in it can change, go or be added', () => {
    fc.assert(
      fc.property(anyKeys, anyKey, fc.nat(), fc.nat({ max: 255 }), (tree, key, a, bit) => {
        const { root } = tree;
        const proof = proveKey(tree, root, key);
        const { siblings, terminal } = proof;
        const verify = (changed: Partial<StateProof>) => verifyStateProof({ root, key, proof: { siblings, terminal, ...changed } });
        expect(verifyStateProof({ root: flip(root, bit), key, proof })).toBeNull();
        expect(verify({ siblings: [...siblings, value(1)] })).toBeNull();
        expect(verify({ siblings: [...siblings, ZERO_HASH] })).toBeNull();
        if (terminal.kind === 'leaf') {
          expect(verify({ terminal: { ...terminal, valueHash: flip(terminal.valueHash, bit) } })).toBeNull();
          expect(verify({ terminal: { ...terminal, key: flip(terminal.key, bit) } })).toBeNull();
          expect(verify({ terminal: { kind: 'empty' } })).toBeNull();
        } else {
          expect(verify({ terminal: { kind: 'leaf', key, valueHash: value(1) } })).toBeNull();
        }
        if (siblings.length === 0) return;
        const at = a % siblings.length;
        expect(verify({ siblings: siblings.map((hash, i) => (i === at ? flip(hash, bit) : hash)) })).toBeNull();
        expect(verify({ siblings: siblings.toSpliced(at, 1) })).toBeNull();
      }),
    );
  });

  // @mutation packages/crypto/src/state-proof.ts
  // -     if (!sharesBits(terminal.key, key, depth)) return null;
  // +
  test('the proof of one key does not show another to be absent', () => {
    // A root that no honest tree has: the leaf of a key stands where the path of another one ends.
    const [left, right] = [keyOf(0x00), keyOf(0x80)];
    const terminal: StateTerminal = { kind: 'leaf', key: left, valueHash: value(1) };
    const leaf = stateLeafHash(left, value(1));
    const root = nodeHash(ZERO_HASH, leaf);
    expect(verifyStateProof({ root, key: right, proof: { siblings: [ZERO_HASH], terminal } })).toBeNull();
    const honest = treeOf([left, keyOf(0x40), right]);
    const proof = proveKey(honest, honest.root, left);
    expect(verifyStateProof({ root: honest.root, key: right, proof })).toBeNull();
  });

  // @mutation packages/crypto/src/state-proof.ts
  // -   if (terminal.kind === 'leaf' && bytesEqual(terminal.key, key)) return { present: true, valueHash: terminal.valueHash };
  // +   if (terminal.kind === 'leaf') return { present: true, valueHash: terminal.valueHash };
  test('another key alone in the subtree shows that the key is absent', () => {
    const tree = treeOf([keyOf(0x00), keyOf(0x80)]);
    const key = keyOf(0x81);
    const proof = proveKey(tree, tree.root, key);
    expect(proof.terminal).toEqual(expect.objectContaining({ kind: 'leaf', key: keyOf(0x80) }));
    expect(verifyStateProof({ root: tree.root, key, proof })).toEqual({ present: false });
  });

  test('an inner node is not taken for a leaf, nor a leaf for an inner node', () => {
    const tree = treeOf([keyOf(0x00), keyOf(0x80)]);
    const [left, right] = tree.entries().map(({ key, valueHash }) => stateLeafHash(key, valueHash)) as [Hash, Hash];
    expect(tree.root).toEqual(nodeHash(left, right));
    expect(
      verifyStateProof({ root: tree.root, key: left, proof: { siblings: [], terminal: { kind: 'leaf', key: left, valueHash: right } } }),
    ).toBeNull();
    expect(stateLeafHash(left, right)).toEqual(sha256(concatBytes(Uint8Array.of(0), left, right)));
  });

  test('malformed proofs are invalid, and nothing is thrown', () => {
    const tree = treeOf([keyOf(0x00), keyOf(0x80)]);
    const key = keyOf(0x00);
    const proof = proveKey(tree, tree.root, key);
    const short = value(1).subarray(1);
    const claim = { root: tree.root, key, proof };
    expect(verifyStateProof({ ...claim, root: short })).toBeNull();
    expect(verifyStateProof({ ...claim, key: short })).toBeNull();
    expect(verifyStateProof({ ...claim, proof: { ...proof, siblings: [short] } })).toBeNull();
    expect(verifyStateProof({ ...claim, proof: { ...proof, siblings: new Array<Hash>(257).fill(value(1)) } })).toBeNull();
    expect(verifyStateProof({ ...claim, proof: { ...proof, terminal: { kind: 'leaf', key: short, valueHash: value(0) } } })).toBeNull();
    expect(verifyStateProof({ ...claim, proof: { ...proof, terminal: { kind: 'leaf', key, valueHash: short } } })).toBeNull();
  });
});

test('wire format: the proofs of a known tree are pinned', () => {
  const tree = treeOf(Array.from({ length: 1000 }, (_, n) => hashedKey(n)));
  const text = (number: number): string => {
    const { siblings, terminal } = proveKey(tree, tree.root, hashedKey(number));
    const end = terminal.kind === 'leaf' ? toHex(sha256(concatBytes(terminal.key, terminal.valueHash))) : 'empty';
    return `${siblings.length} ${toHex(sha256(concatBytes(...siblings)))} ${end}`;
  };
  expect(text(7)).toBe(
    '10 f8b3a03e4cbcf6d1f284b5634b6f52adbe87841f0c0704e7362e56b1516ee03f ef9ac3ee02e516e7fe3f71a03bb9098035c44c5391f208eff2b0ce98d006fb6f',
  );
  expect(text(5000)).toBe(
    '10 89eae637395477d4bd508e1317fad2609497f39352aa136a226a1a5a6cde2ce1 ac2c91ca3c7ddd6db06bf9c4a0ba388f309c85a01b74f06ca466a637a74ed0f0',
  );
  expect(text(5003)).toBe('10 8b0104ff0bb51e5c4df00ec1f891460bfed09c7adbc885639e9b563f901b12f5 empty');
});
