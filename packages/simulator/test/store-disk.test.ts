import { type Store, type StoreOperation, utf8 } from '@nacre/base';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Machine } from './support/machine.ts';

const put = (key: string, value: string): StoreOperation => ({ type: 'put', key: utf8(key), value: utf8(value) });
const remove = (key: string): StoreOperation => ({ type: 'delete', key: utf8(key) });
const read = (store: Store, key: string): string | undefined => {
  const value = store.get(utf8(key));
  return value === undefined ? undefined : new TextDecoder().decode(value);
};

test('a batch becomes visible when its promise resolves, all of it at once', async () => {
  const machine = new Machine();
  const store = machine.disk.store.open(machine.life());
  const written = store.write([put('a', '1'), put('b', '2')], { sync: false });
  expect(read(store, 'a')).toBeUndefined();
  await machine.finish(written);
  expect([read(store, 'a'), read(store, 'b')]).toEqual(['1', '2']);
  await machine.finish(store.write([remove('a'), put('b', '3')], { sync: true }));
  expect([read(store, 'a'), read(store, 'b')]).toEqual([undefined, '3']);
  expect(machine.disk.store.size).toBe(1);
});

test('scans see the entries of their call, in order, bounded, both ways', async () => {
  const machine = new Machine();
  const store = machine.disk.store.open(machine.life());
  await machine.finish(
    store.write(
      ['c', 'a', 'b', 'd'].map((key) => put(key, key)),
      { sync: false },
    ),
  );
  const scan = store.scan({ gte: utf8('a'), lt: utf8('d'), limit: 10 });
  const change = store.write([remove('b')], { sync: false });
  expect((await machine.finish(scan)).map(({ key }) => new TextDecoder().decode(key))).toEqual(['a', 'b', 'c']);
  await machine.finish(change);
  const reverse = await machine.finish(store.scan({ gte: utf8('a'), lt: utf8('d'), reverse: true, limit: 1 }));
  expect(reverse).toEqual([{ key: utf8('c'), value: utf8('c') }]);
});

test('writes complete in the order they were issued in, however long each takes', async () => {
  const machine = new Machine();
  const store = machine.disk.store.open(machine.life());
  const order: string[] = [];
  const slow = store.write([put('a', 'slow')], { sync: true }).then(() => order.push('slow'));
  const quick = store.write([put('a', 'quick')], { sync: false }).then(() => order.push('quick'));
  await machine.finish(Promise.all([slow, quick]));
  expect(order).toEqual(['slow', 'quick']);
  expect(read(store, 'a')).toBe('quick');
});

test('the caller may use its buffers again once write has returned', async () => {
  const machine = new Machine();
  const store = machine.disk.store.open(machine.life());
  const value = utf8('kept');
  const written = store.write([{ type: 'put', key: utf8('a'), value }], { sync: false });
  value.fill(0);
  await machine.finish(written);
  expect(read(store, 'a')).toBe('kept');
});

/** Writes batches 0..n-1, each its number under one key and under one of its own; those up to `synced` before the last sync. */
async function crashAfter(seed: number, options: { completed: number; inFlight: number; syncAt: number }): Promise<number | undefined> {
  const machine = new Machine(seed);
  const life = machine.life();
  const store = machine.disk.store.open(life);
  const batch = (i: number): StoreOperation[] => [put('last', `${i}`), put(`own ${i}`, ''), put('last', `${i}!`), remove(`own ${i - 1}`)];
  for (let i = 0; i < options.completed; i++) await machine.finish(store.write(batch(i), { sync: i === options.syncAt }));
  for (let i = 0; i < options.inFlight; i++) void store.write(batch(options.completed + i), { sync: false });
  life.end();
  machine.disk.crash();
  const after = machine.disk.store.open(machine.life(0, 1));
  const last = read(after, 'last');
  const own = await machine.finish(after.scan({ gte: utf8('own '), lt: utf8('own!'), limit: 100 }));
  const survived = last === undefined ? -1 : Number.parseInt(last, 10);
  expect(last).toBe(survived === -1 ? undefined : `${survived}!`);
  expect(own.map(({ key }) => new TextDecoder().decode(key))).toEqual(survived === -1 ? [] : [`own ${survived}`]);
  expect(machine.disk.store.unsyncedBatches).toBe(0);
  return survived;
}

// @mutation packages/simulator/src/store-disk.ts
// - for (let i = completed - 1; i >= kept; i--)
// + for (let i = kept; i < completed; i++)
test('a crash leaves exactly a prefix of the batches, never less than what a sync covered', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer(), fc.nat(8), fc.nat(3), fc.nat(8), async (seed, completed, inFlight, syncAt) => {
      const survived = await crashAfter(seed, { completed, inFlight, syncAt });
      expect(survived).toBeGreaterThanOrEqual(syncAt < completed ? syncAt : -1);
      expect(survived).toBeLessThan(completed + inFlight);
    }),
    { numRuns: 200 },
  );
});

test('over many crashes everything that may survive does, and everything that may be lost is', async () => {
  const outcomes = new Set<number | undefined>();
  for (let seed = 0; seed < 200; seed++) outcomes.add(await crashAfter(seed, { completed: 5, inFlight: 2, syncAt: 2 }));
  expect(outcomes).toEqual(new Set([2, 3, 4, 5, 6]));
});

test('a later sync makes earlier batches durable', async () => {
  for (let seed = 0; seed < 20; seed++) {
    const machine = new Machine(seed);
    const life = machine.life();
    const store = machine.disk.store.open(life);
    await machine.finish(store.write([put('a', '1')], { sync: false }));
    await machine.finish(store.write([put('b', '2')], { sync: true }));
    life.end();
    machine.disk.crash();
    expect(read(machine.disk.store.open(machine.life(0, 1)), 'a')).toBe('1');
  }
});

