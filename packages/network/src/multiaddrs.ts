import { peerIdFromString } from '@libp2p/peer-id';
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr';
import { NetworkError } from './network-error.ts';

const HOST_PROTOCOLS: ReadonlySet<string> = new Set(['ip4', 'ip6', 'dns4', 'dns6', 'dns']);

/** Where a node can be dialled or listens: a host and a TCP port, and the peer id if the text names one. */
export interface TcpAddress {
  /** Without the peer id. */
  readonly multiaddr: Multiaddr;
  readonly peerId: string | null;
}

/** @returns undefined for anything but HOST/tcp/PORT, with or without /p2p/ID */
export function readTcpAddress(input: string | Uint8Array): TcpAddress | undefined {
  try {
    const parsed = multiaddr(input);
    const [host, port, peer, ...rest] = parsed.getComponents();
    if (host === undefined || !HOST_PROTOCOLS.has(host.name) || port?.name !== 'tcp' || rest.length > 0) return undefined;
    if (peer === undefined) return { multiaddr: parsed, peerId: null };
    if (peer.name !== 'p2p' || peer.value === undefined || !isPeerId(peer.value)) return undefined;
    return { multiaddr: parsed.decapsulate(`/p2p/${peer.value}`), peerId: peer.value };
  } catch {
    return undefined;
  }
}

/** @throws {NetworkError} `MULTIADDR_INVALID` */
export function requireTcpAddress(text: string): TcpAddress {
  const address = readTcpAddress(text);
  if (address !== undefined) return address;
  throw new NetworkError('MULTIADDR_INVALID', `${JSON.stringify(text)} is not the address of a node`, {
    fields: { multiaddr: text },
    hint: 'Write it like /ip4/192.0.2.1/tcp/9640 or /dns4/node.example/tcp/9640, with /p2p/ID behind it where the peer id is known.',
  });
}

/** Whether a text is a peer id in the one form that libp2p prints. */
export function isPeerId(text: string): boolean {
  try {
    return peerIdFromString(text).toString() === text;
  } catch {
    return false;
  }
}

/** 127.0.0.0/8 and ::1 (RFC 6890). */
export function isLoopback(address: Multiaddr): boolean {
  const [host] = address.getComponents();
  return (host?.name === 'ip4' && host.value?.startsWith('127.') === true) || (host?.name === 'ip6' && host.value === '::1');
}
