import { CryptoError } from './errors.ts';
import { LruMap } from './lru-map.ts';
import { decodePage, type Page, type PageId } from './state-page.ts';
import type { PageChange, PageReader } from './state-tree.ts';

export interface PageCacheOptions {
  /** Decoded pages kept, about 2 KB each; beyond, the one unused for longest makes room. */
  readonly pagesMax: number;
}

/** Reads the stored tree and keeps decoded what was used last, the upper levels above all. */
export class PageCache implements PageReader {
  readonly #load: (id: PageId) => Uint8Array | undefined;
  readonly #pages: LruMap<PageId, Page>;

  /** @param load bytes stored under {@link pageKey} of the id, or undefined */
  constructor({ pagesMax }: PageCacheOptions, load: (id: PageId) => Uint8Array | undefined) {
    this.#load = load;
    this.#pages = new LruMap(pagesMax);
  }

  /** @throws {CryptoError} code `PAGE_DAMAGED` */
  get(id: PageId): Page | undefined {
    const cached = this.#pages.get(id);
    if (cached !== undefined) return cached;
    const bytes = this.#load(id);
    if (bytes === undefined) return undefined;
    const decoded = decodePage(id, bytes);
    if (!decoded.ok) {
      throw new CryptoError('PAGE_DAMAGED', `page "${id}" of the state tree is damaged: ${decoded.error['reason']}`, {
        fields: { id, reason: decoded.error['reason'] },
        hint: 'The store is damaged: rebuild the state from its entries or fetch a snapshot from a peer.',
      });
    }
    this.#pages.set(id, decoded.value);
    return decoded.value;
  }

  /** Takes over changes once they are what `load` returns too; before, an evicted page would come back as it was. */
  apply(changes: readonly PageChange[]): void {
    for (const { id, page } of changes) {
      if (page === null) this.#pages.delete(id);
      else this.#pages.set(id, page);
    }
  }
}
