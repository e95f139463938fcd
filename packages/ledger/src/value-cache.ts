interface Held {
  readonly value: unknown;
  readonly bytes: number;
}

/** What an entry takes besides the bytes it was decoded from: its key, the objects, its places in two maps. Roughly measured, in bytes. */
const ENTRY_OVERHEAD_BYTES = 512;

/**
 * Decoded values by name, bounded in bytes. Two generations: what is read moves to the younger one, and when that is full, what only the
 * older one holds is forgotten. So at least the half that was used last is kept, without a list to reorder at every read.
 */
export class ValueCache {
  readonly #generationBytesMax: number;
  #young = new Map<string, Held>();
  #old = new Map<string, Held>();
  #youngBytes = 0;

  /** @param options `bytesMax`: encoded bytes of all values, with an allowance for each */
  constructor({ bytesMax }: { readonly bytesMax: number }) {
    this.#generationBytesMax = bytesMax / 2;
  }

  get(name: string): unknown {
    const young = this.#young.get(name);
    if (young !== undefined) return young.value;
    const old = this.#old.get(name);
    if (old === undefined) return undefined;
    this.set(name, old.value, old.bytes);
    return old.value;
  }

  /** What the older generation may still hold under the name is hidden until it goes. @param bytes length of the value's encoding */
  set(name: string, value: unknown, bytes: number): void {
    const known = this.#young.get(name);
    if (known !== undefined) this.#youngBytes -= known.bytes + ENTRY_OVERHEAD_BYTES;
    this.#young.delete(name);
    const size = bytes + ENTRY_OVERHEAD_BYTES;
    if (this.#youngBytes + size > this.#generationBytesMax) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#youngBytes = 0;
    }
    this.#young.set(name, { value, bytes });
    this.#youngBytes += size;
  }
}
