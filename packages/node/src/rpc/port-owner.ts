import { readdir, readFile, readlink } from 'node:fs/promises';

/** The state of a listening socket in /proc/net/tcp. Linux, include/net/tcp_states.h. */
const LISTEN = '0A';
/** Processes looked at; a machine with more gives no answer. */
const PROCESSES_MAX = 10_000;

export interface PortOwner {
  readonly pid: number;
  /** Its name as the kernel knows it. */
  readonly name: string;
}

/** Who listens on a TCP port of this machine: Linux only, and only if this user may see it. @returns null if that cannot be told */
export async function portOwner(port: number): Promise<PortOwner | null> {
  const inodes = new Set<string>();
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    const text = await readFile(table, 'latin1').catch(() => '');
    for (const line of text.split('\n').slice(1)) {
      const [, local = '', , state = '', , , , , , inode = ''] = line.trim().split(/\s+/);
      if (state === LISTEN && Number.parseInt(local.split(':')[1] ?? '', 16) === port) inodes.add(`socket:[${inode}]`);
    }
  }
  if (inodes.size === 0) return null;
  const processes = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).slice(0, PROCESSES_MAX);
  for (const pid of processes) {
    if (!(await holdsOne(pid, inodes))) continue;
    const name = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '');
    return { pid: Number(pid), name: name.trim() };
  }
  return null;
}

async function holdsOne(pid: string, sockets: ReadonlySet<string>): Promise<boolean> {
  // Other users' processes, and those that end meanwhile, cannot be read.
  const descriptors = await readdir(`/proc/${pid}/fd`).catch(() => []);
  for (const descriptor of descriptors) {
    if (sockets.has(await readlink(`/proc/${pid}/fd/${descriptor}`).catch(() => ''))) return true;
  }
  return false;
}
