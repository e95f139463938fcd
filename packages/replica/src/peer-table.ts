import type { Peer } from '@nacre/base';

/** What one connected peer has told us, none of it trusted beyond choosing whom to ask. */
export interface PeerView {
  readonly peer: Peer;
  /** Height it says it is deciding, 0 before it said anything. A claim: it triggers requests, nothing else. */
  claimedHeight: number;
  /** When we last answered one of its round states, so that repair stays at most one answer per interval. */
  repairedAtMs: number;
  /** Signatures of its frames being verified now. */
  verifying: number;
  /** Whether anything came from it since reachability was looked at last. */
  heard: boolean;
}

/** The connected peers. One entry per connection, so as bounded as the transport's connections are. */
export class PeerTable {
  readonly #views = new Map<string, PeerView>();

  connected(peer: Peer): void {
    this.#views.set(peer.id, { peer, claimedHeight: 0, repairedAtMs: Number.NEGATIVE_INFINITY, verifying: 0, heard: false });
  }

  disconnected(peerId: string): void {
    this.#views.delete(peerId);
  }

  get(peerId: string): PeerView | undefined {
    return this.#views.get(peerId);
  }

  all(): IterableIterator<PeerView> {
    return this.#views.values();
  }

  get size(): number {
    return this.#views.size;
  }

  /** Peers that claim to have decided `height` already, those that claim the most first. */
  beyond(height: number): PeerView[] {
    return [...this.#views.values()].filter((view) => view.claimedHeight > height).sort((a, b) => b.claimedHeight - a.claimedHeight);
  }
}
