import { assert } from '@nacre/base';

/**
 * Cuts small arrays from larger ones, as Node's Buffer pool does, but on every runtime and without its Buffers. An array of its own
 * costs V8 more than a microsecond once it exceeds 64 bytes: a call to malloc, and bookkeeping in every garbage collection. The
 * price: a slab lives as long as any of its pieces.
 */
export class Slab {
  readonly #slabBytes: number;
  #buffer = new ArrayBuffer(0);
  #used = 0;

  constructor(slabBytes: number) {
    this.#slabBytes = slabBytes;
  }

  /** A zeroed array of `length` bytes, at most a slab's. */
  take(length: number): Uint8Array {
    assert(length <= this.#slabBytes, 'a piece fits into a slab');
    if (this.#used + length > this.#buffer.byteLength) {
      this.#buffer = new ArrayBuffer(this.#slabBytes);
      this.#used = 0;
    }
    const piece = new Uint8Array(this.#buffer, this.#used, length);
    this.#used += length;
    return piece;
  }
}
