export type * from './backend.ts';
export { NodeMetrics } from './metrics.ts';
export { ReplicaBackend, type ReplicaBackendDependencies, type ReplicaBackendOptions } from './replica-backend.ts';
export { type RpcDependencies, type RpcOptions, type RunningRpc, startRpc } from './rpc/rpc-server.ts';
