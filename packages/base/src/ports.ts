/**
 * The ports: everything a replica needs from the outside. A process binds them to the machine, the simulator to a
 * seeded scheduler. Nothing above this file reads a clock, draws randomness or touches a socket or disk by itself.
 */
import type { Address } from './bytes.ts';
import type { Refusal, Result } from './errors.ts';

export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Wall clock, ms since 1970. May jump; used for block times and expiry only. */
  nowMs(): number;
  /** Runs `action` once, `delayMs` from now, unless cancelled. */
  schedule(delayMs: number, action: () => void): Timer;
}

export interface Random {
  /** `length` unpredictable bytes. */
  bytes(length: number): Uint8Array;
}

export type StoreOperation =
  | { readonly type: 'put'; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly type: 'delete'; readonly key: Uint8Array };

export interface StoreRange {
  readonly gte: Uint8Array;
  readonly lt: Uint8Array;
  readonly reverse?: boolean;
  /** At most this many entries; always given, so that no scan is unbounded. */
  readonly limit: number;
}

export interface StoreEntry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** What a store held at one moment. */
export interface StoreView {
  get(key: Uint8Array): Uint8Array | undefined;
  scan(range: StoreRange): Promise<StoreEntry[]>;
  /** What has been overwritten since is kept on disk until then. */
  close(): Promise<void>;
}

export interface StoreWriteOptions {
  /** Whether the operations are durable, with every earlier write, when the promise resolves. */
  readonly sync: boolean;
  /** May be carried out later and with others, in the order of the calls; it is read back at once, and every further write waits for it. */
  readonly deferrable?: boolean;
}

/** Ordered key-value store. Reads are synchronous: a cached LevelDB read costs 2 µs, a promise more. */
export interface Store {
  get(key: Uint8Array): Uint8Array | undefined;
  scan(range: StoreRange): Promise<StoreEntry[]>;
  /** All of `operations` or none. */
  write(operations: readonly StoreOperation[], options: StoreWriteOptions): Promise<void>;
  /** What it holds now, with the writes that have been awaited; it stays as it is, whatever is written meanwhile. */
  view(): StoreView;
  close(): Promise<void>;
}

/** A few small files that must outlive LevelDB's guarantees: the vote journal and its identity. */
export interface Directory {
  /** @returns the content, or undefined if there is no such file */
  read(name: string): Promise<Uint8Array | undefined>;
  /** Adds to the end (the file is made if missing); durable only after `sync`. */
  append(name: string, bytes: Uint8Array): Promise<void>;
  /** Makes everything appended to the file durable, and its directory entry. */
  sync(name: string): Promise<void>;
  /** Puts the new content in place of the old at once and durably (temporary file, sync, rename, sync of the directory). */
  replace(name: string, bytes: Uint8Array): Promise<void>;
}

/** One authenticated connection's other end. The transport has proven `validator` by its key, or left it undefined. */
export interface Peer {
  /** Distinct per process and connection epoch: a reconnected peer gets a new id. */
  readonly id: string;
  readonly validator: Address | undefined;
}

/**
 * Who a broadcast reaches: `committee`: every connected validator, if we are one ourselves; `gossip`: every other peer.
 * A follower's committee lane reaches nobody and its gossip lane everyone.
 */
export type Lane = 'committee' | 'gossip';

/**
 * Which of the frames for one peer leave first. `urgent`: everything that a decision may wait for; it is small, and little at any time. `bulk`:
 * transactions, of which more may come than the network can decide. A transport that is behind sends urgent frames first and drops bulk first.
 */
export type Urgency = 'urgent' | 'bulk';

export interface TransportHandlers {
  connected(peer: Peer): void;
  disconnected(peer: Peer): void;
  message(peer: Peer, frame: Uint8Array): void;
  /** Answers a request; undefined closes it without an answer. Never throws. */
  request(peer: Peer, frame: Uint8Array): Promise<Uint8Array | undefined>;
}

export interface Transport {
  start(handlers: TransportHandlers): void;
  peers(): readonly Peer[];
  /** Queues an urgent frame for one peer; it is lost if the connection ends first. */
  send(peerId: string, frame: Uint8Array): void;
  /** Queues a frame for everyone whom the lane reaches. It is urgent unless it is said to be bulk. */
  broadcast(lane: Lane, frame: Uint8Array, urgency?: Urgency): void;
  /** One question, one answer. Fails with `TIMEOUT`, `DISCONNECTED`, `TOO_LARGE` or `NO_ANSWER`. */
  request(
    peerId: string,
    frame: Uint8Array,
    limits: { readonly timeoutMs: number; readonly answerBytesMax: number },
  ): Promise<Result<Uint8Array>>;
  /** Tells of a broken rule; the transport keeps the score and disconnects when it has had enough. */
  penalize(peerId: string, offence: Refusal): void;
}

export interface SignedBytes {
  readonly publicKey: Uint8Array;
  readonly message: Uint8Array;
  /** Domain of the signature, for example `nacre/1/vote`. FIPS 204, section 5.2: at most 255 bytes. */
  readonly context: string;
  readonly signature: Uint8Array;
}

export interface Signer {
  readonly publicKey: Uint8Array;
  /**
   * @param contents what `message` is the hash of, where the domain has hashes signed: a signer that asks what it signs can read it
   * @throws {SignerError} only where the key is in another process
   */
  sign(message: Uint8Array, context: string, contents?: Uint8Array): Promise<Uint8Array>;
}

/** A vote or a proposal as its codec wrote it, signature included. */
export interface RecalledMessage {
  readonly kind: 'vote' | 'proposal';
  readonly bytes: Uint8Array;
}

/**
 * What a key in another process has beside its signatures: it can be away, and it remembers what it signed in consensus, even what this
 * process has lost.
 */
export interface Custody {
  /** Number of the connection over which votes can be signed now; null while there is none. Never the same twice. */
  readonly session: number | null;
  /** Nothing is signed at this height or below; what was signed there may be forgotten. */
  readonly floorHeight: number;
  /**
   * What was signed above a height, in the order of signing. Asked in each session before its first vote.
   *
   * @throws {SignerError}
   */
  recall(aboveHeight: number): Promise<readonly RecalledMessage[]>;
  /** Calls `listener` after each change of `session`. @returns how to stop it */
  onChange(listener: () => void): () => void;
}

export interface Verifier {
  /** @returns false for anything but a valid signature, malformed keys and signatures included */
  verify(signed: SignedBytes): Promise<boolean>;
}

export type LogFields = Readonly<Record<string, unknown>>;

/** Structured events: fields first, then what happened. */
export interface Log {
  debug(fields: LogFields, event: string): void;
  info(fields: LogFields, event: string): void;
  warn(fields: LogFields, event: string): void;
  error(fields: LogFields, event: string): void;
}
