import { readFile, rename, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import { NodeError } from './node-error.ts';

const fileSchema = z.array(z.string().min(1).max(256)).max(1024);

/** @returns the peers that an operator has banned from this home; none if there is no file. @throws {NodeError} `FILE_MALFORMED`, `FILE_INACCESSIBLE` */
export async function readBannedPeers(path: string): Promise<string[]> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw new NodeError('FILE_INACCESSIBLE', `cannot read ${path}: ${(cause as Error).message}`, { cause, fields: { path } });
  }
  try {
    return fileSchema.parse(JSON.parse(text));
  } catch (cause) {
    const hint = 'It must be a JSON list of peer ids and addresses. Remove it to ban nobody.';
    throw new NodeError('FILE_MALFORMED', `${path} is no list of peers`, { cause, fields: { path }, hint });
  }
}

/** Puts the new list in place of the old one at once. A ban is an operator's wish, not a promise to the network: not synced. */
export async function writeBannedPeers(path: string, peers: readonly string[]): Promise<void> {
  try {
    await writeFile(`${path}.new`, `${JSON.stringify(peers, null, 2)}\n`, { mode: 0o600 });
    await rename(`${path}.new`, path);
  } catch (cause) {
    throw new NodeError('FILE_INACCESSIBLE', `cannot write ${path}: ${(cause as Error).message}`, { cause, fields: { path } });
  }
}
