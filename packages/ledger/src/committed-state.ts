import { type Hash, STATE_PAGES_CACHED_MAX, type Store } from '@nacre/base';
import { PageCache, type PageChange, pageKey, type TileReader } from '@nacre/crypto';
import { logTileKey, statePageKey, stateValueKey } from './keys.ts';
import type { StateReader } from './overlay.ts';

/** The state as of the tip, read from the store. */
export class CommittedState {
  readonly pages: PageCache;
  readonly read: StateReader;
  /** The tiles of a service's record log. */
  readonly logTiles: (service: string) => TileReader;
  #root: Hash;

  constructor(store: Store, root: Hash) {
    this.#root = root;
    this.pages = new PageCache({ pagesMax: STATE_PAGES_CACHED_MAX }, (id) => store.get(statePageKey(pageKey(id))));
    this.read = (stateKey) => store.get(stateValueKey(stateKey));
    this.logTiles = (service) => (level, index) => store.get(logTileKey(service, level, index));
  }

  get root(): Hash {
    return this.#root;
  }

  /** Call when the store holds the new state. */
  advance(root: Hash, pages: readonly PageChange[]): void {
    this.pages.apply(pages);
    this.#root = root;
  }
}
