import { resolve } from 'node:path';
import type { Log } from '@nacre/base';
import { addressOf } from '@nacre/crypto';
import type { HomeKey, OpenedHome } from '../home.ts';
import { RemoteSigner } from './remote-signer.ts';

interface Dependencies {
  readonly log: Log;
  /** Ends the wait. */
  readonly signal: AbortSignal;
}

/**
 * Waits for the process that holds the key of a home's validator.
 *
 * @param socket as configured, relative to the home
 * @returns the validator, and how to let go of its signer
 * @throws {NodeError} `SIGNER_UNUSABLE`; the signal's reason when it aborts
 */
export async function connectSigner(
  { paths, genesis }: Pick<OpenedHome, 'paths' | 'genesis'>,
  socket: string,
  dependencies: Dependencies,
): Promise<{ readonly validator: HomeKey; readonly close: () => void }> {
  const socketPath = resolve(paths.directory, socket);
  const signer = await RemoteSigner.connect({ socketPath, genesisHash: genesis.hash }, dependencies);
  try {
    const { publicKey } = signer;
    const address = addressOf(genesis.scheme, publicKey);
    return { validator: { address, publicKey, signer, custody: signer }, close: () => signer.close() };
  } catch (error) {
    signer.close();
    throw error;
  }
}
