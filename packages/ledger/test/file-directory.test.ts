import { mkdtemp, readdir, readFile, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AssertionError, DIRECTORY_FILE_BYTES_MAX, DIRECTORY_FILES_MAX, utf8 } from '@nacre/base';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { FileDirectory } from '../src/level.ts';

/** What reached the file system, in order, with paths relative to the directory under test. */
const calls: string[] = [];
let path: string;
/** Symbolic name of the error that opening a file meets. */
let obstacle: string | null = null;

vi.mock('node:fs/promises', async (importOriginal) => {
  const original = await importOriginal<typeof import('node:fs/promises')>();
  const nameOf = (file: string): string => (file === path ? '.' : file.slice(path.length + 1));
  return {
    ...original,
    open: async (file: string, ...rest: [string | number, number?]) => {
      if (obstacle !== null) throw Object.assign(new Error('an obstacle'), { code: obstacle });
      const handle = await original.open(file, ...rest);
      for (const method of ['appendFile', 'writeFile', 'datasync', 'sync'] as const) {
        const real = handle[method].bind(handle) as (...parameters: unknown[]) => Promise<void>;
        Object.assign(handle, {
          [method]: async (...parameters: unknown[]) => {
            await real(...parameters);
            calls.push(`${method} ${nameOf(file)}`);
          },
        });
      }
      return handle;
    },
    rename: async (from: string, to: string) => {
      await original.rename(from, to);
      calls.push(`rename ${nameOf(from)} ${nameOf(to)}`);
    },
  };
});

let directory: FileDirectory;

beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), 'nacre-directory-'));
  directory = new FileDirectory(path);
  calls.length = 0;
});

afterEach(async () => {
  obstacle = null;
  await directory.close();
  await rm(path, { recursive: true });
});

describe('read', () => {
  // @mutation packages/ledger/src/file-directory.ts
  // - if (errnoOf(error) === 'ENOENT') return undefined;
  // +
  test('a missing file is undefined', async () => {
    expect(await directory.read('journal')).toBeUndefined();
  });

  test('is what was appended, synced or not', async () => {
    await directory.append('journal', utf8('ab'));
    await directory.append('journal', utf8('c'));
    expect(await directory.read('journal')).toEqual(utf8('abc'));
  });

  // @mutation packages/ledger/src/file-directory.ts
  // - if (size > DIRECTORY_FILE_BYTES_MAX) throw new Error(`${size} bytes are more than ${DIRECTORY_FILE_BYTES_MAX}`);
  // +
  test('refuses a file too large for memory', async () => {
    await writeFile(join(path, 'journal'), '');
    await truncate(join(path, 'journal'), DIRECTORY_FILE_BYTES_MAX + 1);
    await expect(directory.read('journal')).rejects.toMatchObject({ code: 'DIRECTORY_FAILED', fields: { operation: 'read' } });
  });
});

describe('append and sync', () => {
  // @mutation packages/ledger/src/file-directory.ts
  // - await file.handle.datasync();
  // +
  // @mutation packages/ledger/src/file-directory.ts
  // - file.entryIsDurable = true;
  // +
  test('sync writes the file through, and its directory the first time', async () => {
    for (const text of ['a', 'b']) {
      await directory.append('journal', utf8(text));
      await directory.sync('journal');
    }
    expect(calls).toEqual(['appendFile journal', 'datasync journal', 'sync .', 'appendFile journal', 'datasync journal']);
  });

  test('a new file is for its owner only', async () => {
    await directory.append('journal', utf8('a'));
    await directory.replace('identity', utf8('b'));
    for (const name of ['journal', 'identity']) expect((await stat(join(path, name))).mode & 0o777).toBe(0o600);
  });

  test('another process goes on at the end', async () => {
    await directory.append('journal', utf8('a'));
    await directory.close();
    const other = new FileDirectory(path);
    await other.append('journal', utf8('b'));
    await other.close();
    expect(await readFile(join(path, 'journal'), 'utf8')).toBe('ab');
  });

  test('keeps a bounded number of files open', async () => {
    for (let i = 0; i < DIRECTORY_FILES_MAX; i++) await directory.append(`file-${i}`, utf8('a'));
    await expect(directory.append('one-more', utf8('a'))).rejects.toMatchObject({ cause: expect.any(AssertionError) });
  });
});

