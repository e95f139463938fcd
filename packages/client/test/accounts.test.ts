import { connect, createAccountKey, loadSeed, readGenesis } from '@nacre/client';
import { SCHEMES } from '@nacre/crypto';
import { describe, expect, test } from 'vitest';
import { fromBase64, toBase64 } from '../src/base64.ts';
import { createSigner as createNodeSigner, createVerifier as createNodeVerifier } from '../src/engine-node.ts';
import { createSigner as createPortableSigner, createVerifier as createPortableVerifier } from '../src/engine-portable.ts';

describe('an account key', () => {
  test('is its seed', () => {
    for (const scheme of Object.keys(SCHEMES) as (keyof typeof SCHEMES)[]) {
      const { seed, addressText, publicKey } = createAccountKey(scheme);
      expect(loadSeed(seed, scheme)).toMatchObject({ addressText, publicKey });
      expect(createAccountKey(scheme).addressText).not.toBe(addressText);
    }
  });

  test('signs in a browser what Node verifies, and the other way round', async () => {
    const seed = crypto.getRandomValues(new Uint8Array(32));
    const message = new Uint8Array([1, 2, 3]);
    const engines = [
      [createNodeSigner('ml-dsa-44', seed), createPortableVerifier('ml-dsa-44')],
      [createPortableSigner('ml-dsa-44', seed), createNodeVerifier('ml-dsa-44')],
    ] as const;
    for (const [{ publicKey, sign }, verifier] of engines) {
      const signature = await sign(message, 'test');
      expect(await verifier.verify({ publicKey, message, context: 'test', signature })).toBe(true);
      expect(await verifier.verify({ publicKey, message, context: 'other', signature })).toBe(false);
    }
  });
});

test('what is no genesis is refused with the reason', () => {
  expect(() => readGenesis('{}')).toThrow(expect.objectContaining({ code: 'GENESIS_INVALID', fields: { refusal: expect.anything() } }));
  expect(() => connect('http://127.0.0.1', { genesis: 'x' })).toThrow(expect.objectContaining({ code: 'GENESIS_INVALID' }));
});

test('base64 is that of the runtime, for any length', () => {
  for (const length of [0, 1, 2, 3, 8191, 8192, 8193, 100_000]) {
    const bytes = Uint8Array.from({ length }, (_, index) => (index * 7) % 256);
    const text = Buffer.from(bytes).toString('base64');
    expect(toBase64(bytes)).toBe(text);
    expect(fromBase64(text)).toEqual(bytes);
  }
  expect(fromBase64('***')).toBeUndefined();
});
