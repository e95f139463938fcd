import { appendFile, mkdtemp, open, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type StoreOperation, utf8 } from '@nacre/base';
import { ClassicLevel } from 'classic-level';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { LevelStore } from '../src/level.ts';
import { ValueLog } from '../src/value-log.ts';
import { MemoryStore } from './support/memory-store.ts';
import { flipped } from './support/vote-journal-home.ts';

const OPTIONS = { formatVersion: 2, genesisHash: new Uint8Array(32).fill(9) };
const EVERYTHING = { gte: utf8('\x01'), lt: Uint8Array.of(0xff), limit: 1_000 };
/** So many of them in one synced write go to the value log. */
const LARGE_BYTES = 40 * 1024;
const MIB = 1024 * 1024;

let path: string;
let store: LevelStore;

beforeEach(async () => {
  path = join(await mkdtemp(join(tmpdir(), 'nacre-values-')), 'store');
  store = await LevelStore.open(path, OPTIONS);
});

afterEach(async () => {
  vi.restoreAllMocks();
  await store.close();
  await rm(join(path, '..'), { recursive: true });
});

function put(key: string, value: Uint8Array): StoreOperation {
  return { type: 'put', key: utf8(key), value };
}

function large(seed: number, length = LARGE_BYTES): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + seed * 101) % 256);
}

const segments = async (): Promise<string[]> => (await readdir(join(path, 'values'))).sort().map((name) => join(path, 'values', name));
const readBack = (key: string): Uint8Array | undefined => store.get(utf8(key));

async function reopen(): Promise<void> {
  await store.close();
  store = await LevelStore.open(path, OPTIONS);
}

