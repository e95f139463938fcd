import type { Random, Signer, Verifier } from '@nacre/base';
import { SEED_BYTES, type SignatureScheme } from '@nacre/crypto';
import { nativeSigner, nativeVerifySignature } from '@nacre/crypto/native';
import { testSigner, testVerifier } from './test-signer.ts';

/** The scheme that a simulated genesis names, whichever kit signs. */
export const SIMULATED_SCHEME: SignatureScheme = 'ml-dsa-44';

/** Where a run's keys and checks come from. */
export interface SignatureKit {
  newSigner(random: Random): Signer;
  readonly verifier: Verifier;
}

/** Cheap signatures, for nearly all runs. */
export function testKit(): SignatureKit {
  return {
    newSigner: (random) => testSigner(SIMULATED_SCHEME, random.bytes(SEED_BYTES), random),
    verifier: testVerifier(SIMULATED_SCHEME),
  };
}

/**
 * ML-DSA itself, on the calling thread: an answer of the thread pool would come at no virtual time. Its signing draws
 * randomness of its own, so two runs of one seed differ in signature bytes and in what hashes over them, and their
 * traces are not compared.
 */
export function realKit(): SignatureKit {
  return {
    newSigner: (random) => nativeSigner(SIMULATED_SCHEME, random.bytes(SEED_BYTES)),
    verifier: {
      verify: async ({ publicKey, message, context, signature }) =>
        nativeVerifySignature(SIMULATED_SCHEME, publicKey, message, context, signature),
    },
  };
}
