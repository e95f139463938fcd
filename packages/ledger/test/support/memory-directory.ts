import { assert, concatBytes, type Directory } from '@nacre/base';

/** A directory in memory that forgets at a crash what was appended and not synced. */
export class MemoryDirectory implements Directory {
  readonly files = new Map<string, Uint8Array>();
  readonly #durable = new Map<string, Uint8Array>();
  /** Called before each change takes effect; may throw. */
  beforeChange: () => void = () => {};

  async read(name: string): Promise<Uint8Array | undefined> {
    return this.files.get(name)?.slice();
  }

  async append(name: string, bytes: Uint8Array): Promise<void> {
    this.beforeChange();
    this.files.set(name, concatBytes(this.files.get(name) ?? new Uint8Array(0), bytes));
  }

  async sync(name: string): Promise<void> {
    this.beforeChange();
    const content = this.files.get(name);
    assert(content !== undefined, `a file that does not exist is synced: ${name}`);
    this.#durable.set(name, content);
  }

  async replace(name: string, bytes: Uint8Array): Promise<void> {
    this.beforeChange();
    this.put(name, bytes);
  }

  /** The power cut. */
  crash(): void {
    this.files.clear();
    for (const [name, bytes] of this.#durable) this.files.set(name, bytes);
  }

  /** Changes a file behind the program's back; undefined removes it. */
  put(name: string, bytes: Uint8Array | undefined): void {
    for (const layer of [this.files, this.#durable]) {
      if (bytes === undefined) layer.delete(name);
      else layer.set(name, bytes.slice());
    }
  }
}
