import { bytesEqual, type SignedBytes, type Signer, utf8, type Verifier } from '@nacre/base';
import { SCHEMES, taggedHash } from '@nacre/crypto';

const { publicKeyBytes, signatureBytes } = SCHEMES['ml-dsa-44'];

/** Signatures that cost one hash and that anyone could forge: for tests that are not about signatures. Sizes are those of ML-DSA-44. */
export class FakeSigner implements Signer {
  readonly name: string;
  readonly publicKey: Uint8Array;

  constructor(name: string) {
    this.name = name;
    this.publicKey = stretch(taggedHash('nacre/test/key', utf8(name)), publicKeyBytes);
  }

  async sign(message: Uint8Array, context: string): Promise<Uint8Array> {
    return fakeSignature(this.publicKey, message, context);
  }
}

export const fakeVerifier: Verifier = {
  async verify({ publicKey, message, context, signature }: SignedBytes): Promise<boolean> {
    return bytesEqual(signature, fakeSignature(publicKey, message, context));
  },
};

function fakeSignature(publicKey: Uint8Array, message: Uint8Array, context: string): Uint8Array {
  return stretch(taggedHash('nacre/test/signature', publicKey, utf8(context), Uint8Array.of(0), message), signatureBytes);
}

function stretch(hash: Uint8Array, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = (hash[i % hash.length] as number) ^ (i >> 5);
  return bytes;
}
