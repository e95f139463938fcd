import { utf8 } from '@nacre/base';
import { SCHEMES } from '@nacre/crypto';
import { expect, test } from 'vitest';
import { SeededRandom } from '../src/random.ts';
import { testSigner, testVerifier } from '../src/test-signer.ts';

const random = SeededRandom.fromSeed(1);
const signer = testSigner('ml-dsa-44', utf8('seed'), random);
const verifier = testVerifier('ml-dsa-44');
const message = utf8('message');

test('keys and signatures have the lengths of the real scheme', async () => {
  expect(signer.publicKey).toHaveLength(SCHEMES['ml-dsa-44'].publicKeyBytes);
  expect(await signer.sign(message, 'a')).toHaveLength(SCHEMES['ml-dsa-44'].signatureBytes);
});

test('signing the same contents again gives other bytes, and both are valid', async () => {
  const signatures = [await signer.sign(message, 'a'), await signer.sign(message, 'a')] as const;
  expect(signatures[0]).not.toEqual(signatures[1]);
  for (const signature of signatures) {
    expect(await verifier.verify({ publicKey: signer.publicKey, message, context: 'a', signature })).toBe(true);
  }
});

test('another key, message or context, and any flipped byte of the signature, is refused', async () => {
  const signature = await signer.sign(message, 'a');
  const signed = { publicKey: signer.publicKey, message, context: 'a', signature };
  const other = testSigner('ml-dsa-44', utf8('other'), random);
  expect(await verifier.verify({ ...signed, publicKey: other.publicKey })).toBe(false);
  expect(await verifier.verify({ ...signed, message: utf8('other') })).toBe(false);
  expect(await verifier.verify({ ...signed, context: 'b' })).toBe(false);
  expect(await verifier.verify({ ...signed, context: 'am', message: utf8('essage') })).toBe(false);
  expect(await verifier.verify({ ...signed, signature: signature.subarray(1) })).toBe(false);
  for (let i = 0; i < signature.length; i++) {
    const flipped = signature.slice();
    flipped[i] = (flipped[i] as number) ^ 1;
    expect(await verifier.verify({ ...signed, signature: flipped })).toBe(false);
  }
});
