/**
 * Private keys on disk: PKCS#8 in PEM, holding the 32-byte seed, in the clear or encrypted. A line above the PEM block,
 * which other readers skip, names the address: a seed with a flipped bit is a valid key of somebody else, and must be noticed
 * before it signs. Keys made by `openssl genpkey -algorithm ML-DSA-44` are read as well; they come without that line.
 */
import { createPrivateKey, type KeyObject } from 'node:crypto';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { NacreError } from '@nacre/base';
import { syncDirectory } from '@nacre/base/sync-directory';
import { addressOf, formatAddress } from './address.ts';
import { nativePublicKeyFromSeed, requireNative } from './native-signer.ts';
import { encodePrivateKey, encryptPrivateKey } from './pkcs8.ts';
import { checkSeed, isSignatureScheme, type SignatureScheme } from './schemes.ts';

/** Largest key file that is read, in bytes. Ours take 400, OpenSSL's largest 7,000. Beyond: refused as damaged, unread. */
const KEY_FILE_BYTES_MAX = 64 * 1024;

export type KeyErrorCode =
  | 'KEY_FILE_MISSING'
  | 'KEY_FILE_EXISTS'
  | 'KEY_FILE_INACCESSIBLE'
  | 'KEY_FILE_PERMISSIONS'
  | 'KEY_FILE_DAMAGED'
  | 'KEY_FILE_UNSUITABLE'
  | 'KEY_PASSPHRASE_MISSING'
  | 'KEY_PASSPHRASE_EMPTY'
  | 'KEY_PASSPHRASE_WRONG';

/** Why a key file could not be made or read. `fields.path` names it; nothing secret is ever in an error. */
export class KeyError extends NacreError<KeyErrorCode> {
  override readonly name = 'KeyError';
}

export interface KeyFile {
  readonly scheme: SignatureScheme;
  /** 32 secret bytes. */
  readonly seed: Uint8Array;
}

export interface NewKeyFile extends KeyFile {
  /** Encrypts the file; without one it is protected by its permissions only. */
  readonly passphrase?: string | undefined;
}

/**
 * Makes a key file, durably, readable by its owner only (mode 0600). Never overwrites: a key that is gone is gone for good.
 *
 * @throws {KeyError} code `KEY_FILE_EXISTS`, `KEY_FILE_INACCESSIBLE` or `KEY_PASSPHRASE_EMPTY`
 * @throws {CryptoError} code `SEED_LENGTH`, or `NATIVE_UNSUPPORTED` on a runtime without ML-DSA
 */
export async function writeKeyFile(path: string, { scheme, seed, passphrase }: NewKeyFile): Promise<void> {
  checkSeed(seed);
  if (passphrase === '') throw emptyPassphrase(path);
  const privateKey = encodePrivateKey(scheme, seed);
  const block =
    passphrase === undefined
      ? pem('PRIVATE KEY', privateKey)
      : pem('ENCRYPTED PRIVATE KEY', await encryptPrivateKey(privateKey, passphrase));
  const text = `${titleOf({ scheme, seed })}\n${block}`;
  try {
    const file = await open(path, 'wx', 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } catch (error) {
      await unlink(path);
      throw error;
    } finally {
      await file.close();
    }
    await syncDirectory(dirname(path));
  } catch (cause) {
    if (!isErrno(cause, 'EEXIST')) throw fileError(path, cause);
    const hint = 'Move it away first, or use it.';
    throw new KeyError('KEY_FILE_EXISTS', `key file ${path} exists and is not overwritten`, { fields: { path }, hint, cause });
  }
}

/**
 * Reads a key file.
 *
 * @throws {KeyError} code `KEY_FILE_MISSING`, `KEY_FILE_INACCESSIBLE`, `KEY_FILE_PERMISSIONS` (others than its owner may use it),
 *   `KEY_FILE_DAMAGED`, `KEY_FILE_UNSUITABLE` (a key of another kind), `KEY_PASSPHRASE_MISSING` or `KEY_PASSPHRASE_WRONG`
 * @throws {CryptoError} code `NATIVE_UNSUPPORTED` on a runtime without ML-DSA
 */
export async function readKeyFile(path: string, { passphrase }: { readonly passphrase?: string | undefined } = {}): Promise<KeyFile> {
  requireNative();
  const text = await readPrivateText(path);
  const encrypted = blockKind(path, text) === 'ENCRYPTED PRIVATE KEY';
  if (encrypted && (passphrase === undefined || passphrase === '')) {
    throw new KeyError('KEY_PASSPHRASE_MISSING', `key file ${path} is encrypted`, { fields: { path }, hint: 'Give its passphrase.' });
  }
  const key = seedOf(path, parseKey(path, { text, passphrase: encrypted ? passphrase : undefined }));
  const title = /^Nacre key .*$/m.exec(text)?.[0];
  if (title !== undefined && title !== titleOf(key)) throw damaged(path, 'its seed is not that of the address in its first line');
  return key;
}

