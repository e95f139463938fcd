import { generateKeyPairFromSeed } from '@libp2p/crypto/keys';
import type { Connection, Libp2p, Stream } from '@libp2p/interface';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { multiaddr } from '@multiformats/multiaddr';
import { utf8 } from '@nacre/base';
import { createLibp2p } from 'libp2p';
import { type AdmissionOptions, negotiateAdmission } from '../../src/admission.ts';
import { FrameStream } from '../../src/frame-stream.ts';
import { LinkSecurities } from '../../src/link-security.ts';
import { PinnedTls } from '../../src/pinned-tls.ts';
import { type Committee, random, type TestNode, type Validator, verifier } from './nodes.ts';

/** A libp2p node whose protocols a test speaks by hand, as well or as badly as it likes. */
export class RawPeer {
  readonly #host: Libp2p;
  readonly #securities: LinkSecurities;

  private constructor(host: Libp2p, securities: LinkSecurities) {
    this.#host = host;
    this.#securities = securities;
  }

  static async create(options: { readonly seed?: Uint8Array } = {}): Promise<RawPeer> {
    const privateKey = await generateKeyPairFromSeed('Ed25519', options.seed ?? random.bytes(32));
    const securities = new LinkSecurities();
    const tls = await PinnedTls.create('X25519MLKEM768', privateKey, securities);
    const host = await createLibp2p({
      privateKey,
      transports: [tcp()],
      connectionEncrypters: [() => tls],
      streamMuxers: [yamux()],
      connectionMonitor: { enabled: false },
    });
    return new RawPeer(host, securities);
  }

  get peerId(): string {
    return this.#host.peerId.toString();
  }

  async dial(node: TestNode): Promise<Connection> {
    return this.#host.dial(multiaddr(node.address));
  }

  /** The options of an admission that goes well, if the committee says so. */
  admissionOptions(committee: Committee, validator?: Validator): AdmissionOptions {
    return {
      genesisHash: committee.genesisHash,
      protocolVersion: 1,
      instance: random.bytes(16),
      peerId: utf8(this.peerId),
      identity: validator === undefined ? null : { address: validator.address, signer: validator.signer },
      validatorKey: committee.keyOf,
      verifier,
      random,
    };
  }

  async negotiate(connection: Connection, options: AdmissionOptions, binding = this.binding(connection)) {
    const dialogue = new FrameStream(await connection.newStream('/nacre/1/admission'), 8 * 1024);
    return negotiateAdmission(options, {
      dialogue,
      remotePeerId: utf8(connection.remotePeer.toString()),
      binding,
      judge: () => null,
    });
  }

  binding(connection: Connection): Uint8Array {
    return this.#securities.of(connection).binding;
  }

  /** Goes through admission like an honest peer and opens the lane. */
  async enter(node: TestNode, options: AdmissionOptions): Promise<{ readonly connection: Connection; readonly lane: Stream }> {
    const connection = await this.dial(node);
    const admitted = await this.negotiate(connection, options);
    if (!admitted.ok) throw new Error(admitted.error.code);
    return { connection, lane: await connection.newStream('/nacre/1/lane') };
  }

  async stop(): Promise<void> {
    await this.#host.stop();
  }
}
