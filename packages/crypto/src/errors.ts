import { NacreError } from '@nacre/base';

/**
 * What goes wrong outside this program's control: a damaged store, or arguments that come from a configuration.
 *
 * - `TILE_MISSING`: a log's tile is absent or shorter than the log's size says; refetch the tile or the log.
 * - `PAGE_MISSING`, `PAGE_DAMAGED`: a page of the state tree is absent, undecodable or not the one its parent commits to.
 * - `CONTEXT_TOO_LONG`: a signature context above 255 bytes.
 * - `SEED_LENGTH`: a key seed that is not 32 bytes.
 * - `NATIVE_UNSUPPORTED`: this runtime's OpenSSL has no ML-DSA.
 */
export type CryptoErrorCode = 'TILE_MISSING' | 'PAGE_MISSING' | 'PAGE_DAMAGED' | 'CONTEXT_TOO_LONG' | 'SEED_LENGTH' | 'NATIVE_UNSUPPORTED';

export class CryptoError extends NacreError<CryptoErrorCode> {
  override readonly name = 'CryptoError';
}
