import type { Connection, Stream } from '@libp2p/interface';
import {
  type Address,
  assert,
  bytesEqual,
  type Clock,
  FRAME_BYTES_MAX,
  type Lane as LaneName,
  type Log,
  type Peer,
  type Refusal,
  type Urgency,
} from '@nacre/base';
import type { Candidate } from './admission.ts';
import { endConnection } from './admission-desk.ts';
import type { GossipTopic } from './gossip-topic.ts';
import { Lane, type LaneHandlers } from './lane.ts';
import type { LinkSecurities } from './link-security.ts';
import type { LinkTable } from './link-table.ts';
import type { Counters, Disconnection } from './network-counters.ts';
import type { NetworkLimits } from './network-limits.ts';
import { PeerLink } from './peer-link.ts';
import type { Scoreboard } from './scoreboard.ts';

/** One admitted connection, as operators see it. */
export interface PeerInfo {
  readonly peerId: string;
  /** The proven validator, null for a follower. */
  readonly address: Address | null;
  readonly multiaddr: string;
  readonly direction: 'inbound' | 'outbound';
  readonly security: { readonly protocol: 'tls' | 'noise'; readonly group: string };
  /** 0 at best; at -100 the peer is disconnected and banned. */
  readonly score: number;
  /** Smoothed round-trip time of the lane's pings in ms; null before the first. */
  readonly latencyMs: number | null;
  /** Bytes of frames, questions and answers. */
  readonly bytesIn: number;
  readonly bytesOut: number;
}

interface NeighboursOptions {
  readonly links: LinkTable;
  readonly limits: NetworkLimits;
  readonly clock: Clock;
  readonly log: Log;
  readonly counters: Counters;
  readonly scoreboard: Scoreboard;
  readonly securities: LinkSecurities;
  readonly ownAddress: Address | null;
  readonly validatorKey: (address: Address) => Uint8Array | undefined;
  readonly gossip: GossipTopic | null;
  readonly connected: (link: PeerLink) => void;
  readonly disconnected: (link: PeerLink) => void;
  readonly message: (link: PeerLink, frame: Uint8Array) => void;
}

/** The admitted peers: their lanes, their offences, and how they come and go. */
export class Neighbours {
  readonly #options: NeighboursOptions;
  /** Connections that are being closed in order. */
  readonly #ending = new Set<Promise<void>>();
  #epoch = 0;

  constructor(options: NeighboursOptions) {
    this.#options = options;
  }

  /** Whether this node is in the committee now. Asked for every broadcast, so that a change of the committee acts at once. */
  get isValidator(): boolean {
    const { ownAddress, validatorKey } = this.#options;
    return ownAddress !== null && validatorKey(ownAddress) !== undefined;
  }

