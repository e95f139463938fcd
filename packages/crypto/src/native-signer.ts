/** ML-DSA by OpenSSL 3.5 through `node:crypto`. Node only; byte-compatible with the portable signer. */
import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { bytesEqual, HASH_BYTES, keyOf, type Signer, type Verifier } from '@nacre/base';
import { ClockMap } from './clock-map.ts';
import { CryptoError } from './errors.ts';
import { portableSigner, portableVerifier } from './portable-signer.ts';
import { checkSeed, contextBytes, isWellFormed, SEED_BYTES, type SignatureScheme, signingContext } from './schemes.ts';

/** Imported public keys a verifier keeps, 6 KB each; beyond, one that was not needed again is dropped, and imported anew for 25 us. */
export const IMPORTED_KEYS_MAX = 4096;
/**
 * Signatures verified on the calling thread in one turn of the event loop, about 1 ms together; the others of a burst go to the thread pool.
 * Lower: more hand-overs to other threads, each 10 to 30 µs beside the 85 of a verification. Higher: longer turns.
 */
const VERIFIED_PER_TURN = 8;
/**
 * Signatures that the thread pool has at once. The same threads write and sync the disk: a vote's sync must not queue behind thousands.
 * Lower: threads stand idle while the event loop is busy. Higher: all else waits longer, at 85 µs each over the threads there are.
 */
const POOLED_MAX = 32;

interface ImportedKey {
  readonly publicKey: Uint8Array;
  /** With its context. */
  readonly key: KeyObject;
}

let supported: boolean | undefined;

/** Has this runtime ML-DSA? Node 24.21 does. */
export function nativeSupported(): boolean {
  supported ??= canImportSeed();
  return supported;
}

function canImportSeed(): boolean {
  try {
    importSeed('ml-dsa-44', new Uint8Array(SEED_BYTES));
    return true;
  } catch {
    return false;
  }
}

/** Public key of a seed. FIPS 204, Algorithm 6. @throws {CryptoError} code `SEED_LENGTH` or `NATIVE_UNSUPPORTED` */
export function nativePublicKeyFromSeed(scheme: SignatureScheme, seed: Uint8Array): Uint8Array {
  return exportPublicKey(importPrivateKey(scheme, seed));
}

/**
 * Signs with hedged randomness: two signatures of one message differ. FIPS 204, Algorithm 2.
 *
 * @throws {CryptoError} code `SEED_LENGTH`, `CONTEXT_TOO_LONG` or `NATIVE_UNSUPPORTED`
 */
export function nativeSignWithSeed(
  scheme: SignatureScheme,
  seed: Uint8Array,
  message: Uint8Array,
  context: string | Uint8Array,
): Uint8Array {
  return signWithKey(importPrivateKey(scheme, seed), message, signingContext(context));
}

/**
 * FIPS 204, Algorithm 3. False for anything but a valid signature, malformed input included.
 *
 * @throws {CryptoError} code `NATIVE_UNSUPPORTED`
 */
export function nativeVerifySignature(
  scheme: SignatureScheme,
  publicKey: Uint8Array,
  message: Uint8Array,
  context: string | Uint8Array,
  signature: Uint8Array,
): boolean {
  requireNative();
  const domain = contextBytes(context);
  if (!isWellFormed(scheme, { publicKey, context: domain, signature })) return false;
  return verify(null, message, withContext(importPublicKey(scheme, publicKey), domain), signature);
}

/**
 * Signs on the calling thread: 0.5 ms for ML-DSA-44. Handing it to the thread pool costs 50 us more when the pool is idle and
 * waits for every verification queued there when it is not, which is just when a vote must not be late.
 *
 * @throws {CryptoError} code `SEED_LENGTH` or `NATIVE_UNSUPPORTED`; `sign` rejects with `CONTEXT_TOO_LONG`
 */
export function nativeSigner(scheme: SignatureScheme, seed: Uint8Array): Signer {
  const key = importPrivateKey(scheme, seed);
  return {
    publicKey: exportPublicKey(key),
    sign: async (message, context) => signWithKey(key, message, signingContext(context)),
  };
}

/**
 * Verifies what comes one by one on the calling thread, and a burst on the thread pool (`UV_THREADPOOL_SIZE`, 4 by default), so that it uses
 * all cores and the event loop stays free. Votes come one by one: handing each over made a block wait for thread after thread.
 *
 * @throws {CryptoError} code `NATIVE_UNSUPPORTED`
 */
