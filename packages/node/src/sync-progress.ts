import type { ReplicaStatus } from '@nacre/replica';

const BAR_WIDTH = 30;

type Syncing = Pick<ReplicaStatus, 'mode' | 'height' | 'snapshot'>;

/** What is counted, and what it was when this began to be counted. */
interface Stretch {
  /** The block of the snapshot that is fetched; null while blocks are. */
  readonly snapshotHeight: number | null;
  readonly startedAtMs: number;
  readonly from: number;
}

/** Says how far a node is that catches up, with rate and time left, out of looks at it now and then. */
export class SyncProgress {
  #stretch: Stretch | null = null;

  /** @param nowMs of a clock that does not jump @returns null while the node is not catching up */
  look({ mode, height, snapshot }: Syncing, nowMs: number): string | null {
    if (mode !== 'syncing') {
      this.#stretch = null;
      return null;
    }
    const done = snapshot?.parts ?? height;
    const snapshotHeight = snapshot?.height ?? null;
    if (this.#stretch === null || this.#stretch.snapshotHeight !== snapshotHeight)
      this.#stretch = { snapshotHeight, startedAtMs: nowMs, from: done };
    const { startedAtMs, from } = this.#stretch;
    const perSecond = nowMs > startedAtMs ? ((done - from) * 1000) / (nowMs - startedAtMs) : 0;
    if (snapshot === null) return `fetching blocks: at ${height}, ${perSecond.toFixed(0)} blocks/s`;
    // The number of parts is what peers say: there may turn out to be more.
    const total = Math.max(snapshot.partsTotal, done);
    const filled = Math.floor((BAR_WIDTH * done) / total);
    const left = perSecond > 0 ? `, about ${Math.ceil((total - done) / perSecond)} s left` : '';
    const megabytes = ((perSecond / total) * snapshot.bytesTotal) / 1_000_000;
    const bar = '#'.repeat(filled).padEnd(BAR_WIDTH, '.');
    return `[${bar}] state after block ${snapshot.height}: ${done} of ${total} parts, ${megabytes.toFixed(1)} MB/s${left}`;
  }
}
