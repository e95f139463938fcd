import { AssertionError, bytesEqual, type Hash, toHex, ZERO_HASH } from '@nacre/base';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decodePage,
  EMPTY_STATE_ROOT,
  encodePage,
  type StateUpdate,
  sha256,
  stateLeafHash,
  type UpdatedTree,
  updateTree,
} from '../src/index.ts';
import { hashedKey, keyOf, naiveStateRoot, StoredTree } from './state-oracle.ts';

const value = (number: number): Hash => sha256(Uint8Array.of(number));

/** Keys that crowd together: few half bytes at the start, then zeros, and differences in the last byte. */
const crowdedKey = fc
  .tuple(fc.array(fc.constantFrom(0x00, 0x01, 0x10, 0xff), { maxLength: 4 }), fc.constantFrom(0, 1, 2, 0x80))
  .map(([start, end]) => keyOf(...start).with(31, end));
const anyKey = fc.oneof(crowdedKey, fc.nat({ max: 60 }).map(hashedKey));
const anyUpdate: fc.Arbitrary<StateUpdate> = fc.record({ key: anyKey, valueHash: fc.option(fc.nat({ max: 5 }).map(value), { freq: 2 }) });
const anyBatch = fc.uniqueArray(anyUpdate, { maxLength: 40, selector: ({ key }) => toHex(key) });

describe('the root depends on the set of keys and values alone', () => {
  // @mutation packages/crypto/src/state-nodes.ts
  // -   if (leftKind + rightKind <= LEAF) {
  // +   if (leftKind + rightKind === 0) {
  // @mutation packages/crypto/src/state-tree.ts
  // -       if (order > 0) leaves.push(leaf);
  // +
  test('batches of puts and removals give the root, and the pages, of the naive tree', () => {
    fc.assert(
      fc.property(fc.array(anyBatch, { maxLength: 5 }), (batches) => {
        const tree = new StoredTree();
        for (const batch of batches) {
          tree.update(batch);
          expect(toHex(tree.root)).toBe(toHex(naiveStateRoot(tree.entries())));
        }
        const fresh = new StoredTree();
        fresh.update(tree.entries());
        expect(fresh.dump()).toEqual(tree.dump());
      }),
    );
  });

  test('one batch, or one key at a time in any order, gives the same tree', () => {
    fc.assert(
      fc.property(anyBatch, anyBatch, fc.infiniteStream(fc.nat()), (first, second, order) => {
        const batched = new StoredTree();
        batched.update(first);
        batched.update(second);
        const single = new StoredTree();
        single.update(first);
        const shuffled = second.map((update) => ({ update, rank: order.next().value })).sort((a, b) => a.rank - b.rank);
        for (const { update } of shuffled) single.update([update]);
        expect(toHex(single.root)).toBe(toHex(batched.root));
        expect(single.dump()).toEqual(batched.dump());
      }),
    );
  });

  test('what is put and removed again leaves no trace', () => {
    const tree = new StoredTree();
    tree.update([0, 1, 2].map((n) => ({ key: hashedKey(n), valueHash: value(n) })));
    const before = { root: tree.root, dump: tree.dump() };
    tree.update(Array.from({ length: 500 }, (_, n) => ({ key: hashedKey(n + 10), valueHash: value(1) })));
    tree.update(Array.from({ length: 500 }, (_, n) => ({ key: hashedKey(n + 10), valueHash: null })));
    expect(tree.root).toEqual(before.root);
    expect(tree.dump()).toEqual(before.dump);
    tree.update([0, 1, 2].map((n) => ({ key: hashedKey(n), valueHash: null })));
    expect(tree.root).toEqual(EMPTY_STATE_ROOT);
    expect(tree.pages.size).toBe(0);
  });

  test('a single key is its leaf hash', () => {
    const tree = new StoredTree();
    tree.update([{ key: keyOf(7), valueHash: value(1) }]);
    expect(tree.root).toEqual(stateLeafHash(keyOf(7), value(1)));
    expect([...tree.pages.keys()]).toEqual(['']);
  });

  test('keys that differ in their last bit only hang below 256 levels', () => {
    const tree = new StoredTree();
    tree.update([
      { key: keyOf(), valueHash: value(1) },
      { key: keyOf().with(31, 1), valueHash: value(2) },
    ]);
    expect(tree.root).toEqual(naiveStateRoot(tree.entries()));
    expect(tree.pages.size).toBe(1);
    tree.update([2, 3, 4].map((end) => ({ key: keyOf().with(31, end), valueHash: value(end) })));
    expect(tree.root).toEqual(naiveStateRoot(tree.entries()));
    expect(tree.pages.size).toBe(64);
    tree.update([0, 2, 3, 4].map((end) => ({ key: keyOf().with(31, end), valueHash: null })));
    expect(tree.root).toEqual(stateLeafHash(keyOf().with(31, 1), value(2)));
    expect(tree.pages.size).toBe(1);
  });

  // @mutation packages/crypto/src/state-tree.ts
  // -     this.pages.push({ id, page: null });
  // +
  // @mutation packages/crypto/src/state-tree.ts
  // - if (few === null || (id === '' && few.length > 0)) {
  // + if (few === null || few.length > 1 || (id === '' && few.length > 0)) {
  test('a slot gets a page with its fifth key, and loses it again', () => {
    const tree = new StoredTree();
    const key = (n: number) => keyOf(0x70 + n, 5);
    for (let count = 1; count <= 6; count++) {
      tree.update([{ key: key(count), valueHash: value(count) }]);
      expect(tree.pages.size).toBe(count <= 4 ? 1 : 2);
    }
    for (let count = 5; count >= 0; count--) {
      tree.update([{ key: key(count + 1), valueHash: null }]);
      expect(tree.pages.size).toBe(count <= 4 ? Math.min(count, 1) : 2);
      expect(tree.root).toEqual(naiveStateRoot(tree.entries()));
    }
  });
});

