import type { Clock } from '@nacre/base';
import type { Committee } from '@nacre/consensus';
import type { Applied } from '@nacre/ledger';
import { BlockSync, type BlockSyncDependencies } from './block-sync.ts';
import type { PeerTable } from './peer-table.ts';
import type { SnapshotSync } from './snapshot-sync.ts';

/** Blocks between two reports of progress. Lower: more of them than anyone reads. */
const REPORT_BLOCKS = 64;

/** How far this process has come in catching up with the network. Heights are those of blocks; times are wall clock in ms since 1970. */
export type SyncState =
  /** Nothing had to be caught up with since the start. */
  | { readonly kind: 'idle' }
  | {
      readonly kind: 'catching-up';
      readonly sinceMs: number;
      /** First block to fetch. */
      readonly fromHeight: number;
      /** Last block applied. */
      readonly height: number;
      /** As far as is proven, or said by more than a third of the weight; it moves on while the network decides. */
      readonly toHeight: number;
      /** Mean of this run; null before the first block. */
      readonly blocksPerSecond: number | null;
      /** Null before the first block. */
      readonly remainingMs: number | null;
    }
  | {
      readonly kind: 'done';
      readonly atMs: number;
      readonly fromHeight: number;
      readonly toHeight: number;
      readonly blocksPerSecond: number | null;
    }
  /** `NO_SOURCE`: whoever showed that there are further blocks does not give them. Tried again as soon as anyone says that it is ahead. */
  | { readonly kind: 'failed'; readonly atMs: number; readonly height: number; readonly toHeight: number; readonly reason: 'NO_SOURCE' };

type SyncListener = (state: SyncState) => void;

interface Dependencies extends BlockSyncDependencies {
  readonly clock: Clock;
  readonly snapshots: SnapshotSync;
  /** Takes up a snapshot first, if that is worthwhile or the only way. */
  readonly leap: () => Promise<void>;
}

/**
 * Catches up by itself, as often as it falls behind: after a start, a merge, or any lag that consensus cannot make good. Every run asks anew who
 * is ahead; nothing that failed before is a reason not to try, and no restart is ever needed.
 */
export class AutoSynchronizer {
  readonly #dependencies: Dependencies;
  readonly #blocks: BlockSync;
  readonly #listeners = new Set<SyncListener>();
  #state: SyncState = { kind: 'idle' };
  /** From where on the blocks of this run are counted. */
  #counted = { height: 0, sinceMs: 0 };

  constructor(dependencies: Dependencies) {
    this.#dependencies = dependencies;
    this.#blocks = new BlockSync({
      ...dependencies,
      applied: async (applied: Applied) => {
        await dependencies.applied(applied);
        this.#progressed(applied.height);
      },
    });
  }

  get state(): SyncState {
    return this.#state;
  }

  /** Calls `listener` when a run begins and ends, and after every 64 blocks of it. @returns how to stop it */
  onChange(listener: SyncListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Whether the network has verifiably gone on where consensus cannot reach it from here. */
  needed(): boolean {
    return this.#blocks.needed() || this.#dependencies.snapshots.needed();
  }

  /** See `BlockSync.prove`; whoever has no blocks to show may have a snapshot. */
  async prove(): Promise<boolean> {
    return (await this.#blocks.prove()) || (this.#blocks.takeFruitless() && (await this.#dependencies.snapshots.prove()));
  }

  end(): void {
    this.#blocks.end();
    this.#dependencies.snapshots.end();
  }

  /** Runs until nobody is known to be ahead, or nobody who is takes us further: by a snapshot where that is shorter, and then by blocks. */
  async run(): Promise<void> {
    const { ledger, clock, leap, snapshots } = this.#dependencies;
    const sinceMs = clock.nowMs();
    const fromHeight = ledger.tip.height + 1;
    const toHeight = this.#target();
    this.#become({
      kind: 'catching-up',
      sinceMs,
      fromHeight,
      height: ledger.tip.height,
      toHeight,
      blocksPerSecond: null,
      remainingMs: null,
    });
    await leap();
    // What a snapshot has skipped is in no rate.
    this.#counted = { height: ledger.tip.height, sinceMs: clock.nowMs() };
    const outcome = await this.#blocks.run();
    const atMs = clock.nowMs();
    const { height } = ledger.tip;
    if (outcome === 'ended') this.#become({ kind: 'idle' });
    else if (outcome === 'done' && !snapshots.needed()) {
      this.#become({ kind: 'done', atMs, fromHeight, toHeight: height, blocksPerSecond: this.#rate(height, atMs) });
    } else this.#become({ kind: 'failed', atMs, height, toHeight: Math.max(toHeight, height), reason: 'NO_SOURCE' });
  }

  #progressed(height: number): void {
    const state = this.#state;
    if (state.kind !== 'catching-up') return;
    const blocksPerSecond = this.#rate(height, this.#dependencies.clock.nowMs());
    const toHeight = Math.max(this.#target(), height);
    const remainingMs = blocksPerSecond === null ? null : Math.round((1_000 * (toHeight - height)) / blocksPerSecond);
    this.#state = { ...state, height, toHeight, blocksPerSecond, remainingMs };
    if ((height - this.#counted.height) % REPORT_BLOCKS === 0) this.#become(this.#state);
  }

  /** Blocks a second since they have been counted; null before the first. */
  #rate(height: number, nowMs: number): number | null {
    const blocks = height - this.#counted.height;
    // A clock that was set back, or blocks that came within a millisecond, give no rate but the highest.
    return blocks === 0 ? null : (1_000 * blocks) / Math.max(nowMs - this.#counted.sinceMs, 1);
  }

  /** A single peer's word would let it promise a catch-up that never ends. */
  #target(): number {
    const { ledger, peers } = this.#dependencies;
    const deciding = claimedByThird(peers, ledger.committeeAt(ledger.tip.height + 1));
    return Math.max(this.#blocks.provenHeight, deciding - 1, ledger.tip.height);
  }

  #become(state: SyncState): void {
    this.#state = state;
    for (const listener of this.#listeners) listener(state);
  }
}

/** The greatest height that connected validators of more than a third of the weight say they are deciding: one of them is honest. */
function claimedByThird(peers: PeerTable, committee: Committee): number {
  let weight = 0;
  for (const { peer, claimedHeight } of peers.beyond(0).sort((one, other) => other.claimedHeight - one.claimedHeight)) {
    const index = peer.validator === undefined ? null : committee.indexOf(peer.validator);
    if (index !== null) weight += committee.weight(index);
    if (3 * weight > committee.totalWeight) return claimedHeight;
  }
  return 0;
}
