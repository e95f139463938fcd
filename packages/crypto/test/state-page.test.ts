import { compareBytes, concatBytes, fromUtf8, type Hash, toHex } from '@nacre/base';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodePage, encodePage, PAGE_BYTES_MAX, type Page, PageCache, pageKey, sha256, updateTree } from '../src/index.ts';
import { hashedKey, keyOf, naiveStateRoot, StoredTree } from './state-oracle.ts';

const value = (number: number): Hash => sha256(Uint8Array.of(number));

function treeOf(keys: readonly Uint8Array[]): StoredTree {
  const tree = new StoredTree();
  tree.update(keys.map((key, i) => ({ key, valueHash: value(i) })));
  return tree;
}

function codeOf(id: string, bytes: Uint8Array): string {
  const decoded = decodePage(id, bytes);
  return decoded.ok ? 'ok' : String(decoded.error.reason);
}

describe('page bytes', () => {
  test('every page of a tree reads back as it was written', () => {
    for (const [id, page] of treeOf(Array.from({ length: 1000 }, (_, n) => hashedKey(n))).pages) {
      const bytes = encodePage(page);
      expect(bytes.length).toBeLessThanOrEqual(PAGE_BYTES_MAX);
      const decoded = decodePage(id, bytes);
      expect(decoded.ok && encodePage(decoded.value)).toEqual(bytes);
      expect(decoded).toEqual({ ok: true, value: page });
    }
  });

  test('follow the documented layout', () => {
    const tree = treeOf([...Array.from({ length: 20 }, (_, n) => keyOf(0x90, n)), ...Array.from({ length: 13 }, (_, n) => keyOf(0x10, n))]);
    const entries = tree.entries();
    const text = (start: number) =>
      entries
        .filter(({ key }) => key[0] === start)
        .map(({ key, valueHash }) => toHex(key) + toHex(valueHash))
        .join('');
    const rootOf = (start: number) =>
      toHex(
        naiveStateRoot(
          entries.filter(({ key }) => key[0] === start),
          1,
        ),
      );
    const bytesOf = (id: string): string => toHex(encodePage(tree.get(id) as Page));
    // Children 1 and 9: bit 1 of the first byte, bit 1 of the second.
    expect(bytesOf('')).toBe(`010202${rootOf(0x10)}${rootOf(0x90)}`);
    expect(bytesOf('1')).toBe(`00${text(0x10)}`);
    expect(bytesOf('9')).toBe(`00${text(0x90)}`);
    expect([...tree.pages.keys()].toSorted()).toEqual(['', '1', '9']);
  });

  const leaves = (count: number) => new Uint8Array(64 * count).fill(1);
  const hashes = (count: number) => new Uint8Array(32 * count).fill(1);
  const pages: [string, Uint8Array, string][] = [
    ['a bucket of one key', concatBytes(Uint8Array.of(0), leaves(1)), 'ok'],
    ['a full bucket', concatBytes(Uint8Array.of(0), leaves(32)), 'ok'],
    ['a branch of one child', concatBytes(Uint8Array.of(1, 0, 0x80), hashes(1)), 'ok'],
    ['a branch of all children', concatBytes(Uint8Array.of(1, 0xff, 0xff), hashes(16)), 'ok'],
    ['nothing', new Uint8Array(0), 'it is neither a bucket nor a branch'],
    ['another kind', Uint8Array.of(2), 'it is neither a bucket nor a branch'],
    ['a bucket without keys', Uint8Array.of(0), 'its length is not that of a bucket'],
    ['a bucket of too many keys', concatBytes(Uint8Array.of(0), leaves(33)), 'its length is not that of a bucket'],
    ['a bucket cut short', concatBytes(Uint8Array.of(0), leaves(2)).subarray(0, -1), 'its length is not that of a bucket'],
    ['a branch without children', Uint8Array.of(1, 0, 0), 'its length is not that of a branch'],
    ['a branch without the bits of its children', Uint8Array.of(1), 'its length is not that of a branch'],
    ['a branch cut short', concatBytes(Uint8Array.of(1, 3, 0), hashes(1)), 'its length is not that of a branch'],
    [
      'a branch with a byte too many',
      concatBytes(Uint8Array.of(1, 1, 0), hashes(1), Uint8Array.of(0)),
      'its length is not that of a branch',
    ],
    ['a branch that names a child of no hash', concatBytes(Uint8Array.of(1, 1, 0), new Uint8Array(32)), 'it names a child without keys'],
  ];

  // @mutation packages/crypto/src/state-page.ts
  // -     if (!Number.isInteger(leaves) || leaves < 1 || leaves > BUCKET_LEAVES_MAX) return refuse('its length is not that of a bucket');
  // +     if (!Number.isInteger(leaves) || leaves < 1) return refuse('its length is not that of a bucket');
  // @mutation packages/crypto/src/state-page.ts
  // -   if (at !== bytes.length || at === CHILD_HASHES_OFFSET) return refuse('its length is not that of a branch');
  // +   if (at > bytes.length || at === CHILD_HASHES_OFFSET) return refuse('its length is not that of a branch');
  // @mutation packages/crypto/src/state-page.ts
  // -   if (children.some((hash) => hash !== undefined && isEmptyHash(hash))) return refuse('it names a child without keys');
  // +
  test.each(pages)('%s is read or refused with the reason', (_, bytes, outcome) => {
    expect(codeOf('a', bytes)).toBe(outcome);
  });

  test('fuzz: random and mutated bytes are refused or read as their only encoding', () => {
    const pages = [...treeOf(Array.from({ length: 300 }, (_, n) => hashedKey(n))).pages].map(([id, page]) => ({
      id,
      bytes: encodePage(page),
    }));
    const mutated = fc
      .tuple(fc.constantFrom(...pages), fc.nat(), fc.nat({ max: 255 }), fc.integer({ min: -3, max: 3 }))
      .map(([{ id, bytes }, at, byte, grow]) => {
        const changed = bytes.with(at % bytes.length, byte);
        return { id, bytes: grow < 0 ? changed.subarray(0, grow) : concatBytes(changed, new Uint8Array(grow)) };
      });
    const random = fc.record({ id: fc.constantFrom('', 'a', 'ab0'), bytes: fc.uint8Array({ maxLength: 200 }) });
    fc.assert(
      fc.property(fc.oneof(mutated, random), ({ id, bytes }) => {
        const decoded = decodePage(id, bytes);
        if (decoded.ok) expect(toHex(encodePage(decoded.value))).toBe(toHex(bytes));
        else expect(decoded.error).toEqual({ code: 'PAGE_DAMAGED', id, reason: expect.any(String) });
      }),
      { numRuns: 1000 },
    );
  });
});

