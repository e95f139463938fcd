import { type GossipSub, type GossipSubComponents, gossipsub, StrictNoSign, TopicValidatorResult } from '@libp2p/gossipsub';
import type { Connection, PeerId, Stream, Topology } from '@libp2p/interface';
import { type Clock, FRAME_BYTES_MAX, type Hash, type Refusal, toHex } from '@nacre/base';
import { sha256 } from '@nacre/crypto';
import type { Counters } from './network-counters.ts';
import type { PeerLink } from './peer-link.ts';
import { pauseReading } from './stream-flow.ts';
import { TokenBucket } from './token-bucket.ts';

/** What gossipsub wraps around a frame, in bytes, at most: topic, lengths, control messages that ride along. */
const WRAPPING_BYTES_MAX = 64 * 1024;
/** Largest frame for the topic. gossipsub's reader refuses an envelope above 4 MiB without a word to anyone. */
const GOSSIP_BYTES_MAX = FRAME_BYTES_MAX - WRAPPING_BYTES_MAX;
/** Bytes that wait for one peer on its topic stream. Beyond: gossipsub's stream is reset, since it knows no backpressure. */
const OUTBOUND_BYTES_MAX = 2 * FRAME_BYTES_MAX;
/** Messages being judged at a time. Beyond: they are neither delivered nor passed on, and come again by repair. */
const JUDGING_MAX = 256;
/** How long a message is remembered as seen, in ms. A frame that is still on its way after that is delivered twice. */
const SEEN_MS = 60_000;

/** What the frames mean is known above: which of them may be passed on, and whether one holds. */
export interface GossipRules {
  /** Whether a frame says the same whoever delivers it (transactions, decided blocks). All others go to neighbours only. */
  relayable(frame: Uint8Array): boolean;
  /**
   * Judges a relayable frame before it is passed on. `accept`: it holds. `ignore`: it cannot be judged here, it is delivered
   * but goes no further. `reject`: it is bad, and whoever passed it on without looking pays.
   */
  judge(frame: Uint8Array): Promise<'accept' | 'ignore' | 'reject'>;
}

export interface GossipTopicOptions {
  readonly genesisHash: Hash;
  readonly rules: GossipRules;
  readonly clock: Clock;
  readonly counters: Counters;
  /** The admitted connection, once admission is through; undefined if it ends otherwise. */
  readonly linkOf: (connection: Connection) => Promise<PeerLink | undefined>;
  readonly linkOfPeer: (peerId: string) => PeerLink | undefined;
  /** Whether frames to that peer go through the topic: not between two validators, who have their lane. */
  readonly serves: (link: PeerLink) => boolean;
  readonly score: (peerId: string) => number;
  readonly deliver: (link: PeerLink, frame: Uint8Array) => void;
  readonly penalize: (link: PeerLink, offence: Refusal) => void;
}

/**
 * The gossip lane for more neighbours than a node can serve one by one: gossipsub 1.2 with one topic per network, unsigned
 * messages, and judgement before relaying, so that no honest node passes on what would be held against it.
 */
export class GossipTopic {
  readonly #options: GossipTopicOptions;
  readonly #topic: string;
  readonly #topologies = new Map<string, Topology>();
  #gossip: GossipSub | null = null;
  #judging = 0;

  constructor(options: GossipTopicOptions) {
    this.#options = options;
    this.#topic = `/nacre/1/${toHex(options.genesisHash).slice(0, 16)}/gossip`;
  }

