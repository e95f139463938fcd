import { open } from 'node:fs/promises';

/**
 * Makes the entries of a directory durable. After a crash, a file that was synced can still be missing from its directory, or
 * stand there under the name that it had before.
 *
 * @throws what the file system throws
 * @see fsync(2): calling it on a file does not ensure that its entry in the directory has reached the disk as well
 */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
