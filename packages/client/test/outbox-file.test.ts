import { createHash } from 'node:crypto';
import { NacreRpcError } from '@nacre/client';
import { FileOutboxStore } from '@nacre/client/outbox-file';
import fc from 'fast-check';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { decodeContent, encodeContent } from '../src/outbox-content.ts';
import { decodeItemFile, encodeItemFile, itemFileName } from '../src/outbox-file-format.ts';
import { LossyDisk } from './lossy-disk.ts';

const mocked = vi.hoisted(() => ({ disk: undefined as unknown }));
const disk = (): LossyDisk => mocked.disk as LossyDisk;

vi.mock('node:fs/promises', () => {
  const names = ['mkdir', 'open', 'readdir', 'readFile', 'rename', 'rm', 'stat'] as const;
  type Functions = Record<string, (...parameters: unknown[]) => unknown>;
  return Object.fromEntries(
    names.map((name) => [name, (...given: unknown[]) => (disk().functions as unknown as Functions)[name]?.(...given)]),
  );
});
vi.mock('../src/outbox-lock.ts', () => ({ OutboxLock: { acquire: async () => ({ release: async () => {} }) } }));

const ITEM = { id: 'order 7', content: 'what is to be done' };
const PATH = `/home/outbox/${itemFileName(ITEM.id)}`;

beforeEach(() => {
  mocked.disk = new LossyDisk();
});

const open = (): Promise<FileOutboxStore> => FileOutboxStore.open('/home/outbox');

describe('after a crash that loses what was not synced', () => {
  // @mutation packages/client/src/outbox-file.ts
  // - await file.sync();
  // + void file.sync;
  // @mutation packages/client/src/outbox-file.ts
  // - await this.#syncDirectory();
  // + void this.#syncDirectory;
  // @mutation packages/client/src/outbox-file.ts
  // - await syncDirectory(dirname(below));
  // + void below;
  test('an item that was put is there', async () => {
    const store = await open();
    await store.put(ITEM);
    disk().crash();
    expect(await (await open()).read()).toEqual([ITEM]);
  });

  // @mutation packages/client/src/outbox-file.ts
  // - const temporary = path + TEMPORARY_SUFFIX;
  // + const temporary = path;
  test('an item that was being replaced is the old one or the new one', async () => {
    for (const operation of ['open', 'write', 'sync', 'rename', 'syncDirectory']) {
      mocked.disk = new LossyDisk();
      const store = await open();
      await store.put(ITEM);
      disk().failing = { operation, errno: 'EIO' };
      await expect(store.put({ ...ITEM, content: 'anew' })).rejects.toMatchObject({ code: 'OUTBOX_STORE_FAILED' });
      disk().failing = undefined;
      disk().crash();
      const [item] = await (await open()).read();
      expect(['what is to be done', 'anew']).toContain(item?.content);
    }
  });

  // @mutation packages/client/src/outbox-file.ts
  // - return this.#syncingNext;
  // + return this.#syncing;
  test('an item that was put while another one’s directory was being synced is there', async () => {
    const store = await open();
    const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()] as const;
    let syncs = 0;
    disk().whileSyncing = async () => gates[syncs++]?.promise;
    const first = store.put(ITEM);
    await expect.poll(() => syncs).toBe(1);
    const second = store.put({ ...ITEM, id: 'order 8' });
    await expect.poll(() => disk().paths()).toContain(`/home/outbox/${itemFileName('order 8')}`);
    gates[0].resolve();
    await first;
    setTimeout(gates[1].resolve, 50);
    await second;
    disk().crash();
    expect(await (await open()).read()).toHaveLength(2);
  });
});