test('stored keys sort a page before its subtree and subtrees apart', () => {
  const ids = ['', '0', '00', '0f', '1', '1a', '1a0', '9', 'a', 'f', 'ff'];
  expect(ids.toSorted((a, b) => compareBytes(pageKey(a), pageKey(b)))).toEqual(ids);
  expect(ids.map((id) => fromUtf8(pageKey(id)))).toEqual(ids);
});

describe('page cache', () => {
  const tree = treeOf(Array.from({ length: 500 }, (_, n) => hashedKey(n)));

  function cacheOf(pagesMax: number): { cache: PageCache; loaded: string[] } {
    const loaded: string[] = [];
    const cache = new PageCache({ pagesMax }, (id) => {
      loaded.push(id);
      const page = tree.get(id);
      return page === undefined ? undefined : encodePage(page);
    });
    return { cache, loaded };
  }

  test('loads a page once, and serves updates as the store does', () => {
    const { cache, loaded } = cacheOf(1000);
    const updates = Array.from({ length: 200 }, (_, n) => ({ key: hashedKey(n), valueHash: value(9) }));
    expect(updateTree(cache, tree.root, updates).root).toEqual(updateTree(tree, tree.root, updates).root);
    const first = loaded.length;
    updateTree(cache, tree.root, updates);
    expect(loaded).toHaveLength(first);
  });

  test('takes over changes and forgets deleted pages', () => {
    const { cache, loaded } = cacheOf(1000);
    const updates = Array.from({ length: 490 }, (_, n) => ({ key: hashedKey(n), valueHash: null }));
    const { root, pages } = updateTree(cache, tree.root, updates);
    cache.apply(pages);
    loaded.length = 0;
    const after = updateTree(cache, root, [{ key: hashedKey(499), valueHash: value(9) }]);
    expect(loaded).toEqual([]);
    expect(after.root).not.toEqual(root);
    const deleted = pages.find(({ page }) => page === null);
    cache.get(deleted?.id ?? '');
    expect(loaded).toEqual([deleted?.id]);
  });

  test('within its bound it forgets, and what it forgot it loads again', () => {
    const { cache, loaded } = cacheOf(1);
    for (const id of ['', '0', '', '0']) cache.get(id);
    expect(loaded).toEqual(['', '0', '', '0']);
    expect(cache.get('0123')).toBeUndefined();
  });

  test('a page whose bytes are damaged is a typed error', () => {
    const cache = new PageCache({ pagesMax: 10 }, () => Uint8Array.of(9));
    expect(() => cache.get('a')).toThrow(
      expect.objectContaining({ code: 'PAGE_DAMAGED', fields: { id: 'a', reason: 'cannot be read: it is neither a bucket nor a branch' } }),
    );
  });
});