  /** For libp2p's list of services. */
  readonly service = (components: GossipSubComponents): GossipSub => {
    // Not a copy: libp2p's components are a proxy that throws for names it does not know, and a copy asks for all of them.
    const gated = Object.create(components, { registrar: { value: this.#gated(components.registrar) } }) as GossipSubComponents;
    this.#gossip = gossipsub({
      globalSignaturePolicy: StrictNoSign,
      msgIdFn: ({ data }) => sha256(data),
      allowedTopics: [this.#topic],
      fallbackToFloodsub: false,
      floodPublish: false,
      // An interface for asking strangers whom else to dial: addresses come signed from validators here.
      doPX: false,
      tagMeshPeers: false,
      seenTTL: SEEN_MS,
      maxInboundDataLength: FRAME_BYTES_MAX,
      maxOutboundBufferSize: OUTBOUND_BYTES_MAX,
      ignoreDuplicatePublishError: true,
      allowPublishToZeroTopicPeers: true,
      scoreParams: {
        // Every node of a local testnet has the same address.
        IPColocationFactorWeight: 0,
        appSpecificWeight: 1,
        appSpecificScore: this.#options.score,
      },
    })(gated);
    this.#gossip.topicValidators.set(this.#topic, (peerId, { data }) => this.#judge(peerId, data));
    return this.#gossip;
  };

  start(): void {
    this.#gossip?.subscribe(this.#topic);
  }

  /** Opens gossip with an admitted peer. */
  attach(link: PeerLink): void {
    if (!this.#options.serves(link)) return;
    for (const topology of new Set(this.#topologies.values())) void topology.onConnect?.(link.connection.remotePeer, link.connection);
  }

  detach(link: PeerLink): void {
    for (const topology of new Set(this.#topologies.values())) void topology.onDisconnect?.(link.connection.remotePeer);
  }

  carries(frame: Uint8Array): boolean {
    return frame.length <= GOSSIP_BYTES_MAX && this.#options.rules.relayable(frame);
  }

  /** Publishes to whoever subscribes; nothing happens while nobody does. */
  publish(frame: Uint8Array): void {
    const gossip = this.#gossip;
    if (gossip === null || gossip.getSubscribers(this.#topic).length === 0) return;
    this.#options.counters.count.gossipPublished++;
    // It rejects only when the node is not started or is being stopped.
    gossip.publish(this.#topic, frame).catch(() => undefined);
  }

  async #judge(peerId: PeerId, frame: Uint8Array): Promise<TopicValidatorResult> {
    const { rules, counters, linkOfPeer, deliver, penalize } = this.#options;
    const link = linkOfPeer(peerId.toString());
    if (link === undefined || this.#judging >= JUDGING_MAX) return TopicValidatorResult.Ignore;
    this.#judging++;
    const verdict = this.carries(frame) ? await rules.judge(frame) : 'reject';
    this.#judging--;
    if (link.closed) return TopicValidatorResult.Ignore;
    if (verdict === 'reject') {
      counters.count.gossipRejected++;
      penalize(link, { code: 'GOSSIP_INVALID' });
      return TopicValidatorResult.Reject;
    }
    counters.count.gossipDelivered++;
    deliver(link, frame);
    return verdict === 'accept' ? TopicValidatorResult.Accept : TopicValidatorResult.Ignore;
  }

  /**
   * libp2p's registrar as gossipsub sees it: streams of peers that are not admitted are reset, and peers appear when they
   * are admitted instead of when they have been identified.
   */
  #gated(registrar: GossipSubComponents['registrar']): GossipSubComponents['registrar'] {
    const handle: typeof registrar.handle = (protocol, handler, options) =>
      registrar.handle(
        protocol,
        async (stream, connection) => {
          const link = await this.#options.linkOf(connection);
          if (link === undefined || !this.#options.serves(link)) return stream.abort(new Error('not admitted'));
          this.#limit(link, stream);
          return handler(stream, connection);
        },
        options,
      );
    const register: typeof registrar.register = async (protocol, topology) => {
      this.#topologies.set(protocol, topology);
      return protocol;
    };
    const unregister: typeof registrar.unregister = (id) => {
      this.#topologies.delete(id);
    };
    return Object.assign(Object.create(registrar) as typeof registrar, { handle, register, unregister });
  }

  /** gossipsub reads as fast as a peer writes and queues without a bound; a stream that is not read makes the peer wait. */
  #limit(link: PeerLink, stream: Stream): void {
    const { clock, counters, penalize } = this.#options;
    const rate = new TokenBucket(link.rate.bytesPerSecond, clock.nowMs());
    stream.addEventListener('message', ({ data }) => {
      const waitMs = rate.take(data.byteLength, clock.nowMs());
      if (waitMs === 0 || pauseReading(stream, waitMs, clock, () => undefined) === null) return;
      counters.count.throttled++;
      penalize(link, { code: 'RATE_EXCEEDED' });
    });
  }
}
