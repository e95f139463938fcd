import { execFile, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { callRpc } from '../../src/cli/rpc-client.ts';
import { freeBasePort } from './free-base-port.ts';

const MAIN = fileURLToPath(new URL('../../src/testnet/main.ts', import.meta.url));
const CLI = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
/** Everything waited for takes a few seconds on an idle machine. */
const WAIT_MS = 90_000;
const run = promisify(execFile);

/** Above the ports of the testnet's own nodes. */
const JOINING_FROM = 10;

export const SETUP_TIMEOUT_MS = 3 * WAIT_MS;

interface Status {
  readonly running: boolean;
  readonly feed: { readonly state: string; readonly rows: number } | null;
  readonly nodes: readonly {
    readonly index: number;
    readonly process: string;
    readonly pid: number | null;
    readonly height?: number;
    readonly state?: string;
    readonly reason?: string | null;
  }[];
}

/** A testnet of real processes, driven by its own commands. */
export class RunningTestnet {
  readonly directory: string;
  readonly basePort: number;

  private constructor(directory: string, basePort: number) {
    this.directory = directory;
    this.basePort = basePort;
  }

  /** Makes the directory and finds ports; nothing runs yet. */
  static async prepare(): Promise<RunningTestnet> {
    const directory = await mkdtemp(join(tmpdir(), 'nacre-net-'));
    return new RunningTestnet(directory, await freeBasePort());
  }

  get genesis(): string {
    return join(this.directory, 'genesis.json');
  }

  /**
   * Where a node that joins listens, as flags: on ports of this testnet, because those from the default on are looked for by every `nacre join`, and two
   * at a time can find the same.
   *
   * @param n counted from 0, another one for each that runs at the same time
   */
  joiningFlags(n: number): string[] {
    const rpcPort = this.basePort + JOINING_FROM + n;
    return ['--rpc-port', String(rpcPort), '--listen', `/ip4/127.0.0.1/tcp/${rpcPort + 1_000}`];
  }

  url(node: number): string {
    return `http://127.0.0.1:${this.basePort + node}`;
  }

  /** Runs one command of `scripts/testnet`. @returns what it printed */
  async command(...args: string[]): Promise<string> {
    const { stdout } = await run(process.execPath, [MAIN, '--directory', this.directory, ...args], { maxBuffer: 64 * 1024 * 1024 });
    return stdout;
  }

  async up(...args: string[]): Promise<void> {
    await this.command('up', '--detach', '--base-port', String(this.basePort), ...args);
  }

  async status(): Promise<Status> {
    return JSON.parse(await this.command('status', '--json')) as Status;
  }

  /** Runs `nacre`. @returns what it printed and how it ended */
  async nacre(args: readonly string[], stdin = ''): Promise<{ stdout: string; stderr: string; status: number }> {
    const child = run(process.execPath, [CLI, ...args]);
    child.child.stdin?.end(stdin);
    try {
      return { ...(await child), status: 0 };
    } catch (error) {
      const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
      return { stdout, stderr, status: code };
    }
  }

  call(
    node: number,
    method: string,
    params: Readonly<Record<string, unknown>> = {},
    waitMs = 0,
  ): Promise<Readonly<Record<string, unknown>>> {
    return callRpc(this.url(node), method, params, { waitMs });
  }

  /** Has a node record something, and waits until the network has decided it. */
  async record(node: number, payload: unknown): Promise<void> {
    const params = { service: 'notes', payload, wait: 'committed', timeoutMs: 60_000 };
    await until('a record is decided', async () => {
      const submitted = await this.call(node, 'record_submit', params, 60_000).catch(() => ({ status: 'failed' }));
      return submitted.status === 'committed';
    });
  }

  async height(node: number): Promise<number> {
    const { chains } = (await this.call(node, 'node_status')) as { chains: readonly { readonly height: number }[] };
    return chains[0]?.height ?? 0;
  }

  /** The readiness of a node, as a load balancer asks for it. */
  async ready(node: number): Promise<{ ready: boolean; state: string; reason: string | null } | null> {
    try {
      const response = await fetch(`${this.url(node)}/readyz`, { signal: AbortSignal.timeout(2_000) });
      return (await response.json()) as { ready: boolean; state: string; reason: string | null };
    } catch {
      return null;
    }
  }

  async untilReady(...nodes: number[]): Promise<void> {
    for (const node of nodes) await until(`node ${node} is ready`, async () => (await this.ready(node))?.ready === true);
  }

  /** Waits until all of the nodes have one height, and gives every block's hash and state root from each of them. */
  async chains(...nodes: number[]): Promise<string[][]> {
    let height = 0;
    await until('all nodes have the same height', async () => {
      const heights = await Promise.all(nodes.map((node) => this.height(node)));
      height = heights[0] ?? 0;
      return heights.every((other) => other === height);
    });
    return Promise.all(
      nodes.map(async (node) => {
        const blocks: string[] = [];
        for (let at = 1; at <= height; at++) {
          const { hash, header } = (await this.call(node, 'block_get', { chain: 0, height: at })) as {
            hash: string;
            header: { stateRoot: string };
          };
          blocks.push(`${at} ${hash} ${header.stateRoot}`);
        }
        return blocks;
      }),
    );
  }

  /** Ends whatever still runs and removes everything. */
  async remove(): Promise<void> {
    await this.command('reset').catch(() => undefined);
    for (const pid of processesOf(this.directory)) process.kill(pid, 'SIGKILL');
    await rm(this.directory, { recursive: true, force: true });
  }
}

/** Processes whose command line names a directory. */
export function processesOf(directory: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(directory);
      } catch {
        return false;
      }
    });
}

export async function until(what: string, holds: () => Promise<boolean>, timeoutMs = WAIT_MS): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await sleep(100);
  }
}

/** Starts a program that goes on until it is told to end. */
export function startProgram(
  args: readonly string[],
  program: string = process.execPath,
): {
  readonly pid: number;
  readonly output: () => string;
  readonly ended: Promise<number | null>;
} {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += String(chunk);
  });
  child.stderr.on('data', (chunk: Buffer) => {
    output += String(chunk);
  });
  const { promise: ended, resolve } = Promise.withResolvers<number | null>();
  child.once('exit', resolve);
  return { pid: child.pid ?? 0, output: () => output, ended };
}

export const PROGRAMS = { node: process.execPath, nacre: CLI, testnet: MAIN };
