import { fail, ok, type Refusal, type Result } from '@nacre/base';
import { logFrontier } from '@nacre/crypto';
import { historyTileKey } from './keys.ts';
import type { Ledger } from './ledger.ts';
import { lightUpdateCodec } from './light-update.ts';
import { StateSnapshot } from './make-snapshot.ts';
import { makeIds } from './make-snapshot-ids.ts';
import { HISTORY_PART, historyPartCodec, linksPart, type PartName, type SnapshotManifest } from './snapshot-part.ts';
import type { NamedPart, Snapshots } from './snapshots.ts';

/** Light updates that lead to a snapshot, of some hundred changes each. Beyond: none is made. */
const LINK_PARTS_MAX = 4096;

/** Bytes of parts after which they are written, with one sync for all of them: a large state has tens of thousands, of 15 KB each. */
const WRITE_BYTES = 1024 * 1024;

export interface TakeOptions {
  /** How many snapshots are kept, this one included. */
  readonly keep: number;
  /** Awaited again and again: whatever else is to be done meanwhile. */
  readonly pace: () => Promise<void>;
}

/**
 * Makes a snapshot of the tip, from the store as it is now, while the chain goes on.
 *
 * @returns what it is; or code `SNAPSHOT_UNANCHORED` where the tip is no block that a snapshot can begin with: the last one of a committee, one whose
 * certificate is not here, or one that is just being written. The next block may be
 */
export async function takeSnapshot(
  ledger: Ledger,
  snapshots: Snapshots,
  { keep, pace }: TakeOptions,
): Promise<Result<SnapshotManifest, Refusal>> {
  const frozen = ledger.freeze();
  if (frozen === null) return fail({ code: 'SNAPSHOT_UNANCHORED', height: ledger.tip.height });
  try {
    const { header, stateRoot } = frozen.tip;
    const updates = header === null ? null : lightUpdates(ledger);
    if (header === null || updates === null) return fail({ code: 'SNAPSHOT_UNANCHORED', height: frozen.tip.height });
    const { validityWindowMs } = ledger.parameters;
    const { height } = header;
    await snapshots.sweep();
    let bytes = 0;
    let gathered: NamedPart[] = [];
    let gatheredBytes = 0;
    const flush = async (): Promise<void> => {
      await snapshots.putParts(height, gathered);
      gathered = [];
      gatheredBytes = 0;
    };
    const put = async (name: PartName, part: Uint8Array): Promise<void> => {
      bytes += part.length;
      gatheredBytes += part.length;
      gathered.push({ name, bytes: part });
      if (gatheredBytes >= WRITE_BYTES) await flush();
    };
    for (const [index, update] of updates.entries()) await put(linksPart(index), update);
    const readTile = (level: number, index: number) => frozen.view.get(historyTileKey(level, index));
    await put(HISTORY_PART, historyPartCodec.encode({ frontier: logFrontier({ size: height - 1, readTile }) }));
    // First: the oldest of these blocks may be pruned soon.
    const ids = await makeIds({ ledger, header, validityWindowMs, put, pace });
    const state = new StateSnapshot({ view: frozen.view, root: stateRoot, put, pace });
    const stateParts = await state.state();
    const logs = await state.logs();
    await flush();
    const manifest = { height, links: updates.length, logs, ids, stateParts, bytes };
    await snapshots.finish(manifest, { keep });
    return ok(manifest);
  } finally {
    await frozen.view.close();
  }
}

/** What leads from the genesis to the tip and ends with its certificate; null if the tip cannot end it. */
function lightUpdates(ledger: Ledger): Uint8Array[] | null {
  const updates: Uint8Array[] = [];
  for (let fromHeight = 0; updates.length < LINK_PARTS_MAX; ) {
    const update = ledger.lightUpdate({ fromHeight });
    const decoded = update.ok ? lightUpdateCodec.decode(update.value.bytes) : update;
    if (!update.ok || !decoded.ok) return null;
    const { links, head } = decoded.value;
    updates.push(update.value.bytes);
    if (update.value.isComplete) return head === null ? null : updates;
    fromHeight = links.at(-1)?.header.height ?? fromHeight;
  }
  return null;
}
