/** The two PKCS#8 structures that a key file holds, in DER: the seed in the clear, and the same encrypted by a passphrase. */
import { createCipheriv, pbkdf2, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { concatBytes, fromHex } from '@nacre/base';
import type { SignatureScheme } from './schemes.ts';

/**
 * Rounds of PBKDF2-HMAC-SHA256, about 0.2 s: what OWASP's Password Storage Cheat Sheet asks for. OpenSSL's own default
 * of 2,048 is why the envelope is built here and not by `KeyObject.export`.
 */
const PBKDF2_ROUNDS = 600_000;
const SALT_BYTES = 16;
const IV_BYTES = 16;
const AES_KEY_BYTES = 32;

const SEQUENCE = 0x30;
const INTEGER = 0x02;
const OCTET_STRING = 0x04;
const OBJECT_IDENTIFIER = 0x06;
const NULL = der(0x05);
/** In the fewest bytes that leave the sign bit clear, which for 600,000 are three. X.690, section 8.3. */
const ROUNDS = der(INTEGER, Uint8Array.of(PBKDF2_ROUNDS >> 16, (PBKDF2_ROUNDS >> 8) & 0xff, PBKDF2_ROUNDS & 0xff));
/** Context-specific tag 0: "the octets that follow are the seed". RFC 9881, section 6. */
const SEED = 0x80;

/** id-ml-dsa-44, -65 and -87, 2.16.840.1.101.3.4.3.17 to 19. RFC 9881, section 2. */
const SCHEME_IDENTIFIERS: Readonly<Record<SignatureScheme, Uint8Array>> = {
  'ml-dsa-44': identifier('608648016503040311'),
  'ml-dsa-65': identifier('608648016503040312'),
  'ml-dsa-87': identifier('608648016503040313'),
};
/** 1.2.840.113549.1.5.13, 1.2.840.113549.1.5.12 and 1.2.840.113549.2.9. RFC 8018, appendix A and B. */
const PBES2 = identifier('2a864886f70d01050d');
const PBKDF2 = identifier('2a864886f70d01050c');
const HMAC_SHA256 = identifier('2a864886f70d0209');
/** 2.16.840.1.101.3.4.1.42. RFC 3565, section 4.1. */
const AES_256_CBC = identifier('60864801650304012a');

/** `PrivateKeyInfo` of RFC 5208 with the seed-only private key of RFC 9881, section 6. */
export function encodePrivateKey(scheme: SignatureScheme, seed: Uint8Array): Uint8Array {
  const version = der(INTEGER, new Uint8Array(1));
  return der(SEQUENCE, version, der(SEQUENCE, SCHEME_IDENTIFIERS[scheme]), der(OCTET_STRING, der(SEED, seed)));
}

/** `EncryptedPrivateKeyInfo` of RFC 5208 by PBES2 (RFC 8018, section 6.2) with PBKDF2-HMAC-SHA256 and AES-256-CBC. */
export async function encryptPrivateKey(privateKey: Uint8Array, passphrase: string): Promise<Uint8Array> {
  const salt = randomBytes(SALT_BYTES);
  const iv = randomBytes(IV_BYTES);
  const key = await promisify(pbkdf2)(passphrase, salt, PBKDF2_ROUNDS, AES_KEY_BYTES, 'sha256');
  const cipher = createCipheriv('aes-256-cbc', key, iv);
  const encrypted = concatBytes(cipher.update(privateKey), cipher.final());
  const derivation = der(SEQUENCE, der(OCTET_STRING, salt), ROUNDS, der(SEQUENCE, HMAC_SHA256, NULL));
  const scheme = der(SEQUENCE, der(SEQUENCE, PBKDF2, derivation), der(SEQUENCE, AES_256_CBC, der(OCTET_STRING, iv)));
  return der(SEQUENCE, der(SEQUENCE, PBES2, scheme), der(OCTET_STRING, encrypted));
}

/** One element: tag, length, contents. X.690, section 8.1; everything here is shorter than 256 bytes. */
function der(tag: number, ...contents: readonly Uint8Array[]): Uint8Array {
  const content = concatBytes(...contents);
  const length = content.length < 0x80 ? [content.length] : [0x81, content.length];
  return concatBytes(Uint8Array.of(tag, ...length), content);
}

function identifier(hex: string): Uint8Array {
  return der(OBJECT_IDENTIFIER, fromHex(hex) as Uint8Array);
}
