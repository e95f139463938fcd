import type { GossipSub, GossipSubComponents } from '@libp2p/gossipsub';
import { identify } from '@libp2p/identify';
import type { ConnectionGater, Libp2p, PrivateKey, Transport, Upgrader } from '@libp2p/interface';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { createLibp2p, type Libp2pOptions } from 'libp2p';
import { NetworkError } from './network-error.ts';
import type { NetworkLimits } from './network-limits.ts';

/**
 * Largest window of a stream in bytes, and so the most that a peer can make us buffer for a stream that we do not read.
 * yamux would let it grow to 16 MiB, which a paused stream's own buffer of 4 MiB answers by resetting the stream.
 */
const STREAM_WINDOW_BYTES = 2 * 1024 * 1024;
const STREAM_BUFFER_BYTES = 2 * STREAM_WINDOW_BYTES;
/** Streams that one connection may have open in each direction: lane, gossip, and requests. Beyond: reset. */
const STREAMS_PER_CONNECTION_MAX = 256;

interface HostOptions {
  readonly privateKey: PrivateKey;
  readonly listen: readonly string[];
  readonly announce: readonly string[];
  readonly limits: NetworkLimits;
  readonly encrypter: NonNullable<Libp2pOptions['connectionEncrypters']>[number];
  readonly gater: ConnectionGater;
  /** Null without a gossip topic. */
  readonly gossip: ((components: GossipSubComponents) => GossipSub) | null;
  /** An incoming connection did not survive its handshake. */
  readonly onHandshakeFailed: (remote: string, error: Error) => void;
}

/**
 * The libp2p node: TCP, one encrypter, yamux. Identify only answers (gossipsub insists on its presence): who may be spoken
 * to is decided by our own admission, and where validators are, by their signed records.
 *
 * @throws {NetworkError} `PORT_BUSY`, `LISTEN_FAILED`
 */
export async function startHost(options: HostOptions): Promise<Libp2p> {
  const { limits } = options;
  const settings: Libp2pOptions = {
    start: false,
    privateKey: options.privateKey,
    addresses: { listen: [...options.listen], announce: [...options.announce] },
    transports: [(components) => watchHandshakes(tcp()(components), options.onHandshakeFailed)],
    connectionEncrypters: [options.encrypter],
    streamMuxers: [
      yamux({
        maxInboundStreams: STREAMS_PER_CONNECTION_MAX,
        maxOutboundStreams: STREAMS_PER_CONNECTION_MAX,
        streamOptions: { maxStreamWindowSize: STREAM_WINDOW_BYTES, maxReadBufferLength: STREAM_BUFFER_BYTES },
      }),
    ],
    connectionGater: options.gater,
    connectionManager: {
      maxConnections: limits.connectionsMax,
      inboundConnectionThreshold: limits.connectionsPerSecondPerHost,
      maxIncomingPendingConnections: limits.unadmittedMax,
      inboundUpgradeTimeout: limits.admissionTimeoutMs,
      inboundStreamProtocolNegotiationTimeout: limits.admissionTimeoutMs,
      outboundStreamProtocolNegotiationTimeout: limits.admissionTimeoutMs,
      dialTimeout: limits.admissionTimeoutMs,
      // Who is dialled again, and when, is the dialer's business alone.
      reconnectRetries: 0,
    },
    // The lane has pings of its own, which also see a peer that answers pings and reads no votes.
    connectionMonitor: { enabled: false },
    services: {
      identify: identify({ runOnConnectionOpen: false }),
      ...(options.gossip === null ? {} : { gossip: options.gossip }),
    },
  };
  const host = await createLibp2p(settings);
  try {
    await host.start();
  } catch (cause) {
    await host.stop();
    throw listenError(options.listen, cause);
  }
  return host;
}

/** libp2p reports every reason for not listening as one error whose text names the system's. */
function listenError(listen: readonly string[], cause: unknown): NetworkError {
  const text = cause instanceof Error ? cause.message : String(cause);
  const address = listen.find((multiaddr) => text.includes(multiaddr)) ?? listen.join(', ');
  if (text.includes('EADDRINUSE')) {
    const hint = 'Stop the process that listens there, or choose another port.';
    return new NetworkError('PORT_BUSY', `${address} is in use by another process`, { fields: { address }, hint, cause });
  }
  const hint = 'Listen on an address that this machine has, and on a port above 1023 unless the process may use lower ones.';
  return new NetworkError('LISTEN_FAILED', `cannot listen on ${address}`, { fields: { address }, hint, cause });
}

/** Tells of handshakes that fail before there is a connection to speak of: libp2p itself only logs them. */
function watchHandshakes(transport: Transport, onFailed: HostOptions['onHandshakeFailed']): Transport {
  const createListener = transport.createListener.bind(transport);
  transport.createListener = (options) => {
    const upgrader = Object.create(options.upgrader, {
      upgradeInbound: {
        value: async (...[connection, upgrade]: Parameters<Upgrader['upgradeInbound']>): Promise<void> => {
          try {
            await options.upgrader.upgradeInbound(connection, upgrade);
          } catch (error) {
            onFailed(connection.remoteAddr.toString(), error instanceof Error ? error : new Error(String(error)));
            throw error;
          }
        },
      },
    }) as Upgrader;
    return createListener({ ...options, upgrader });
  };
  return transport;
}
