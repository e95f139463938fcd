import { randomUUID } from 'node:crypto';
import { link, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { NacreClientError } from './client-error.ts';

const LOCK = /^lock\.([1-9]\d{0,14})$/;
/** Tries to take a lock whose holder has ended. Beyond: others take it all the time, and one of them has it. */
const ATTEMPTS_MAX = 8;

/** A process: ids are used again, so the time at which it started stands beside its own. */
interface Holder {
  /** 0 for nobody. */
  readonly pid: number;
  /** As `startOf` gives it; empty where the system does not say. */
  readonly started: string;
}

/**
 * Keeps a directory to one user at a time among the processes of one machine (or container), also after one was killed.
 *
 * Node.js has no lock that ends with its process. So the file `lock.N` with the highest N says who has it, and whoever finds that process ended
 * makes `lock.N+1`: `link` makes name and contents in one step, for one process only.
 */
export class OutboxLock {
  readonly #directory: string;
  readonly #generation: number;

  private constructor(directory: string, generation: number) {
    this.#directory = directory;
    this.#generation = generation;
  }

  /** @throws {NacreClientError} `OUTBOX_LOCKED`; errors of the file system as they come */
  static async acquire(directory: string): Promise<OutboxLock> {
    for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
      const highest = Math.max(0, ...(await generations(directory)));
      const holder = await readHolder(lockPath(directory, highest));
      if (holder !== undefined && (await isRunning(holder))) throw locked(directory, holder.pid);
      const lock = new OutboxLock(directory, highest + 1);
      if (await lock.#take()) return lock;
    }
    throw locked(directory, null);
  }

  /** Lets others have it. The file stays: whoever had just looked at the one before would otherwise make this one again. */
  async release(): Promise<void> {
    const temporary = await this.#writeTemporary({ pid: 0, started: '' });
    await rename(temporary, this.#path());
  }

  /** @returns whether nobody else was faster */
  async #take(): Promise<boolean> {
    const temporary = await this.#writeTemporary({ pid: process.pid, started: (await startOf(process.pid)) ?? '' });
    try {
      await link(temporary, this.#path());
    } catch (error) {
      // Taken by another; or the holder has cleared our file away with what crashes left behind.
      if (errnoOf(error) === 'EEXIST' || errnoOf(error) === 'ENOENT') return false;
      throw error;
    } finally {
      await rm(temporary, { force: true });
    }
    const all = await generations(this.#directory);
    // Others may have come and gone since this process looked: then our file was free because it had been removed as an old one.
    if (all.some((generation) => generation > this.#generation)) {
      await rm(this.#path(), { force: true });
      return false;
    }
    for (const generation of all) if (generation < this.#generation) await rm(lockPath(this.#directory, generation), { force: true });
    return true;
  }

  async #writeTemporary(holder: Holder): Promise<string> {
    const temporary = join(this.#directory, `lock.${randomUUID()}.new`);
    await writeFile(temporary, JSON.stringify(holder), { mode: 0o600 });
    return temporary;
  }

  #path(): string {
    return lockPath(this.#directory, this.#generation);
  }
}

function lockPath(directory: string, generation: number): string {
  return join(directory, `lock.${generation}`);
}

async function generations(directory: string): Promise<number[]> {
  return (await readdir(directory)).flatMap((name) => LOCK.exec(name)?.[1] ?? []).map(Number);
}

/** @returns undefined if there is none, or one that a running process cannot have left */
async function readHolder(path: string): Promise<Holder | undefined> {
  try {
    const { pid, started } = JSON.parse(await readFile(path, 'utf8')) as Partial<Holder>;
    return typeof pid === 'number' && typeof started === 'string' ? { pid, started } : undefined;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

async function isRunning({ pid, started }: Holder): Promise<boolean> {
  if (pid <= 0) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (errnoOf(error) === 'ESRCH') return false;
  }
  const startedNow = await startOf(pid);
  return startedNow === undefined || startedNow === started;
}

/** @returns when a process started, since which boot; undefined where the system has no /proc */
async function startOf(pid: number): Promise<string | undefined> {
  try {
    const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8');
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // proc(5): the name may hold anything, so fields are counted from its end; the 22nd is the start in clock ticks.
    const ticks = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    return `${boot.trim()}:${ticks}`;
  } catch {
    return undefined;
  }
}

function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

function locked(directory: string, pid: number | null): NacreClientError {
  return new NacreClientError('OUTBOX_LOCKED', `the outbox ${directory} is in use${pid === null ? '' : ` by process ${pid}`}`, {
    fields: { directory, pid },
    hint: 'Close the other outbox or end its process; or give each process an outbox of its own.',
  });
}
