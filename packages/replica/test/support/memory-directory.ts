import { assert, concatBytes, type Directory } from '@nacre/base';
import { Gate } from './gate.ts';

/** A directory in memory that loses at a power cut what was appended and not synced. */
export class MemoryDirectory implements Directory {
  readonly #files = new Map<string, Uint8Array>();
  readonly #durable = new Map<string, Uint8Array>();
  /** Syncs wait here before they take effect. */
  readonly syncs = new Gate();
  /** What every change fails with, null for none. */
  failure: Error | null = null;

  async read(name: string): Promise<Uint8Array | undefined> {
    return this.#files.get(name)?.slice();
  }

  async append(name: string, bytes: Uint8Array): Promise<void> {
    this.#check();
    this.#files.set(name, concatBytes(this.#files.get(name) ?? new Uint8Array(0), bytes));
  }

  async sync(name: string): Promise<void> {
    await this.syncs.pass();
    this.#check();
    const content = this.#files.get(name);
    assert(content !== undefined, `a file that does not exist is synced: ${name}`);
    this.#durable.set(name, content);
  }

  async replace(name: string, bytes: Uint8Array): Promise<void> {
    this.#check();
    for (const layer of [this.#files, this.#durable]) layer.set(name, bytes.slice());
  }

  powerCut(): void {
    this.#files.clear();
    for (const [name, bytes] of this.#durable) this.#files.set(name, bytes);
  }

  copy(): MemoryDirectory {
    const copy = new MemoryDirectory();
    for (const [name, bytes] of this.#files) for (const layer of [copy.#files, copy.#durable]) layer.set(name, bytes.slice());
    return copy;
  }

  #check(): void {
    if (this.failure !== null) throw this.failure;
  }
}
