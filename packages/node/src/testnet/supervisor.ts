import { existsSync, readFileSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Genesis } from '@nacre/ledger';
import { z } from 'zod';
import { type LineHandler, serveLines } from '../line-socket.ts';
import { NodeError } from '../node-error.ts';
import { NodeProcess } from './node-process.ts';
import { heal } from './partition.ts';
import { TestnetError } from './testnet-error.ts';
import type { TestnetFiles } from './testnet-files.ts';

/** From the start to a node that is in sync and can decide, in ms. Beyond: the start has failed. */
const READY_MS_MAX = 120_000;
const POLL_MS = 100;
const PROBE_MS_MAX = 2_000;
/** How long processes of a supervisor that was killed get to end, in ms, before they are killed as well. */
const LEFTOVER_MS_MAX = 10_000;

export interface FeedStatus {
  readonly state: 'off' | 'running' | 'done' | 'failed';
  readonly rows: number;
  readonly total: number;
  readonly problem: string | null;
}

export interface SupervisorStatus {
  readonly pid: number;
  /** Whether all nodes became ready after the start. */
  readonly ready: boolean;
  readonly feed: FeedStatus;
  readonly nodes: readonly { readonly index: number; readonly pid: number | null; readonly state: string }[];
}

const nodeParams = z.strictObject({ node: z.int().min(0) });

/** Holds the nodes of a testnet: starts them, obeys commands on a socket, and ends them all with itself. */
export class Supervisor {
  readonly #files: TestnetFiles;
  readonly #say: (line: string) => void;
  readonly #processes: readonly NodeProcess[];
  readonly #toldToStop = Promise.withResolvers<string>();
  #socket: { close(): Promise<void> } | null = null;
  #ready = false;
  #stopping = false;
  feed: FeedStatus = { state: 'off', rows: 0, total: 0, problem: null };

  constructor(files: TestnetFiles, say: (line: string) => void) {
    this.#files = files;
    this.#say = say;
    this.#processes = files.nodes.map((node) => new NodeProcess(node, (index) => void this.#onNodeEnded(index)));
  }

  /** Settles with the reason when a command asks the whole testnet to stop. */
  get toldToStop(): Promise<string> {
    return this.#toldToStop.promise;
  }

