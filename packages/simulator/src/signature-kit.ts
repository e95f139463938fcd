import type { Random, Signer, Verifier } from '@nacre/base';
import { SEED_BYTES, type SignatureScheme } from '@nacre/crypto';
import { nativeSigner, nativeSignWithSeed, nativeVerifySignature } from '@nacre/crypto/native';
import { signWithTestKey, testSigner, testVerifier } from './test-signer.ts';

/** The scheme that a simulated genesis names, whichever kit signs. */
export const SIMULATED_SCHEME: SignatureScheme = 'ml-dsa-44';

/** A key in both hands: that of an honest process, which waits for signatures, and that of whoever forges without waiting. */
export interface SimKey {
  readonly signer: Signer;
  readonly signNow: (message: Uint8Array, context: string) => Uint8Array;
}

/** Where a run's keys and checks come from. */
export interface SignatureKit {
  newKey(random: Random): SimKey;
  readonly verifier: Verifier;
}

/** Cheap signatures, for nearly all runs. See `TestScheme.short`. */
export function testKit({ short }: { readonly short: boolean }): SignatureKit {
  const scheme = { scheme: SIMULATED_SCHEME, short };
  return {
    newKey: (random) => {
      const signer = testSigner(scheme, random.bytes(SEED_BYTES), random);
      const signNow = (message: Uint8Array, context: string) =>
        signWithTestKey(scheme, { publicKey: signer.publicKey, random, message, context });
      return { signer, signNow };
    },
    verifier: testVerifier(scheme),
  };
}

/**
 * ML-DSA itself, on the calling thread: an answer of the thread pool would come at no virtual time. Its signing draws
 * randomness of its own, so two runs of one seed differ in signature bytes and in what hashes over them, and their
 * traces are not compared.
 */
export function realKit(): SignatureKit {
  return {
    newKey: (random) => {
      const seed = random.bytes(SEED_BYTES);
      const signNow = (message: Uint8Array, context: string) => nativeSignWithSeed(SIMULATED_SCHEME, seed, message, context);
      return { signer: nativeSigner(SIMULATED_SCHEME, seed), signNow };
    },
    verifier: {
      verify: async ({ publicKey, message, context, signature }) =>
        nativeVerifySignature(SIMULATED_SCHEME, publicKey, message, context, signature),
    },
  };
}
