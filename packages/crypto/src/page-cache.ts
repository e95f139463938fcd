import { ClockMap } from './clock-map.ts';
import { decodePage, type Page, type PageId } from './state-page.ts';
import { type PageChange, type PageReader, pageError } from './state-tree.ts';

export interface PageCacheOptions {
  /** Decoded pages kept, about 1 KB each; beyond, one that was not read again makes room. */
  readonly pagesMax: number;
}

/** Reads the stored tree and keeps decoded what is read again and again: the upper levels. */
export class PageCache implements PageReader {
  readonly #load: (id: PageId) => Uint8Array | undefined;
  readonly #pages: ClockMap<PageId, Page>;

  /** @param load bytes stored under {@link pageKey} of the id, or undefined */
  constructor({ pagesMax }: PageCacheOptions, load: (id: PageId) => Uint8Array | undefined) {
    this.#load = load;
    this.#pages = new ClockMap(pagesMax);
  }

  /** @throws {CryptoError} code `PAGE_DAMAGED` */
  get(id: PageId): Page | undefined {
    const cached = this.#pages.get(id);
    if (cached !== undefined) return cached;
    const bytes = this.#load(id);
    if (bytes === undefined) return undefined;
    const decoded = decodePage(id, bytes);
    if (!decoded.ok) throw pageError('PAGE_DAMAGED', id, `cannot be read: ${String(decoded.error.reason)}`);
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
