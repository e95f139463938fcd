import { assert, bytesEqual, type Hash, SNAPSHOT_INLINE_BYTES_MAX, SNAPSHOT_PART_BYTES, type StoreView, toHex, utf8 } from '@nacre/base';
import {
  CHILDREN,
  childHash,
  childId,
  encodePage,
  isEmptyHash,
  LEAF_BYTES,
  leavesOf,
  logFrontier,
  openPage,
  PageCache,
  type PageId,
  pageKey,
  STATE_KEY_BYTES,
} from '@nacre/crypto';
import { LedgerError } from './errors.ts';
import { logTileKey, statePageKey, stateValueKey } from './keys.ts';
import { LatestRecords } from './latest-records.ts';
import { readState } from './overlay.ts';
import {
  ENTRY_OVERHEAD_BYTES,
  LOGS_PER_PART,
  logsPart,
  logsPartCodec,
  type PartName,
  type StateEntry,
  statePart,
  statePartCodec,
} from './snapshot-part.ts';
import { serviceNameOf } from './snapshot-state.ts';
import { RECORD_LOG, stateValueHash } from './state-kinds.ts';

/** Bytes of entries after which others get their turn: a few hundred latest records, which one scan finds. Higher: they wait longer. */
const PAUSE_BYTES = 32 * 1024;
/** Pages kept while the tree is gone through from left to right: those above the one at hand. */
const PAGES_CACHED = 128;

export interface StateSource {
  /** The store when its tip had the root. */
  readonly view: StoreView;
  readonly root: Hash;
  /** Takes each part as it is made. */
  readonly put: (name: PartName, bytes: Uint8Array) => Promise<void>;
  /** Awaited after every few pages of the tree, so that other work gets its turn. */
  readonly pace: () => Promise<void>;
}

interface Small {
  readonly id: PageId;
  readonly entries: readonly StateEntry[];
  readonly bytes: number;
}

/** Divides a state into parts. The same state gives the same parts, on whichever node. */
export class StateSnapshot {
  readonly #source: StateSource;
  readonly #pages: PageCache;
  readonly #latest: LatestRecords;
  readonly #services: string[] = [];
  #parts = 0;
  #sincePause = 0;

  constructor(source: StateSource) {
    this.#source = source;
    this.#pages = new PageCache({ pagesMax: PAGES_CACHED }, (id) => source.view.get(statePageKey(pageKey(id))));
    this.#latest = new LatestRecords(source.view);
  }

  /** Makes all parts of the state. @returns how many @throws {LedgerError} code `LEDGER_DAMAGED`, and `CryptoError` */
  async state(): Promise<number> {
    const whole = await this.#subtree('', this.#source.root);
    if (whole !== null) await this.#putEntries(whole);
    return this.#parts;
  }

  /** Makes the parts of the record logs of the services that `state` has come across. @returns how many */
  async logs(): Promise<number> {
    const { view, put } = this.#source;
    const read = (stateKey: Hash) => view.get(stateValueKey(stateKey));
    // In the order of the tree, in which whoever verifies them has the entries.
    const services = this.#services
      .map((service) => ({ service, stateKey: toHex(RECORD_LOG.stateKey(service)) }))
      .sort((a, b) => (a.stateKey < b.stateKey ? -1 : 1));
    let logs: { service: Uint8Array; frontier: Uint8Array }[] = [];
    let parts = 0;
    const flush = async (): Promise<void> => {
      if (logs.length > 0) await put(logsPart(parts++), logsPartCodec.encode({ logs }));
      logs = [];
    };
    for (const { service } of services) {
      const log = readState(read, RECORD_LOG, service);
      if (log === undefined) continue;
      const readTile = (level: number, index: number) => view.get(logTileKey(service, level, index));
      logs.push({ service: utf8(service), frontier: logFrontier({ size: log.recordCount, readTile }) });
      if (logs.length === LOGS_PER_PART) await flush();
    }
    await flush();
    return parts;
  }

  /** @returns what is below `id` if it fits into one part with more; null if parts were made of it */
  async #subtree(id: PageId, hash: Hash): Promise<Small | null> {
    const page = openPage(this.#pages, id, hash);
    if (page.kind === 'bucket') return this.#bucket(id, leavesOf(page));
    const small: Small[] = [];
    let isSmall = true;
    const children = Array.from({ length: CHILDREN }, (_, child) => ({ at: childId(id, child), below: childHash(page, child) }));
    for (const { at, below } of children) {
      const subtree = isEmptyHash(below) ? null : await this.#subtree(at, below);
      if (subtree !== null) small.push(subtree);
      else if (!isEmptyHash(below)) isSmall = false;
    }
    const bytes = small.reduce((sum, one) => sum + one.bytes, 0);
    if (isSmall && bytes <= SNAPSHOT_PART_BYTES) return { id, bytes, entries: small.flatMap(({ entries }) => entries) };
    for (const one of small) await this.#putEntries(one);
    await this.#put(id, statePartCodec.encode({ kind: 'branch', page: encodePage(page) }));
    return null;
  }

  async #bucket(id: PageId, leaves: Uint8Array): Promise<Small> {
    const entries: StateEntry[] = [];
    let bytes = 0;
    for (let at = 0; at < leaves.length; at += LEAF_BYTES) {
      const key = leaves.slice(at, at + STATE_KEY_BYTES);
      const valueHash = leaves.slice(at + STATE_KEY_BYTES, at + LEAF_BYTES);
      const value = await this.#value(key, valueHash);
      const service = serviceNameOf(key, value);
      if (service !== null) this.#services.push(service);
      bytes += ENTRY_OVERHEAD_BYTES;
      if (value.length > SNAPSHOT_INLINE_BYTES_MAX) {
        await this.#put(toHex(key), value);
        entries.push({ key, content: { valueHash } });
      } else {
        bytes += value.length;
        entries.push({ key, content: { value } });
      }
    }
    await this.#pace(bytes);
    return { id, entries, bytes };
  }

  /** Lets others have their turn after every few pages. */
  async #pace(bytes: number): Promise<void> {
    this.#sincePause += bytes;
    if (this.#sincePause < PAUSE_BYTES) return;
    this.#sincePause = 0;
    await this.#source.pace();
  }

  async #value(key: Hash, valueHash: Hash): Promise<Uint8Array> {
    const value = (await this.#latest.find(key)) ?? this.#source.view.get(stateValueKey(key));
    if (value !== undefined && bytesEqual(stateValueHash(value), valueHash)) return value;
    throw LedgerError.damaged('a state value is not the one in the tree', { fields: { stateKey: toHex(key) } });
  }

  #putEntries({ id, entries }: Small): Promise<void> {
    return this.#put(id, statePartCodec.encode({ kind: 'entries', entries }));
  }

  #put(place: string, bytes: Uint8Array): Promise<void> {
    assert(place.length <= 2 * STATE_KEY_BYTES, 'a place is no longer than a key');
    this.#parts++;
    return this.#source.put(statePart(place), bytes);
  }
}
