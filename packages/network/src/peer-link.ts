import type { Connection } from '@libp2p/interface';
import type { Peer } from '@nacre/base';
import { formatAddress } from '@nacre/crypto';
import type { Candidate } from './admission.ts';
import type { Lane } from './lane.ts';
import type { LinkSecurity } from './link-security.ts';
import type { PeerRate } from './network-limits.ts';
import { Slots } from './slots.ts';
import { TokenBucket } from './token-bucket.ts';

interface PeerLinkOptions {
  readonly connection: Connection;
  readonly candidate: Candidate;
  readonly security: LinkSecurity;
  readonly rate: PeerRate;
  readonly questionsMax: number;
  /** Counts the connections of this process, so that a peer that comes again is another one. */
  readonly epoch: number;
  readonly nowMs: number;
}

/** An admitted connection and what is known of its other end. */
export class PeerLink {
  readonly peer: Peer;
  readonly peerId: string;
  readonly connection: Connection;
  readonly candidate: Candidate;
  readonly security: LinkSecurity;
  readonly rate: PeerRate;
  readonly requestRate: TokenBucket;
  /** The address that was proven, as text; null for a follower. */
  readonly validator: string | null;
  /** Null until the stream of frames is open: before, the peer is not connected for anyone above. */
  lane: Lane | null = null;
  closed = false;
  /** Requests of the peer that are being answered. */
  answering = 0;
  /** Places for our own questions. */
  readonly questions: Slots;
  /** Bytes of frames, questions and answers, without the layers below. */
  bytesIn = 0;
  bytesOut = 0;

  constructor({ connection, candidate, security, rate, questionsMax, epoch, nowMs }: PeerLinkOptions) {
    const proven = candidate.key !== null && candidate.claim !== null ? candidate.claim : undefined;
    this.peerId = connection.remotePeer.toString();
    this.peer = { id: `${this.peerId}#${epoch}`, validator: proven };
    this.connection = connection;
    this.candidate = candidate;
    this.security = security;
    this.rate = rate;
    this.questions = new Slots(questionsMax);
    this.requestRate = new TokenBucket(rate.requestsPerSecond, nowMs);
    this.validator = proven === undefined ? null : formatAddress(proven);
  }

  /** Under which its offences are counted. */
  get scoreKey(): string {
    return this.validator ?? this.peerId;
  }

  isNamed(name: string): boolean {
    return name === this.peerId || name === this.validator;
  }
}
