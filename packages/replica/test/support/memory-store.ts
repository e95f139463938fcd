import type { Store, StoreEntry, StoreOperation, StoreRange, StoreView } from '@nacre/base';
import { Gate } from './gate.ts';

/** A store in memory that loses at a power cut whatever no synced write followed. */
export class MemoryStore implements Store {
  /** Synced writes wait here before they take effect. */
  readonly syncs = new Gate();
  /** Synced and unsynced writes so far. */
  readonly writes = { synced: 0, unsynced: 0 };
  /** What every write fails with, null for none. */
  failure: Error | null = null;
  /** By the key's first byte, so that a scan of one kind of key does not read the others. Names sort as the bytes do. */
  readonly #kinds = new Map<number, Map<string, Uint8Array>>();
  readonly #undo: { readonly key: Uint8Array; readonly value: Uint8Array | undefined }[] = [];

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#kind(key).get(nameOf(key))?.slice();
  }

  async scan({ gte, lt, reverse, limit }: StoreRange): Promise<StoreEntry[]> {
    const [from, to] = [nameOf(gte), nameOf(lt)];
    const keys = [...this.#kind(gte).keys()].filter((key) => key >= from && key < to).sort();
    if (reverse) keys.reverse();
    return keys.slice(0, limit).map((key) => ({ key: bytesOf(key), value: this.#kind(gte).get(key)?.slice() as Uint8Array }));
  }

  async write(operations: readonly StoreOperation[], { sync }: { readonly sync: boolean }): Promise<void> {
    if (sync) await this.syncs.pass();
    if (this.failure !== null) throw this.failure;
    this.writes[sync ? 'synced' : 'unsynced']++;
    for (const operation of operations) {
      this.#undo.push({ key: operation.key, value: this.get(operation.key) });
      this.#set(operation.key, operation.type === 'put' ? operation.value.slice() : undefined);
    }
    if (sync) this.#undo.length = 0;
  }

  view(): StoreView {
    return this.copy();
  }

  async close(): Promise<void> {}

  powerCut(): void {
    for (const { key, value } of this.#undo.reverse()) this.#set(key, value);
    this.#undo.length = 0;
  }

  /** A durable copy, as someone makes who copies a home. */
  copy(): MemoryStore {
    const copy = new MemoryStore();
    for (const values of this.#kinds.values()) for (const [key, value] of values) copy.#set(bytesOf(key), value.slice());
    return copy;
  }

  /** Puts other bytes in place, behind the program's back. */
  damage(key: Uint8Array, value: Uint8Array): void {
    this.#set(key, value);
  }

  #kind(key: Uint8Array): Map<string, Uint8Array> {
    const first = key[0] as number;
    let kind = this.#kinds.get(first);
    if (kind === undefined) {
      kind = new Map();
      this.#kinds.set(first, kind);
    }
    return kind;
  }

  #set(key: Uint8Array, value: Uint8Array | undefined): void {
    if (value === undefined) this.#kind(key).delete(nameOf(key));
    else this.#kind(key).set(nameOf(key), value);
  }
}

function nameOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.length).toString('latin1');
}

function bytesOf(name: string): Uint8Array {
  return Uint8Array.from(Buffer.from(name, 'latin1'));
}
