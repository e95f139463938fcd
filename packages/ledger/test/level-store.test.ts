import { type ChildProcess, spawn } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { compareBytes, type StoreOperation, utf8 } from '@nacre/base';
import { type ChainedBatch, ClassicLevel } from 'classic-level';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, type MockInstance, test, vi } from 'vitest';
import { LevelStore } from '../src/level.ts';
import { MemoryStore } from './support/memory-store.ts';
import { flipped } from './support/vote-journal-home.ts';

const OPTIONS = { formatVersion: 2, genesisHash: new Uint8Array(32).fill(9) };
const EVERYTHING = { gte: utf8('\x01'), lt: Uint8Array.of(0xff), limit: 1_000 };

let path: string;

beforeEach(async () => {
  path = join(await mkdtemp(join(tmpdir(), 'nacre-store-')), 'store');
});

afterEach(async () => {
  vi.restoreAllMocks();
  await rm(join(path, '..'), { recursive: true });
});

function put(key: string, value: string | Uint8Array): StoreOperation {
  return { type: 'put', key: utf8(key), value: typeof value === 'string' ? utf8(value) : value };
}

async function stored(...operations: readonly StoreOperation[]): Promise<void> {
  const store = await LevelStore.open(path, OPTIONS);
  await store.write(operations, { sync: true });
  await store.close();
}

/** Past the store, straight into LevelDB. */
async function inLevel<Value>(use: (database: ClassicLevel<Uint8Array, Uint8Array>) => Promise<Value>): Promise<Value> {
  const database = new ClassicLevel<Uint8Array, Uint8Array>(path, { keyEncoding: 'view', valueEncoding: 'view' });
  await database.open();
  try {
    return await use(database);
  } finally {
    await database.close();
  }
}

describe('values', () => {
  test('are there again after a restart', async () => {
    await stored(put('a', '1'), put('b', ''));
    const store = await LevelStore.open(path, OPTIONS);
    expect(store.get(utf8('a'))).toEqual(utf8('1'));
    expect(store.get(utf8('b'))).toEqual(new Uint8Array(0));
    expect(store.get(utf8('c'))).toBeUndefined();
    await store.close();
  });

  test('are plain byte arrays, whose slices are copies', async () => {
    await stored(put('a', '123'));
    const store = await LevelStore.open(path, OPTIONS);
    const [entry] = await store.scan(EVERYTHING);
    for (const bytes of [store.get(utf8('a')), entry?.value, entry?.key]) expect(bytes?.constructor).toBe(Uint8Array);
    await store.close();
  });

  test('behave as a sorted map does', async () => {
    const key = fc.uint8Array({ minLength: 1, maxLength: 3 }).map((bytes) => Uint8Array.of(1, ...bytes));
    const operation: fc.Arbitrary<StoreOperation> = fc.oneof(
      fc.record({ type: fc.constant('put' as const), key, value: fc.uint8Array({ maxLength: 8 }) }),
      fc.record({ type: fc.constant('delete' as const), key }),
    );
    const range = fc
      .record({ from: key, to: key, reverse: fc.boolean(), limit: fc.integer({ min: 1, max: 5 }) })
      .map(({ from, to, ...rest }) => (compareBytes(from, to) < 0 ? { gte: from, lt: to, ...rest } : { gte: to, lt: from, ...rest }));
    const store = await LevelStore.open(path, OPTIONS);
    const oracle = new MemoryStore();
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { maxLength: 20 }), range, key, async (operations, range, key) => {
        for (const target of [store, oracle]) await target.write(operations, { sync: false });
        expect(await store.scan(range)).toEqual(await oracle.scan(range));
        expect(store.get(key)).toEqual(oracle.get(key));
      }),
    );
    await store.close();
  });
});

describe('a view', () => {
  // @mutation packages/ledger/src/level-store.ts
  // - scan: (range) => this.#scan(range, snapshot),
  // + scan: (range) => this.#scan(range),
  // @mutation packages/ledger/src/level-store.ts
  // - return this.#database.getSync(key, { snapshot });
  // + return this.#database.getSync(key);
  test('shows what was there when it was taken, whatever is written since', async () => {
    const store = await LevelStore.open(path, OPTIONS);
    await store.write([put('a', '1'), put('b', '1')], { sync: false });
    const view = store.view();
    await store.write([put('a', '2'), { type: 'delete', key: utf8('b') }, put('c', '2')], { sync: true });
    expect(view.get(utf8('a'))).toEqual(utf8('1'));
    expect(view.get(utf8('c'))).toBeUndefined();
    const seen = await view.scan({ gte: utf8('a'), lt: utf8('z'), limit: 9 });
    expect(seen.map(({ value }) => value)).toEqual([utf8('1'), utf8('1')]);
    await view.close();
    expect(store.get(utf8('a'))).toEqual(utf8('2'));
    await store.close();
  });
});

