import type { Clock, Log, Refusal } from '@nacre/base';
import type { Ledger, PartName, SnapshotAnchor, SnapshotIntake, SnapshotManifest, Snapshots } from '@nacre/ledger';
import type { Mempool } from './mempool.ts';
import type { PeerRequests } from './peer-requests.ts';
import type { PeerTable } from './peer-table.ts';
import { PARTS_PER_REQUEST_MAX } from './wire.ts';

/** Requests for parts under way at once, over all peers. */
const REQUESTS_AT_ONCE_MAX = 4;
/** How often a run looks again for whoever has a snapshot, when all that it asked have failed. Beyond: it is left to the blocks. */
const OFFERS_MAX = 4;

interface Dependencies {
  readonly ledger: Ledger;
  readonly mempool: Mempool;
  readonly snapshots: Snapshots;
  readonly peers: PeerTable;
  readonly requests: PeerRequests;
  readonly log: Log;
  readonly clock: Clock;
}

export interface SnapshotSyncOptions {
  /** Blocks behind from which on a snapshot is taken where there is one; null: never, the node is to have all blocks. */
  readonly snapshotBehindBlocks: number | null;
}

/** How far a snapshot that is being fetched is. */
export interface SnapshotProgress {
  readonly height: number;
  readonly parts: number;
  /** As those say who offer it. */
  readonly partsTotal: number;
  readonly bytesTotal: number;
  readonly startedAtMs: number;
}

interface Offer {
  readonly manifest: SnapshotManifest;
  readonly peers: Set<string>;
}

/**
 * Catches up with a snapshot of the state instead of blocks. Peers say which they have; parts come from all that have the same one, several at a
 * time, and each is verified by itself from the genesis on, so whoever gives a false one is dropped and pays. What has come is stored, and not fetched again
 * after a restart. Nobody is waited for: where there is no snapshot, or none that holds, the blocks are next.
 *
 * @see protocol, section 7
 */
export class SnapshotSync {
  readonly #options: SnapshotSyncOptions;
  readonly #dependencies: Dependencies;
  #ended = false;
  /** Peers that gave nothing or something false, for as long as a run takes. */
  readonly #failed = new Set<string>();
  /** Snapshots that turned out to be none, by their numbers. */
  readonly #condemned = new Set<string>();
  #progress: SnapshotProgress | null = null;
  #proving = false;
  /** Height of a snapshot that is verifiably of a decided block. */
  #provenHeight = 0;

  constructor(options: SnapshotSyncOptions, dependencies: Dependencies) {
    this.#options = options;
    this.#dependencies = dependencies;
  }

  get progress(): SnapshotProgress | null {
    return this.#progress;
  }

  end(): void {
    this.#ended = true;
  }

  /** Whether the network has verifiably gone on, as nobody could show by blocks. */
  needed(): boolean {
    return this.#provenHeight > this.#dependencies.ledger.tip.height + 1;
  }

