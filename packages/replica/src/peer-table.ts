import type { Peer } from '@nacre/base';

/** What one connected peer has told us, none of it trusted beyond choosing whom to ask. */
export interface PeerView {
  readonly peer: Peer;
  /** Height it says it is deciding, 0 before it said anything. A claim: it triggers requests, nothing else. */
  claimedHeight: number;
  /** How often in a row its claim to be ahead has led nowhere: others are asked first. */
  fruitless: number;
  /** When we last answered one of its round states, so that repair stays at most one answer per interval. */
  repairedAtMs: number;
  /** Signatures of its frames being verified now. */
  verifying: number;
  /** Whether anything came from it since reachability was looked at last. */
  heard: boolean;
}

function rank({ peer }: PeerView): number {
  return peer.validator === undefined ? 1 : 0;
}

/** The connected peers. One entry per connection, so as bounded as the transport's connections are. */
export class PeerTable {
  readonly #views = new Map<string, PeerView>();

  connected(peer: Peer): void {
    this.#views.set(peer.id, { peer, claimedHeight: 0, fruitless: 0, repairedAtMs: Number.NEGATIVE_INFINITY, verifying: 0, heard: false });
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

  /**
   * Peers that claim to have decided `height` already, in the order in which they are worth asking. Anyone can be many followers that claim
   * the most and never answer, so validators come first, then those whose claims led somewhere, and only then the greatest claims.
   */
  beyond(height: number): PeerView[] {
    return [...this.#views.values()]
      .filter((view) => view.claimedHeight > height)
      .sort((a, b) => rank(a) - rank(b) || a.fruitless - b.fruitless || b.claimedHeight - a.claimedHeight);
  }

  /**
   * @param views in the order of `beyond`
   * @returns those over which questions may be spread: validators that have not disappointed, and others only where there are none of these
   */
  mostTrusted(views: readonly PeerView[]): readonly PeerView[] {
    const [first] = views;
    return first === undefined ? [] : views.filter((view) => rank(view) === rank(first) && view.fruitless === first.fruitless);
  }
}
