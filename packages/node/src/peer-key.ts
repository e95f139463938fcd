import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { open, readFile } from 'node:fs/promises';
import { NodeError } from './node-error.ts';

const RESTORE = 'Restore it from its backup, or move it away and make a new one with `openssl genpkey -algorithm ed25519`.';

/**
 * Makes the Ed25519 key that fixes a node's peer id: PKCS#8 in PEM (RFC 8410), mode 0600. Who loses it gets another peer id and nothing
 * worse: what counts on the network is the validator's key.
 *
 * @throws {NodeError} `FILE_INACCESSIBLE`, also if the file exists
 */
export async function writePeerKey(path: string): Promise<void> {
  const { privateKey } = generateKeyPairSync('ed25519');
  try {
    const file = await open(path, 'wx', 0o600);
    try {
      await file.writeFile(privateKey.export({ type: 'pkcs8', format: 'pem' }));
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (cause) {
    throw new NodeError('FILE_INACCESSIBLE', `cannot write ${path}: ${(cause as Error).message}`, { cause, fields: { path } });
  }
}

/** @returns the 32-byte seed. @throws {NodeError} `FILE_INACCESSIBLE`, `FILE_MALFORMED` */
export async function readPeerKey(path: string): Promise<Uint8Array> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new NodeError('FILE_INACCESSIBLE', `cannot read ${path}: ${(cause as Error).message}`, {
      cause,
      fields: { path },
      hint: RESTORE,
    });
  }
  try {
    const { d, crv } = createPrivateKey(text).export({ format: 'jwk' });
    if (crv !== 'Ed25519' || d === undefined) throw new Error('it holds a key of another kind');
    return new Uint8Array(Buffer.from(d, 'base64url'));
  } catch (cause) {
    throw new NodeError('FILE_MALFORMED', `${path} holds no Ed25519 key: ${(cause as Error).message}`, {
      cause,
      fields: { path },
      hint: RESTORE,
    });
  }
}
