export type * from './backend.ts';
export { type ConfigurationSources, readConfiguration } from './configuration.ts';
export type { NodeConfiguration } from './configuration-schema.ts';
export { type HomePaths, homePaths, type OpenedHome, openHome, readConfigurationText } from './home.ts';
export { NodeMetrics } from './metrics.ts';
export { createTestnet, type NewTestnet, type TestnetNode } from './new-testnet.ts';
export { type RunningNode, startNode } from './node.ts';
export { ReplicaBackend, type ReplicaBackendDependencies, type ReplicaBackendOptions } from './replica-backend.ts';
export { type RpcDependencies, type RpcOptions, type RunningRpc, startRpc } from './rpc/rpc-server.ts';
