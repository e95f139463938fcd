import { type Hash, utf8 } from '@nacre/base';
import { FORMAT_VERSION } from '@nacre/consensus';
import { appendToLog, EMPTY_LOG_ROOT, leafHash, type StateUpdate } from '@nacre/crypto';
import type { BlockEffects, RecordRun } from './block-effects.ts';
import type { CommittedState } from './committed-state.ts';
import type { RecordAppend } from './operation.ts';
import type { Overlay } from './overlay.ts';
import { RunEncoder } from './run-encoder.ts';
import { LATEST_RECORD, type LatestRecord, RECORD_LOG, stateValueHash } from './state-kinds.ts';
import type { Transaction } from './transaction.ts';

interface Append {
  readonly transaction: Transaction;
  readonly append: RecordAppend;
  readonly run: RecordRun;
}

const NO_KEY = new Uint8Array(0);

type SealedAppends = Pick<BlockEffects, 'logTiles' | 'logPeaks' | 'runs' | 'keyed'> & { readonly latest: readonly StateUpdate[] };

/**
 * The records that a block appends. They are counted while transactions run and hashed once at the end, when it is certain which of them
 * stay; indexes follow from the counts.
 */
export class RecordAppends {
  readonly #appends: Append[] = [];

  /** How many operations have appended so far; what `truncate` takes to forget the later ones. */
  get length(): number {
    return this.#appends.length;
  }

  truncate(length: number): void {
    this.#appends.length = length;
  }

  /** Takes an operation's records behind those that the service has. */
  add(
    overlay: Overlay,
    append: RecordAppend,
    place: Pick<RecordRun, 'height' | 'timeMs' | 'operation'> & { readonly transaction: Transaction },
  ): void {
    const { transaction, ...rest } = place;
    const log = overlay.get(RECORD_LOG, append.service) ?? { recordCount: 0, logRoot: EMPTY_LOG_ROOT };
    const count = append.records.length;
    const run: RecordRun = { ...rest, service: append.service, firstIndex: log.recordCount, count, bodyHash: transaction.bodyHash };
    this.#appends.push({ transaction, append, run });
    // The root follows when the block is sealed.
    overlay.set(RECORD_LOG, append.service, { ...log, recordCount: log.recordCount + count });
  }

  /** Hashes all records, and sets the final log of every service that got some. */
  seal(overlay: Overlay, state: Pick<CommittedState, 'log'>): SealedAppends {
    const byService = Map.groupBy(this.#appends, ({ append }) => append.service);
    const logTiles: SealedAppends['logTiles'][number][] = [];
    const keyed: SealedAppends['keyed'][number][] = [];
    const latest: StateUpdate[] = [];
    const logPeaks: SealedAppends['logPeaks'][number][] = [];
    for (const [service, appends] of byService) {
      const keys = new LatestKeys(service);
      const leaves = appends.flatMap((one) => recordLeaves(one, keys));
      const size = (appends[0] as Append).run.firstIndex;
      const { size: recordCount, root: logRoot, tiles, peaks } = appendToLog(state.log(service, size), leaves);
      overlay.set(RECORD_LOG, service, { recordCount, logRoot });
      logPeaks.push({ service, size: recordCount, peaks });
      for (const tile of tiles) logTiles.push({ service, tile });
      keyed.push(...keys.records);
      latest.push(...keys.updates());
    }
    return { logTiles, logPeaks, runs: this.#appends.map(({ run }) => run), keyed, latest };
  }
}

/** The leaves of one operation's records. What they share is encoded for the first and reused. */
function recordLeaves({ transaction, append, run }: Append, keys: LatestKeys): Hash[] {
  const shared = {
    version: FORMAT_VERSION,
    service: utf8(append.service),
    height: run.height,
    timeMs: run.timeMs,
    txId: transaction.txId,
    account: transaction.contents.account,
    schema: utf8(append.schema),
    schemaVersion: append.schemaVersion,
    mediaType: utf8(append.mediaType),
  };
  const keyed = append.records.map(({ key, payload }) => ({ key, wireKey: key === '' ? NO_KEY : utf8(key), payload }));
  const encoder = new RunEncoder(
    shared,
    keyed.reduce((largest, { wireKey, payload }) => Math.max(largest, wireKey.length + payload.length), 0),
  );
  return keyed.map(({ key, wireKey, payload }, position) => {
    const index = run.firstIndex + position;
    const leaf = leafHash(encoder.encode(index, wireKey, payload));
    if (key !== '') keys.put(key, { index, leafHash: leaf });
    return leaf;
  });
}

/** The keys that one service's records of a block name, each with the last of its records. */
class LatestKeys {
  readonly records: { readonly stateKey: Hash; readonly index: number; readonly leafHash: Hash }[] = [];
  readonly #service: string;
  readonly #byKey = new Map<string, { readonly stateKey: Hash; latest: LatestRecord }>();

  constructor(service: string) {
    this.#service = service;
  }

  put(key: string, latest: LatestRecord): void {
    let entry = this.#byKey.get(key);
    if (entry === undefined) {
      entry = { stateKey: LATEST_RECORD.stateKey({ service: this.#service, key }), latest };
      this.#byKey.set(key, entry);
    }
    entry.latest = latest;
    this.records.push({ stateKey: entry.stateKey, ...latest });
  }

  updates(): StateUpdate[] {
    return Array.from(this.#byKey.values(), ({ stateKey, latest }) => ({
      key: stateKey,
      valueHash: stateValueHash(LATEST_RECORD.codec.encode(latest)),
    }));
  }
}
