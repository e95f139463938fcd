import type { Address, Signer } from '@nacre/base';
import { addressOf, formatAddress, SEED_BYTES, type SignatureScheme } from '@nacre/crypto';
import { createSigner } from '#engine';

/** The key of an account. It can sign once a validator has created the account of its public key. */
export interface AccountKey {
  readonly scheme: SignatureScheme;
  /** 32 secret bytes, all that has to be kept. */
  readonly seed: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly address: Address;
  /** The address as people and nodes write it, bech32m. */
  readonly addressText: string;
  readonly signer: Signer;
}

/** A new key from the runtime's secure randomness. */
export function createAccountKey(scheme: SignatureScheme = 'ml-dsa-44'): AccountKey {
  return loadSeed(crypto.getRandomValues(new Uint8Array(SEED_BYTES)), scheme);
}

/** The key of a seed that was kept. @throws {CryptoError} code `SEED_LENGTH` */
export function loadSeed(seed: Uint8Array, scheme: SignatureScheme = 'ml-dsa-44'): AccountKey {
  const signer = createSigner(scheme, seed);
  const { publicKey } = signer;
  const address = addressOf(scheme, publicKey);
  return { scheme, seed, publicKey, address, addressText: formatAddress(address), signer };
}
