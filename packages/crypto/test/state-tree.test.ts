import { AssertionError, bytesEqual, concatBytes, type Hash, toHex } from '@nacre/base';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  BUCKET_LEAVES_MAX,
  buildSubtree,
  decodePage,
  EMPTY_STATE_ROOT,
  encodePage,
  pageHash,
  type StateUpdate,
  sha256,
  type UpdatedTree,
  updateTree,
} from '../src/index.ts';
import { hashedKey, keyOf, naiveStateRoot, StoredTree } from './state-oracle.ts';

const value = (number: number): Hash => sha256(Uint8Array.of(number));

/** Keys that crowd together: few half bytes at the start, then zeros, and differences in the last byte. */
const crowdedKey = fc
  .tuple(fc.array(fc.constantFrom(0x00, 0x10), { maxLength: 2 }), fc.nat({ max: 70 }))
  .map(([start, end]) => keyOf(...start).with(31, end));
const anyKey = fc.oneof(crowdedKey, fc.nat({ max: 300 }).map(hashedKey));
const anyUpdate: fc.Arbitrary<StateUpdate> = fc.record({ key: anyKey, valueHash: fc.option(fc.nat({ max: 5 }).map(value), { freq: 2 }) });
const anyBatch = fc.uniqueArray(anyUpdate, { maxLength: 150, size: 'max', selector: ({ key }) => toHex(key) });

