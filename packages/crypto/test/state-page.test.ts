import { compareBytes, concatBytes, fromUtf8, type Hash, toHex } from '@nacre/base';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodePage, encodePage, PAGE_BYTES_MAX, type Page, PageCache, pageKey, sha256, updateTree } from '../src/index.ts';
import { type Entry, hashedKey, keyOf, naiveStateRoot, StoredTree } from './state-oracle.ts';

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

/** A page of the given slots: 1 for a leaf whose key starts so, 2 for a page below, 3 for a few leaves. */
function pageBytes(kinds: number, ...contents: readonly Uint8Array[]): Uint8Array {
  return concatBytes(Uint8Array.of(1, kinds & 0xff, (kinds >> 8) & 0xff, (kinds >> 16) & 0xff, kinds >>> 24), ...contents);
}

describe('page bytes', () => {
  test('every page of a tree reads back as it was written', () => {
    for (const [id, page] of treeOf(Array.from({ length: 1000 }, (_, n) => hashedKey(n))).pages) {
      const bytes = encodePage(page);
      expect(bytes.length).toBeLessThanOrEqual(PAGE_BYTES_MAX);
      const decoded = decodePage(id, bytes);
      expect(decoded.ok && encodePage(decoded.value)).toEqual(bytes);
    }
  });

  test('follow the documented layout', () => {
    const keys = [keyOf(0x10), keyOf(0x20), keyOf(0x21), keyOf(0xf0)];
    const tree = treeOf(keys);
    const [first, second, third, last] = tree.entries() as [Entry, Entry, Entry, Entry];
    const text = (...entries: Entry[]) => entries.map(({ key, valueHash }) => toHex(key) + toHex(valueHash)).join('');
    const bytesOf = (id: string): string => toHex(encodePage(tree.get(id) as Page));
    // Slots 1 and 15 hold a leaf, slot 2 two; the first quarter has three keys.
    const quarter = toHex(naiveStateRoot([first, second, third], 2));
    expect(bytesOf('')).toBe(`0134000040${quarter}${text(first)}02${text(second, third)}${text(last)}`);
    expect([...tree.pages.keys()]).toEqual(['']);
  });

  test('follow the documented layout where a slot has more than a few keys', () => {
    const tree = treeOf([0x10, 0x20, 0x21, 0x22, 0x23, 0x24].map((start) => keyOf(start)));
    const [first, ...five] = tree.entries() as [Entry, ...Entry[]];
    const text = (...entries: Entry[]) => entries.map(({ key, valueHash }) => toHex(key) + toHex(valueHash)).join('');
    const bytesOf = (id: string): string => toHex(encodePage(tree.get(id) as Page));
    expect(bytesOf('')).toBe(`0124000000${toHex(naiveStateRoot([first, ...five], 2))}${text(first)}${toHex(naiveStateRoot(five, 4))}`);
    // Slots 0 to 4 hold a leaf each: the first quarter has four keys, the second one and so no hash of its own.
    expect(bytesOf('2')).toBe(`0155010000${toHex(naiveStateRoot(five.slice(0, 4), 6))}${text(...five)}`);
  });

  const leaf = (start: number) => concatBytes(keyOf(start), value(1));
  /** A few leaves, told apart by their last byte where they start alike. */
  const few = (...starts: number[]) =>
    concatBytes(Uint8Array.of(starts.length), ...starts.map((start, i) => concatBytes(keyOf(start).with(31, i), value(1))));
  const pages: [string, string, Uint8Array, string][] = [
    ['a page of one leaf', '', pageBytes(0x04, leaf(0x10)), 'ok'],
    ['a page below with five leaves', 'a', pageBytes(0x155, value(9), ...[0xa0, 0xa1, 0xa2, 0xa3, 0xa4].map(leaf)), 'ok'],
    ['a page of two leaves in one slot', '', pageBytes(0x0c, value(9), few(0x10, 0x11)), 'ok'],
    ['a page below of five leaves in two slots', 'a', pageBytes(0x0d, value(9), leaf(0xa0), few(0xa1, 0xa1, 0xa1, 0xa1)), 'ok'],
    ['a page with nothing but a page below', 'a', pageBytes(0x02, value(9), value(1)), 'ok'],
    ['nothing', '', new Uint8Array(0), 'it is shorter than its header'],
    ['half a header', '', Uint8Array.of(1, 0, 0, 0), 'it is shorter than its header'],
    ['another version', '', pageBytes(0x04, leaf(0x10)).with(0, 2), 'its version is unknown'],
    ['one leaf counted as a few', '', pageBytes(0x0c, value(9), few(0x10)), 'it counts other than a few keys in a slot'],
    [
      'five leaves in one slot',
      '',
      pageBytes(0x0c, value(9), few(0x10, 0x11, 0x12, 0x13, 0x14)),
      'it counts other than a few keys in a slot',
    ],
    ['a few leaves cut short', '', pageBytes(0x0c, value(9), few(0x10, 0x11)).subarray(0, -1), 'it ends inside a slot'],
    ['a few leaves without their number', '', pageBytes(0x0c, value(9)), 'it ends inside a slot'],
    ['a few leaves in another order', '', pageBytes(0x0c, value(9), few(0x11, 0x10).fill(0, 2, 3)), 'it holds keys in another order'],
    [
      'a few leaves that are one',
      '',
      pageBytes(0x0c, value(9), Uint8Array.of(2), leaf(0x10), leaf(0x10)),
      'it holds keys in another order',
    ],
    ['a few leaves of another slot', '', pageBytes(0x0c, value(9), few(0x10, 0x21)), 'it holds a key of another page'],
    ['a leaf cut short', '', pageBytes(0x04, leaf(0x10)).subarray(0, 68), 'it ends inside a slot'],
    ['a hash cut short', '', pageBytes(0x02, value(9), value(1)).subarray(0, 68), 'it ends inside a slot'],
    ['a quarter cut short', '', pageBytes(0x02, value(9), value(1)).subarray(0, 36), 'it ends inside a slot'],
    ['a page in one slot only, without its quarter', '', pageBytes(0x02, value(1)), 'it ends inside a slot'],
    ['a byte too many', '', concatBytes(pageBytes(0x04, leaf(0x10)), Uint8Array.of(0)), 'bytes follow its last slot'],
    ['no key at all', '', pageBytes(0), 'it holds too few keys for a page of its own'],
    ['a single key below the root', 'a', pageBytes(0x04, leaf(0xa1)), 'it holds too few keys for a page of its own'],
    [
      'four keys below the root',
      'a',
      pageBytes(0x1d, value(9), leaf(0xa0), few(0xa1, 0xa1), leaf(0xa2)),
      'it holds too few keys for a page of its own',
    ],
    ['a key in the wrong slot', '', pageBytes(0x04, leaf(0x20)), 'it holds a key of another page'],
    ['a key of the wrong page', 'b', pageBytes(0x05, value(9), leaf(0xb0), leaf(0xa1)), 'it holds a key of another page'],
    ['a page below the last half byte', 'a'.repeat(63), pageBytes(0x02, value(9), value(1)), 'it names a page deeper than any key'],
  ];

  // @mutation packages/crypto/src/state-page.ts
  // -   if (bytes[0] !== PAGE_VERSION) return refuse('its version is unknown');
  // +
  // @mutation packages/crypto/src/state-page.ts
  // -   if (offset !== bytes.length) return refuse('bytes follow its last slot');
  // +
  // @mutation packages/crypto/src/state-page.ts
  // -         if (!belongsTo(page.bytes, at, { id, slot })) return refuse('it holds a key of another page');
  // +
  // @mutation packages/crypto/src/state-page.ts
  // -   if (pages === 0 && leaves <= (id === '' ? 0 : FEW_MAX)) return refuse('it holds too few keys for a page of its own');
  // +
  // @mutation packages/crypto/src/state-page.ts
  // -   if (pages === 0 && leaves <= (id === '' ? 0 : FEW_MAX)) return refuse('it holds too few keys for a page of its own');
  // +   if (pages === 0 && leaves < (id === '' ? 1 : FEW_MAX)) return refuse('it holds too few keys for a page of its own');
  // @mutation packages/crypto/src/state-page.ts
  // -         if (at > first && !ascends(page.bytes, at)) return refuse('it holds keys in another order');
  // +
  // @mutation packages/crypto/src/state-page.ts
  // -     if (difference !== 0) return difference > 0;
  // +     if (difference !== 0) return true;
  // @mutation packages/crypto/src/state-page.ts
  // -     if (kind === FEW && !isFew((end - first) / LEAF_BYTES)) return refuse('it counts other than a few keys in a slot');
  // +
  // @mutation packages/crypto/src/state-page.ts
  // -   if (pages > 0 && id.length + 1 >= KEY_NIBBLES) return refuse('it names a page deeper than any key');
  // +
  test.each(pages)('%s under "%s" is read or refused with the reason', (_, id, bytes, outcome) => {
    expect(codeOf(id, bytes)).toBe(outcome);
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
    const cache = new PageCache({ pagesMax: 10 }, () => Uint8Array.of(9, 0, 0, 0, 0));
    expect(() => cache.get('a')).toThrow(
      expect.objectContaining({ code: 'PAGE_DAMAGED', fields: { id: 'a', reason: 'cannot be read: its version is unknown' } }),
    );
  });
});