  /** Takes over the directory, ends any partition, and starts every node. They may not be ready yet. */
  async start(genesis: Genesis): Promise<void> {
    await endLeftovers(this.#files);
    await heal(this.#files, genesis);
    this.#socket = await serveLines(this.#files.socket, this.#handlers());
    for (const child of this.#processes) child.start();
    await this.#notePids();
  }

  /**
   * Waits until every node is in sync and can decide.
   *
   * @throws {TestnetError} `TESTNET_NODE_FAILED` with what the node printed, if one ends or is late
   */
  async untilReady(signal: AbortSignal): Promise<void> {
    const deadline = performance.now() + READY_MS_MAX;
    for (const child of this.#processes) {
      for (;;) {
        const problem = await whyNotReady(child);
        if (problem === null) break;
        if (signal.aborted) return;
        if (child.state === 'failed') throw await failure(child, 'ended');
        if (performance.now() > deadline) throw await failure(child, `was not ready within ${READY_MS_MAX / 1000} s: ${problem}`);
        await sleep(POLL_MS);
      }
    }
    this.#ready = true;
  }

  status(): SupervisorStatus {
    const nodes = this.#processes.map(({ node, pid, state }) => ({ index: node.index, pid, state }));
    return { pid: process.pid, ready: this.#ready, feed: this.feed, nodes };
  }

  /** Ends every node, cleanly where possible. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#processes.map((child) => child.stop()));
    await rm(pidsPath(this.#files), { force: true });
    await this.#socket?.close();
  }

  #handlers(): ReadonlyMap<string, LineHandler> {
    const onNode = (act: (child: NodeProcess) => Promise<void> | void): LineHandler => {
      return async (params) => {
        await act(this.#process(params));
        await this.#notePids();
        return this.status();
      };
    };
    return new Map<string, LineHandler>([
      ['status', () => Promise.resolve(this.status())],
      ['kill', onNode((child) => child.kill())],
      ['pause', onNode((child) => child.pause())],
      ['resume', onNode((child) => child.resume())],
      [
        'restart',
        onNode(async (child) => {
          await child.stop();
          child.start();
        }),
      ],
      [
        'stop',
        () => {
          this.#toldToStop.resolve('scripts/testnet down');
          return Promise.resolve(null);
        },
      ],
    ]);
  }

  #process(params: unknown): NodeProcess {
    const parsed = nodeParams.safeParse(params);
    const child = parsed.success ? this.#processes[parsed.data.node] : undefined;
    if (child !== undefined && !this.#stopping) return child;
    const { length } = this.#processes;
    throw new NodeError('ARGUMENT_INVALID', `there is no such node; they go from 0 to ${length - 1}`, { fields: { nodes: length } });
  }

  async #onNodeEnded(index: number): Promise<void> {
    const output = await (this.#processes[index] as NodeProcess).lastOutput();
    this.#say(`node ${index} ended by itself: ${output.split('\n').at(-1) ?? ''}`);
    this.#say(`scripts/testnet restart ${index} starts it again; scripts/testnet logs ${index} tells more`);
  }

  /** For whoever comes after this process was killed. */
  async #notePids(): Promise<void> {
    const pids = this.#processes.flatMap(({ pid, node }) => (pid === null ? [] : [{ pid, home: node.home }]));
    await writeFile(pidsPath(this.#files), JSON.stringify(pids), { mode: 0o600 });
  }
}

/** @returns null once the node is in sync and can decide */
async function whyNotReady({ node: { host, rpcPort } }: NodeProcess): Promise<string | null> {
  try {
    const response = await fetch(`http://${host}:${rpcPort}/readyz`, { signal: AbortSignal.timeout(PROBE_MS_MAX) });
    const { state, reason } = (await response.json()) as { readonly state?: string; readonly reason?: string | null };
    return response.ok ? null : `${state}: ${reason}`;
  } catch {
    return 'its RPC does not answer';
  }
}

async function failure(child: NodeProcess, what: string): Promise<TestnetError> {
  const output = await child.lastOutput();
  return new TestnetError('TESTNET_NODE_FAILED', `node ${child.node.index} ${what}${output === '' ? '' : `:\n${output}`}`, {
    fields: { node: child.node.index },
    hint: `\`scripts/testnet logs ${child.node.index}\` tells more.`,
  });
}

/**
 * Ends nodes that a killed supervisor left behind. They stop by themselves when it dies, unless they were paused at the time.
 * Where the system does not tell what a process runs, nothing is touched: the number may be somebody else's by now.
 */
export async function endLeftovers(files: TestnetFiles): Promise<void> {
  const path = pidsPath(files);
  if (!existsSync(path)) return;
  let noted: { pid: number; home: string }[];
  try {
    noted = z.array(z.object({ pid: z.int(), home: z.string() })).parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    // A crash can cut the file short; then there is nothing to go by.
    noted = [];
  }
  const alive = () => noted.filter(({ pid, home }) => commandOf(pid)?.includes(home));
  for (const { pid } of alive()) {
    signalProcess(pid, 'SIGTERM');
    signalProcess(pid, 'SIGCONT');
  }
  const deadline = performance.now() + LEFTOVER_MS_MAX;
  while (alive().length > 0 && performance.now() < deadline) await sleep(POLL_MS);
  for (const { pid } of alive()) signalProcess(pid, 'SIGKILL');
  await rm(path, { force: true });
}

function commandOf(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return undefined;
  }
}

function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended in between.
  }
}

function pidsPath({ directory }: TestnetFiles): string {
  return join(directory, 'processes.json');
}
