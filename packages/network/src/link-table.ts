import { bytesEqual } from '@nacre/base';
import type { Candidate } from './admission.ts';
import type { PeerLink } from './peer-link.ts';

/** The admitted connections, at most one per peer id. */
export class LinkTable {
  readonly #ownPeerId: string;
  readonly #byPeerId = new Map<string, PeerLink>();
  readonly #byPeer = new Map<string, PeerLink>();
  readonly #byConnection = new Map<string, PeerLink>();

  constructor(ownPeerId: string) {
    this.#ownPeerId = ownPeerId;
  }

  /**
   * Whether a connection may take the place of the one that the same peer has already. Both ends come to the same answer:
   *
   * - a process that was started anew is always believed, its old connection is dead whatever it looks like;
   * - of two that the same side dialled, the dialer keeps the first and the listener follows it;
   * - of two dialled by either side at once, the one that the smaller peer id dialled stays.
   */
  mayReplace(peerId: string, candidate: Candidate, direction: 'inbound' | 'outbound'): boolean {
    const present = this.#byPeerId.get(peerId);
    if (present === undefined || !bytesEqual(present.candidate.instance, candidate.instance)) return true;
    if (present.connection.direction === direction) return direction === 'inbound';
    return (direction === 'outbound') === this.#ownPeerId < peerId;
  }

  add(link: PeerLink): void {
    this.#byPeerId.set(link.peerId, link);
    this.#byPeer.set(link.peer.id, link);
    this.#byConnection.set(link.connection.id, link);
  }

  remove(link: PeerLink): void {
    if (this.#byPeerId.get(link.peerId) === link) this.#byPeerId.delete(link.peerId);
    this.#byPeer.delete(link.peer.id);
    this.#byConnection.delete(link.connection.id);
  }

  ofPeerId(peerId: string): PeerLink | undefined {
    return this.#byPeerId.get(peerId);
  }

  ofPeer(id: string): PeerLink | undefined {
    return this.#byPeer.get(id);
  }

  ofConnection(id: string): PeerLink | undefined {
    return this.#byConnection.get(id);
  }

  ofValidator(address: string): PeerLink | undefined {
    for (const link of this.#byPeerId.values()) if (link.validator === address) return link;
    return undefined;
  }

  /** Followers, without the one whose place is to be taken. */
  followersBeside(peerId: string): number {
    let count = 0;
    for (const link of this.#byPeerId.values()) if (link.validator === null && link.peerId !== peerId) count++;
    return count;
  }

  all(): IterableIterator<PeerLink> {
    return this.#byPeerId.values();
  }
}
