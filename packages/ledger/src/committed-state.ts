import { type Hash, LOG_PEAKS_CACHED_MAX, STATE_PAGES_CACHED_MAX, STATE_VALUES_CACHED_BYTES, type Store } from '@nacre/base';
import { ClockMap, type GrowingLog, type LogPeaks, PageCache, pageKey, type TileReader } from '@nacre/crypto';
import type { BlockEffects } from './block-effects.ts';
import { logTileKey, statePageKey, stateValueKey } from './keys.ts';
import { decodeState, type StateReader } from './overlay.ts';
import type { StateKind } from './state-kinds.ts';
import { ValueCache } from './value-cache.ts';

/** The state as of the tip, read from the store. */
export class CommittedState {
  readonly pages: PageCache;
  /** What the store holds, past what is kept decoded. */
  readonly read: StateReader;
  /** The tiles of a service's record log. */
  readonly logTiles: (service: string) => TileReader;
  readonly #values = new ValueCache({ bytesMax: STATE_VALUES_CACHED_BYTES });
  /** By service: those of its log as it was after the last block that it grew in. */
  readonly #peaks = new ClockMap<string, { readonly size: number; readonly peaks: LogPeaks }>(LOG_PEAKS_CACHED_MAX);
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

  /**
   * A value of the state, kept decoded: every transaction asks for its account, its service and its sponsor several times.
   *
   * @throws {LedgerError} code `LEDGER_DAMAGED` if what is stored does not decode
   */
  value<Identity, Value>(kind: StateKind<Identity, Value>, identity: Identity): Value | undefined {
    const name = kind.mapKey(identity);
    const kept = this.#values.get(name);
    if (kept !== undefined) return kept as Value;
    const bytes = this.read(kind.stateKey(identity));
    if (bytes === undefined) return undefined;
    const value = decodeState(kind, bytes);
    this.#values.set(name, value, bytes.length);
    return value;
  }

  /** The record log of a service, whose committed size is `size`, to be appended to. */
  log(service: string, size: number): GrowingLog {
    const kept = this.#peaks.get(service);
    return { size, readTile: this.logTiles(service), peaks: kept?.size === size ? kept.peaks : undefined };
  }

  /** Call when the store holds the new state. */
  advance({ stateRoot, pages, values, logPeaks }: Pick<BlockEffects, 'stateRoot' | 'pages' | 'values' | 'logPeaks'>): void {
    this.pages.apply(pages);
    for (const { service, ...grown } of logPeaks) this.#peaks.set(service, grown);
    for (const { name, value, bytes } of values) this.#values.set(name, value, bytes.length);
    this.#root = stateRoot;
  }
}
