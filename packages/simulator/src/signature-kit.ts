import type { Random, Signer, Verifier } from '@nacre/base';
import { portableSigner, portableVerifier, SEED_BYTES, type SignatureScheme } from '@nacre/crypto';
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
 * ML-DSA itself. Its signing draws randomness of its own, so two runs of one seed agree in all but signature bytes, and
 * what hashes over them: their traces are not compared.
 */
export function realKit(): SignatureKit {
  return {
    newSigner: (random) => portableSigner(SIMULATED_SCHEME, random.bytes(SEED_BYTES)),
    verifier: portableVerifier(SIMULATED_SCHEME),
  };
}
