/** ML-DSA in plain JavaScript (`@noble/post-quantum`): for browsers, and for runtimes whose OpenSSL lacks it. */
import type { Signer, Verifier } from '@nacre/base';
import { type DSA, ml_dsa44, ml_dsa65, ml_dsa87 } from '@noble/post-quantum/ml-dsa.js';
import { checkSeed, contextBytes, isWellFormed, type SignatureScheme, signingContext } from './schemes.ts';

const ENGINES: Readonly<Record<SignatureScheme, DSA>> = { 'ml-dsa-44': ml_dsa44, 'ml-dsa-65': ml_dsa65, 'ml-dsa-87': ml_dsa87 };

/** Public key of a seed. FIPS 204, Algorithm 6. @throws {CryptoError} code `SEED_LENGTH` */
export function publicKeyFromSeed(scheme: SignatureScheme, seed: Uint8Array): Uint8Array {
  checkSeed(seed);
  return ENGINES[scheme].keygen(seed).publicKey;
}

/**
 * Signs with hedged randomness: two signatures of one message differ. FIPS 204, Algorithm 2.
 *
 * @throws {CryptoError} code `SEED_LENGTH` or `CONTEXT_TOO_LONG`
 */
export function signWithSeed(scheme: SignatureScheme, seed: Uint8Array, message: Uint8Array, context: string | Uint8Array): Uint8Array {
  checkSeed(seed);
  const engine = ENGINES[scheme];
  return engine.sign(message, engine.keygen(seed).secretKey, { context: signingContext(context) });
}

/** FIPS 204, Algorithm 3. False for anything but a valid signature, malformed input included; never throws. */
export function verifySignature(
  scheme: SignatureScheme,
  publicKey: Uint8Array,
  message: Uint8Array,
  context: string | Uint8Array,
  signature: Uint8Array,
): boolean {
  const domain = contextBytes(context);
  if (!isWellFormed(scheme, { publicKey, context: domain, signature })) return false;
  return ENGINES[scheme].verify(signature, message, publicKey, { context: domain });
}

/** @throws {CryptoError} code `SEED_LENGTH`; `sign` rejects with `CONTEXT_TOO_LONG` */
export function portableSigner(scheme: SignatureScheme, seed: Uint8Array): Signer {
  checkSeed(seed);
  const engine = ENGINES[scheme];
  const { publicKey, secretKey } = engine.keygen(seed);
  return {
    publicKey,
    sign: async (message, context) => engine.sign(message, secretKey, { context: signingContext(context) }),
  };
}

export function portableVerifier(scheme: SignatureScheme): Verifier {
  return {
    verify: async ({ publicKey, message, context, signature }) => verifySignature(scheme, publicKey, message, context, signature),
  };
}
