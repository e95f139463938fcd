import { crc32 } from 'node:zlib';
import { assert, type StoreOperation } from '@nacre/base';
import type { ChainedBatch, ClassicLevel } from 'classic-level';
import type { ValuePointer } from './value-log.ts';

type Batch = ChainedBatch<ClassicLevel<Uint8Array, Uint8Array>, Uint8Array, Uint8Array>;

/** What LevelDB is told to do. */
export type LevelOperation = StoreOperation & {
  /** The value is its place in the value log. */
  readonly isPointer?: boolean;
};

/** What follows the content of every value: whether it is the value or its place in the value log, and a CRC-32 over the key and all that. */
const TRAILER_BYTES = 1 + 4;
const VALUE = 0;
const POINTER = 1;
const POINTER_BYTES = 4 + 4 + 4;

/**
 * Adds operations one by one, which spares LevelDB's binding to copy each of them as an object. Keys, values and trailers stand behind one
 * another in one array: an array for each would cost V8 more than filling it, and a checksum over two pieces takes two calls.
 */
export function addOperations(batch: Batch, operations: readonly LevelOperation[]): void {
  let length = 0;
  for (const operation of operations) {
    if (operation.type === 'put') length += operation.key.length + operation.value.length + TRAILER_BYTES;
  }
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const operation of operations) {
    const { key } = operation;
    if (operation.type === 'delete') {
      batch.del(key);
      continue;
    }
    const value = at + key.length;
    const trailer = value + operation.value.length;
    bytes.set(key, at);
    bytes.set(operation.value, value);
    bytes[trailer] = operation.isPointer === true ? POINTER : VALUE;
    view.setUint32(trailer + 1, crc32(bytes.subarray(at, trailer + 1)));
    batch.put(key, bytes.subarray(value, trailer + TRAILER_BYTES));
    at = trailer + TRAILER_BYTES;
  }
}

/** @returns what LevelDB holds for the key, the value or its place; or null if it is not what was written */
export function readStored(key: Uint8Array, stored: Uint8Array): Uint8Array | ValuePointer | null {
  const length = stored.length - TRAILER_BYTES;
  if (length < 0) return null;
  const view = new DataView(stored.buffer, stored.byteOffset, stored.length);
  if (crc32(stored.subarray(0, length + 1), crc32(key)) !== view.getUint32(length + 1)) return null;
  if (stored[length] === VALUE) return plain(stored, length);
  if (length !== POINTER_BYTES) return null;
  return { segment: view.getUint32(0), offset: view.getUint32(4), length: view.getUint32(8) };
}

export function encodePointer({ segment, offset, length }: ValuePointer): Uint8Array {
  const bytes = new Uint8Array(POINTER_BYTES);
  const view = new DataView(bytes.buffer);
  for (const [at, number] of [segment, offset, length].entries()) {
    assert(number < 2 ** 32, 'a segment is far shorter than a number of four bytes can tell');
    view.setUint32(4 * at, number);
  }
  return bytes;
}

/** LevelDB's binding returns Buffers, whose `slice` shares memory where that of any other store's values copies. */
export function plain(bytes: Uint8Array, length: number): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, length);
}