export function nativeVerifier(scheme: SignatureScheme): Verifier {
  requireNative();
  const imported = new ClockMap<string, ImportedKey>(IMPORTED_KEYS_MAX);

  function importOnce(publicKey: Uint8Array, context: string, domain: Uint8Array): KeyObject {
    // Honest keys differ in their first 32 bytes, which are a hash. Those made to share them take each other's place here, and no more.
    const name = keyOf(publicKey.subarray(0, HASH_BYTES)) + context;
    const known = imported.get(name);
    if (known !== undefined && bytesEqual(known.publicKey, publicKey)) return known.key;
    const key = withContext(importPublicKey(scheme, publicKey), domain);
    imported.set(name, { publicKey: publicKey.slice(), key });
    return key;
  }

  let pooled = 0;
  /** In order of arrival. */
  const waiting = new Set<() => void>();
  function inPool(key: KeyObject, message: Uint8Array, signature: Uint8Array): Promise<boolean> {
    return new Promise((resolve) => {
      const start = (): void => {
        pooled++;
        verify(null, message, key, signature, (error, valid) => {
          pooled--;
          const [next] = waiting;
          if (next !== undefined) {
            waiting.delete(next);
            next();
          }
          resolve(error === null && valid);
        });
      };
      if (pooled < POOLED_MAX) start();
      else waiting.add(start);
    });
  }

  let verifiedThisTurn = 0;
  function turnHasRoom(): boolean {
    if (verifiedThisTurn >= VERIFIED_PER_TURN) return false;
    if (verifiedThisTurn++ === 0) {
      setImmediate(() => {
        verifiedThisTurn = 0;
      });
    }
    return true;
  }

  return {
    async verify({ publicKey, message, context, signature }) {
      const domain = contextBytes(context);
      if (!isWellFormed(scheme, { publicKey, context: domain, signature })) return false;
      const key = importOnce(publicKey, context, domain);
      if (turnHasRoom()) return verify(null, message, key, signature);
      return inPool(key, message, signature);
    },
  };
}

/** The native signer where the runtime has it, else the portable one. @throws {CryptoError} code `SEED_LENGTH` */
export function createSigner(scheme: SignatureScheme, seed: Uint8Array): Signer {
  return nativeSupported() ? nativeSigner(scheme, seed) : portableSigner(scheme, seed);
}

/** The native verifier where the runtime has it, else the portable one. */
export function createVerifier(scheme: SignatureScheme): Verifier {
  return nativeSupported() ? nativeVerifier(scheme) : portableVerifier(scheme);
}

/** @throws {CryptoError} code `NATIVE_UNSUPPORTED` */
export function requireNative(): void {
  if (!nativeSupported()) {
    throw new CryptoError('NATIVE_UNSUPPORTED', `Node ${process.version} with OpenSSL ${process.versions.openssl} has no ML-DSA`, {
      fields: { node: process.version, openssl: process.versions.openssl },
      hint: 'Run with Node 24.21 or newer of that line, which the repository installs, or use the portable signer.',
    });
  }
}

function importPrivateKey(scheme: SignatureScheme, seed: Uint8Array): KeyObject {
  checkSeed(seed);
  requireNative();
  return importSeed(scheme, seed);
}

function importSeed(scheme: SignatureScheme, seed: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.from(seed), format: 'raw-seed', asymmetricKeyType: scheme });
}

function importPublicKey(scheme: SignatureScheme, publicKey: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.from(publicKey), format: 'raw-public', asymmetricKeyType: scheme });
}

function exportPublicKey(privateKey: KeyObject): Uint8Array {
  return new Uint8Array(createPublicKey(privateKey).export({ format: 'raw-public' }));
}

/**
 * A key that brings its context along. `node:crypto` reads the context from whatever object it is given as the key; from one that is not itself
 * a KeyObject it first learns so by two exceptions, thrown and caught inside (measured: 13 of 123 µs).
 */
function withContext(key: KeyObject, context: Uint8Array): KeyObject {
  return Object.defineProperty(key, 'context', { value: context });
}

function signWithKey(key: KeyObject, message: Uint8Array, context: Uint8Array): Uint8Array {
  return new Uint8Array(sign(null, message, { key, context }));
}