  /**
   * Asks for a snapshot of a block ahead and verifies that it was decided; no more than that. For when peers claim to be ahead and have no blocks
   * to show for it.
   *
   * @returns whether a snapshot is needed now
   */
  async prove(): Promise<boolean> {
    const { ledger, requests, snapshots } = this.#dependencies;
    if (this.#proving || this.#progress !== null || this.#options.snapshotBehindBlocks === null) return false;
    this.#proving = true;
    this.#failed.clear();
    try {
      const offer = await this.#bestOffer(ledger.tip.height + 2);
      if (offer === null) return false;
      const intake = snapshots.reread(offer.manifest);
      for (const id of offer.peers) {
        for (let [name] = intake.wanted(); intake.anchor === null && name !== undefined; [name] = intake.wanted()) {
          const [bytes] = await requests.snapshotParts(id, offer.manifest.height, [name]);
          const taken = bytes && (await intake.take(name, bytes));
          if (taken?.ok) continue;
          if (taken !== undefined) requests.penalize(id, taken.error);
          break;
        }
        if (intake.anchor !== null) this.#provenHeight = Math.max(this.#provenHeight, offer.manifest.height);
      }
      return this.needed();
    } finally {
      this.#proving = false;
    }
  }

  /** Whether peers claim to be so far ahead that a snapshot would be shorter than the blocks. */
  get worthwhile(): boolean {
    const { snapshotBehindBlocks } = this.#options;
    if (snapshotBehindBlocks === null) return false;
    return this.#dependencies.peers.beyond(this.#dependencies.ledger.tip.height + snapshotBehindBlocks).length > 0;
  }

  /**
   * Takes up the newest snapshot that peers have, if there is one that holds.
   *
   * @param onlyWay whether any that leads on will do; else it has to spare half the blocks that make it worthwhile
   */
  async run({ onlyWay }: { readonly onlyWay: boolean }): Promise<void> {
    const { snapshotBehindBlocks } = this.#options;
    if (snapshotBehindBlocks === null) return;
    const { ledger } = this.#dependencies;
    this.#failed.clear();
    try {
      for (let offers = 0; offers < OFFERS_MAX && !this.#ended; offers++) {
        const offer = await this.#bestOffer(ledger.tip.height + (onlyWay ? 2 : Math.max(2, snapshotBehindBlocks / 2)));
        if (offer === null || (await this.#take(offer))) return;
      }
    } finally {
      this.#progress = null;
      this.#provenHeight = 0;
    }
  }

  /** Of the snapshots that peers have now: the one that was begun, or else the newest. */
  async #bestOffer(heightMin: number): Promise<Offer | null> {
    const { peers, requests, snapshots } = this.#dependencies;
    const offers = new Map<string, Offer>();
    const asked = [...peers.all()].filter(({ peer }) => !this.#failed.has(peer.id));
    await Promise.all(
      asked.map(async ({ peer: { id } }) => {
        for (const manifest of (await requests.snapshots(id)) ?? []) {
          const name = nameOf(manifest);
          if (manifest.height < heightMin || this.#condemned.has(name)) continue;
          const offer = offers.get(name) ?? { manifest, peers: new Set<string>() };
          offer.peers.add(id);
          offers.set(name, offer);
        }
      }),
    );
    const begun = snapshots.resumable;
    const resumed = begun === null ? undefined : offers.get(nameOf(begun));
    return resumed ?? [...offers.values()].sort((a, b) => b.manifest.height - a.manifest.height || b.peers.size - a.peers.size)[0] ?? null;
  }

  async #take({ manifest, peers }: Offer): Promise<boolean> {
    const { snapshots, ledger, mempool, log, clock } = this.#dependencies;
    const { height } = manifest;
    const intake = await snapshots.begin(manifest);
    await snapshots.resume(intake);
    const partsTotal = manifest.links + manifest.logs + manifest.ids + manifest.stateParts + 1;
    const startedAtMs = clock.nowMs();
    const report = (): void => {
      this.#progress = { height, parts: intake.taken, partsTotal, bytesTotal: manifest.bytes, startedAtMs };
    };
    report();
    log.info({ height, parts: intake.taken, partsTotal, peers: peers.size }, 'fetching a snapshot');
    const asking = new Set<PartName>();
    const able = (): string[] => [...peers].filter((id) => !this.#failed.has(id));
    let turn = 0;
    const running = new Set<Promise<void>>();
    while (!intake.isComplete && !this.#ended) {
      const ids = able();
      while (running.size < REQUESTS_AT_ONCE_MAX && ids.length > 0) {
        const names = firstOf(intake.wanted(), asking);
        if (names.length === 0) break;
        const fetching: Promise<void> = this.#fetch(intake, names, ids[turn++ % ids.length] as string).then(() => {
          running.delete(fetching);
          for (const name of names) asking.delete(name);
          report();
        });
        for (const name of names) asking.add(name);
        running.add(fetching);
      }
      if (running.size === 0) break;
      await Promise.race(running);
    }
    await Promise.all(running);
    if (!intake.isComplete || this.#ended) return false;
    const complete = intake.checkLogs();
    if (!complete.ok) {
      this.#condemn(manifest, peers, complete.error);
      await snapshots.drop();
      return false;
    }
    const { header } = intake.anchor as SnapshotAnchor;
    const unknown = await mempool.leapTo(header.timeMs);
    if (unknown > 0) log.warn({ unknown }, 'a snapshot does not say how transactions ended that clients were promised here');
    await ledger.adopt(() => snapshots.adopt(intake));
    await mempool.dropIncluded();
    return true;
  }

  async #fetch(intake: SnapshotIntake, names: readonly PartName[], id: string): Promise<void> {
    const { requests, snapshots } = this.#dependencies;
    const parts = await requests.snapshotParts(id, intake.manifest.height, names);
    if (parts.length === 0) return void this.#failed.add(id);
    const named = parts.slice(0, names.length).map((bytes, i) => ({ name: names[i] as PartName, bytes }));
    const taken = await snapshots.take(intake, named);
    if (taken.ok) return;
    this.#failed.add(id);
    return requests.penalize(id, taken.error);
  }

  /** Who else offers the same one is not asked for it again; it may have been made by another's fault. */
  #condemn(manifest: SnapshotManifest, peers: ReadonlySet<string>, refusal: Refusal): void {
    if (this.#condemned.size >= CONDEMNED_MAX) this.#condemned.clear();
    this.#condemned.add(nameOf(manifest));
    for (const id of peers) this.#dependencies.requests.penalize(id, refusal);
  }
}

/** Snapshots that are remembered for what they are. Beyond: all are forgotten, and may be tried once more. */
const CONDEMNED_MAX = 64;

/** Nodes that make a snapshot of the same block make the same parts of it; their sizes may differ by who signed. */
function nameOf({ height, links, logs, ids }: SnapshotManifest): string {
  return [height, links, logs, ids].join('/');
}

function firstOf(names: Iterable<PartName>, except: ReadonlySet<PartName>): PartName[] {
  const found: PartName[] = [];
  for (const name of names) {
    if (found.length === PARTS_PER_REQUEST_MAX) break;
    if (!except.has(name)) found.push(name);
  }
  return found;
}
