import type { Connection } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import type { AddressBook, ValidatorPlace } from './address-book.ts';
import type { DialTarget } from './dialer.ts';
import type { LinkTable } from './link-table.ts';
import type { TcpAddress } from './multiaddrs.ts';

export interface PeerTarget extends DialTarget {
  readonly multiaddrs: readonly Multiaddr[];
}

interface DialTargetsOptions {
  readonly bootstrap: readonly TcpAddress[];
  readonly book: AddressBook;
  readonly links: LinkTable;
  readonly ownPeerId: string;
  /** Whether this node is in the committee: then it wants every other one. */
  readonly isValidator: () => boolean;
  readonly followedValidators: number;
  /** Whether the operator or the scores forbid a peer, by peer id or address. */
  readonly shut: (name: string) => boolean;
}

interface Bootstrap {
  readonly address: TcpAddress;
  /** Learned from the first connection where the configuration does not name it. */
  peerId: string | null;
}

/** Whom this node wants to be connected to and is not: the addresses it was given, and the validators it has heard of. */
export class DialTargets {
  readonly #options: DialTargetsOptions;
  readonly #bootstrap: readonly Bootstrap[];
  /** How often in a row validators could not be reached, by address: a follower that may choose prefers the others. */
  readonly #failures = new Map<string, number>();

  constructor(options: DialTargetsOptions) {
    this.#options = options;
    this.#bootstrap = options.bootstrap.map((address) => ({ address, peerId: address.peerId }));
  }

  wanted(): PeerTarget[] {
    const { links, ownPeerId, shut } = this.#options;
    const missing = (peerId: string): boolean => peerId !== ownPeerId && links.ofPeerId(peerId) === undefined && !shut(peerId);
    const targets = new Map<string, PeerTarget>();
    for (const { address, peerId } of this.#bootstrap) {
      if (peerId !== null && !missing(peerId)) continue;
      const key = address.multiaddr.toString();
      targets.set(key, { key, multiaddrs: [named(address.multiaddr, address.peerId)] });
    }
    for (const place of this.#validatorsMissing()) {
      if (!missing(place.peerId)) continue;
      const multiaddrs = place.multiaddrs.map((address) => named(address, place.peerId));
      // One entry of the configuration and one of the book may be the same place: dialled once.
      if (multiaddrs.some((address) => targets.has(address.decapsulate(`/p2p/${place.peerId}`).toString()))) continue;
      targets.set(place.validator, { key: place.validator, multiaddrs });
    }
    return [...targets.values()];
  }

  /** Everything that is or may become a target; what is remembered of others is forgotten. */
  retained(): ReadonlySet<string> {
    const keys = new Set(this.#options.book.places().map(({ validator }) => validator));
    for (const validator of this.#failures.keys()) if (!keys.has(validator)) this.#failures.delete(validator);
    for (const { address } of this.#bootstrap) keys.add(address.multiaddr.toString());
    return keys;
  }

  /** How a dial went. */
  dialled({ key }: PeerTarget, admitted: boolean): void {
    if (admitted) this.#failures.delete(key);
    else this.#failures.set(key, (this.#failures.get(key) ?? 0) + 1);
  }

  /** Remembers who answers at an address that names nobody, so that it counts as connected from now on. */
  reached(target: PeerTarget, connection: Connection): void {
    const bootstrap = this.#bootstrap.find(({ address }) => address.multiaddr.toString() === target.key);
    if (bootstrap !== undefined) bootstrap.peerId = connection.remotePeer.toString();
  }

  /** A committee's member wants all the others; anyone else a few, so that no single one cuts it off. */
  #validatorsMissing(): ValidatorPlace[] {
    const { book, links, shut, isValidator, followedValidators } = this.#options;
    const places = book.places().filter(({ validator }) => !shut(validator));
    const missing = places.filter(({ validator }) => links.ofValidator(validator) === undefined);
    if (isValidator()) return missing;
    const lacking = Math.max(0, followedValidators - (places.length - missing.length));
    const failures = ({ validator }: ValidatorPlace): number => this.#failures.get(validator) ?? 0;
    return missing.sort((a, b) => failures(a) - failures(b)).slice(0, lacking);
  }
}

function named(address: Multiaddr, peerId: string | null): Multiaddr {
  return peerId === null ? address : address.encapsulate(`/p2p/${peerId}`);
}