describe('replace', () => {
  // @mutation packages/ledger/src/file-directory.ts
  // - await temporary.sync();
  // +
  // @mutation packages/ledger/src/file-directory.ts
  // - await rename(path + TEMPORARY_SUFFIX, path);
  // - await syncDirectory(this.#path);
  // + await rename(path + TEMPORARY_SUFFIX, path);
  test('syncs the new content before it takes the old one’s place, and the place after', async () => {
    await writeFile(join(path, 'identity'), 'old and longer');
    await directory.replace('identity', utf8('new'));
    expect(calls).toEqual(['writeFile identity.new', 'sync identity.new', 'rename identity.new identity', 'sync .']);
    expect(await readFile(join(path, 'identity'), 'utf8')).toBe('new');
    expect(await readdir(path)).toEqual(['identity']);
  });

  // @mutation packages/ledger/src/file-directory.ts
  // - await this.#closeFile(name);
  // - const temporary
  // + const temporary
  test('appending afterwards continues the new content', async () => {
    await directory.append('journal', utf8('old'));
    await directory.replace('journal', utf8('new'));
    await directory.append('journal', utf8('er'));
    expect(await directory.read('journal')).toEqual(utf8('newer'));
  });

  test('overwrites what a crash left of an earlier attempt', async () => {
    await writeFile(join(path, 'identity.new'), 'a remainder that is longer');
    await directory.replace('identity', utf8('new'));
    expect(await directory.read('identity')).toEqual(utf8('new'));
  });

  test('a failed replacement leaves the old content', async () => {
    await writeFile(join(path, 'identity'), 'old');
    await symlink('/dev/full', join(path, 'identity.new'));
    await expect(directory.replace('identity', utf8('new'))).rejects.toMatchObject({ fields: { errno: 'ENOSPC' } });
    expect(await directory.read('identity')).toEqual(utf8('old'));
  });
});

describe('errors', () => {
  test('a full disk says so', async () => {
    await symlink('/dev/full', join(path, 'journal'));
    const file = join(path, 'journal');
    await expect(directory.append('journal', utf8('a'))).rejects.toMatchObject({
      name: 'DirectoryError',
      code: 'DIRECTORY_FAILED',
      message: `cannot append ${file}: ENOSPC`,
      fields: { path: file, operation: 'append', errno: 'ENOSPC' },
      hint: expect.stringContaining('full'),
    });
  });

  test('a missing directory says so', async () => {
    const missing = new FileDirectory(join(path, 'missing'));
    await expect(missing.append('journal', utf8('a'))).rejects.toMatchObject({ fields: { errno: 'ENOENT' } });
    await expect(missing.replace('journal', utf8('a'))).rejects.toMatchObject({ fields: { errno: 'ENOENT' } });
  });

  test.each([
    ['EACCES', 'read and write access'],
    ['EROFS', 'read-only'],
    ['EIO', 'Replace it'],
    ['ELOOP', 'Check the disk'],
  ])('%s comes with what to do about it', async (errno, hint) => {
    obstacle = errno;
    await expect(directory.read('journal')).rejects.toMatchObject({ fields: { errno }, hint: expect.stringContaining(hint) });
    await expect(directory.sync('journal')).rejects.toMatchObject({ fields: { errno } });
  });

  // @mutation packages/ledger/src/file-directory.ts
  // - assert(FILE_NAME.test(name) && !name.endsWith(TEMPORARY_SUFFIX), `not a plain file name: ${name}`);
  // +
  test.each(['', '.', '..', '../journal', 'a/b', '/etc/passwd', 'identity.new', 'a\0b'])('%j is no file name', async (name) => {
    await expect(directory.read(name)).rejects.toThrow(AssertionError);
  });
});