/** Sees each batch when it is written, with its number of operations, and may throw instead. */
function watchBatches(onWrite: (operations: number, options: object) => void): void {
  const make = ClassicLevel.prototype.batch as () => ChainedBatch<ClassicLevel, string, string>;
  const watched = vi.spyOn(ClassicLevel.prototype, 'batch') as unknown as MockInstance<typeof make>;
  watched.mockImplementation(function (this: ClassicLevel) {
    const batch = make.call(this);
    const write = batch.write.bind(batch);
    const watchedWrite = async (options: { readonly sync?: boolean } = {}): Promise<void> => {
      onWrite(batch.length, options);
      await write(options);
    };
    batch.write = watchedWrite as typeof batch.write;
    return batch;
  });
}

describe('writes', () => {
  // @mutation packages/ledger/src/level-store.ts
  // - await batch.write({ sync: sync || nearlyFull !== null });
  // + await batch.write({});
  test('are one batch, synced exactly when asked', async () => {
    const store = await LevelStore.open(path, OPTIONS);
    const written: [operations: number, options: object][] = [];
    watchBatches((...batch) => written.push(batch));
    await store.write([put('a', '1'), { type: 'delete', key: utf8('b') }], { sync: true });
    await store.write([put('a', '2')], { sync: false });
    expect(written).toEqual([
      [2, { sync: true }],
      [1, { sync: false }],
    ]);
    await store.close();
  });

  // @mutation packages/ledger/src/level-store.ts
  // - addOperations(batch, operations.length > 0 ? operations : [{ type: 'put', key: FORMAT_KEY, value: this.#format }]);
  // + addOperations(batch, operations);
  test('of nothing make what was written before durable too', async () => {
    const store = await LevelStore.open(path, OPTIONS);
    const written: [operations: number, options: object][] = [];
    watchBatches((...batch) => written.push(batch));
    await store.write([], { sync: false });
    expect(written).toEqual([]);
    await store.write([], { sync: true });
    expect(written).toEqual([[1, { sync: true }]]);
    await store.close();
  });

  // @mutation packages/ledger/src/level-store.ts
  // - if (failure.code !== 'STORE_CLOSED') this.#failure ??= failure;
  // +
  test('stop after one has failed, because LevelDB would append behind a torn record', async () => {
    const store = await LevelStore.open(path, OPTIONS);
    let failures = 1;
    watchBatches(() => {
      if (failures-- > 0) throw new Error('IO error: no space left on device');
    });
    const failed = { code: 'STORE_FAILED', fields: { path, reason: 'IO error: no space left on device' }, hint: expect.any(String) };
    await expect(store.write([put('a', '1')], { sync: true })).rejects.toMatchObject(failed);
    await expect(store.write([put('a', '2')], { sync: true })).rejects.toMatchObject(failed);
    expect(store.get(utf8('a'))).toBeUndefined();
    await store.close();
  });

  test('and reads after close are typed errors', async () => {
    const store = await LevelStore.open(path, OPTIONS);
    await store.close();
    const closed = { name: 'StoreError', code: 'STORE_CLOSED' };
    await expect(store.write([put('a', '1')], { sync: true })).rejects.toMatchObject(closed);
    await expect(store.scan(EVERYTHING)).rejects.toMatchObject(closed);
    expect(() => store.get(utf8('a'))).toThrow(expect.objectContaining(closed));
  });
});

