import type { MultiaddrConnectionTimeline } from '@libp2p/interface';

/** How a connection is protected, as far as this end can know. */
export interface LinkSecurity {
  readonly protocol: 'tls' | 'noise';
  /** The key exchange. The dialer of TLS reads what was negotiated; a listener can only name what it pinned, and says so. */
  readonly group: string;
  /** The exporter of RFC 9266 (`tls-exporter`), 32 bytes, equal at both ends and nowhere else; empty where there is none. */
  readonly binding: Uint8Array;
  /** Runs `write` so that all that it writes is encrypted and sent in one piece, where the layers below would make several. */
  readonly together: (write: () => void) => void;
}

/** Noise_XX_25519_ChaChaPoly_SHA256 (libp2p's noise specification); the handshake hash is not handed out, so nothing binds to it. */
const NOISE: LinkSecurity = { protocol: 'noise', group: 'X25519', binding: new Uint8Array(0), together: (write) => write() };

/**
 * What the handshake found out, for the connection that libp2p makes of it. The two meet in the timeline, the one object
 * that the raw and the upgraded connection share.
 */
export class LinkSecurities {
  readonly #byTimeline = new WeakMap<object, LinkSecurity>();

  record(timeline: object, security: LinkSecurity): void {
    this.#byTimeline.set(timeline, security);
  }

  of(connection: { readonly timeline: MultiaddrConnectionTimeline }): LinkSecurity {
    return this.#byTimeline.get(connection.timeline) ?? NOISE;
  }
}
