/** A runtime whose OpenSSL has no ML-DSA, as Node 22: `createPrivateKey` refuses the algorithm. */
import { utf8 } from '@nacre/base';
import { expect, test, vi } from 'vitest';
import {
  createSigner,
  createVerifier,
  nativeSigner,
  nativeSupported,
  nativeVerifier,
  nativeVerifySignature,
  readKeyFile,
  writeKeyFile,
} from '../src/native.ts';

vi.mock('node:crypto', async (importOriginal) => ({
  ...(await importOriginal<typeof import('node:crypto')>()),
  createPrivateKey: () => {
    throw new Error('unsupported');
  },
}));

const seed = new Uint8Array(32);
const message = utf8('message');

test('signer and verifier are the portable ones', async () => {
  expect(nativeSupported()).toBe(false);
  const signer = createSigner('ml-dsa-44', seed);
  const signature = await signer.sign(message, 'nacre/1/test');
  const verifier = createVerifier('ml-dsa-44');
  expect(await verifier.verify({ publicKey: signer.publicKey, message, context: 'nacre/1/test', signature })).toBe(true);
});

test('what needs native ML-DSA says so, and what to do', async () => {
  const refused = expect.objectContaining({ code: 'NATIVE_UNSUPPORTED', hint: expect.stringContaining('Node 24') });
  expect(() => nativeSigner('ml-dsa-44', seed)).toThrow(refused);
  expect(() => nativeVerifier('ml-dsa-44')).toThrow(refused);
  expect(() => nativeVerifySignature('ml-dsa-44', seed, message, '', seed)).toThrow(refused);
  await expect(readKeyFile('/nowhere')).rejects.toThrow(refused);
  await expect(writeKeyFile('/nowhere', { scheme: 'ml-dsa-44', seed })).rejects.toThrow(refused);
});
