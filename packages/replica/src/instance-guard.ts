import { type Address, bytesEqual, toHex } from '@nacre/base';
import type { Committee } from '@nacre/consensus';

/** Length of an instance number in bytes: random, so that two processes never share one. */
export const INSTANCE_BYTES = 16;

interface LiveInstance {
  readonly peerId: string;
  readonly instance: Uint8Array;
}

/**
 * Keeps two processes with one key from both voting. A process may vote only while peers with more than half of the
 * other weight have acknowledged its random instance number; each peer acknowledges one live instance per key until
 * the connection on which it was claimed ends. Two instances would need two halves that overlap in an honest peer.
 *
 * Pure: the replica feeds it claims, acknowledgements and ended connections.
 *
 * @see protocol, section 5, "Twins"
 */
export class InstanceGuard {
  readonly instance: Uint8Array;
  readonly self: Address | null;
  /** Peers whose acknowledgement of us stands, by connection: the validator each of them has proven to be. */
  readonly #acknowledgedBy = new Map<string, Address>();
  /** The one live instance of each key that we have acknowledged; at most one entry per committee member. */
  readonly #live = new Map<string, LiveInstance>();

  constructor(self: Address | null, instance: Uint8Array) {
    this.self = self;
    this.instance = instance;
  }

  /**
   * A peer that proved `validator` claims to be its instance.
   *
   * @returns whether we acknowledge it; false while another connection's claim to the same key is alive
   */
  claim(peerId: string, validator: Address, instance: Uint8Array): boolean {
    const ourselves = this.self !== null && bytesEqual(validator, this.self);
    if (ourselves) return false; // Our own key on another connection is a twin, and we are alive.
    const key = toHex(validator);
    const live = this.#live.get(key);
    if (live !== undefined && live.peerId !== peerId && !bytesEqual(live.instance, instance)) return false;
    this.#live.set(key, { peerId, instance });
    return true;
  }

  acknowledged(peerId: string, validator: Address): void {
    this.#acknowledgedBy.set(peerId, validator);
  }

  isAcknowledgedBy(peerId: string): boolean {
    return this.#acknowledgedBy.has(peerId);
  }

  disconnected(peerId: string): void {
    this.#acknowledgedBy.delete(peerId);
    for (const [key, live] of this.#live) if (live.peerId === peerId) this.#live.delete(key);
  }

  /** Whether more than half of the committee's weight besides ours stands behind this instance. Nothing is needed if alone. */
  mayVote(committee: Committee): boolean {
    const self = this.self === null ? null : committee.indexOf(this.self);
    if (self === null) return false;
    const others = new Set<number>();
    for (const validator of this.#acknowledgedBy.values()) {
      const index = committee.indexOf(validator);
      if (index !== null && index !== self) others.add(index);
    }
    const otherWeight = committee.totalWeight - committee.weightOf([self]);
    return otherWeight === 0 || 2 * committee.weightOf(others) > otherWeight;
  }
}