describe('a store that this node cannot use', () => {
  test('is held by another process', async () => {
    const script = `
      const { ClassicLevel } = require('classic-level');
      new ClassicLevel(process.argv[1]).open().then(() => { console.log('open'); setInterval(() => {}, 1000); });`;
    const holder: ChildProcess = spawn(process.execPath, ['-e', script, path], { stdio: ['ignore', 'pipe', 'inherit'] });
    await new Promise((resolve) => holder.stdout?.once('data', resolve));
    const locked = { code: 'STORE_LOCKED', fields: { path, lock: join(path, 'LOCK') }, hint: expect.any(String) };
    await expect(LevelStore.open(path, OPTIONS)).rejects.toMatchObject(locked);
    holder.kill('SIGKILL');
    await new Promise((resolve) => holder.once('exit', resolve));
    await inLevel(async () => {});
  });

  test('is held by this process', async () => {
    const store = await LevelStore.open(path, OPTIONS);
    await expect(LevelStore.open(path, OPTIONS)).rejects.toMatchObject({ code: 'STORE_LOCKED' });
    await store.close();
  });

  // @mutation packages/ledger/src/level-store.ts
  // - if (!bytesEqual(found, genesisHash)) {
  // + if (found.length === 0) {
  test('belongs to another network', async () => {
    await stored();
    await expect(LevelStore.open(path, { ...OPTIONS, genesisHash: new Uint8Array(32) })).rejects.toMatchObject({
      code: 'STORE_FOREIGN',
      fields: { path, genesisHash: '00'.repeat(32), found: '09'.repeat(32) },
      hint: expect.any(String),
    });
    await (await LevelStore.open(path, OPTIONS)).close();
  });

  // @mutation packages/ledger/src/level-store.ts
  // - if (version > formatVersion) {
  // + if (version > formatVersion + 1) {
  test('was written by a newer program, which a later layout of the record does not hide', async () => {
    await stored();
    await expect(LevelStore.open(path, { ...OPTIONS, formatVersion: 1 })).rejects.toMatchObject({
      code: 'STORE_NEWER',
      fields: { path, version: 2, formatVersion: 1 },
      hint: expect.any(String),
    });
    const store = await LevelStore.open(path, OPTIONS);
    await store.write([put('\0format', Uint8Array.of(0, 0, 0, 3, 1, 2, 3))], { sync: true });
    await store.close();
    await expect(LevelStore.open(path, OPTIONS)).rejects.toMatchObject({ code: 'STORE_NEWER' });
  });

  // @mutation packages/ledger/src/level-store.ts
  // - if (this.#stored(FORMAT_KEY)?.length === FORMAT_1_BYTES) throw
  // + if (this.#stored(FORMAT_KEY)?.length === 1) throw
  test('was written by an earlier program', async () => {
    await stored();
    const record = Uint8Array.of(0, 0, 0, 1, ...OPTIONS.genesisHash);
    const checksum = new Uint8Array(4);
    new DataView(checksum.buffer).setUint32(0, crc32(record, crc32(utf8('\0format'))));
    await inLevel((database) => database.put(utf8('\0format'), Uint8Array.of(...record, ...checksum)));
    await expect(LevelStore.open(path, OPTIONS)).rejects.toMatchObject({ code: 'STORE_OLDER', hint: expect.any(String) });
  });

  // @mutation packages/ledger/src/level-store.ts
  // - if (version < formatVersion) throw older
  // + if (version === 0) throw older
  test('was written by an earlier program, in a format that today is told by its number', async () => {
    await stored();
    await expect(LevelStore.open(path, { ...OPTIONS, formatVersion: 3 })).rejects.toMatchObject({
      code: 'STORE_OLDER',
      fields: { path, version: 2, formatVersion: 3 },
    });
  });

  test.each([
    ['older than any', Uint8Array.of(0, 0, 0, 0, ...OPTIONS.genesisHash)],
    ['too short', Uint8Array.of(0, 0, 0, 2, 1)],
    ['empty', new Uint8Array(0)],
  ])('has a format record that is %s', async (_, record) => {
    await stored(put('\0format', record));
    await expect(LevelStore.open(path, OPTIONS)).rejects.toMatchObject({ code: 'STORE_DAMAGED', hint: expect.any(String) });
  });

  // @mutation packages/ledger/src/level-store.ts
  // - if (any !== undefined) throw damaged(this.#path, 'it holds values but does not say of which network', {});
  // +
  test('holds values but has lost its format record', async () => {
    await stored(put('a', '1'));
    await inLevel((database) => database.del(utf8('\0format')));
    await expect(LevelStore.open(path, OPTIONS)).rejects.toMatchObject({ code: 'STORE_DAMAGED' });
  });

  test('is not LevelDB', async () => {
    await mkdir(path);
    await writeFile(join(path, 'CURRENT'), 'nonsense');
    await expect(LevelStore.open(path, OPTIONS)).rejects.toMatchObject({ code: 'STORE_DAMAGED' });
  });

  // @mutation packages/ledger/src/level-store.ts
  // - if (!names.includes(CURRENT)) throw damaged(path, `${join(path, CURRENT)} is missing`, {});
  // + if (!names.includes(CURRENT)) return;
  test('has lost its CURRENT file: LevelDB would start anew and delete the tables', async () => {
    await stored(put('a', '1'));
    await inLevel(async () => {});
    const current = await readFile(join(path, 'CURRENT'));
    await rm(join(path, 'CURRENT'));
    await expect(LevelStore.open(path, OPTIONS)).rejects.toMatchObject({ code: 'STORE_DAMAGED' });
    await writeFile(join(path, 'CURRENT'), current);
    const store = await LevelStore.open(path, OPTIONS);
    expect(store.get(utf8('a'))).toEqual(utf8('1'));
    await store.close();
  });

  test('stands where a file is', async () => {
    await writeFile(path, '');
    await expect(LevelStore.open(path, OPTIONS)).rejects.toMatchObject({ code: 'STORE_FAILED', hint: expect.any(String) });
  });
});

