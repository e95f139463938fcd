import { NacreError } from '@nacre/base';

export type StartRpcErrorCode = 'PORT_IN_USE' | 'LISTEN_FAILED';

/** Why the RPC could not begin to listen. */
export class StartRpcError extends NacreError<StartRpcErrorCode> {
  override readonly name = 'StartRpcError';
}
