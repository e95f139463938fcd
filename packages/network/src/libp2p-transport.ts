import { generateKeyPairFromSeed } from '@libp2p/crypto/keys';
import type { Connection, ConnectionGater, Libp2p, PeerId, Stream, StreamHandler, StreamHandlerOptions } from '@libp2p/interface';
import { noise } from '@libp2p/noise';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import type { Multiaddr } from '@multiformats/multiaddr';
import {
  type Address,
  assert,
  type Clock,
  FRAME_BYTES_MAX,
  fail,
  type Hash,
  type Lane,
  type Log,
  type Peer,
  type Random,
  type Refusal,
  type Result,
  type Signer,
  type Timer,
  type Transport,
  type TransportHandlers,
  type Urgency,
  utf8,
  type Verifier,
} from '@nacre/base';
import { ADMISSION_PROTOCOL, AdmissionDesk, LANE_PROTOCOL } from './admission-desk.ts';
import { INSTANCE_BYTES } from './admission-messages.ts';
import { LENGTH_BYTES } from './frame-reader.ts';
import { type GossipRules, GossipTopic, type GossipTopicOptions } from './gossip-topic.ts';
import { startHost } from './host.ts';
import { LinkSecurities } from './link-security.ts';
import { LinkTable } from './link-table.ts';
import { requireTcpAddress } from './multiaddrs.ts';
import { Neighbours, type PeerInfo } from './neighbours.ts';
import { Counters, type NetworkCounters } from './network-counters.ts';
import { NetworkError } from './network-error.ts';
import { DEFAULT_NETWORK_LIMITS, type NetworkLimits } from './network-limits.ts';
import { PeerGate } from './peer-gate.ts';
import type { PeerLink } from './peer-link.ts';
import { PinnedTls } from './pinned-tls.ts';
import { ADDRESSES_PROTOCOL, Reach } from './reach.ts';
import { Refusals } from './refusals.ts';
import { Requests } from './requests.ts';
import { Scoreboard } from './scoreboard.ts';

const REQUEST_PROTOCOL = '/nacre/1/request';
/** X25519 and ML-KEM-768 together (draft-ietf-tls-ecdhe-mlkem): safe as long as either holds. */
const DEFAULT_TLS_GROUPS = 'X25519MLKEM768';
/** Length of an Ed25519 seed in bytes. RFC 8032, section 5.1.5. */
const PEER_KEY_BYTES = 32;
/** Whether peers joined or left the committee is looked at this often, in ms. */
const MEMBERSHIP_INTERVAL_MS = 1_000;

export interface Libp2pTransportOptions {
  readonly genesisHash: Hash;
  readonly protocolVersion: number;
  /** 32-byte Ed25519 seed; it fixes the peer id. */
  readonly peerKey: Uint8Array;
  /** The validator that this node proves to be; null for a follower. */
  readonly identity: { readonly address: Address; readonly signer: Signer } | null;
  /** Current public key of a member of the committee, undefined for anyone else. Asked often: a look-up, not a computation. */
  readonly validatorKey: (address: Address) => Uint8Array | undefined;
  /** Multiaddrs to listen on, for example `/ip4/127.0.0.1/tcp/9640`. None: the node only dials. */
  readonly listen: readonly string[];
  /** Multiaddrs of nodes to begin with; with `/p2p/ID` behind them nobody else can answer there. */
  readonly bootstrap: readonly string[];
  /** Multiaddrs under which others reach this node, where that is not what it listens on. */
  readonly announce?: readonly string[];
  readonly security: 'tls' | 'noise';
  /** Names of OpenSSL separated by colons. Default `X25519MLKEM768`; no other group is accepted in either direction. */
  readonly tlsGroups?: string;
  /** Peer ids of the only followers that are let in. */
  readonly followerAllowlist?: readonly string[];
  /** Without rules, every neighbour is served directly and no topic is joined. */
  readonly gossip?: GossipRules;
  readonly limits?: Partial<NetworkLimits>;
}

export interface Libp2pTransportDependencies {
  readonly verifier: Verifier;
  readonly log: Log;
  readonly random: Random;
  readonly clock: Clock;
}