describe('large values', () => {
  test('of a synced write stand in the value log, and read as all others, also after a restart', async () => {
    await store.write([put('a', large(1)), put('b', utf8('small')), put('c', large(2))], { sync: true });
    const [segment] = await segments();
    expect((await readFile(segment as string)).includes(Buffer.from(large(2)))).toBe(true);
    for (const again of [false, true]) {
      if (again) await reopen();
      expect([readBack('a'), readBack('b'), readBack('c')]).toEqual([large(1), utf8('small'), large(2)]);
      const entries = await store.scan(EVERYTHING);
      expect(entries.map(({ value }) => value)).toEqual([large(1), utf8('small'), large(2)]);
    }
  });

  // @mutation packages/ledger/src/level-store.ts
  // - await this.#hand(sync ? await this.#logLarge(operations) : operations, sync);
  // + await this.#hand(await this.#logLarge(operations), sync);
  test('of a write that is not synced stay in LevelDB, whose log loses its end as a whole', async () => {
    await store.write([put('a', large(1))], { sync: false });
    expect(await segments()).toEqual([]);
    expect(readBack('a')).toEqual(large(1));
  });

  test('of a small write stay in LevelDB, and small values of a large one', async () => {
    await store.write([put('a', large(1, 8 * 1024))], { sync: true });
    await store.write(
      Array.from({ length: 100 }, (_, i) => put(`b${i}`, large(i, 1000))),
      { sync: true },
    );
    expect(await segments()).toEqual([]);
  });

  test('behave as those of a sorted map do', async () => {
    const key = fc.constantFrom('a', 'b', 'c', 'd').map(utf8);
    const value = fc.record({ seed: fc.nat(99), length: fc.constantFrom(0, 10, 5_000, LARGE_BYTES) });
    const operation: fc.Arbitrary<StoreOperation> = fc.oneof(
      fc.record({ type: fc.constant('put' as const), key, value: value.map(({ seed, length }) => large(seed, length)) }),
      fc.record({ type: fc.constant('delete' as const), key }),
    );
    const write = fc.record({ operations: fc.array(operation, { minLength: 1, maxLength: 4 }), sync: fc.boolean() });
    const oracle = new MemoryStore();
    await fc.assert(
      fc.asyncProperty(fc.array(write, { maxLength: 6 }), fc.boolean(), async (writes, restart) => {
        for (const { operations } of writes) await oracle.write(operations, { sync: false });
        // Not one after the other: they take effect in the order of the calls.
        await Promise.all(writes.map(({ operations, sync }) => store.write(operations, { sync })));
        if (restart) await reopen();
        expect(await store.scan(EVERYTHING)).toEqual(await oracle.scan(EVERYTHING));
      }),
      { numRuns: 30 },
    );
  });

  // @mutation packages/ledger/src/value-log.ts
  // - await file.datasync();
  // +
  test('are synced before LevelDB is told where they stand', async () => {
    const events: string[] = [];
    const handle = await open(path, 'r');
    const prototype = Object.getPrototypeOf(handle) as { datasync: () => Promise<void> };
    await handle.close();
    const { datasync } = prototype;
    vi.spyOn(prototype, 'datasync').mockImplementation(async function (this: unknown) {
      await datasync.call(this);
      events.push('synced');
    });
    const { batch } = ClassicLevel.prototype;
    vi.spyOn(ClassicLevel.prototype, 'batch').mockImplementation(function (this: never) {
      events.push('LevelDB');
      return batch.call(this);
    } as never);
    await store.write([put('a', large(1))], { sync: true });
    expect(events).toEqual(['synced', 'LevelDB']);
  });

  test('keep the order of the writes: a later one waits for LevelDB too', async () => {
    // LevelDB's binding writes on whichever thread is free: here the one that has the first write comes late.
    const { batch: begin } = ClassicLevel.prototype;
    let late = true;
    vi.spyOn(ClassicLevel.prototype, 'batch').mockImplementation(function (this: ClassicLevel) {
      const batch = (begin as () => ReturnType<typeof begin>).call(this) as unknown as { write(options: object): Promise<void> };
      const write = batch.write.bind(batch);
      batch.write = async (options) => {
        if (late) {
          late = false;
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
        await write(options);
      };
      return batch as never;
    } as never);
    await Promise.all([
      store.write([put('a', large(1))], { sync: true }),
      // A turn of the event loop later, so that the two are not one write.
      new Promise((resolve) => setImmediate(resolve)).then(() => store.write([put('a', utf8('later'))], { sync: false })),
    ]);
    expect(readBack('a')).toEqual(utf8('later'));
  });

  test('that the disk refuses end all writing, and nothing of their write is there', async () => {
    vi.spyOn(ValueLog.prototype, 'append').mockRejectedValueOnce(Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' }));
    await expect(store.write([put('a', large(1)), put('b', utf8('1'))], { sync: true })).rejects.toMatchObject({ code: 'STORE_FAILED' });
    await expect(store.write([put('c', utf8('1'))], { sync: false })).rejects.toMatchObject({ code: 'STORE_FAILED' });
    await reopen();
    expect(await store.scan(EVERYTHING)).toEqual([]);
  });
});

describe('after a crash', () => {
  test.each([
    ['half an entry', (segment: string) => appendFile(segment, large(7, 300))],
    ['nothing but zeros', (segment: string) => appendFile(segment, new Uint8Array(5_000))],
  ])('%s behind what was synced is in nobody’s way', async (_, tear) => {
    await store.write([put('a', large(1))], { sync: true });
    await tear((await segments())[0] as string);
    await reopen();
    await store.write([put('b', large(2))], { sync: true });
    expect([readBack('a'), readBack('b')]).toEqual([large(1), large(2)]);
    expect(await segments()).toHaveLength(2);
  });
});

describe('damage', () => {
  // @mutation packages/ledger/src/value-log.ts
  // - if (crc32(bytes.subarray(at + 4, at + length)) !== view.getUint32(0)) return null;
  // +
  test('of any byte of a value is found when it is read', async () => {
    await store.write([put('a', large(1))], { sync: true });
    const [segment] = (await segments()) as [string];
    const bytes = await readFile(segment);
    const damaged = expect.objectContaining({ code: 'STORE_DAMAGED', fields: { path, key: '61' }, hint: expect.any(String) });
    for (const at of [0, 3, 4, 5, 6, 9, 10, 11, 500, bytes.length - 1]) {
      await writeFile(segment, flipped(bytes, at, 1));
      expect(() => readBack('a')).toThrow(damaged);
    }
    for (const length of [0, 5, bytes.length - 1]) {
      await truncate(segment, length);
      expect(() => readBack('a')).toThrow(damaged);
    }
    await reopen();
    await rm(segment);
    expect(() => readBack('a')).toThrow(damaged);
    await expect(store.scan(EVERYTHING)).rejects.toEqual(damaged);
  });

  // @mutation packages/ledger/src/value-log.ts
  // - return found !== null && found.length === length && bytesEqual(found.key, key) ? found.value : undefined;
  // + return found !== null && found.length === length ? found.value : undefined;
  test('shows when another key’s value stands at the place', async () => {
    await store.write([put('a', large(1)), put('b', large(2))], { sync: true });
    await store.close();
    const [segment] = (await segments()) as [string];
    const bytes = await readFile(segment);
    const half = bytes.length / 2;
    await writeFile(segment, Buffer.concat([bytes.subarray(half), bytes.subarray(0, half)]));
    store = await LevelStore.open(path, OPTIONS);
    expect(() => readBack('a')).toThrow(expect.objectContaining({ code: 'STORE_DAMAGED' }));
  });
});

describe('room of values that are gone', () => {
  /** A write of `count` values of 1 MiB under keys that begin with `name`. */
  const fill = (name: string, count: number): Promise<void> =>
    store.write(
      Array.from({ length: count }, (_, i) => put(`${name}${i}`, value(i))),
      { sync: true },
    );
  const remove = (name: string, count: number): Promise<void> =>
    store.write(
      Array.from({ length: count }, (_, i) => ({ type: 'delete' as const, key: utf8(`${name}${i}`) })),
      { sync: true },
    );
  const settled = async (condition: () => Promise<boolean>): Promise<void> => {
    for (let waited = 0; waited < 1_200 && !(await condition()); waited++) await new Promise((resolve) => setTimeout(resolve, 25));
  };

  const value = (i: number): Uint8Array => new Uint8Array(MIB).fill(i + 1);

  // @mutation packages/ledger/src/value-reclaimer.ts
  // - if (this.#stopped || !isLive(key, pointer)) return;
  // + if (this.#stopped || isLive(key, pointer)) return;
  test('is given back when a segment is full, and what is alive in it is moved', async () => {
    await fill('dead', 11);
    await fill('live', 5);
    const [first] = (await segments()) as [string];
    await remove('dead', 11);
    // Each segment that is full has one looked through, unless that is being done just then.
    let filled = 0;
    await settled(async () => {
      if (filled < 20) await fill(`next${filled++ % 4} `, 16);
      return !(await segments()).includes(first);
    });
    expect(await segments()).not.toContain(first);
    const whole = (): void => {
      for (let i = 0; i < 5; i++) expect(Buffer.compare(readBack(`live${i}`) as Uint8Array, value(i))).toBe(0);
      expect(readBack('dead3')).toBeUndefined();
    };
    whole();
    await reopen();
    whole();
  });

  // @mutation packages/ledger/src/value-reclaimer.ts
  // - if (!whole && (await pointsInto(segment, isStopped))) return;
  // +
  // @mutation packages/ledger/src/level-store.ts
  // - if (content === null || ('segment' in content && content.segment === segment)) return true;
  // + if (content === null) return true;
  test('stays taken where a segment cannot be read to its end, as long as something points there, and not for longer', async () => {
    await fill('dead', 3);
    await fill('live', 13);
    const [first] = (await segments()) as [string];
    const bytes = await readFile(first);
    await writeFile(first, flipped(bytes, 2.5 * MIB, 1));
    await remove('dead', 3);
    await store.reclaim([]);
    expect(await segments()).toContain(first);
    expect(Buffer.compare(readBack('live7') as Uint8Array, value(7))).toBe(0);
    await remove('live', 13);
    await store.reclaim([]);
    expect(await segments()).not.toContain(first);
  });

  test('is given back of a segment that a killed process has left without its end', async () => {
    await fill('alive', 1);
    await fill('dead', 4);
    const [first] = (await segments()) as [string];
    await store.close();
    await appendFile(first, new Uint8Array(1000).fill(7));
    await reopen();
    await remove('dead', 4);
    await store.reclaim([]);
    expect(await segments()).not.toContain(first);
    expect(Buffer.compare(readBack('alive0') as Uint8Array, value(0))).toBe(0);
  });
});
