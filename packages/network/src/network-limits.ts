import { COMMITTEE_SIZE_MAX } from '@nacre/base';

/** What one peer may send, refilled steadily; a burst of one second's worth is free. */
export interface PeerRate {
  /** Bytes of frames a second. Beyond: its stream is not read until they are paid for, and its score pays. */
  readonly bytesPerSecond: number;
  /** Frames a second. Beyond: as above. */
  readonly framesPerSecond: number;
  /** Requests a second. Beyond: the request is closed without an answer, and the score pays. */
  readonly requestsPerSecond: number;
}

/** The bounds of one node's links. None decides the validity of anything, so nodes may differ in them. */
export interface NetworkLimits {
  /** Admitted peers that are no validators. The next is refused with `TOO_MANY`. */
  readonly followersMax: number;
  /** Connections whose admission is under way. The next is closed with `TOO_MANY`. */
  readonly unadmittedMax: number;
  /** Connections of all kinds. The next incoming one is closed before its handshake. */
  readonly connectionsMax: number;
  /** Incoming connections a second from one IP address. The next is closed before its handshake. */
  readonly connectionsPerSecondPerHost: number;
  /** From the open connection to the open lane, in ms. Beyond: closed with `TIMEOUT`. */
  readonly admissionTimeoutMs: number;
  /** Frames waiting for one peer, in bytes, more than the largest frame. Beyond: the oldest are dropped, bulk first; repair brings what mattered. */
  readonly queueBytesMax: number;
  /** A lane that accepts nothing for this long, in ms, is closed: `SLOW_READER`. */
  readonly stallMs: number;
  /** A ping goes out this often, in ms. */
  readonly keepaliveMs: number;
  /** A peer from which nothing came for this long, in ms, is gone: `SILENT`. A few keepalives. */
  readonly silenceMs: number;
  /** Rates of validators and of everyone else. */
  readonly validatorRate: PeerRate;
  readonly followerRate: PeerRate;
  /** Requests of one peer that are being answered. The next is closed without an answer, and its score pays. */
  readonly requestsPerPeerMax: number;
  /** Requests of all peers that are being answered, each holding an answer of up to 4 MiB. The next is closed without an answer. */
  readonly requestsAnsweringMax: number;
  /** Questions to one peer that are under way: fewer than it answers at a time. The next ones wait, within their own time limits. */
  readonly questionsPerPeerMax: number;
  /** Largest question in bytes. Beyond: closed unread, and the score pays. */
  readonly questionBytesMax: number;
  /** From an incoming request's stream to the end of its answer, in ms. Beyond: closed. */
  readonly answerTimeoutMs: number;
  /** Neighbours to which gossip goes on their own streams. With more, what may be relayed goes to the topic instead. */
  readonly directGossipMax: number;
  /** Validators that a node which is none keeps connections to, as far as it knows their addresses. */
  readonly followedValidators: number;
  /** Wait before an address that failed is dialled again, in ms: doubles from the first to the last, less up to a half by chance. */
  readonly redialFirstMs: number;
  readonly redialLastMs: number;
  /** How often the addresses of validators are asked for while some are missing, in ms. Six times as long while none is. */
  readonly addressesIntervalMs: number;
  /** How long a first ban lasts, in ms. Each further one doubles it, up to sixty-four times as long. */
  readonly banMs: number;
}

/** Suits a network on one machine or many; a test makes the waits shorter. */
export const DEFAULT_NETWORK_LIMITS: NetworkLimits = {
  followersMax: 64,
  unadmittedMax: 64,
  connectionsMax: COMMITTEE_SIZE_MAX + 64 + 64,
  connectionsPerSecondPerHost: 50,
  admissionTimeoutMs: 5_000,
  queueBytesMax: 16 * 1024 * 1024,
  stallMs: 10_000,
  keepaliveMs: 2_000,
  silenceMs: 8_000,
  validatorRate: { bytesPerSecond: 128 * 1024 * 1024, framesPerSecond: 50_000, requestsPerSecond: 1_000 },
  followerRate: { bytesPerSecond: 32 * 1024 * 1024, framesPerSecond: 5_000, requestsPerSecond: 200 },
  requestsPerPeerMax: 16,
  requestsAnsweringMax: 64,
  questionsPerPeerMax: 12,
  questionBytesMax: 256 * 1024,
  answerTimeoutMs: 15_000,
  directGossipMax: 16,
  followedValidators: 4,
  redialFirstMs: 250,
  redialLastMs: 10_000,
  addressesIntervalMs: 10_000,
  banMs: 60_000,
};
