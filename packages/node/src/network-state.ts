import { type Address, bytesEqual, toHex } from '@nacre/base';
import type { Committee } from '@nacre/consensus';
import { formatAddress } from '@nacre/crypto';
import type { ReplicaStatus } from '@nacre/replica';
import type { NetworkState } from './backend.ts';

/** Missing validators that a reason names; of more it gives the number. */
const NAMED_MAX = 8;
/** An idle chain makes a block every idle interval. So many without one, and something is wrong that no connection shows. */
const STALE_INTERVALS = 3;
/** Connections come up and peers acknowledge within this, in ms. Beyond: the reason says more than "not yet". */
const ACKNOWLEDGE_MS = 10_000;

export interface NetworkView {
  readonly committee: Committee;
  /** What people call a validator. */
  readonly nameOf: (address: Address) => string | undefined;
  /** Null for a follower. A validator-to-be, and one that has left, have an address that the committee has not. */
  readonly self: Address | null;
  /** Why the process that holds our key signs no votes; null while it does, or where the key is here. */
  readonly signerTrouble: string | null;
  /** Of the admitted peers that proved to be validators. */
  readonly connected: readonly Address[];
  /**
   * Validators on other sides of a partition, in hex. A connection outlives a cut for many seconds where packets just vanish. Empty while blocks
   * come, since they are what a quorum signs.
   */
  readonly cutOff: ReadonlySet<string>;
  readonly replica: Pick<ReplicaStatus, 'mode' | 'voting' | 'doubt' | 'peers' | 'snapshot'>;
  readonly idleIntervalMs: number;
  /** Since this process applied a block, or started. */
  readonly sinceProgressMs: number;
  /** Since this process started. */
  readonly sinceStartMs: number;
}

/**
 * What the network can do, as far as this node can tell.
 *
 * `PARTITIONED`: too few validators are reachable for a quorum, or blocks stopped coming. `RECOVERING`: it syncs, its journal is in doubt, or
 * its signer is away, or it is not yet acknowledged as the only process with its key. A validator in doubt or without its signer does not count its
 * own weight.
 *
 * @see protocol, section 9
 */
export function networkState(view: NetworkView): NetworkState {
  const { replica, self } = view;
  if (replica.mode === 'stopped') return { state: 'RECOVERING', reason: 'the replica is stopped' };
  // Whoever is not in the committee yet, or no longer, is a follower as far as this goes.
  const isValidator = self !== null && view.committee.indexOf(self) !== null;
  const unreachable = isValidator ? quorumMissing(view, self) : followerIsolated(view);
  if (unreachable !== null) return { state: 'PARTITIONED', reason: unreachable };
  if (replica.mode === 'syncing') return { state: 'RECOVERING', reason: howItSyncs(replica) };
  if (replica.doubt !== null) {
    const reason = `the vote journal is in doubt (${replica.doubt.code}): silent until the network has decided the recovery of this validator`;
    return { state: 'RECOVERING', reason };
  }
  if (view.signerTrouble !== null)
    return { state: 'RECOVERING', reason: `the signer is away: silent until it is back (${view.signerTrouble})` };
  const staleMs = STALE_INTERVALS * view.idleIntervalMs;
  if (view.sinceProgressMs > staleMs) {
    const reason = `no block for ${Math.floor(view.sinceProgressMs / 1000)} s; an idle network makes one every ${view.idleIntervalMs / 1000} s`;
    return { state: 'PARTITIONED', reason };
  }
  if (isValidator && !replica.voting) return { state: 'RECOVERING', reason: whyMute(view) };
  return { state: 'NORMAL', reason: null };
}

function howItSyncs({ snapshot }: Pick<ReplicaStatus, 'snapshot'>): string {
  if (snapshot === null) return 'catching up with the chain from peers';
  const { height, parts, partsTotal } = snapshot;
  return `taking up the state after block ${height} from peers: ${parts} of about ${partsTotal} parts`;
}

function whyMute({ sinceStartMs }: NetworkView): string {
  const waiting = 'waiting for other validators to acknowledge this process as the only one with its key';
  return sinceStartMs > ACKNOWLEDGE_MS ? `${waiting}; another process may be running with a copy of this home` : waiting;
}

/** A follower learns of every block from any one peer that does. */
function followerIsolated({ replica }: NetworkView): string | null {
  return replica.peers === 0 ? 'no peer is connected' : null;
}

/** @returns why the validators that this one can reach, itself included, are no quorum; null if they are */
function quorumMissing(view: NetworkView, self: Address): string | null {
  const { committee, nameOf, replica, signerTrouble, cutOff } = view;
  const connected = view.connected.filter((address) => !cutOff.has(toHex(address)));
  const reached = new Set<number>();
  for (const address of replica.doubt === null && signerTrouble === null ? [self, ...connected] : connected) {
    const index = committee.indexOf(address);
    if (index !== null) reached.add(index);
  }
  const weight = committee.weightOf(reached);
  if (committee.isQuorum(weight)) return null;
  const missing = committee.validators.filter(({ address }, index) => !reached.has(index) && !bytesEqual(address, self));
  const all = missing.map(({ address }) => nameOf(address) ?? formatAddress(address));
  const names = all.sort((one, other) => one.localeCompare(other, 'en', { numeric: true })).slice(0, NAMED_MAX);
  const more = missing.length > NAMED_MAX ? ` and ${missing.length - NAMED_MAX} more` : '';
  return `reaches weight ${weight} of ${committee.totalWeight}, more than two thirds are needed; not connected: ${names.join(', ')}${more}`;
}
