import { stat } from 'node:fs/promises';
import { type Signer, toHex, utf8, type Verifier } from '@nacre/base';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  portableSigner,
  portableVerifier,
  publicKeyFromSeed,
  SCHEMES,
  type SignatureScheme,
  sha256,
  signWithSeed,
  verifySignature,
} from '../src/index.ts';
import {
  createSigner,
  createVerifier,
  nativePublicKeyFromSeed,
  nativeSigner,
  nativeSignWithSeed,
  nativeSupported,
  nativeVerifier,
  nativeVerifySignature,
} from '../src/native.ts';

const SCHEME_NAMES = Object.keys(SCHEMES) as SignatureScheme[];
const seed = new Uint8Array(32).map((_, i) => i);
const otherSeed = seed.with(0, 99);
const message = utf8('what is signed');
const context = 'nacre/1/test';

interface Engine {
  readonly name: string;
  readonly publicKeyFromSeed: typeof publicKeyFromSeed;
  readonly signWithSeed: typeof signWithSeed;
  readonly verifySignature: typeof verifySignature;
  readonly signer: (scheme: SignatureScheme, seed: Uint8Array) => Signer;
  readonly verifier: (scheme: SignatureScheme) => Verifier;
}

const portable: Engine = {
  name: 'portable',
  publicKeyFromSeed,
  signWithSeed,
  verifySignature,
  signer: portableSigner,
  verifier: portableVerifier,
};
const native: Engine = {
  name: 'native',
  publicKeyFromSeed: nativePublicKeyFromSeed,
  signWithSeed: nativeSignWithSeed,
  verifySignature: nativeVerifySignature,
  signer: nativeSigner,
  verifier: nativeVerifier,
};

/** SHA-256 of the public key that each scheme makes of the seed 00 01 02 ... 1f. */
const PUBLIC_KEY_DIGESTS: Record<SignatureScheme, string> = {
  'ml-dsa-44': '9f107644c1084526af3bc8098680b05499a2325a644e388fb4f970e058d19d46',
  'ml-dsa-65': 'd666806e11cee19a7c989f7445f90dd419cf4d2d51db8c0fdb4c0f0a542238c9',
  'ml-dsa-87': '91dc389cfaa01470b7f66eee45a4ae9026d154817c754dfe22298b3fa241ffcd',
};

test('the runtime has native ML-DSA, and it is what is chosen', async () => {
  expect(nativeSupported()).toBe(true);
  const signature = await createSigner('ml-dsa-44', seed).sign(message, context);
  const publicKey = publicKeyFromSeed('ml-dsa-44', seed);
  expect(await createVerifier('ml-dsa-44').verify({ publicKey, message, context, signature })).toBe(true);
});

