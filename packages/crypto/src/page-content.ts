import type { Hash } from '@nacre/base';
import { CHILDREN, childHash, childId, isEmptyHash, LEAF_BYTES, leavesOf, type PageId, STATE_KEY_BYTES } from './state-page.ts';
import { openPage, type PageReader } from './state-tree.ts';

/** What stands right below a place of the state tree: pages, or keys with the hashes of their values. */
export interface PageContent {
  readonly pages: readonly { readonly id: PageId; readonly hash: Hash }[];
  readonly leaves: readonly { readonly key: Uint8Array; readonly valueHash: Hash }[];
}

/**
 * Reads a page for whoever goes through the tree.
 *
 * @param hash what the page above names; the root's own is that of the state
 * @throws {CryptoError} code `PAGE_MISSING` or `PAGE_DAMAGED`
 */
export function pageContent(reader: PageReader, id: PageId, hash: Hash): PageContent {
  const page = openPage(reader, id, hash);
  if (page.kind === 'bucket') {
    const leaves = leavesOf(page);
    const count = leaves.length / LEAF_BYTES;
    return {
      pages: [],
      leaves: Array.from({ length: count }, (_, i) => {
        const leaf = leaves.subarray(i * LEAF_BYTES, (i + 1) * LEAF_BYTES);
        return { key: leaf.subarray(0, STATE_KEY_BYTES), valueHash: leaf.subarray(STATE_KEY_BYTES) };
      }),
    };
  }
  const children = Array.from({ length: CHILDREN }, (_, child) => ({ id: childId(id, child), hash: childHash(page, child) }));
  return { pages: children.filter((child) => !isEmptyHash(child.hash)), leaves: [] };
}
