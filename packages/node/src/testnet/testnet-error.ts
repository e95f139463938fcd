import { NacreError } from '@nacre/base';

export type TestnetErrorCode =
  /** There is no testnet in the directory. */
  | 'TESTNET_MISSING'
  /** There is one, made with other options, or left half made. */
  | 'TESTNET_DIFFERENT'
  /** Nothing supervises the testnet: it is not running. */
  | 'TESTNET_STOPPED'
  /** A node ended by itself, or did not become ready in time. */
  | 'TESTNET_NODE_FAILED'
  /** The node is not in the state that the command needs. */
  | 'TESTNET_NODE_STATE';

export class TestnetError extends NacreError<TestnetErrorCode> {
  override readonly name = 'TestnetError';
}
