import { type Address, type Log, type Refusal, toHex } from '@nacre/base';
import type { Committee } from '@nacre/consensus';
import { type Member, PartitionDetector, type PartitionEvent, type PartitionRecord, type Side } from '@nacre/health';
import type { Ledger } from '@nacre/ledger';
import type { ReplicaConfiguration } from './configuration.ts';
import type { PeerTable, PeerView } from './peer-table.ts';
import type { Message } from './wire.ts';

type PartitionListener = (event: PartitionEvent) => void;

interface Dependencies {
  /** Null for a follower. */
  readonly self: Address | null;
  readonly configuration: Pick<ReplicaConfiguration, 'reachIntervalMs' | 'reachSilenceMs' | 'reachSettleMs'>;
  readonly ledger: Ledger;
  readonly peers: PeerTable;
  readonly log: Log;
  /** To every peer. */
  readonly tell: (message: Message) => void;
  readonly penalize: (peerId: string, offence: Refusal) => void;
}

/**
 * Who can reach whom: tells the peers whom this validator hears, and feeds the partition detector with what comes from them. Nothing is
 * decided by it.
 *
 * A word about reachability is not signed. It counts for the validator whose key the other end of the connection has proven, and is never passed on.
 */
export class ReachWatch {
  readonly #dependencies: Dependencies;
  readonly #detector: PartitionDetector;
  readonly #listeners = new Set<PartitionListener>();
  #committee: Committee | null = null;
  #members: readonly Member[] = [];
  #toldAtMs = Number.NEGATIVE_INFINITY;

  constructor(dependencies: Dependencies) {
    const { self, configuration } = dependencies;
    this.#dependencies = dependencies;
    this.#detector = new PartitionDetector({
      self: self === null ? null : toHex(self),
      silenceMs: configuration.reachSilenceMs,
      settleMs: configuration.reachSettleMs,
    });
  }

  /** The sides of the committee, ids in hex: one where nobody is cut off, none shortly after the start. */
  get sides(): readonly Side[] {
    return this.#detector.sides;
  }

  /** Partitions since the start, the oldest first. */
  get history(): readonly PartitionRecord[] {
    return this.#detector.history;
  }

  /** Addresses in hex of the validators that this process hears, itself not among them. */
  get heard(): readonly string[] {
    return this.#detector.heard();
  }

  /** Calls `listener` when a partition begins, changes or ends. @returns how to stop it */
  onPartition(listener: PartitionListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  onReach({ peer }: PeerView, { epoch, heard }: Extract<Message, { kind: 'reach' }>): void {
    const { ledger, penalize } = this.#dependencies;
    const current = ledger.epochOf(ledger.tip.height + 1);
    // Places in another epoch's committee mean others. Whoever is in another epoch is heard all the same.
    if (peer.validator === undefined || current?.epoch !== epoch) return;
    const { validators } = current.committee;
    if (heard.some((index) => index >= validators.length)) return penalize(peer.id, { code: 'REACH_INVALID', epoch });
    const ids = heard.map((index) => toHex((validators[index] as (typeof validators)[number]).address));
    this.#detector.claim(toHex(peer.validator), ids);
  }

  /** Call several times within the silence. */
  tick(nowMs: number): void {
    const { ledger, peers, log } = this.#dependencies;
    const { committee, epoch } = this.#currentEpoch();
    if (committee !== this.#committee) {
      this.#committee = committee;
      this.#members = committee.validators.map(({ address, weight }) => ({ id: toHex(address), weight }));
    }
    for (const view of peers.all()) {
      if (view.heard && view.peer.validator !== undefined) this.#detector.hear(toHex(view.peer.validator));
      view.heard = false;
    }
    const event = this.#detector.look(this.#members, nowMs);
    this.#tell(committee, epoch, nowMs);
    if (event === null) return;
    const sides = event.sides.map(({ members, weight, mayDecide }) => ({ members, weight, mayDecide }));
    log[event.kind === 'merged' ? 'info' : 'warn']({ height: ledger.tip.height, sides }, `network ${event.kind}`);
    for (const listener of this.#listeners) listener(event);
  }

  #currentEpoch(): { readonly committee: Committee; readonly epoch: number } {
    const { ledger } = this.#dependencies;
    const height = ledger.tip.height + 1;
    return { committee: ledger.committeeAt(height), epoch: ledger.epochOf(height)?.epoch ?? 0 };
  }

  #tell(committee: Committee, epoch: number, nowMs: number): void {
    const { self, configuration, tell } = this.#dependencies;
    const sinceMs = nowMs - this.#toldAtMs;
    // A clock that was set back must not silence us.
    if ((sinceMs >= 0 && sinceMs < configuration.reachIntervalMs) || self === null || committee.indexOf(self) === null) return;
    this.#toldAtMs = nowMs;
    const places = new Map(committee.validators.map(({ address }, index) => [toHex(address), index]));
    const heard = this.#detector.heard().map((id) => places.get(id) as number);
    tell({ kind: 'reach', epoch, heard });
  }
}
