import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { damageFile } from './damage-file.ts';
import { execInside, rpcAddress } from './lab-network.ts';
import type { Fault } from './schedule.ts';
import { SmallDisk } from './small-disk.ts';

/** Changes what the clock of a process says, and nothing else of it. */
export const FAKETIME_LIBRARY = `/usr/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu/faketime/libfaketimeMT.so.1`;
/** How a node names a damaged store that it keeps beside its new one. */
const ASIDE_PREFIX = 'store-damaged-';
/** A node that does not stop within this when told to, in ms, is killed; it says itself when it takes too long. */
const STOP_MS_MAX = 40_000;
/** Characters of a process's output that a report shows. */
const OUTPUT_SHOWN_MAX = 1_500;

export interface LabNodeOptions {
  readonly index: number;
  readonly home: string;
  /** Outside the home, which may be full: output, and what the clock is off by. */
  readonly directory: string;
  /** The program and its arguments before `start`. */
  readonly nacre: readonly string[];
  /** Whether its clock will be changed. */
  readonly hasFakeClock: boolean;
  /** Told when the process ends without having been told to. */
  readonly ended: (index: number, status: number | null) => void;
}

/** One node as a process in a namespace, on a disk and perhaps with a clock of its own. */
export class LabNode {
  readonly index: number;
  readonly home: string;
  readonly url: string;
  readonly #options: LabNodeOptions;
  readonly #disk: SmallDisk;
  #child: ChildProcess | null = null;
  #exited: Promise<void> = Promise.resolve();
  #meant = false;
  #isPaused = false;
  #damages = 0;
  /** Names of damaged stores that the node has put beside its own. */
  readonly #aside = new Set<string>();
  #isFull = false;
  #sawFullDisk = false;

  constructor(options: LabNodeOptions) {
    this.index = options.index;
    this.home = options.home;
    this.url = rpcAddress(options.index).url;
    this.#options = options;
    this.#disk = new SmallDisk(options.home);
  }

  /**
   * How often its files were damaged, or its store was replaced by a new one, so far. Damage may show long after it was done; what was
   * acknowledged in between can go with the store.
   */
  get storeLife(): number {
    return this.#damages + this.storesSetAside;
  }

  /** How often it has put its store aside and begun anew. */
  get storesSetAside(): number {
    for (const name of readdirSync(this.home)) if (name.startsWith(ASIDE_PREFIX)) this.#aside.add(name);
    return this.#aside.size;
  }

  get isRunning(): boolean {
    return this.#child !== null;
  }

  get isFull(): boolean {
    return this.#isFull;
  }

  /** Whether its disk was full at any time of the present process, or of the last one. */
  get sawFullDisk(): boolean {
    return this.#sawFullDisk;
  }

  get outputPath(): string {
    return join(this.#options.directory, `node${this.index}.out`);
  }

  /** Before the home is made in it. */
  mount(): void {
    this.#disk.mount();
  }

  start(): void {
    if (this.#child !== null) return;
    const output = openSync(this.outputPath, 'a');
    const args = [...execInside(this.index), ...this.#clock(), ...this.#options.nacre, 'start', '--home', this.home];
    // What configures the user's own shell must not reach the nodes.
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('NACRE_')));
    const child = spawn('ip', args, { stdio: ['ignore', output, output], env });
    closeSync(output);
    this.#child = child;
    this.#meant = false;
    this.#isPaused = false;
    this.#sawFullDisk = this.#isFull;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#exited = promise;
    child.once('exit', (status) => {
      this.#child = null;
      resolve();
      if (!this.#meant) this.#options.ended(this.index, status);
    });
  }

  async kill(): Promise<void> {
    this.#meant = true;
    this.#child?.kill('SIGKILL');
    await this.#exited;
  }

  /** SIGTERM, and SIGKILL if that is not enough. */
  async stop(): Promise<void> {
    const child = this.#child;
    if (child === null) return;
    this.#meant = true;
    child.kill('SIGTERM');
    this.resume();
    const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
    await this.#exited;
    clearTimeout(late);
  }

  pause(): void {
    this.#child?.kill('SIGSTOP');
    this.#isPaused = this.#child !== null;
  }

  resume(): void {
    if (this.#isPaused) this.#child?.kill('SIGCONT');
    this.#isPaused = false;
  }

  fillDisk(leftBytes: number): void {
    this.#isFull = true;
    this.#sawFullDisk = true;
    this.#disk.fill(leftBytes);
  }

  freeDisk(): void {
    this.#disk.free();
    this.#isFull = false;
  }

  /** Of a stopped node. @returns what was done, for people; null if there was nothing to damage */
  damage(fault: Fault & { readonly kind: 'damage' }): string | null {
    this.#damages++;
    return damageFile(this.home, fault);
  }

  /** Has an effect within a second. */
  setClock(offsetMs: number): void {
    writeFileSync(this.#clockPath, `${offsetMs < 0 ? '-' : '+'}${(Math.abs(offsetMs) / 1000).toFixed(3)}\n`);
  }

  /** The end of what its processes printed. */
  lastOutput(): string {
    return existsSync(this.outputPath) ? readFileSync(this.outputPath, 'utf8').slice(-OUTPUT_SHOWN_MAX).trim() : '';
  }

  get #clockPath(): string {
    return join(this.#options.directory, `node${this.index}.clock`);
  }

  #clock(): readonly string[] {
    if (!this.#options.hasFakeClock) return [];
    if (!existsSync(this.#clockPath)) this.setClock(0);
    // Timeouts go by the monotonic clock, which no wrong setting of a machine's time changes.
    const monotonic = ['FAKETIME_DONT_FAKE_MONOTONIC=1', 'DONT_FAKE_MONOTONIC=1', 'NO_FAKE_STAT=1'];
    return [
      'env',
      `LD_PRELOAD=${FAKETIME_LIBRARY}`,
      `FAKETIME_TIMESTAMP_FILE=${this.#clockPath}`,
      'FAKETIME_CACHE_DURATION=1',
      ...monotonic,
    ];
  }
}
