import { utf8 } from '@nacre/base';
import { CryptoError } from './errors.ts';

/** The parameter sets of ML-DSA, FIPS 204, section 4. A network uses one, named in its genesis. */
export type SignatureScheme = 'ml-dsa-44' | 'ml-dsa-65' | 'ml-dsa-87';

export interface SchemeSizes {
  readonly publicKeyBytes: number;
  readonly signatureBytes: number;
  readonly seedBytes: 32;
}

/** Sizes in bytes. FIPS 204, Table 2; the seed is xi of Algorithm 1. */
export const SCHEMES: Readonly<Record<SignatureScheme, SchemeSizes>> = {
  'ml-dsa-44': { publicKeyBytes: 1312, signatureBytes: 2420, seedBytes: 32 },
  'ml-dsa-65': { publicKeyBytes: 1952, signatureBytes: 3309, seedBytes: 32 },
  'ml-dsa-87': { publicKeyBytes: 2592, signatureBytes: 4627, seedBytes: 32 },
};

/** The length of a private seed in bytes, the same for all schemes. */
export const SEED_BYTES = 32;

/** Longest signature context in bytes. FIPS 204, section 5.2. */
export const CONTEXT_BYTES_MAX = 255;

export function isSignatureScheme(name: string): name is SignatureScheme {
  return Object.hasOwn(SCHEMES, name);
}

/** The context as bytes; a string stands for its UTF-8 form. */
export function contextBytes(context: string | Uint8Array): Uint8Array {
  return typeof context === 'string' ? utf8(context) : context;
}

/** @throws {CryptoError} code `CONTEXT_TOO_LONG` */
export function signingContext(context: string | Uint8Array): Uint8Array {
  const bytes = contextBytes(context);
  if (bytes.length > CONTEXT_BYTES_MAX) {
    throw new CryptoError('CONTEXT_TOO_LONG', `a signature context of ${bytes.length} bytes exceeds ${CONTEXT_BYTES_MAX}`, {
      fields: { bytes: bytes.length, bytesMax: CONTEXT_BYTES_MAX },
      hint: 'Use a short name of the domain, such as nacre/1/vote.',
    });
  }
  return bytes;
}

/** @throws {CryptoError} code `SEED_LENGTH` */
export function checkSeed(seed: Uint8Array): void {
  if (seed.length !== SEED_BYTES) {
    throw new CryptoError('SEED_LENGTH', `a key seed has ${SEED_BYTES} bytes, not ${seed.length}`, {
      fields: { bytes: seed.length },
      hint: 'Draw 32 bytes from a cryptographic random source, or read them from a key file.',
    });
  }
}

/** What can be refused before any arithmetic: wrong lengths of key, signature or context. */
export function isWellFormed(
  scheme: SignatureScheme,
  { publicKey, context, signature }: { readonly publicKey: Uint8Array; readonly context: Uint8Array; readonly signature: Uint8Array },
): boolean {
  const { publicKeyBytes, signatureBytes } = SCHEMES[scheme];
  return publicKey.length === publicKeyBytes && signature.length === signatureBytes && context.length <= CONTEXT_BYTES_MAX;
}
