import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { OutboxLock } from '../src/outbox-lock.ts';

const hooks = vi.hoisted(() => ({ beforeLink: async (): Promise<void> => {} }));
vi.mock('node:fs/promises', async (importOriginal) => {
  const original = await importOriginal<typeof import('node:fs/promises')>();
  return {
    ...original,
    link: async (from: string, to: string) => {
      await hooks.beforeLink();
      return original.link(from, to);
    },
  };
});

let directory: string;
const children: ChildProcess[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'nacre-lock-'));
});

afterEach(async () => {
  hooks.beforeLink = async () => {};
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await rm(directory, { recursive: true });
});

/** A process that takes the lock, or not, says so, and lives on. */
async function contend(): Promise<{ readonly child: ChildProcess; readonly said: string }> {
  const script = `
    import { OutboxLock } from ${JSON.stringify(join(import.meta.dirname, '../src/outbox-lock.ts'))};
    await OutboxLock.acquire(${JSON.stringify(directory)}).then(() => console.log('mine'), ({ code }) => console.log(code));
    setInterval(() => {}, 1000);
  `;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  const said = await new Promise<string>((resolve) => child.stdout?.once('data', (chunk: Buffer) => resolve(chunk.toString().trim())));
  return { child, said };
}

const ended = (child: ChildProcess): Promise<void> => new Promise((resolve) => child.once('close', () => resolve()));
const LOCKED = expect.objectContaining({ code: 'OUTBOX_LOCKED' });

describe('a lock', () => {
  // @mutation packages/client/src/outbox-lock.ts
  // - if (holder !== undefined && (await isRunning(holder))) throw locked(directory, holder.pid);
  // + void isRunning;
  test('belongs to one at a time, of one process or of several, and says who has it', async () => {
    const lock = await OutboxLock.acquire(directory);
    await expect(OutboxLock.acquire(directory)).rejects.toMatchObject({ code: 'OUTBOX_LOCKED', fields: { pid: process.pid } });
    expect((await contend()).said).toBe('OUTBOX_LOCKED');
    await lock.release();
    expect((await contend()).said).toBe('mine');
  });

  test('of a killed process is free', async () => {
    for (let round = 0; round < 3; round++) {
      const { child, said } = await contend();
      expect(said).toBe('mine');
      child.kill('SIGKILL');
      await ended(child);
    }
    await OutboxLock.acquire(directory);
    expect((await readdir(directory)).sort()).toEqual(['lock.4']);
  });

  // @mutation packages/client/src/outbox-lock.ts
  // - return startedNow === undefined || startedNow === started;
  // + return true;
  test('of a process whose id another one has by now is free', async () => {
    await writeFile(join(directory, 'lock.7'), JSON.stringify({ pid: process.pid, started: 'before' }));
    await OutboxLock.acquire(directory);
    expect(JSON.parse(await readFile(join(directory, 'lock.8'), 'utf8'))).toMatchObject({ pid: process.pid });
  });

  test.each(['', '{', '{}', '{"pid":"x","started":""}', '{"pid":0,"started":""}'])('that says %j is free', async (text) => {
    await writeFile(join(directory, 'lock.1'), text);
    await expect(OutboxLock.acquire(directory)).resolves.toBeInstanceOf(OutboxLock);
  });

  test('that many take at once, one gets', async () => {
    for (let round = 0; round < 3; round++) {
      const contenders = await Promise.all(Array.from({ length: 6 }, contend));
      expect(contenders.map(({ said }) => said).sort()).toEqual(
        ['OUTBOX_LOCKED', 'OUTBOX_LOCKED', 'OUTBOX_LOCKED', 'OUTBOX_LOCKED', 'OUTBOX_LOCKED', 'mine'].sort(),
      );
      for (const { child } of contenders) child.kill('SIGKILL');
      await Promise.all(contenders.map(({ child }) => ended(child)));
    }
  });

  // @mutation packages/client/src/outbox-lock.ts
  // - if (errnoOf(error) === 'EEXIST' || errnoOf(error) === 'ENOENT') return false;
  // + if (errnoOf(error) === 'EEXIST' || errnoOf(error) === 'ENOENT') return true;
  test('goes to who was faster', async () => {
    let isFirst = true;
    hooks.beforeLink = async () => {
      if (!isFirst) return;
      isFirst = false;
      await OutboxLock.acquire(directory);
    };
    await expect(OutboxLock.acquire(directory)).rejects.toEqual(LOCKED);
  });

  // @mutation packages/client/src/outbox-lock.ts
  // - if (all.some((generation) => generation > this.#generation)) {
  // + if (all.length === 0) {
  test('is not taken by who looked before others came and went', async () => {
    let isFirst = true;
    hooks.beforeLink = async () => {
      if (!isFirst) return;
      isFirst = false;
      await (await OutboxLock.acquire(directory)).release();
      await OutboxLock.acquire(directory);
    };
    await expect(OutboxLock.acquire(directory)).rejects.toEqual(LOCKED);
    expect(await readdir(directory)).toEqual(['lock.2']);
  });
});