describe.each(SCHEME_NAMES)('%s', (scheme) => {
  const publicKey = publicKeyFromSeed(scheme, seed);

  test('native and portable make the same, pinned, public key of a seed', () => {
    expect(publicKey).toHaveLength(SCHEMES[scheme].publicKeyBytes);
    expect(nativePublicKeyFromSeed(scheme, seed)).toEqual(publicKey);
    expect(nativeSigner(scheme, seed).publicKey).toEqual(publicKey);
    expect(portableSigner(scheme, seed).publicKey).toEqual(publicKey);
    expect(toHex(sha256(publicKey))).toBe(PUBLIC_KEY_DIGESTS[scheme]);
  });

  test.each([
    [native, native],
    [native, portable],
    [portable, native],
    [portable, portable],
  ])('$name signs and $name verifies, by function and by port', async (signing, verifying) => {
    const signature = signing.signWithSeed(scheme, seed, message, context);
    expect(signature).toHaveLength(SCHEMES[scheme].signatureBytes);
    expect(verifying.verifySignature(scheme, publicKey, message, utf8(context), signature)).toBe(true);
    const other = await signing.signer(scheme, seed).sign(message, context);
    expect(await verifying.verifier(scheme).verify({ publicKey, message, context, signature: other })).toBe(true);
  });

  test.each([native, portable])('$name signing is randomised', async ({ signWithSeed: sign, signer }) => {
    expect(sign(scheme, seed, message, context)).not.toEqual(sign(scheme, seed, message, context));
    const one = signer(scheme, seed);
    expect(await one.sign(message, context)).not.toEqual(await one.sign(message, context));
  });

  test.each([native, portable])(
    '$name refuses every other key, message, context, signature and length',
    async ({ verifySignature: verify, verifier }) => {
      const signature = signWithSeed(scheme, seed, message, context);
      const good = { publicKey, message, context, signature };
      const bad = [
        { ...good, publicKey: publicKeyFromSeed(scheme, otherSeed) },
        { ...good, publicKey: publicKey.subarray(1) },
        { ...good, publicKey: new Uint8Array(0) },
        { ...good, message: utf8('what was not signed') },
        { ...good, context: 'nacre/1/other' },
        { ...good, context: '' },
        { ...good, context: 'x'.repeat(256) },
        { ...good, signature: signature.with(0, (signature[0] as number) ^ 1) },
        { ...good, signature: signature.subarray(1) },
        { ...good, signature: new Uint8Array(signature.length) },
        { ...good, signature: new Uint8Array(signature.length).fill(0xff) },
        { ...good, signature: new Uint8Array(0) },
      ];
      const port = verifier(scheme);
      expect(await port.verify(good)).toBe(true);
      expect(verify(scheme, publicKey, message, context, signature)).toBe(true);
      for (const claim of bad) {
        expect(await port.verify(claim)).toBe(false);
        expect(verify(scheme, claim.publicKey, claim.message, claim.context, claim.signature)).toBe(false);
      }
      expect(await port.verify(good)).toBe(true);
    },
  );

  test.each([native, portable])(
    '$name takes empty messages and contexts, and a context of 255 bytes',
    async ({ signWithSeed: sign, verifySignature: verify }) => {
      for (const domain of ['', 'x'.repeat(255), new Uint8Array(255).fill(0xff)]) {
        const signature = sign(scheme, seed, new Uint8Array(0), domain);
        expect(verify(scheme, publicKey, new Uint8Array(0), domain, signature)).toBe(true);
      }
    },
  );
});

describe.each([native, portable])(
  '$name',
  ({ publicKeyFromSeed: publicKeyOf, signWithSeed: sign, verifySignature: verify, signer, verifier }) => {
    // @mutation packages/crypto/src/schemes.ts
    // -   if (bytes.length > CONTEXT_BYTES_MAX) {
    // +   if (bytes.length > 1000) {
    test('a context above 255 bytes is a typed error, counted in bytes and not in characters', async () => {
      const refused = expect.objectContaining({ code: 'CONTEXT_TOO_LONG', fields: { bytes: 256, bytesMax: 255 } });
      expect(() => sign('ml-dsa-44', seed, message, 'é'.repeat(128))).toThrow(refused);
      expect(() => sign('ml-dsa-44', seed, message, new Uint8Array(256))).toThrow(refused);
      await expect(signer('ml-dsa-44', seed).sign(message, 'x'.repeat(256))).rejects.toThrow(refused);
    });

    test.each([0, 31, 33])('a seed of %d bytes is a typed error', (length) => {
      const refused = expect.objectContaining({ code: 'SEED_LENGTH', fields: { bytes: length } });
      expect(() => publicKeyOf('ml-dsa-44', new Uint8Array(length))).toThrow(refused);
      expect(() => sign('ml-dsa-44', new Uint8Array(length), message, context)).toThrow(refused);
      expect(() => signer('ml-dsa-44', new Uint8Array(length))).toThrow(refused);
    });

    test('fuzz: keys and signatures of the right length and any content are refused, and nothing is thrown', async () => {
      const { publicKeyBytes, signatureBytes } = SCHEMES['ml-dsa-44'];
      const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
      const publicKey = publicKeyFromSeed('ml-dsa-44', seed);
      const real = signWithSeed('ml-dsa-44', seed, message, context);
      const almost = fc
        .tuple(fc.nat({ max: signatureBytes - 1 }), fc.integer({ min: 1, max: 255 }))
        .map(([at, mask]) => real.with(at, (real[at] as number) ^ mask));
      const port = verifier('ml-dsa-44');
      await fc.assert(
        fc.asyncProperty(
          fc.oneof(fc.constant(publicKey), bytes(publicKeyBytes)),
          fc.oneof(almost, bytes(signatureBytes)),
          async (key, signature) => {
            expect(verify('ml-dsa-44', key, message, context, signature)).toBe(false);
            expect(await port.verify({ publicKey: key, message, context, signature })).toBe(false);
          },
        ),
        { numRuns: 60 },
      );
    });
  },
);

