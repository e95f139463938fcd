import { NacreError } from '@nacre/base';

/**
 * What stops a transport from being made or an operator's command from being carried out.
 *
 * - `PORT_BUSY`: another process listens on an address; field `address`.
 * - `LISTEN_FAILED`: an address cannot be listened on for another reason; field `address`.
 * - `MULTIADDR_INVALID`: a configured address is no TCP multiaddr; field `multiaddr`.
 * - `PEER_KEY_INVALID`: the peer key is not 32 bytes.
 * - `TLS_GROUPS_UNSUPPORTED`: this runtime's OpenSSL does not know one of the groups; field `tlsGroups`.
 * - `PEER_UNKNOWN`: what should be blocked or allowed is neither a peer id nor an address; field `peer`.
 * - `BLOCKED_TOO_MANY`: the list of blocked peers is full.
 */
export type NetworkErrorCode =
  | 'PORT_BUSY'
  | 'LISTEN_FAILED'
  | 'MULTIADDR_INVALID'
  | 'PEER_KEY_INVALID'
  | 'TLS_GROUPS_UNSUPPORTED'
  | 'PEER_UNKNOWN'
  | 'BLOCKED_TOO_MANY';

export class NetworkError extends NacreError<NetworkErrorCode> {
  override readonly name = 'NetworkError';
}
