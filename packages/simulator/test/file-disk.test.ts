import { concatBytes, type Directory, utf8 } from '@nacre/base';
import { expect, test } from 'vitest';
import type { FaultCounts } from '../src/fault-tally.ts';
import { Machine } from './support/machine.ts';

const NAME = 'journal';

async function crashAndRead(machine: Machine, prepare: (directory: Directory) => Promise<void>): Promise<Uint8Array | undefined> {
  const life = machine.life();
  await machine.finish(prepare(machine.disk.files.open(life)));
  life.end();
  machine.disk.crash();
  return machine.finish(machine.disk.files.open(machine.life(0, 1)).read(NAME));
}

const isPrefix = (bytes: Uint8Array, of: Uint8Array): boolean => bytes.length <= of.length && bytes.every((byte, i) => byte === of[i]);

test('appended bytes are readable at once, and survive a crash once synced', async () => {
  for (let seed = 0; seed < 20; seed++) {
    const content = await crashAndRead(new Machine(seed), async (directory) => {
      await directory.append(NAME, utf8('one '));
      await directory.append(NAME, utf8('two'));
      expect(await directory.read(NAME)).toEqual(utf8('one two'));
      await directory.sync(NAME);
    });
    expect(content).toEqual(utf8('one two'));
  }
});

test('a crash cuts or tears unsynced bytes, never synced ones, and each way happens', async () => {
  const ways = { whole: 0, cut: 0, zeros: 0, garbage: 0 };
  const synced = utf8('durable ');
  const unsynced = utf8('not yet durable at all');
  const all = concatBytes(synced, unsynced);
  for (let seed = 0; seed < 200; seed++) {
    const machine = new Machine(seed);
    const content = (await crashAndRead(machine, async (directory) => {
      await directory.append(NAME, synced);
      await directory.sync(NAME);
      await directory.append(NAME, unsynced.subarray(0, 5));
      await directory.append(NAME, unsynced.subarray(5));
    })) as Uint8Array;
    expect(content.subarray(0, synced.length)).toEqual(synced);
    const counts: FaultCounts = machine.tally.counts();
    if (content.length < all.length) {
      expect(isPrefix(content, all)).toBe(true);
      expect(counts.fileCut).toBe(1);
      ways.cut++;
    } else if (isPrefix(content, all)) {
      ways.whole++;
    } else {
      expect(content.length).toBe(all.length);
      expect(counts.fileTorn).toBe(1);
      if (content.at(-1) === 0) ways.zeros++;
      else ways.garbage++;
    }
  }
  for (const count of Object.values(ways)) expect(count).toBeGreaterThan(0);
});

// @mutation packages/simulator/src/file-disk.ts
// - file.syncedLength = Math.max(file.syncedLength, covered);
// + file.syncedLength = Math.max(file.syncedLength, file.length);
test('what is appended while a sync runs is not covered by it', async () => {
  let lost = 0;
  for (let seed = 0; seed < 20; seed++) {
    const content = await crashAndRead(new Machine(seed), async (directory) => {
      await directory.append(NAME, utf8('early'));
      const syncing = directory.sync(NAME);
      await directory.append(NAME, utf8('late'));
      await syncing;
    });
    if (content?.length !== 9) lost++;
    expect(isPrefix(utf8('early'), content as Uint8Array)).toBe(true);
  }
  expect(lost).toBeGreaterThan(0);
});

test('a new file may vanish as a whole until it is synced', async () => {
  const found = new Set<boolean>();
  for (let seed = 0; seed < 40; seed++) {
    found.add((await crashAndRead(new Machine(seed), (directory) => directory.append(NAME, utf8('new')))) !== undefined);
  }
  expect(found).toEqual(new Set([true, false]));
});

test('a replacement is atomic: a crash before it resolves leaves the old content or the new', async () => {
  const found = new Set<string>();
  let lost = 0;
  for (let seed = 0; seed < 40; seed++) {
    const machine = new Machine(seed);
    const content = await crashAndRead(machine, async (directory) => {
      await directory.replace(NAME, utf8('old'));
      void directory.replace(NAME, utf8('new'));
    });
    found.add(new TextDecoder().decode(content));
    lost += machine.tally.counts().replaceLost;
  }
  expect(found).toEqual(new Set(['old', 'new']));
  expect(lost).toBeGreaterThan(0);
});

test('a replaced file is durable, and can be appended to', async () => {
  for (let seed = 0; seed < 20; seed++) {
    const content = await crashAndRead(new Machine(seed), async (directory) => {
      await directory.append(NAME, utf8('gone'));
      await directory.replace(NAME, utf8('new '));
      await directory.append(NAME, utf8('tail'));
      await directory.sync(NAME);
    });
    expect(content).toEqual(utf8('new tail'));
  }
});

test('a file that is not there reads as undefined and cannot be synced', async () => {
  const machine = new Machine();
  const life = machine.life();
  const directory = machine.disk.files.open(life);
  expect(await directory.read(NAME)).toBeUndefined();
  expect(() => directory.sync(NAME)).toThrow(/does not exist/);
  life.end();
  await expect(directory.read(NAME)).rejects.toThrow(/after its crash/);
});

test('files grow as far as they are written', async () => {
  const machine = new Machine();
  const directory = machine.disk.files.open(machine.life());
  const parts = Array.from({ length: 300 }, (_, i) => new Uint8Array(i).fill(i));
  for (const part of parts) await directory.append(NAME, part);
  expect(await directory.read(NAME)).toEqual(concatBytes(...parts));
});