describe('damage on the disk', () => {
  // @mutation packages/ledger/src/stored-value.ts
  // - if (crc32(stored.subarray(0, length + 1), crc32(key)) !== view.getUint32(length + 1)) return null;
  // +
  test('is never handed out as a value', async () => {
    const value = Uint8Array.from({ length: 300 }, (_, index) => (index * 97) % 251);
    await stored(put('a', value));
    // Opening moves the log into a table, whose blocks nobody compares with their checksums.
    await inLevel(async () => {});
    const table = join(path, (await readdir(path)).find((name) => name.endsWith('.ldb')) as string);
    const bytes = await readFile(table);
    const at = bytes.indexOf(value.subarray(100, 200));
    expect(at).toBeGreaterThan(0);
    await copyFile(table, `${table}.good`);
    await writeFile(table, flipped(bytes, at, 4));
    const store = await LevelStore.open(path, OPTIONS);
    const damaged = expect.objectContaining({ code: 'STORE_DAMAGED', fields: { path, key: '61' }, hint: expect.any(String) });
    expect(() => store.get(utf8('a'))).toThrow(damaged);
    await expect(store.scan(EVERYTHING)).rejects.toEqual(damaged);
    await store.close();
  });

  // @mutation packages/ledger/src/stored-value.ts
  // - if (crc32(stored.subarray(0, length + 1), crc32(key)) !== view.getUint32(length + 1)) return null;
  // + if (crc32(stored.subarray(0, length + 1)) === view.getUint32(length + 1)) return null;
  test('shows when a value stands under another key', async () => {
    await stored(put('a', '1'));
    await inLevel(async (database) => database.put(utf8('b'), (await database.get(utf8('a'))) as Uint8Array));
    const store = await LevelStore.open(path, OPTIONS);
    expect(() => store.get(utf8('b'))).toThrow(expect.objectContaining({ code: 'STORE_DAMAGED' }));
    await store.close();
  });

  test('shows when a value is shorter than its checksum', async () => {
    await stored();
    await inLevel((database) => database.put(utf8('a'), Uint8Array.of(1, 2, 3)));
    const store = await LevelStore.open(path, OPTIONS);
    expect(() => store.get(utf8('a'))).toThrow(expect.objectContaining({ code: 'STORE_DAMAGED' }));
    await store.close();
  });

  test('of the list of tables is found when the store is opened', async () => {
    await stored(put('a', '1'));
    const manifest = (await readdir(path)).find((name) => name.startsWith('MANIFEST')) as string;
    await writeFile(join(path, manifest), 'nonsense');
    await expect(LevelStore.open(path, OPTIONS)).rejects.toMatchObject({ code: 'STORE_DAMAGED', fields: { path } });
  });

  const LOST_TABLES = [
    ['overwritten', 'x'.repeat(300)],
    ['cut short', 'x'],
    ['missing', null],
  ] as const;

  // @mutation packages/ledger/src/level-store.ts
  // - if (LOST_TABLE.test(reason)) return damaged(path, reason, {}, cause);
  // +
  test.each(LOST_TABLES)('of a whole table, %s, is found when the store is opened or read', async (_, content) => {
    await stored(put('a', '1'));
    await inLevel(async () => {});
    const table = join(path, (await readdir(path)).find((name) => name.endsWith('.ldb')) as string);
    await (content === null ? rm(table) : writeFile(table, content));
    const readBack = async (): Promise<void> => {
      const store = await LevelStore.open(path, OPTIONS);
      try {
        store.get(utf8('a'));
      } finally {
        await store.close();
      }
    };
    await expect(readBack()).rejects.toMatchObject({ code: 'STORE_DAMAGED', fields: { path } });
  });
});
