export type { GossipRules } from './gossip-topic.ts';
export { Libp2pTransport, type Libp2pTransportDependencies, type Libp2pTransportOptions } from './libp2p-transport.ts';
export type { PeerInfo } from './neighbours.ts';
export type { Disconnection, NetworkCounters, RefusalReason } from './network-counters.ts';
export { NetworkError, type NetworkErrorCode } from './network-error.ts';
export { DEFAULT_NETWORK_LIMITS, type NetworkLimits, type PeerRate } from './network-limits.ts';
export type { PeerGate } from './peer-gate.ts';
