import { connect, createSecureContext, type SecureContext, TLSSocket } from 'node:tls';
import type { ConnectionEncrypter, MessageStream, PrivateKey, SecureConnectionOptions, SecuredConnection } from '@libp2p/interface';
import { generateCertificate, toMessageStream, toNodeDuplex, verifyPeerCertificate } from '@libp2p/tls/utils';
import type { LinkSecurities } from './link-security.ts';
import { NetworkError } from './network-error.ts';

/** libp2p's TLS 1.3 handshake (specs/tls/tls.md): the peer key signs the certificate's key in an extension. */
const PROTOCOL = '/tls/1.0.0';
/** The protocol that the specification asks both sides to offer; the muxer is negotiated after the handshake. */
const ALPN = 'libp2p';
/** RFC 9266, section 2: the label, no context, 32 bytes. */
const EXPORTER_LABEL = 'EXPORTER-Channel-Binding';
const EXPORTER_BYTES = 32;

/**
 * TLS 1.3 with the key exchange groups pinned per connection, so that a peer which offers only others is refused in both
 * directions. `@libp2p/tls` itself hands out neither its options nor its socket, and only the process-wide
 * `tls.DEFAULT_ECDH_CURVE` would reach it; its exported parts (certificate, verification, stream adapters) are used here.
 */
export class PinnedTls implements ConnectionEncrypter {
  readonly protocol = PROTOCOL;
  readonly #groups: string;
  readonly #context: SecureContext;
  readonly #securities: LinkSecurities;

  private constructor(groups: string, context: SecureContext, securities: LinkSecurities) {
    this.#groups = groups;
    this.#context = context;
    this.#securities = securities;
  }

  /**
   * @param groups names of OpenSSL, the preferred first, separated by colons
   * @throws {NetworkError} `TLS_GROUPS_UNSUPPORTED`
   */
  static async create(groups: string, key: PrivateKey, securities: LinkSecurities): Promise<PinnedTls> {
    // One certificate for the life of the process: making one costs 14 ms, and the key that matters is the one that signs it.
    const certificate = await generateCertificate(key);
    try {
      const context = createSecureContext({ ...certificate, minVersion: 'TLSv1.3', maxVersion: 'TLSv1.3', ecdhCurve: groups });
      return new PinnedTls(groups, context, securities);
    } catch (cause) {
      const hint = 'X25519MLKEM768 needs OpenSSL 3.5, which Node.js 24.21 brings; name groups that this runtime has.';
      throw new NetworkError('TLS_GROUPS_UNSUPPORTED', `TLS groups ${groups} are not supported`, {
        fields: { tlsGroups: groups },
        hint,
        cause,
      });
    }
  }

  async secureInbound(raw: MessageStream, options?: SecureConnectionOptions): Promise<SecuredConnection> {
    const duplex = toNodeDuplex(raw);
    const socket = new TLSSocket(duplex, { ...this.#options(), isServer: true, requestCert: true });
    duplex.on('error', (error) => socket.destroy(error));
    return this.#finish(raw, socket, options, () => `${this.#groups} (pinned)`);
  }

  async secureOutbound(raw: MessageStream, options?: SecureConnectionOptions): Promise<SecuredConnection> {
    const duplex = toNodeDuplex(raw);
    const socket = connect({ ...this.#options(), socket: duplex });
    duplex.on('error', (error) => socket.destroy(error));
    return this.#finish(raw, socket, options, () => {
      // Node.js names the group of a key encapsulation only to the dialer, and types it as if it were always a curve.
      const { name } = socket.getEphemeralKeyInfo() as { readonly name?: string };
      if (name === undefined || !this.#groups.split(':').includes(name)) throw new Error(`negotiated ${name ?? 'no group'}`);
      return name;
    });
  }

  #options() {
    // Certificates are self-signed; what they prove is checked after the handshake.
    return { secureContext: this.#context, rejectUnauthorized: false, ALPNProtocols: [ALPN] };
  }

  async #finish(
    raw: MessageStream,
    socket: TLSSocket,
    options: SecureConnectionOptions | undefined,
    groupOf: () => string,
  ): Promise<SecuredConnection> {
    try {
      await handshake(socket, options?.signal);
      const group = groupOf();
      const binding = new Uint8Array(socket.exportKeyingMaterial(EXPORTER_BYTES, EXPORTER_LABEL, Buffer.alloc(0)));
      const remotePeer = await verifyPeerCertificate(socket.getPeerCertificate().raw, options?.remotePeer);
      this.#securities.record(raw.timeline, { protocol: 'tls', group, binding, together: (write) => together(socket, write) });
      return { remotePeer, connection: toMessageStream(raw, socket) };
    } catch (error) {
      socket.destroy();
      const reason = error instanceof Error ? error : new Error(String(error));
      raw.abort(reason);
      throw reason;
    }
  }
}

/**
 * yamux writes the 12 bytes of a header and what follows apart, and without this each became a record and a system call of
 * its own. Measured on frames of 3 KB sent one at a time: 76 µs of CPU for both ends against 105 µs.
 */
function together(socket: TLSSocket, write: () => void): void {
  socket.cork();
  try {
    write();
  } finally {
    socket.uncork();
  }
}

function handshake(socket: TLSSocket, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(new Error('handshake timed out'));
    const settle = (): void => signal?.removeEventListener('abort', onAbort);
    signal?.addEventListener('abort', onAbort);
    socket.once('secure', () => {
      settle();
      resolve();
    });
    // Stays for the life of the socket: an error without a listener would end the process.
    socket.on('error', (error: Error) => {
      settle();
      reject(error);
    });
    socket.once('close', () => {
      settle();
      reject(new Error('closed during the handshake'));
    });
  });
}
