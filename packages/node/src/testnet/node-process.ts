import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestnetNode } from '../new-testnet.ts';
import { TestnetError } from './testnet-error.ts';

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));
/** A node that does not stop within this, in ms, is killed: nothing acknowledged is lost by that. */
const STOP_MS_MAX = 15_000;
/**
 * Room for young objects, in MiB, twice V8's own. A transaction lives for a second, which at V8's size is long enough to be moved to the old
 * generation and to be collected there at several times the cost. Measured under batches: a third less CPU, a fifth less memory.
 */
const NODE_FLAGS = ['--max-semi-space-size=32'];
/** Descriptor that the child watches: it ends with this process, however that ends, and the child stops. */
const LIFELINE_FD = 3;
/** Characters of a failed node's output that are shown. */
const OUTPUT_SHOWN_MAX = 2_000;

export type ProcessState = 'running' | 'paused' | 'stopped' | 'failed';

/** One node of the testnet as a child process in a group of its own, so that a terminal's Ctrl-C reaches only the supervisor. */
export class NodeProcess {
  readonly node: TestnetNode;
  readonly #ended: (index: number) => void;
  #child: ChildProcess | null = null;
  #exited: Promise<void> = Promise.resolve();
  #state: ProcessState = 'stopped';
  /** Whether we are the reason why it ends. */
  #meant = false;

  /** @param ended called when the process ends without having been told to */
  constructor(node: TestnetNode, ended: (index: number) => void) {
    this.node = node;
    this.#ended = ended;
  }

  get state(): ProcessState {
    return this.#state;
  }

  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  start(): void {
    if (this.#child !== null) return;
    const output = openSync(this.#outputPath, 'w', 0o600);
    // What configures the user's own shell must not move all nodes to one port.
    const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('NACRE_')));
    const child = spawn(process.execPath, [...NODE_FLAGS, MAIN, 'start', '--home', this.node.home], {
      detached: true,
      stdio: ['ignore', output, output, 'pipe'],
      env: { ...environment, NACRE_LIFELINE: String(LIFELINE_FD) },
    });
    closeSync(output);
    this.#child = child;
    this.#state = 'running';
    this.#meant = false;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#exited = promise;
    const end = (): void => {
      if (this.#child !== child) return;
      this.#child = null;
      this.#state = this.#meant ? 'stopped' : 'failed';
      resolve();
      if (!this.#meant) this.#ended(this.node.index);
    };
    child.once('exit', end);
    child.once('error', end);
  }

  /** SIGKILL: what a crash or a power cut looks like to the process. */
  async kill(): Promise<void> {
    this.#require('running', 'paused');
    this.#meant = true;
    this.#child?.kill('SIGKILL');
    await this.#exited;
  }

  pause(): void {
    this.#require('running');
    this.#child?.kill('SIGSTOP');
    this.#state = 'paused';
  }

  resume(): void {
    this.#require('paused');
    this.#child?.kill('SIGCONT');
    this.#state = 'running';
  }

  /** SIGTERM, then SIGKILL if that is not enough. Does nothing if there is no process. */
  async stop(): Promise<void> {
    const child = this.#child;
    if (child === null) return;
    this.#meant = true;
    child.kill('SIGTERM');
    child.kill('SIGCONT');
    const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
    await this.#exited;
    clearTimeout(late);
  }

  /** The end of what the process printed. */
  async lastOutput(): Promise<string> {
    const text = await readFile(this.#outputPath, 'utf8').catch(() => '');
    return text.slice(-OUTPUT_SHOWN_MAX).trim();
  }

  get #outputPath(): string {
    return join(this.node.home, 'logs', 'terminal.log');
  }

  #require(...states: readonly ProcessState[]): void {
    if (states.includes(this.#state)) return;
    throw new TestnetError('TESTNET_NODE_STATE', `node ${this.node.index} is ${this.#state}, not ${states.join(' or ')}`, {
      fields: { node: this.node.index, state: this.#state },
      hint: '`scripts/testnet status` shows all nodes; `restart` starts one that is stopped.',
    });
  }
}