describe('a file', () => {
  test('that was never finished is cleared away', async () => {
    const store = await open();
    disk().failing = { operation: 'rename', errno: 'EIO' };
    await expect(store.put(ITEM)).rejects.toMatchObject({ code: 'OUTBOX_STORE_FAILED' });
    disk().failing = undefined;
    expect(disk().paths()).toHaveLength(1);
    expect(await (await open()).read()).toEqual([]);
    expect(disk().paths()).toEqual([]);
  });

  // @mutation packages/client/src/outbox-file-format.ts
  // - if (!bytesEqual(taggedHash(CONTENT_TAG, body), hash)) return fail('its checksum does not fit');
  // + if (hash.length === 0) return fail('its checksum does not fit');
  test('with any byte flipped or any part cut off is an error that names it, not an item less', async () => {
    const store = await open();
    await store.put(ITEM);
    const size = disk().sizeOf(PATH);
    for (let at = 0; at < size; at++) {
      for (const how of ['flip', 'cut'] as const) {
        disk().damage(PATH, at, how);
        await expect(store.read()).rejects.toMatchObject({ code: 'OUTBOX_DAMAGED', fields: { path: PATH } });
        await store.put(ITEM);
      }
    }
    expect(await store.read()).toEqual([ITEM]);
  });

  // @mutation packages/client/src/outbox-file.ts
  // - if (itemFileName(read.value.id) !== name) throw damaged(path, 'it is the file of another item');
  // + void name;
  test('under another name is an error: sent twice, it could be signed anew twice', async () => {
    const store = await open();
    await store.put(ITEM);
    await disk().functions.rename(PATH, `/home/outbox/${itemFileName('order 8')}`);
    await expect(store.read()).rejects.toMatchObject({ code: 'OUTBOX_DAMAGED' });
  });

  // @mutation packages/client/src/outbox-file.ts
  // - if (size > OUTBOX_FILE_BYTES_MAX)
  // + if (size > 2 * OUTBOX_FILE_BYTES_MAX)
  test('that is too long is not read', async () => {
    const store = await open();
    await store.put({ ...ITEM, content: 'x'.repeat(5 * 1024 * 1024) });
    await expect(store.read()).rejects.toMatchObject({ code: 'OUTBOX_DAMAGED' });
  });

  test('is version 1 of its format', () => {
    const file = encodeItemFile(ITEM);
    expect(decodeItemFile(file)).toEqual({ ok: true, value: ITEM });
    expect(createHash('sha256').update(file).digest('hex')).toBe('4eacd0dd8207736990c5e6ac57c871a047bf0e90606da7209e776af2122c96ae');
    expect(itemFileName(ITEM.id)).toBe('9a48e16ae5b50c9065202d78ed4b82734b0212778806df899da4c7820a87ed7c.item');
  });
});

test('whatever a file or an item holds, reading it gives an item or says what is wrong, and never throws', () => {
  const encoded = encodeContent({
    kind: 'refused',
    txId: 'ab',
    error: new NacreRpcError('X', 'no', { retryable: false, fields: { a: 1 } }),
  });
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void decodeItemFile(bytes).ok));
  fc.assert(fc.property(fc.oneof(fc.json(), fc.string()), (text) => void decodeContent(text).ok));
  fc.assert(
    fc.property(fc.nat(encoded.length - 1), fc.string({ maxLength: 3 }), (at, put) => {
      void decodeContent(encoded.slice(0, at) + put + encoded.slice(at + 1)).ok;
    }),
  );
  const read = decodeContent(encoded);
  expect(read.ok && read.value).toMatchObject({ kind: 'refused', error: { code: 'X', fields: { a: 1 } } });
  fc.assert(
    fc.property(fc.record({ id: fc.string(), content: fc.string() }), (item) => {
      expect(decodeItemFile(encodeItemFile(item))).toEqual({ ok: true, value: item });
    }),
  );
});

test('what the file system refuses is a typed error that says what to do', async () => {
  const store = await open();
  disk().failing = { operation: 'write', errno: 'ENOSPC' };
  await expect(store.put(ITEM)).rejects.toMatchObject({
    code: 'OUTBOX_STORE_FAILED',
    fields: { operation: 'write', errno: 'ENOSPC' },
    hint: 'The disk is full. Make room.',
  });
});

test('an item is forgotten when it is removed, and removing it again does no harm', async () => {
  const store = await open();
  await store.put(ITEM);
  await store.remove(ITEM.id);
  await store.remove(ITEM.id);
  expect(await store.read()).toEqual([]);
  await store.close();
});
