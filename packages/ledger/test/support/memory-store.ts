import {
  compareBytes,
  fromHex,
  type Store,
  type StoreEntry,
  type StoreOperation,
  type StoreRange,
  type StoreView,
  toHex,
} from '@nacre/base';

/** A store in memory that forgets at a crash what no synced write followed, all of it: the worst LevelDB may do. */
export class MemoryStore implements Store {
  readonly #values = new Map<string, Uint8Array>();
  /** What unsynced writes replaced, oldest first. */
  readonly #undo: { readonly key: string; readonly value: Uint8Array | undefined }[] = [];
  /** Called before each write takes effect; may throw. */
  beforeWrite: () => void = () => {};

  get size(): number {
    return this.#values.size;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#values.get(toHex(key))?.slice();
  }

  async scan({ gte, lt, reverse, limit }: StoreRange): Promise<StoreEntry[]> {
    const entries = [...this.#values].map(([key, value]) => ({ key: fromHex(key) as Uint8Array, value: value.slice() }));
    const inside = entries.filter(({ key }) => compareBytes(key, gte) >= 0 && compareBytes(key, lt) < 0);
    inside.sort((a, b) => (reverse ? -1 : 1) * compareBytes(a.key, b.key));
    return inside.slice(0, limit);
  }

  async write(operations: readonly StoreOperation[], { sync }: { readonly sync: boolean }): Promise<void> {
    this.beforeWrite();
    for (const operation of operations) {
      const key = toHex(operation.key);
      this.#undo.push({ key, value: this.#values.get(key) });
      this.#set(key, operation.type === 'put' ? operation.value.slice() : undefined);
    }
    if (sync) this.#undo.length = 0;
  }

  view(): StoreView {
    const then = new MemoryStore();
    for (const [key, value] of this.#values) then.#values.set(key, value);
    return then;
  }

  async close(): Promise<void> {}

  /** The power cut. */
  crash(): void {
    for (const { key, value } of this.#undo.reverse()) this.#set(key, value);
    this.#undo.length = 0;
  }

  #set(key: string, value: Uint8Array | undefined): void {
    if (value === undefined) this.#values.delete(key);
    else this.#values.set(key, value);
  }
}