describe('what an update returns', () => {
  test('names no page if nothing changes', () => {
    const tree = new StoredTree();
    tree.update(Array.from({ length: 50 }, (_, n) => ({ key: hashedKey(n), valueHash: value(n) })));
    expect(tree.update([])).toEqual([]);
    expect(tree.update(Array.from({ length: 50 }, (_, n) => ({ key: hashedKey(n), valueHash: value(n) })))).toEqual([]);
    expect(tree.update([{ key: hashedKey(99), valueHash: null }])).toEqual([]);
    expect(new StoredTree().update([{ key: hashedKey(99), valueHash: null }])).toEqual([]);
  });

  test('names each page of a path once, however many keys share it', () => {
    const tree = new StoredTree();
    const first = tree.update(Array.from({ length: 300 }, (_, n) => ({ key: hashedKey(n), valueHash: value(1) })));
    expect(first.toSorted()).toEqual([...tree.pages.keys()].toSorted());
    expect(new Set(first).size).toBe(first.length);
    const second = tree.update(Array.from({ length: 300 }, (_, n) => ({ key: hashedKey(n), valueHash: value(2) })));
    expect(second.toSorted()).toEqual(first.toSorted());
  });

  test('leaves the pages it read as they were, so that it can be dropped', () => {
    const tree = new StoredTree();
    tree.update(Array.from({ length: 300 }, (_, n) => ({ key: hashedKey(n), valueHash: value(1) })));
    const before = [...tree.pages].map(([id, page]) => `${id}:${toHex(encodePage(page))}:${toHex(page.nodes ?? ZERO_HASH)}`);
    updateTree(
      tree,
      tree.root,
      Array.from({ length: 200 }, (_, n) => ({ key: hashedKey(n), valueHash: n % 2 === 0 ? null : value(3) })),
    );
    expect([...tree.pages].map(([id, page]) => `${id}:${toHex(encodePage(page))}:${toHex(page.nodes ?? ZERO_HASH)}`)).toEqual(before);
  });

  test('pages read back from their bytes serve as well as those kept', () => {
    const kept = new StoredTree();
    const stored = new StoredTree();
    for (let round = 0; round < 5; round++) {
      const updates = Array.from({ length: 100 }, (_, n) => ({
        key: hashedKey(n * (round + 1)),
        valueHash: (n + round) % 7 === 0 ? null : value(round),
      }));
      kept.update(updates);
      stored.update(updates);
      expect(stored.root).toEqual(kept.root);
      for (const [id, page] of stored.pages) {
        const decoded = decodePage(id, Buffer.from(encodePage(page)));
        if (!decoded.ok) throw new Error(JSON.stringify(decoded.error));
        stored.pages.set(id, decoded.value);
      }
    }
  });

  test('a key twice in a batch, or of another length, is a bug', () => {
    const tree = new StoredTree();
    const update = { key: keyOf(1), valueHash: value(1) };
    expect(() => tree.update([update, { ...update, valueHash: null }])).toThrow(AssertionError);
    expect(() => tree.update([{ key: new Uint8Array(31), valueHash: null }])).toThrow(AssertionError);
    expect(() => tree.update([{ key: keyOf(1), valueHash: new Uint8Array(31) }])).toThrow(AssertionError);
    expect(() => stateLeafHash(keyOf(1), new Uint8Array(33))).toThrow(AssertionError);
  });
});

