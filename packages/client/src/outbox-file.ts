/** `@nacre/client/outbox-file`: an outbox's items as files. Node.js only. */
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { syncDirectory } from '@nacre/base/sync-directory';
import { NacreClientError } from './client-error.ts';
import { OUTBOX_FILE_BYTES_MAX } from './client-limits.ts';
import { decodeItemFile, encodeItemFile, itemFileName } from './outbox-file-format.ts';
import { OutboxLock } from './outbox-lock.ts';
import type { OutboxStore, StoredItem } from './outbox-store.ts';

export type { OutboxStore, StoredItem } from './outbox-store.ts';

const ITEM_SUFFIX = '.item';
/** Of files that are being written. One that a crash left behind was never acknowledged. */
const TEMPORARY_SUFFIX = '.new';

const HINTS: Readonly<Record<string, string>> = {
  ENOSPC: 'The disk is full. Make room.',
  EDQUOT: 'The disk quota is used up. Make room.',
  EACCES: 'Give the user who runs this program read and write access to the directory and its files.',
  EPERM: 'Give the user who runs this program read and write access to the directory and its files.',
  EROFS: 'The file system is read-only.',
  ENOTDIR: 'Give the path of a directory, or of one that can be made.',
};

/**
 * The items of one outbox as files of one directory, one each, on a POSIX file system. The directory belongs to one outbox of one process at a time.
 *
 * A file is written beside its place, synced, and moved there, and then the directory is synced: an item is there whole or not at all, so a file that
 * cannot be read is damaged and never just unfinished.
 */
export class FileOutboxStore implements OutboxStore {
  readonly #directory: string;
  readonly #lock: OutboxLock;
  /** The sync of the directory under way, and the one that begins when it ends. */
  #syncing: Promise<void> | undefined;
  #syncingNext: Promise<void> | undefined;

  private constructor(directory: string, lock: OutboxLock) {
    this.#directory = directory;
    this.#lock = lock;
  }

  /**
   * @param directory made if it is not there
   * @throws {NacreClientError} `OUTBOX_LOCKED`, `OUTBOX_STORE_FAILED`
   */
  static async open(directory: string): Promise<FileOutboxStore> {
    const path = resolve(directory);
    return attempt('open', path, async () => {
      const made = await mkdir(path, { recursive: true, mode: 0o700 });
      // The names of new directories are to be durable too.
      for (let below = path; made !== undefined && below.length >= made.length; below = dirname(below)) await syncDirectory(dirname(below));
      return new FileOutboxStore(path, await OutboxLock.acquire(path));
    });
  }

  /** @throws {NacreClientError} `OUTBOX_DAMAGED`, `OUTBOX_STORE_FAILED` */
  async read(): Promise<readonly StoredItem[]> {
    const items: StoredItem[] = [];
    for (const name of await attempt('read', this.#directory, () => readdir(this.#directory))) {
      const path = join(this.#directory, name);
      if (name.endsWith(TEMPORARY_SUFFIX)) await attempt('remove', path, () => rm(path, { force: true }));
      if (name.endsWith(ITEM_SUFFIX)) items.push(await attempt('read', path, () => readItem(path, name)));
    }
    return items;
  }

  async put(item: StoredItem): Promise<void> {
    const path = join(this.#directory, itemFileName(item.id));
    await attempt('write', path, async () => {
      const temporary = path + TEMPORARY_SUFFIX;
      const file = await open(temporary, 'w', 0o600);
      try {
        await file.writeFile(encodeItemFile(item));
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, path);
      await this.#syncDirectory();
    });
  }

  async remove(id: string): Promise<void> {
    const path = join(this.#directory, itemFileName(id));
    await attempt('remove', path, () => rm(path, { force: true }));
  }

  async close(): Promise<void> {
    await attempt('close', this.#directory, () => this.#lock.release());
  }

  /** One sync serves all who wait for one when it begins. */
  async #syncDirectory(): Promise<void> {
    if (this.#syncing === undefined) {
      this.#syncing = syncDirectory(this.#directory).finally(() => {
        this.#syncing = undefined;
      });
      return this.#syncing;
    }
    // The one under way may have begun before our file was moved.
    this.#syncingNext ??= this.#syncing
      .catch(() => {})
      .then(() => {
        this.#syncingNext = undefined;
        return this.#syncDirectory();
      });
    return this.#syncingNext;
  }
}

async function readItem(path: string, name: string): Promise<StoredItem> {
  const { size } = await stat(path);
  if (size > OUTBOX_FILE_BYTES_MAX) throw damaged(path, `it has ${size} bytes, more than ${OUTBOX_FILE_BYTES_MAX}`);
  const read = decodeItemFile(await readFile(path));
  if (!read.ok) throw damaged(path, read.error);
  if (itemFileName(read.value.id) !== name) throw damaged(path, 'it is the file of another item');
  return read.value;
}

async function attempt<Value>(operation: string, path: string, run: () => Promise<Value>): Promise<Value> {
  try {
    return await run();
  } catch (cause) {
    if (cause instanceof NacreClientError) throw cause;
    const errno = cause instanceof Error && 'code' in cause ? String(cause.code) : 'UNKNOWN';
    throw new NacreClientError('OUTBOX_STORE_FAILED', `cannot ${operation} ${path}: ${errno}`, {
      cause,
      fields: { path, operation, errno },
      hint: HINTS[errno] ?? 'Check the disk and the permissions of the directory.',
    });
  }
}

function damaged(path: string, problem: string): NacreClientError {
  return new NacreClientError('OUTBOX_DAMAGED', `${path} is damaged: ${problem}`, {
    fields: { path, problem },
    hint: 'Nothing was sent or forgotten. Restore the file from a copy; without one, move it away and submit again what it held.',
  });
}
