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
   * Whether a connection may be let in beside what the same peer has already. As a rule the first connection stays, and of two
   * that are dialled at once the later one is turned away before it counts. Otherwise:
   *
   * - a follower that was started anew is always believed: its old connection is dead, whatever it looks like;
   * - a validator that was started anew waits until its old connection has ended, by its own word or by silence: a copied home has
   *   the same peer key, and two processes that take each other's place would both believe for a moment that it is theirs;
   * - a dialer that dials again has lost what it dialled before, so the listener follows it.
   */
  welcomes(peerId: string, candidate: Candidate, direction: 'inbound' | 'outbound'): boolean {
    const present = this.#byPeerId.get(peerId);
    if (present === undefined) return true;
    if (!bytesEqual(present.candidate.instance, candidate.instance)) return present.candidate.key === null;
    return present.connection.direction === 'inbound' && direction === 'inbound';
  }

  /**
   * The same, for a connection that both sides have welcomed already: two may come that far at once. Then the one that the
   * smaller peer id dialled stays, which both ends find alike whatever they saw first.
   */
  admits(peerId: string, candidate: Candidate, direction: 'inbound' | 'outbound'): boolean {
    if (this.welcomes(peerId, candidate, direction)) return true;
    const present = this.#byPeerId.get(peerId);
    if (present === undefined || present.connection.direction === direction) return false;
    if (!bytesEqual(present.candidate.instance, candidate.instance)) return false;
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