describe('a damaged store', () => {
  function someTree(): StoredTree {
    const tree = new StoredTree();
    tree.update(Array.from({ length: 200 }, (_, n) => ({ key: hashedKey(n), valueHash: value(1) })));
    return tree;
  }

  const touchAll = (tree: StoredTree): UpdatedTree =>
    updateTree(
      tree,
      tree.root,
      Array.from({ length: 200 }, (_, n) => ({ key: hashedKey(n), valueHash: value(2) })),
    );

  test('any missing page is found when it is needed', () => {
    for (const id of someTree().pages.keys()) {
      const tree = someTree();
      tree.pages.delete(id);
      expect(() => touchAll(tree)).toThrow(expect.objectContaining({ code: 'PAGE_MISSING', fields: { id, reason: 'is missing' } }));
    }
  });

  // @mutation packages/crypto/src/state-tree.ts
  // -   if (!nodeHasHash(nodes, ROOT_NODE, hash)) throw pageError('PAGE_DAMAGED', id, 'is not the one that the page above it names');
  // +
  test('any flipped bit of any page is found, or was not needed and is written right', () => {
    const tree = someTree();
    const { root, pages } = touchAll(tree);
    const written = pages.map(({ id, page }) => `${id}:${page === null ? '' : toHex(encodePage(page))}`);
    let found = 0;
    for (const [id, page] of tree.pages) {
      for (let at = 0; at < page.bytes.length; at += 61) {
        const bytes = page.bytes.map((byte, i) => (i === at ? byte ^ 0x10 : byte));
        const decoded = decodePage(id, bytes);
        if (!decoded.ok) continue;
        tree.pages.set(id, decoded.value);
        try {
          const after = touchAll(tree);
          expect(after.root).toEqual(root);
          expect(after.pages.map((change) => `${change.id}:${change.page === null ? '' : toHex(encodePage(change.page))}`)).toEqual(
            written,
          );
        } catch (error) {
          expect(error).toEqual(expect.objectContaining({ code: 'PAGE_DAMAGED' }));
          found++;
        }
      }
      tree.pages.set(id, page);
    }
    expect(found).toBeGreaterThan(100);
  });

  test('a flipped bit is found in every quarter that an update leaves alone', () => {
    const tree = new StoredTree();
    tree.update(Array.from({ length: 16 }, (_, n) => ({ key: keyOf(n * 16), valueHash: value(1) })));
    const page = tree.get('');
    if (page === undefined) throw new Error('the tree has a root page');
    // The hashes of the four quarters follow the five bytes of the head; slot 0 lies in the first.
    for (let quarter = 1; quarter < 4; quarter++) {
      const bytes = page.bytes.map((byte, i) => (i === 5 + 32 * quarter ? byte ^ 1 : byte));
      tree.pages.set('', { bytes });
      expect(() => updateTree(tree, tree.root, [{ key: keyOf(0), valueHash: value(2) }])).toThrow(
        expect.objectContaining({ code: 'PAGE_DAMAGED' }),
      );
    }
  });

  test('an older version of a page is not taken for the present one', () => {
    const tree = someTree();
    const old = tree.get('0');
    if (old === undefined) throw new Error('the tree has a page 0');
    tree.update(Array.from({ length: 200 }, (_, n) => ({ key: hashedKey(n), valueHash: value(2) })));
    tree.pages.set('0', old);
    expect(() => touchAll(tree)).toThrow(expect.objectContaining({ code: 'PAGE_DAMAGED', fields: expect.objectContaining({ id: '0' }) }));
  });
});

test('wire format: the root of a known tree and the bytes of its pages are pinned', () => {
  const tree = new StoredTree();
  tree.update(Array.from({ length: 1000 }, (_, n) => ({ key: hashedKey(n), valueHash: value(n) })));
  expect(toHex(tree.root)).toBe('1a68c70e3415f2220162a2a4605c8078f889026d8bd2ac604081436fa7b70d1a');
  const pages = [...tree.pages].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, page]) => sha256(encodePage(page)));
  expect(pages).toHaveLength(102);
  expect(toHex(sha256(Buffer.concat(pages)))).toBe('c70b6369755339552cd3302acb8b1e84ea9fd3df5bb372f2bdbcf5025a41adb8');
  expect(bytesEqual(tree.root, naiveStateRoot(tree.entries()))).toBe(true);
});