test('a burst of verifications by many keys, good and bad among one another, gets each its own answer', async () => {
  const verifier = nativeVerifier('ml-dsa-44');
  const claims = await Promise.all(
    Array.from({ length: 40 }, async (_, i) => {
      const signer = nativeSigner('ml-dsa-44', seed.with(1, i % 8));
      const signature = await signer.sign(message, context);
      return { publicKey: signer.publicKey, message: i % 3 === 0 ? utf8('other') : message, context, signature };
    }),
  );
  const answers = await Promise.all(claims.map((claim) => verifier.verify(claim)));
  expect(answers).toEqual(claims.map((_, i) => i % 3 !== 0));
});

// @mutation packages/crypto/src/native-signer.ts
// - if (pooled < POOLED_MAX) start();
// + if (true) start();
// @mutation packages/crypto/src/native-signer.ts
// - waiting.delete(next);
// +
test('a burst leaves the threads to others in between, and is all answered', async () => {
  const verifier = nativeVerifier('ml-dsa-44');
  const { publicKey, sign } = nativeSigner('ml-dsa-44', seed);
  const claim = { publicKey, message, context, signature: await sign(message, context) };
  let answered = 0;
  const burst = Array.from({ length: 500 }, () =>
    verifier.verify(claim).then((valid) => {
      answered += valid ? 1 : 0;
    }),
  );
  await stat('.');
  expect(answered).toBeLessThan(250);
  await Promise.all(burst);
  expect(answered).toBe(500);
});

// @mutation packages/crypto/src/native-signer.ts
// - if (known !== undefined && bytesEqual(known.publicKey, publicKey)) return known.key;
// + if (known !== undefined) return known.key;
test('a key made to begin like another one is not taken for it', async () => {
  const verifier = nativeVerifier('ml-dsa-44');
  const [signer, other] = [nativeSigner('ml-dsa-44', seed), nativeSigner('ml-dsa-44', otherSeed)];
  const claim = { publicKey: signer.publicKey, message, context, signature: await signer.sign(message, context) };
  const alike = new Uint8Array([...signer.publicKey.subarray(0, 32), ...other.publicKey.subarray(32)]);
  const answers: boolean[] = [];
  for (const publicKey of [claim.publicKey, alike, claim.publicKey, alike]) answers.push(await verifier.verify({ ...claim, publicKey }));
  expect(answers).toEqual([true, false, true, false]);
});

// @mutation packages/crypto/src/native-signer.ts
// - if (verifiedThisTurn >= VERIFIED_PER_TURN) return false;
// +
// @mutation packages/crypto/src/native-signer.ts
// - if (turnHasRoom()) return
// + if (false) return
test('what comes one by one is verified at once, a burst only in part, or the event loop would stand still', async () => {
  const verifier = nativeVerifier('ml-dsa-44');
  const { publicKey, sign } = nativeSigner('ml-dsa-44', seed);
  const claim = { publicKey, message, context, signature: await sign(message, context) };
  for (let turn = 0; turn < 2; turn++) {
    let answered = 0;
    const burst = Array.from({ length: 40 }, () =>
      verifier.verify(claim).then((valid) => {
        answered += valid ? 1 : 0;
      }),
    );
    for (let i = 0; i < 10; i++) await Promise.resolve();
    expect(answered).toBe(8);
    await Promise.all(burst);
    expect(answered).toBe(40);
    await new Promise(setImmediate);
  }
});