  /** Takes in a connection whose other end has proven itself and whose stream of frames is open. */
  admit(connection: Connection, candidate: Candidate, stream: Stream): PeerLink {
    const { links, limits, clock, securities, gossip, connected, log, ownAddress } = this.#options;
    const replaced = links.ofPeerId(connection.remotePeer.toString());
    if (replaced !== undefined) this.drop(replaced, 'DUPLICATE');
    const rate = candidate.key === null ? limits.followerRate : limits.validatorRate;
    const security = securities.of(connection);
    const questionsMax = limits.questionsPerPeerMax;
    const link = new PeerLink({ connection, candidate, security, rate, questionsMax, epoch: ++this.#epoch, nowMs: clock.nowMs() });
    link.lane = new Lane({ stream, limits, rate, clock, together: security.together }, this.#laneHandlers(link));
    links.add(link);
    connection.addEventListener('close', () => this.drop(link, 'CLOSED'), { once: true });
    if (ownAddress !== null && link.peer.validator !== undefined && bytesEqual(ownAddress, link.peer.validator)) {
      log.warn({ peer: link.peer.id }, 'a peer holds the key of this very validator');
    }
    const { direction } = connection;
    log.info({ peer: link.peer.id, validator: link.validator, direction, group: security.group }, 'peer connected');
    connected(link);
    gossip?.attach(link);
    return link;
  }

  #laneHandlers(link: PeerLink): LaneHandlers {
    const { counters, message } = this.#options;
    return {
      frame: (frame) => {
        counters.count.framesIn++;
        counters.count.bytesIn += frame.length;
        link.bytesIn += frame.length;
        message(link, frame);
      },
      sent: (frames, bytes) => {
        counters.count.framesOut += frames;
        counters.count.bytesOut += bytes;
        link.bytesOut += bytes;
      },
      dropped: (frames) => {
        counters.count.framesDropped += frames;
      },
      throttled: () => {
        counters.count.throttled++;
        this.penalize(link, { code: 'RATE_EXCEEDED' });
      },
      ended: (reason, details) => {
        if (reason === 'MALFORMED') this.penalize(link, details);
        this.drop(link, reason);
      },
    };
  }

  /** Ends a connection; the handlers hear of it once. */
  drop(link: PeerLink, reason: Disconnection): void {
    if (link.closed) return;
    link.closed = true;
    const { links, counters, log, gossip, disconnected } = this.#options;
    links.remove(link);
    gossip?.detach(link);
    link.lane?.close();
    counters.disconnect(reason);
    log.info({ peer: link.peer.id, validator: link.validator, reason }, 'peer disconnected');
    // Whoever does not read does not read a farewell either.
    if (reason === 'SILENT' || reason === 'SLOW_READER') link.connection.abort(new Error(reason));
    else {
      const ending = endConnection(link.connection).then(() => {
        this.#ending.delete(ending);
      });
      this.#ending.add(ending);
    }
    disconnected(link);
  }

  /** Lets everyone go; resolves when the connections are closed. */
  async stop(): Promise<void> {
    for (const link of [...this.#options.links.all()]) this.drop(link, 'STOPPED');
    await Promise.all(this.#ending);
  }

  penalize(link: PeerLink, offence: Refusal): void {
    const { scoreboard, counters, log } = this.#options;
    if (link.closed) return;
    counters.count.offences++;
    log.debug({ ...offence, peer: link.peer.id, validator: link.validator }, 'offence');
    if (!scoreboard.penalize(link.scoreKey, offence)) return;
    counters.count.bans++;
    log.warn({ code: offence.code, peer: link.peer.id, validator: link.validator }, 'peer banned');
    this.drop(link, 'BANNED');
  }

  send(peerId: string, frame: Uint8Array): void {
    assert(frame.length <= FRAME_BYTES_MAX, 'a frame is within the bound that its reader enforces');
    this.#options.links.ofPeer(peerId)?.lane?.enqueue(frame, 'urgent');
  }

  broadcast(lane: LaneName, frame: Uint8Array, urgency: Urgency): void {
    assert(frame.length <= FRAME_BYTES_MAX, 'a frame is within the bound that its reader enforces');
    const { gossip, limits } = this.#options;
    const receivers = [...this.#reachedBy(lane)];
    if (lane === 'gossip' && gossip !== null && receivers.length > limits.directGossipMax && gossip.carries(frame)) {
      return gossip.publish(frame);
    }
    for (const link of receivers) link.lane?.enqueue(frame, urgency);
  }

  /** Two validators speak on the committee lane, all other pairs on the gossip lane. */
  isCommitteePair(link: PeerLink): boolean {
    return link.peer.validator !== undefined && this.isValidator;
  }

  *#reachedBy(lane: LaneName): Iterable<PeerLink> {
    const validator = this.isValidator;
    for (const link of this.#options.links.all()) {
      const committeePair = validator && link.peer.validator !== undefined;
      if (committeePair === (lane === 'committee')) yield link;
    }
  }

  peers(): Peer[] {
    return [...this.#options.links.all()].map(({ peer }) => peer);
  }

  /** Lets peers whose standing has changed come again: who joined the committee, left it, or rotated its key. */
  recheckMembership(): void {
    for (const link of [...this.#options.links.all()]) {
      const { claim, key } = link.candidate;
      const keyNow = claim === null ? null : (this.#options.validatorKey(claim) ?? null);
      const same = key === null || keyNow === null ? key === keyNow : bytesEqual(key, keyNow);
      if (!same) this.drop(link, 'MEMBERSHIP_CHANGED');
    }
  }

  infos(): PeerInfo[] {
    return [...this.#options.links.all()].map((link) => ({
      peerId: link.peerId,
      address: link.peer.validator ?? null,
      multiaddr: link.connection.remoteAddr.toString(),
      direction: link.connection.direction,
      security: { protocol: link.security.protocol, group: link.security.group },
      score: this.#options.scoreboard.score(link.scoreKey),
      latencyMs: link.lane?.latencyMs ?? null,
      bytesIn: link.bytesIn,
      bytesOut: link.bytesOut,
    }));
  }
}
