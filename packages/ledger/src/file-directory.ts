import { constants } from 'node:fs';
import { type FileHandle, open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { assert, DIRECTORY_FILE_BYTES_MAX, DIRECTORY_FILES_MAX, type Directory, NacreError } from '@nacre/base';
import { syncDirectory } from '@nacre/base/sync-directory';

export class DirectoryError extends NacreError<'DIRECTORY_FAILED'> {
  override readonly name = 'DirectoryError';
}

const FILE_NAME = /^[a-z0-9][a-z0-9.-]{0,99}$/;
/** Holds new content until it is renamed. A crash leaves one behind at most, which the next `replace` overwrites. */
const TEMPORARY_SUFFIX = '.new';

const HINTS: Readonly<Record<string, string>> = {
  ENOSPC: 'The disk is full. Make room, then restart the node.',
  EDQUOT: 'The disk quota is used up. Make room, then restart the node.',
  EACCES: 'Give the user who runs the node read and write access to the directory and its files.',
  EPERM: 'Give the user who runs the node read and write access to the directory and its files.',
  EROFS: 'The file system is read-only. Check the disk for errors and mount it writable.',
  ENOENT: 'Create the directory, or start the node with the home that has it.',
  EIO: 'The disk reports errors. Replace it; do not copy the vote journal from an older backup.',
};

/**
 * A few small files in one directory of a POSIX file system.
 *
 * Appending keeps the file open; every method of one file must be awaited before the next is called. Errors of the file
 * system come as `DirectoryError` `DIRECTORY_FAILED` with `path`, `operation` and `errno` (its symbolic name).
 */
export class FileDirectory implements Directory {
  readonly #path: string;
  readonly #files = new Map<string, OpenFile>();

  /** @param path an existing directory */
  constructor(path: string) {
    this.#path = path;
  }

  async read(name: string): Promise<Uint8Array | undefined> {
    return this.#attempt('read', name, async (path) => {
      let file: FileHandle;
      try {
        file = await open(path, 'r');
      } catch (error) {
        if (errnoOf(error) === 'ENOENT') return undefined;
        throw error;
      }
      try {
        const { size } = await file.stat();
        if (size > DIRECTORY_FILE_BYTES_MAX) throw new Error(`${size} bytes are more than ${DIRECTORY_FILE_BYTES_MAX}`);
        return new Uint8Array(await file.readFile());
      } finally {
        await file.close();
      }
    });
  }

  async append(name: string, bytes: Uint8Array): Promise<void> {
    await this.#attempt('append', name, async () => {
      const { handle } = await this.#openForAppending(name);
      await handle.appendFile(bytes);
    });
  }

  async sync(name: string): Promise<void> {
    await this.#attempt('sync', name, async () => {
      const file = await this.#openForAppending(name);
      await file.handle.datasync();
      if (file.entryIsDurable) return;
      await syncDirectory(this.#path);
      file.entryIsDurable = true;
    });
  }

  async replace(name: string, bytes: Uint8Array): Promise<void> {
    await this.#attempt('replace', name, async (path) => {
      // An open file would go on appending to the content that is replaced.
      await this.#closeFile(name);
      const temporary = await open(path + TEMPORARY_SUFFIX, 'w', 0o600);
      try {
        await temporary.writeFile(bytes);
        await temporary.sync();
      } finally {
        await temporary.close();
      }
      await rename(path + TEMPORARY_SUFFIX, path);
      await syncDirectory(this.#path);
    });
  }

  /** Closes the files kept open. What was not synced may still be lost. */
  async close(): Promise<void> {
    for (const name of [...this.#files.keys()]) await this.#attempt('close', name, () => this.#closeFile(name));
  }

  async #attempt<Value>(operation: string, name: string, run: (path: string) => Promise<Value>): Promise<Value> {
    assert(FILE_NAME.test(name) && !name.endsWith(TEMPORARY_SUFFIX), `not a plain file name: ${name}`);
    const path = join(this.#path, name);
    try {
      return await run(path);
    } catch (cause) {
      const errno = errnoOf(cause);
      throw new DirectoryError('DIRECTORY_FAILED', `cannot ${operation} ${path}: ${errno}`, {
        cause,
        fields: { path, operation, errno },
        hint: HINTS[errno] ?? 'Check the disk and the permissions of the directory.',
      });
    }
  }

  async #openForAppending(name: string): Promise<OpenFile> {
    const kept = this.#files.get(name);
    if (kept !== undefined) return kept;
    assert(this.#files.size < DIRECTORY_FILES_MAX, 'a directory holds a few files');
    const flags = constants.O_APPEND | constants.O_CREAT | constants.O_WRONLY;
    const file = { handle: await open(join(this.#path, name), flags, 0o600), entryIsDurable: false };
    this.#files.set(name, file);
    return file;
  }

  async #closeFile(name: string): Promise<void> {
    const file = this.#files.get(name);
    this.#files.delete(name);
    await file?.handle.close();
  }
}

interface OpenFile {
  readonly handle: FileHandle;
  /** Whether the directory has been synced since this process opened, and perhaps made, the file. */
  entryIsDurable: boolean;
}

function errnoOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'UNKNOWN';
}
