import { utf8 } from '@nacre/base';
import { SCHEMES } from '@nacre/crypto';
import { TRANSACTION_CONTEXT } from '@nacre/ledger';
import { expect, test } from 'vitest';
import { SeededRandom } from '../src/random.ts';
import { testSigner, testVerifier } from '../src/test-signer.ts';

const random = SeededRandom.fromSeed(1);
const LONG = { scheme: 'ml-dsa-44', short: false } as const;
const SHORT = { scheme: 'ml-dsa-44', short: true } as const;
const signer = testSigner(LONG, utf8('seed'), random);
const verifier = testVerifier(LONG);
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
  const other = testSigner(LONG, utf8('other'), random);
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

test('short signatures leave out the padding, except of transactions', async () => {
  const short = testSigner(SHORT, utf8('seed'), random);
  const signature = await short.sign(message, 'a');
  expect(signature).toHaveLength(40);
  expect(await short.sign(message, TRANSACTION_CONTEXT)).toHaveLength(SCHEMES['ml-dsa-44'].signatureBytes);
  const signed = { publicKey: short.publicKey, message, context: 'a', signature };
  expect(await testVerifier(SHORT).verify(signed)).toBe(true);
  expect(await verifier.verify(signed)).toBe(false);
  expect(await testVerifier(SHORT).verify({ ...signed, signature: await signer.sign(message, 'a') })).toBe(false);
});