test('crashes are counted by what they did', async () => {
  const counts = { storeRolledBack: 0, storeWriteLost: 0, storeWriteUnacknowledged: 0 };
  for (let seed = 0; seed < 40; seed++) {
    const machine = new Machine(seed);
    const life = machine.life();
    const store = machine.disk.store.open(life);
    await machine.finish(store.write([put('a', '1')], { sync: false }));
    void store.write([put('b', '2')], { sync: true });
    life.end();
    machine.disk.crash();
    const after = machine.disk.store.open(machine.life(0, 1));
    const seen = machine.tally.counts();
    expect(seen.storeRolledBack).toBe(read(after, 'a') === undefined ? 1 : 0);
    expect(seen.storeWriteLost).toBe(read(after, 'b') === undefined ? 1 : 0);
    expect(seen.storeWriteUnacknowledged).toBe(read(after, 'b') === undefined ? 0 : 1);
    for (const kind of Object.keys(counts) as (keyof typeof counts)[]) counts[kind] += seen[kind];
  }
  for (const count of Object.values(counts)) expect(count).toBeGreaterThan(0);
});

test('a dead process hears of no write, and may not use its store', async () => {
  const machine = new Machine();
  const life = machine.life();
  const store = machine.disk.store.open(life);
  let resolved = false;
  void store.write([put('a', '1')], { sync: true }).then(() => {
    resolved = true;
  });
  life.end();
  machine.disk.crash();
  await machine.pass(1_000);
  expect(resolved).toBe(false);
  expect(() => store.get(utf8('a'))).toThrow(/after its crash/);
});

test('one process at a time holds the store; closing hands it on, and a closed store is not used', async () => {
  const machine = new Machine();
  const store = machine.disk.store.open(machine.life());
  expect(() => machine.disk.store.open(machine.life(0, 1))).toThrow(/another process/);
  await store.close();
  expect(() => store.get(utf8('a'))).toThrow(/closed/);
  const next = machine.disk.store.open(machine.life(0, 1));
  void next.write([put('a', '1')], { sync: false });
  await expect(next.close()).rejects.toThrow(/under way/);
});

test('a listener learns of the next sync, once, before it completes', async () => {
  const machine = new Machine();
  const store = machine.disk.store.open(machine.life());
  const seen: number[] = [];
  machine.disk.timing.onNextSync((durationMs) => seen.push(durationMs));
  await machine.finish(store.write([put('a', '1')], { sync: false }));
  expect(seen).toHaveLength(0);
  await machine.finish(store.write([put('a', '2')], { sync: true }));
  await machine.finish(store.write([put('a', '3')], { sync: true }));
  expect(seen).toHaveLength(1);
  expect(seen[0]).toBeGreaterThan(0);
});

test('a stalling disk takes its time', async () => {
  const machine = new Machine(1, { stallChance: 1, stallMs: [500, 501] });
  const store = machine.disk.store.open(machine.life());
  await machine.finish(store.write([put('a', '1')], { sync: true }));
  expect(machine.scheduler.nowMs).toBeGreaterThanOrEqual(500);
});

test('a spoilt value is refused wherever it is read, by its key if the store can tell it, until it is written anew', async () => {
  for (const isNamed of [true, false]) {
    const machine = new Machine();
    const { store: disk } = machine.disk;
    const store = disk.open(machine.life());
    await machine.finish(store.write([put('a', '1')], { sync: true }));
    expect([disk.isDamaged, disk.damage({ isNamed }), disk.isDamaged, disk.hasRefused]).toEqual([false, true, true, false]);
    const refusal = { code: 'STORE_DAMAGED', fields: isNamed ? { key: '61' } : {} };
    expect(() => store.get(utf8('a'))).toThrow(expect.objectContaining(refusal) as Error);
    await expect(store.scan({ gte: utf8('a'), lt: utf8('b'), limit: 1 })).rejects.toMatchObject(refusal);
    expect(() => store.view().get(utf8('a'))).toThrow(expect.objectContaining(refusal) as Error);
    expect(disk.hasRefused).toBe(true);
    await machine.finish(store.write([put('a', '2')], { sync: true }));
    expect([read(store, 'a'), disk.isDamaged, machine.tally.counts().storeMended]).toEqual(['2', false, 1]);
  }
});

test('only what is within the ranges is spoilt', async () => {
  const machine = new Machine();
  const { store: disk } = machine.disk;
  const store = disk.open(machine.life());
  await machine.finish(store.write([put('a', '1'), put('b', '2')], { sync: true }));
  expect(disk.damage({ ranges: [{ gte: utf8('c'), lt: utf8('d') }], isNamed: true })).toBe(false);
  expect(disk.damage({ ranges: [{ gte: utf8('b'), lt: utf8('c') }], isNamed: true })).toBe(true);
  expect(read(store, 'a')).toBe('1');
  expect(() => read(store, 'b')).toThrow('checksum');
});

test('a store takes the place of another when all is taken over; a power cut before that leaves the old one', async () => {
  const machine = new Machine();
  const { disk } = machine;
  const life = machine.life();
  const before = disk.store;
  const fill = async (to: Store): Promise<void> => {
    await to.write([put('a', 'taken over')], { sync: true });
    await to.close();
  };
  void disk.replaceStore((_, to) => fill(to.open(life)));
  life.end();
  disk.crash();
  await machine.pass(1_000);
  expect(disk.store).toBe(before);
  await machine.finish(disk.replaceStore((_, to) => fill(to.open(machine.life(0, 1)))));
  expect(disk.store).not.toBe(before);
  expect(read(disk.store.open(machine.life(0, 2)), 'a')).toBe('taken over');
});
