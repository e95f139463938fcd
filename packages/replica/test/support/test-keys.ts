import { type Address, bytesEqual, concatBytes, type SignedBytes, type Signer, uint64Bytes, utf8, type Verifier } from '@nacre/base';
import { addressOf, SCHEMES, taggedHash } from '@nacre/crypto';

export const SCHEME = 'ml-dsa-44';
const { publicKeyBytes, signatureBytes } = SCHEMES[SCHEME];
const SALT_BYTES = 8;

/** A key whose signatures cost one hash, which anyone could forge. Lengths are the scheme's; no two signatures are alike. */
export class TestKey implements Signer {
  readonly publicKey = new Uint8Array(publicKeyBytes);
  readonly address: Address;
  /** How many signatures this key has made, by context. */
  readonly signed = new Map<string, number>();
  #salts = 0;

  constructor(name: string) {
    this.publicKey.set(taggedHash('nacre/test/key', utf8(name)));
    this.address = addressOf(SCHEME, this.publicKey);
  }

  get signer(): Signer {
    return this;
  }

  async sign(message: Uint8Array, context: string): Promise<Uint8Array> {
    this.signed.set(context, (this.signed.get(context) ?? 0) + 1);
    const salt = uint64Bytes(++this.#salts);
    const signature = new Uint8Array(signatureBytes);
    signature.set(concatBytes(salt, digest(this.publicKey, context, message, salt)));
    return signature;
  }
}

export const testVerifier: Verifier = {
  async verify({ publicKey, message, context, signature }: SignedBytes): Promise<boolean> {
    const salt = signature.subarray(0, SALT_BYTES);
    return signature.length === signatureBytes && bytesEqual(signature.subarray(SALT_BYTES, 40), digest(publicKey, context, message, salt));
  },
};

/** The same signature with its first byte changed: a false one. */
export function spoilt<Signed extends { readonly signature: Uint8Array }>(signed: Signed): Signed {
  const signature = signed.signature.slice();
  signature[0] = (signature[0] as number) ^ 1;
  return { ...signed, signature };
}

function digest(publicKey: Uint8Array, context: string, message: Uint8Array, salt: Uint8Array): Uint8Array {
  return taggedHash('nacre/test/signature', salt, publicKey.subarray(0, 32), utf8(`${context}\0`), message);
}
