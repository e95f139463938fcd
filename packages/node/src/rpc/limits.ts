import {
  RPC_ADDRESS_CALLS_PER_SECOND_MAX,
  RPC_BATCH_CALLS_MAX,
  RPC_BODY_BYTES_MAX,
  RPC_SOCKET_CALLS_PER_SECOND_MAX,
  RPC_SOCKETS_MAX,
  RPC_SOCKETS_PER_ADDRESS_MAX,
  RPC_SUBSCRIPTION_LAG_MAX,
  RPC_SUBSCRIPTIONS_MAX,
} from '@nacre/base';

/** The limits of the RPC that an operator may set. */
export interface RpcLimits {
  /** Body of a request or message of a WebSocket, in bytes. Beyond: `BODY_TOO_LARGE`; a WebSocket is closed with 1009. */
  readonly bodyBytesMax: number;
  /** Beyond: `BATCH_TOO_LARGE`. */
  readonly batchCallsMax: number;
  /** Over all connections of one IP address; each call of a batch counts, and so does each request for anything else. Beyond: `RATE_LIMITED`. */
  readonly addressCallsPerSecondMax: number;
  /** On one WebSocket. Beyond: `RATE_LIMITED`. */
  readonly socketCallsPerSecondMax: number;
  /** Open WebSockets. Beyond: `TOO_MANY_SOCKETS`. */
  readonly socketsMax: number;
  readonly socketsPerAddressMax: number;
  /** On one WebSocket. Beyond: `TOO_MANY_SUBSCRIPTIONS`. */
  readonly subscriptionsMax: number;
  /** Events that a reader may fall behind, beyond its best. Beyond: skipped, and told as missed. */
  readonly subscriptionLagMax: number;
}

export const DEFAULT_RPC_LIMITS: RpcLimits = {
  bodyBytesMax: RPC_BODY_BYTES_MAX,
  batchCallsMax: RPC_BATCH_CALLS_MAX,
  addressCallsPerSecondMax: RPC_ADDRESS_CALLS_PER_SECOND_MAX,
  socketCallsPerSecondMax: RPC_SOCKET_CALLS_PER_SECOND_MAX,
  socketsMax: RPC_SOCKETS_MAX,
  socketsPerAddressMax: RPC_SOCKETS_PER_ADDRESS_MAX,
  subscriptionsMax: RPC_SUBSCRIPTIONS_MAX,
  subscriptionLagMax: RPC_SUBSCRIPTION_LAG_MAX,
};
