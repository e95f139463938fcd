import { type SignedBytes, utf8, type Verifier } from '@nacre/base';
import { expect, test } from 'vitest';
import { createCachingVerifier } from '../src/index.ts';

/** Counts what it is asked; valid is what has a signature that starts with 1. Answers when told to. */
class CountingVerifier implements Verifier {
  count = 0;
  fails = false;
  readonly #waiting: (() => void)[] = [];

  async verify({ signature }: SignedBytes): Promise<boolean> {
    this.count++;
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
    if (this.fails) throw new Error('the verifier broke');
    return signature[0] === 1;
  }

  answer(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

const signed = (changes: Partial<SignedBytes> = {}): SignedBytes => ({
  publicKey: utf8('key'),
  message: utf8('message'),
  context: 'context',
  signature: Uint8Array.of(1, 2, 3),
  ...changes,
});

function setUp(entriesMax = 10) {
  const inner = new CountingVerifier();
  const verifier = createCachingVerifier(inner, { entriesMax });
  const ask = async (claim: SignedBytes): Promise<boolean> => {
    const answer = verifier.verify(claim);
    inner.answer();
    return answer;
  };
  return { inner, verifier, ask };
}

// @mutation packages/crypto/src/caching-verifier.ts
// -       if (isValid) valid.set(key, true);
// +
test('a signature found valid is not verified again', async () => {
  const { inner, ask } = setUp();
  expect(await ask(signed())).toBe(true);
  expect(await ask(signed())).toBe(true);
  expect(inner.count).toBe(1);
});

// @mutation packages/crypto/src/caching-verifier.ts
// -       if (isValid) valid.set(key, true);
// +       valid.set(key, true);
test('an invalid one is, every time, and takes no room', async () => {
  const { inner, ask } = setUp(1);
  expect(await ask(signed())).toBe(true);
  for (let i = 0; i < 3; i++) expect(await ask(signed({ signature: Uint8Array.of(0, i) }))).toBe(false);
  expect(await ask(signed({ signature: Uint8Array.of(0, 0) }))).toBe(false);
  expect(inner.count).toBe(5);
  expect(await ask(signed())).toBe(true);
  expect(inner.count).toBe(5);
});

// @mutation packages/crypto/src/caching-verifier.ts
// -   return keyOf(taggedHash(CACHE_TAG, lengths, publicKey, domain, message, signature));
// +   return keyOf(taggedHash(CACHE_TAG, lengths, publicKey, domain, message));
// @mutation packages/crypto/src/caching-verifier.ts
// -   return keyOf(taggedHash(CACHE_TAG, lengths, publicKey, domain, message, signature));
// +   return keyOf(taggedHash(CACHE_TAG, lengths, publicKey, message, signature));
// @mutation packages/crypto/src/caching-verifier.ts
// -   return keyOf(taggedHash(CACHE_TAG, lengths, publicKey, domain, message, signature));
// +   return keyOf(taggedHash(CACHE_TAG, publicKey, domain, message, signature));
test('what is known stands for its key, context, message and signature, each with its own boundaries', async () => {
  const { inner, ask } = setUp();
  const others = [
    signed({ publicKey: utf8('kez') }),
    signed({ context: 'contexu' }),
    signed({ message: utf8('messagf') }),
    signed({ signature: Uint8Array.of(1, 2, 4) }),
    signed({ publicKey: utf8('keyc'), context: 'ontext' }),
    signed({ publicKey: utf8('ke'), context: 'ycontext' }),
    signed({ context: 'contextm', message: utf8('essage') }),
    signed({ context: 'contex', message: utf8('tmessage') }),
  ];
  await ask(signed());
  for (const other of others) await ask(other);
  expect(inner.count).toBe(1 + others.length);
});

// @mutation packages/crypto/src/caching-verifier.ts
// -       if (shared !== undefined) return shared;
// +
test('identical checks under way share one verification', async () => {
  const { inner, verifier } = setUp();
  const answers = [verifier.verify(signed()), verifier.verify(signed()), verifier.verify(signed({ signature: Uint8Array.of(0) }))];
  inner.answer();
  expect(await Promise.all(answers)).toEqual([true, true, false]);
  expect(inner.count).toBe(2);
});

test('when as many are under way as the cache holds, more are verified each by itself', async () => {
  const { inner, verifier } = setUp(1);
  const answers = [verifier.verify(signed()), verifier.verify(signed({ context: 'a' })), verifier.verify(signed({ context: 'a' }))];
  inner.answer();
  expect(await Promise.all(answers)).toEqual([true, true, true]);
  expect(inner.count).toBe(3);
});

test('beyond its bound the oldest is forgotten', async () => {
  const { inner, ask } = setUp(2);
  for (const context of ['a', 'b', 'c', 'a']) await ask(signed({ context }));
  expect(inner.count).toBe(4);
});

test('a verifier that breaks is asked again', async () => {
  const { inner, ask } = setUp();
  inner.fails = true;
  await expect(ask(signed())).rejects.toThrow('the verifier broke');
  inner.fails = false;
  expect(await ask(signed())).toBe(true);
});
