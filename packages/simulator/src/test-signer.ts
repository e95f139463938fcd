import { bytesEqual, HASH_BYTES, type Random, type SignedBytes, type Signer, utf8, type Verifier } from '@nacre/base';
import { SCHEMES, type SignatureScheme, taggedHash } from '@nacre/crypto';
import { TRANSACTION_CONTEXT } from '@nacre/ledger';

const KEY_TAG = 'nacre/1/simulator-key';
const SIGNATURE_TAG = 'nacre/1/simulator-signature';
const SALT_BYTES = 8;
const DIGEST_BYTES = 32;

export interface TestScheme {
  readonly scheme: SignatureScheme;
  /**
   * Whether votes and proposals carry only what is checked, 40 bytes, and not zeros up to the scheme's length. Copying those
   * zeros from frame to journal to store is a fifth of a run. Transactions keep their length: admission looks at it.
   */
  readonly short: boolean;
}

interface TestSigning {
  readonly publicKey: Uint8Array;
  readonly random: Random;
  readonly message: Uint8Array;
  readonly context: string;
}

/**
 * A signer that costs a hash instead of half a millisecond. Keys and, unless short, signatures have the lengths of the
 * scheme's, and signing the same contents twice gives different bytes, as with ML-DSA. It protects from damage, not from
 * forgery: whoever knows the public key can sign. So it lives in the simulator, where the scenario decides who signs what.
 */
export function testSigner(scheme: TestScheme, seed: Uint8Array, random: Random): Signer {
  const publicKey = new Uint8Array(SCHEMES[scheme.scheme].publicKeyBytes);
  publicKey.set(taggedHash(KEY_TAG, seed));
  return {
    publicKey,
    sign: async (message, context) => signWithTestKey(scheme, { publicKey, random, message, context }),
  };
}

/** The same without waiting. */
export function signWithTestKey(scheme: TestScheme, { publicKey, random, message, context }: TestSigning): Uint8Array {
  const signature = new Uint8Array(signatureBytes(scheme, context));
  const salt = random.bytes(SALT_BYTES);
  signature.set(salt);
  signature.set(digest(publicKey, message, context, salt), SALT_BYTES);
  return signature;
}

/** Verifies what `testSigner` signs. */
export function testVerifier(scheme: TestScheme): Verifier {
  const padding = new Uint8Array(SCHEMES[scheme.scheme].signatureBytes - SALT_BYTES - DIGEST_BYTES);
  return { verify: async (signed) => isValid(signed, signatureBytes(scheme, signed.context), padding) };
}

function signatureBytes({ scheme, short }: TestScheme, context: string): number {
  return short && context !== TRANSACTION_CONTEXT ? SALT_BYTES + DIGEST_BYTES : SCHEMES[scheme].signatureBytes;
}

function isValid({ publicKey, message, context, signature }: SignedBytes, length: number, padding: Uint8Array): boolean {
  if (signature.length !== length) return false;
  const salt = signature.subarray(0, SALT_BYTES);
  const signed = signature.subarray(SALT_BYTES, SALT_BYTES + DIGEST_BYTES);
  const rest = signature.subarray(SALT_BYTES + DIGEST_BYTES);
  if (Buffer.compare(rest, padding.subarray(0, rest.length)) !== 0) return false;
  return bytesEqual(signed, digest(publicKey, message, context, salt));
}

function digest(publicKey: Uint8Array, message: Uint8Array, context: string, salt: Uint8Array): Uint8Array {
  const contextBytes = utf8(context);
  // The length stands before what varies, so that no two signed things share their bytes. Of the key, the part that differs is enough.
  const identity = publicKey.subarray(0, HASH_BYTES);
  return taggedHash(SIGNATURE_TAG, salt, identity, Uint8Array.of(contextBytes.length), contextBytes, message);
}