function titleOf({ scheme, seed }: KeyFile): string {
  return `Nacre key ${scheme} ${formatAddress(addressOf(scheme, nativePublicKeyFromSeed(scheme, seed)))}`;
}

/** RFC 7468, section 2. */
function pem(label: string, bytes: Uint8Array): string {
  const lines = Buffer.from(bytes)
    .toString('base64')
    .replaceAll(/.{64}(?=.)/g, '$&\n');
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`;
}

async function readPrivateText(path: string): Promise<string> {
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (cause) {
    if (!isErrno(cause, 'ENOENT')) throw fileError(path, cause);
    const hint = 'Make one with `nacre init` or `nacre keys new`.';
    throw new KeyError('KEY_FILE_MISSING', `there is no key file ${path}`, { fields: { path }, hint, cause });
  }
  try {
    const { mode, size } = await file.stat();
    // Windows has no such bits; there the directory's access list protects the file.
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
      throw new KeyError('KEY_FILE_PERMISSIONS', `key file ${path} can be used by others than its owner`, {
        fields: { path, mode: (mode & 0o777).toString(8) },
        hint: `Run: chmod 600 ${path}. If others can log in to this machine, consider the key known to them.`,
      });
    }
    if (size > KEY_FILE_BYTES_MAX) throw damaged(path, 'it is too large');
    return await file.readFile('latin1');
  } catch (cause) {
    throw fileError(path, cause);
  } finally {
    await file.close();
  }
}

/** The label of the file's only PEM block, whose bytes are one complete DER element: so far nothing depends on a passphrase. */
function blockKind(path: string, text: string): 'PRIVATE KEY' | 'ENCRYPTED PRIVATE KEY' {
  const block = /^-----BEGIN ((?:ENCRYPTED )?PRIVATE KEY)-----\n([A-Za-z0-9+/=\n]*)-----END \1-----\n$/m.exec(
    text.replaceAll('\r\n', '\n'),
  );
  if (block === null) throw damaged(path, 'it has no complete private key block');
  const bytes = Buffer.from(block[2] as string, 'base64');
  if (derLength(bytes) !== bytes.length) throw damaged(path, 'its private key block is cut short or altered');
  return block[1] as 'PRIVATE KEY' | 'ENCRYPTED PRIVATE KEY';
}

/** Length of the DER element that begins here, tag and length included. X.690, section 8.1.3. */
function derLength(bytes: Uint8Array): number {
  const first = bytes[1] ?? 0;
  if (first < 0x80) return 2 + first;
  let length = 0;
  for (let i = 0; i < first - 0x80; i++) length = 256 * length + (bytes[2 + i] ?? 0);
  return 2 + (first - 0x80) + length;
}

function parseKey(path: string, { text, passphrase }: { text: string; passphrase: string | undefined }): KeyObject {
  try {
    return createPrivateKey(passphrase === undefined ? text : { key: text, passphrase });
  } catch (cause) {
    if (passphrase === undefined) throw damaged(path, 'its content is no private key', cause);
    // Cipher block chaining cannot tell a wrong passphrase from altered bytes.
    throw new KeyError('KEY_PASSPHRASE_WRONG', `key file ${path} cannot be decrypted`, {
      fields: { path },
      hint: 'Check the passphrase; if it is right, the file is damaged: restore it from its backup.',
      cause,
    });
  }
}

function seedOf(path: string, key: KeyObject): KeyFile {
  const scheme = String(key.asymmetricKeyType);
  try {
    if (isSignatureScheme(scheme)) return { scheme, seed: new Uint8Array(key.export({ format: 'raw-seed' })) };
  } catch {
    // An expanded key without its seed is the remaining case; it is refused like a key of another algorithm.
  }
  throw new KeyError('KEY_FILE_UNSUITABLE', `key file ${path} holds no ML-DSA seed`, {
    fields: { path, keyType: scheme },
    hint: 'Make a key with `nacre keys new`, or with `openssl genpkey -algorithm ML-DSA-44`.',
  });
}

function emptyPassphrase(path: string): KeyError {
  return new KeyError('KEY_PASSPHRASE_EMPTY', 'the passphrase is empty', {
    fields: { path },
    hint: 'Give a passphrase, or none at all to leave the file unencrypted.',
  });
}

function damaged(path: string, reason: string, cause?: unknown): KeyError {
  return new KeyError('KEY_FILE_DAMAGED', `key file ${path} is damaged: ${reason}`, {
    fields: { path, reason },
    hint: 'Restore it from its backup. A validator whose key is lost must leave and join again with a new one.',
    cause,
  });
}

function isErrno(cause: unknown, code: string): boolean {
  return (cause as NodeJS.ErrnoException).code === code;
}

function fileError(path: string, cause: unknown): KeyError {
  if (cause instanceof KeyError) return cause;
  const { code } = cause as NodeJS.ErrnoException;
  return new KeyError('KEY_FILE_INACCESSIBLE', `key file ${path} cannot be used: ${code}`, {
    fields: { path, reason: code },
    hint: 'Check that its directory exists, the permissions of both, and the space on the disk.',
    cause,
  });
}