type RequestLimits = Parameters<Transport['request']>[2];

/**
 * The `Transport` port over libp2p: TCP, TLS with a pinned post-quantum group, admission of every peer before anything else
 * is served, one lane of frames and as many requests as allowed per peer, and a dialer that finds the validators.
 */
export class Libp2pTransport implements Transport {
  readonly peerId: string;
  /** Whom the operator has shut out. */
  readonly gate: PeerGate;
  readonly #limits: NetworkLimits;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #counters = new Counters();
  readonly #refusals: Refusals;
  readonly #links: LinkTable;
  readonly #scoreboard: Scoreboard;
  readonly #securities = new LinkSecurities();
  readonly #gossip: GossipTopic | null;
  readonly #neighbours: Neighbours;
  readonly #desk: AdmissionDesk;
  readonly #requests: Requests;
  readonly #reach: Reach;
  #host: Libp2p | null = null;
  /** Null before the start, when peers wait to be let in, and after the stop. */
  #handlers: TransportHandlers | null = null;
  #membership: Timer | null = null;

  /**
   * Listens, but lets nobody in and dials nobody before `start`.
   *
   * @throws {NetworkError} `PEER_KEY_INVALID`, `MULTIADDR_INVALID`, `TLS_GROUPS_UNSUPPORTED`, `PORT_BUSY`, `LISTEN_FAILED`
   */
  static async create(options: Libp2pTransportOptions, dependencies: Libp2pTransportDependencies): Promise<Libp2pTransport> {
    const { peerKey, listen, announce = [], security, tlsGroups = DEFAULT_TLS_GROUPS } = options;
    if (peerKey.length !== PEER_KEY_BYTES) {
      const fields = { bytes: peerKey.length };
      throw new NetworkError('PEER_KEY_INVALID', `a peer key is ${PEER_KEY_BYTES} bytes`, { fields, hint: 'Make a new one.' });
    }
    for (const address of [...listen, ...announce]) requireTcpAddress(address);
    const privateKey = await generateKeyPairFromSeed('Ed25519', peerKey);
    const transport = new Libp2pTransport(options, dependencies, peerIdFromPrivateKey(privateKey).toString());
    const tls = security === 'tls' ? await PinnedTls.create(tlsGroups, privateKey, transport.#securities) : null;
    transport.#host = await startHost({
      privateKey,
      listen,
      announce,
      limits: transport.#limits,
      encrypter: tls === null ? noise() : () => tls,
      gater: transport.#connectionGater(),
      gossip: transport.#gossip?.service ?? null,
      onHandshakeFailed: (multiaddr, error) => transport.#onHandshakeFailed(multiaddr, error),
    });
    await transport.#serve(transport.#host);
    return transport;
  }

  private constructor(options: Libp2pTransportOptions, dependencies: Libp2pTransportDependencies, peerId: string) {
    const { clock, log, random } = dependencies;
    const { identity, followerAllowlist } = options;
    const limits = { ...DEFAULT_NETWORK_LIMITS, ...options.limits };
    assert(limits.queueBytesMax > FRAME_BYTES_MAX + LENGTH_BYTES, 'a queue holds the largest frame');
    const links = new LinkTable(peerId);
    const scoreboard = new Scoreboard(clock, limits.banMs);
    this.peerId = peerId;
    this.gate = new PeerGate((peer, blocked) => this.#onGateChanged(peer, blocked));
    this.#limits = limits;
    this.#log = log;
    this.#clock = clock;
    this.#refusals = new Refusals({ counters: this.#counters, log, clock });
    this.#links = links;
    this.#scoreboard = scoreboard;
    const shared = {
      ...options,
      ...dependencies,
      limits,
      links,
      scoreboard,
      counters: this.#counters,
      gate: this.gate,
      securities: this.#securities,
      penalize: (link: PeerLink, offence: Refusal): void => this.#neighbours.penalize(link, offence),
    };
    this.#gossip = options.gossip === undefined ? null : this.#makeGossip(options.gossip, shared);
    this.#neighbours = new Neighbours({
      ...shared,
      ownAddress: identity?.address ?? null,
      gossip: this.#gossip,
      connected: (link) => this.#onConnected(link),
      disconnected: (link) => this.#onDisconnected(link),
      message: (link, frame) => this.#handlers?.message(link.peer, frame),
    });
    this.#desk = new AdmissionDesk({
      ...shared,
      refusals: this.#refusals,
      admission: { ...options, ...dependencies, instance: random.bytes(INSTANCE_BYTES), peerId: utf8(peerId) },
      followerAllowlist: followerAllowlist === undefined ? null : new Set(followerAllowlist),
      admit: (connection, candidate, lane) => this.#neighbours.admit(connection, candidate, lane),
    });
    this.#requests = new Requests({
      ...shared,
      protocol: REQUEST_PROTOCOL,
      answer: async (link, question) => this.#handlers?.request(link.peer, question),
    });
    this.#reach = new Reach({
      ...shared,
      ownPeerId: peerId,
      bootstrap: options.bootstrap.map(requireTcpAddress),
      isValidator: () => this.#neighbours.isValidator,
      shut: (name) => this.gate.blocks(name) || scoreboard.banned(name),
      connect: (multiaddrs) => this.#connect(multiaddrs),
      admitted: async (connection) => (await this.#desk.linkOf(connection)) !== undefined,
    });
  }

  start(handlers: TransportHandlers): void {
    assert(this.#handlers === null && this.#membership === null, 'a transport starts once');
    this.#handlers = handlers;
    this.#desk.open();
    this.#gossip?.start();
    this.#watchMembership();
    void this.#reach.start(this.#running().getMultiaddrs());
  }

  /** Closes every connection and the listeners. Handlers hear nothing more. */
  async stop(): Promise<void> {
    this.#handlers = null;
    this.#membership?.cancel();
    this.#reach.stop();
    await this.#neighbours.stop();
    await this.#running().stop();
  }

  /** Where this node can be dialled, peer id included. */
  multiaddrs(): string[] {
    return this.#running()
      .getMultiaddrs()
      .map((address) => address.toString());
  }

  peers(): readonly Peer[] {
    return this.#neighbours.peers();
  }

  peerInfo(): PeerInfo[] {
    return this.#neighbours.infos();
  }

  counters(): NetworkCounters {
    return this.#counters.read();
  }

  send(peerId: string, frame: Uint8Array): void {
    this.#neighbours.send(peerId, frame);
  }

  broadcast(lane: Lane, frame: Uint8Array, urgency: Urgency = 'urgent'): void {
    this.#neighbours.broadcast(lane, frame, urgency);
  }

  async request(peerId: string, frame: Uint8Array, limits: RequestLimits): Promise<Result<Uint8Array>> {
    const link = this.#links.ofPeer(peerId);
    return link === undefined ? fail({ code: 'DISCONNECTED' }) : this.#requests.ask(link, frame, limits);
  }

  penalize(peerId: string, offence: Refusal): void {
    const link = this.#links.ofPeer(peerId);
    if (link !== undefined) this.#neighbours.penalize(link, offence);
  }

  #running(): Libp2p {
    assert(this.#host !== null, 'a transport is made by create');
    return this.#host;
  }

  #makeGossip(rules: GossipRules, shared: Pick<GossipTopicOptions, 'genesisHash' | 'clock' | 'counters' | 'penalize'>): GossipTopic {
    return new GossipTopic({
      ...shared,
      rules,
      linkOf: (connection) => this.#desk.linkOf(connection),
      linkOfPeer: (peerId) => this.#links.ofPeerId(peerId),
      serves: (link) => !this.#neighbours.isCommitteePair(link),
      score: (peerId) => this.#scoreboard.score(this.#links.ofPeerId(peerId)?.scoreKey ?? peerId),
      deliver: (link, frame) => this.#handlers?.message(link.peer, frame),
    });
  }

  async #serve(host: Libp2p): Promise<void> {
    const single = { maxInboundStreams: 1 };
    // libp2p resets what is beyond its limit without a trace; ours is reached first, and is counted.
    const several = { maxInboundStreams: 2 * this.#limits.requestsPerPeerMax };
    const handle = (protocol: string, serve: StreamHandler, limit: StreamHandlerOptions): Promise<void> =>
      host.handle(protocol, (stream, connection) => this.#guarded(protocol, async () => serve(stream, connection)), limit);
    const admitted =
      (serve: (link: PeerLink, stream: Stream) => Promise<void>): StreamHandler =>
      async (stream, connection) => {
        const link = await this.#desk.linkOf(connection);
        if (link === undefined) stream.abort(new Error('not admitted'));
        else await serve(link, stream);
      };
    const serveRequest = admitted((link, stream) => this.#requests.serve(link, stream));
    const serveAddresses = admitted((link, stream) => this.#reach.serve(link, stream));
    await handle(ADMISSION_PROTOCOL, (stream, connection) => this.#desk.answerAdmission(stream, connection), single);
    await handle(LANE_PROTOCOL, (stream, connection) => this.#desk.answerLane(stream, connection), single);
    await handle(REQUEST_PROTOCOL, serveRequest, several);
    await handle(ADDRESSES_PROTOCOL, serveAddresses, several);
    host.addEventListener('connection:open', ({ detail }) => this.#desk.opened(detail));
    // libp2p remembers for hours everyone who ever spoke to it; whom it is worth remembering stands in the address book.
    host.addEventListener('peer:disconnect', ({ detail }) => {
      host.peerStore.delete(detail).catch(() => undefined);
    });
  }

  /** libp2p swallows what a handler throws and resets the stream: a defect of ours would look like a network fault. */
  async #guarded(protocol: string, serve: () => Promise<void>): Promise<void> {
    try {
      await serve();
    } catch (error) {
      this.#log.error(
        { protocol, error: error instanceof Error ? (error.stack ?? error.message) : String(error) },
        'protocol handler failed',
      );
      throw error;
    }
  }

  async #connect(multiaddrs: readonly Multiaddr[]): Promise<Connection> {
    try {
      return await this.#running().dial([...multiaddrs]);
    } catch (error) {
      if (error instanceof Error && error.name === 'EncryptionFailedError') {
        this.#refusals.refuse('INSECURE', { multiaddr: multiaddrs.join(' '), direction: 'outbound', error: error.message });
      }
      throw error;
    }
  }

  /** libp2p's own refusals are told apart by the names of its errors; the rest did not get through the handshake. */
  #onHandshakeFailed(multiaddr: string, error: Error): void {
    if (error.name === 'ConnectionInterceptedError') return;
    if (error.name === 'ConnectionDeniedError') this.#refusals.refuse('TOO_MANY', { multiaddr, direction: 'inbound' });
    else this.#refusals.refuse('INSECURE', { multiaddr, direction: 'inbound', error: error.message });
  }

  /** Asked by libp2p as soon as it knows enough: before a dial, before a handshake, and once the peer id is proven. */
  #connectionGater(): ConnectionGater {
    const shut = (peerId: PeerId): boolean => {
      const name = peerId.toString();
      const reason = this.gate.blocks(name) ? 'BLOCKED' : this.#scoreboard.banned(name) ? 'BANNED' : null;
      if (reason !== null) this.#refusals.refuse(reason, { peerId: name });
      return reason !== null;
    };
    return {
      denyInboundEncryptedConnection: shut,
      denyOutboundEncryptedConnection: shut,
    };
  }

  #onConnected(link: PeerLink): void {
    this.#handlers?.connected(link.peer);
    this.#reach.connected(link);
  }

  #onDisconnected(link: PeerLink): void {
    this.#handlers?.disconnected(link.peer);
    this.#reach.disconnected();
  }

  #onGateChanged(peer: string, blocked: boolean): void {
    if (blocked) {
      for (const link of [...this.#links.all()]) if (link.isNamed(peer)) this.#neighbours.drop(link, 'BLOCKED');
      return;
    }
    this.#scoreboard.forgive(peer);
    this.#reach.forgetFailures();
  }

  #watchMembership(): void {
    this.#membership = this.#clock.schedule(MEMBERSHIP_INTERVAL_MS, () => {
      this.#neighbours.recheckMembership();
      this.#reach.tidy();
      this.#watchMembership();
    });
  }
}