describe('the root depends on the set of keys and values alone', () => {
  // @mutation packages/crypto/src/state-page.ts
  // -   if (any === 0) nodes.fill(0, node * HASH_BYTES, (node + 1) * HASH_BYTES);
  // +   if (any < 0) nodes.fill(0, node * HASH_BYTES, (node + 1) * HASH_BYTES);
  // @mutation packages/crypto/src/state-tree.ts
  // -     if (order === 0) next += LEAF_BYTES;
  // +
  // @mutation packages/crypto/src/state-tree.ts
  // -     const few = mayShrink ? this.#fewLeaves(id, after) : null;
  // +     const few = null;
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

  test('up to 32 keys are one bucket, hashed as it is stored', () => {
    const tree = new StoredTree();
    for (let count = 1; count <= BUCKET_LEAVES_MAX; count++) {
      tree.update([{ key: hashedKey(count), valueHash: value(count) }]);
      const leaves = tree.entries().flatMap(({ key, valueHash }) => [key, valueHash]);
      expect(tree.root).toEqual(sha256(concatBytes(Uint8Array.of(0), ...leaves)));
      expect([...tree.pages.keys()]).toEqual(['']);
    }
  });

  test('keys that differ in their last half byte only hang below 63 branches', () => {
    const tree = new StoredTree();
    const keys = Array.from({ length: 33 }, (_, end) => keyOf().with(31, end));
    tree.update(keys.map((key) => ({ key, valueHash: value(1) })));
    expect(tree.root).toEqual(naiveStateRoot(tree.entries()));
    // 62 branches with one child each, one that tells 0x00, 0x10 and 0x20 apart, and the three buckets.
    expect(tree.pages.size).toBe(62 + 1 + 3);
    tree.update(keys.slice(1).map((key) => ({ key, valueHash: null })));
    expect(tree.root).toEqual(naiveStateRoot(tree.entries()));
    expect(tree.pages.size).toBe(1);
  });

  // @mutation packages/crypto/src/state-tree.ts
  // -       else this.changed.set(childId(id, child), null);
  // +
  // @mutation packages/crypto/src/state-tree.ts
  // -       if (count > BUCKET_LEAVES_MAX) return null;
  // +       if (count >= BUCKET_LEAVES_MAX) return null;
  // @mutation packages/crypto/src/state-page.ts
  // - export const BUCKET_LEAVES_MAX = 32;
  // + export const BUCKET_LEAVES_MAX = 31;
  test('a bucket becomes a branch with its 33rd key, and a bucket again without it', () => {
    const tree = new StoredTree();
    const key = (n: number) => keyOf(0x70 + (n % 3), n);
    for (let count = 1; count <= 34; count++) {
      tree.update([{ key: key(count), valueHash: value(count) }]);
      expect([...tree.pages.keys()].sort()).toEqual(count <= 32 ? [''] : ['', '7', '70', '71', '72']);
      expect(tree.root).toEqual(naiveStateRoot(tree.entries()));
    }
    for (let count = 33; count >= 0; count--) {
      tree.update([{ key: key(count + 1), valueHash: null }]);
      expect(tree.pages.size).toBe(count <= 32 ? Math.min(count, 1) : 5);
      expect(tree.root).toEqual(naiveStateRoot(tree.entries()));
    }
  });

  // @mutation packages/crypto/src/state-tree.ts
  // -       if (isEmptyHash(childHash(before, child))) this.changed.delete(childId(id, child));
  // +       if (false) this.changed.delete(childId(id, child));
  test('a key moved to an empty place while a branch shrinks to a bucket leaves no page to delete there', () => {
    const tree = new StoredTree();
    tree.update(Array.from({ length: 33 }, (_, n) => ({ key: keyOf(n), valueHash: value(n) })));
    const changed = tree.update([
      { key: keyOf(0), valueHash: null },
      { key: keyOf(1), valueHash: null },
      { key: keyOf(0xf0), valueHash: value(1) },
    ]);
    expect(changed.toSorted()).toEqual(['', '0', '1', '2']);
    expect(tree.root).toEqual(naiveStateRoot(tree.entries()));
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
    const before = [...tree.pages].map(([id, page]) => `${id}:${toHex(encodePage(page))}`);
    updateTree(
      tree,
      tree.root,
      Array.from({ length: 200 }, (_, n) => ({ key: hashedKey(n), valueHash: n % 2 === 0 ? null : value(3) })),
    );
    expect([...tree.pages].map(([id, page]) => `${id}:${toHex(encodePage(page))}`)).toEqual(before);
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
  // -   if (!bytesEqual(pageHash(page), hash)) throw pageError('PAGE_DAMAGED', id, 'is not the one that the page above it names');
  // +
  test('any flipped bit of any page is found', () => {
    const tree = someTree();
    for (const [id, page] of tree.pages) {
      const encoded = encodePage(page);
      for (let at = 0; at < encoded.length; at += 61) {
        const decoded = decodePage(id, encoded.with(at, (encoded[at] as number) ^ 0x10));
        if (!decoded.ok) continue;
        tree.pages.set(id, decoded.value);
        expect(() => touchAll(tree)).toThrow(expect.objectContaining({ code: 'PAGE_DAMAGED' }));
      }
      tree.pages.set(id, page);
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
  expect(toHex(tree.root)).toBe('984301532e116e74c0d1e90785968b77e988561f64eab5f2670844af1ebdc454');
  const pages = [...tree.pages].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, page]) => sha256(encodePage(page)));
  expect(pages).toHaveLength(267);
  expect(toHex(sha256(Buffer.concat(pages)))).toBe('fcbb5291a569b7eae6d0a7f5a21ce4f902391bf50ebec01750f50375a4e97ad1');
  expect(bytesEqual(tree.root, naiveStateRoot(tree.entries()))).toBe(true);
});

// @mutation packages/crypto/src/state-tree.ts
// - const root = update.place(id, leaves);
// + const root = update.place('', leaves);
test('a subtree can be built from its leaves alone, with the pages that it has in the whole tree', () => {
  fc.assert(
    fc.property(anyBatch, (batch) => {
      const tree = new StoredTree();
      tree.update(batch.filter(({ valueHash }) => valueHash !== null));
      const entries = [...tree.entries()].sort((a, b) => (toHex(a.key) < toHex(b.key) ? -1 : 1));
      for (const id of tree.pages.keys()) {
        const below = entries.filter(({ key }) => toHex(key).startsWith(id));
        const { root, pages } = buildSubtree(id, concatBytes(...below.flatMap(({ key, valueHash }) => [key, valueHash])));
        const page = tree.get(id) ?? expect.unreachable();
        expect(toHex(root)).toBe(toHex(pageHash(page)));
        const ids = [...tree.pages.keys()].filter((one) => one.startsWith(id));
        expect(pages.map((one) => one.id).sort()).toEqual(ids.sort());
        for (const one of pages) expect(one.page).toEqual(tree.get(one.id));
      }
    }),
  );
});
