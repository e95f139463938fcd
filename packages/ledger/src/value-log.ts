import { closeSync, openSync, readSync } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { bytesEqual } from '@nacre/base';

/** A segment that has reached this size is closed and the next begun, in bytes; one write may take it beyond. */
const SEGMENT_BYTES = 16 * 1024 * 1024;
/** Segments open for reading at once. Beyond: the one opened longest ago is closed. */
const OPEN_SEGMENTS_MAX = 64;
/** Read at once while a segment is gone through, in bytes; a longer entry is read by itself. */
const READ_BYTES = 1024 * 1024;
/** Checksum, length of the key, length of the value. */
const HEADER_BYTES = 4 + 2 + 4;
const SEGMENT_NAME = /^(\d{10})\.values$/;

/** Where a value stands: an entry of `length` bytes, header and key included. */
export interface ValuePointer {
  readonly segment: number;
  readonly offset: number;
  readonly length: number;
}

export interface LoggedValue {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/**
 * Large values in files that are only ever appended to, so that each is written once. In LevelDB's tree a value is written anew each time that
 * the tables around its key are merged, which came to a quarter of a loaded node's processor time.
 *
 * An entry counts once something durable points at it; what a crash leaves behind the last such entry is never looked at, because each start
 * begins a segment of its own.
 *
 * @see Lu et al., WiscKey: Separating Keys from Values in SSD-conscious Storage, FAST 2016
 */
export class ValueLog {
  readonly #path: string;
  /** Numbers of the closed segments, ascending. */
  readonly #closed: number[];
  readonly #descriptors = new Map<number, number>();
  #newest: number;
  #file: FileHandle | null = null;
  #size = 0;

  private constructor(path: string, closed: number[]) {
    this.#path = path;
    this.#closed = closed;
    this.#newest = closed.at(-1) ?? 0;
  }

  /** @param path its directory, made if there is none @throws errors of the file system */
  static async open(path: string): Promise<ValueLog> {
    await mkdir(path, { recursive: true, mode: 0o700 });
    const numbers = (await readdir(path)).flatMap((name) => {
      const digits = SEGMENT_NAME.exec(name)?.[1];
      return digits === undefined ? [] : [Number(digits)];
    });
    return new ValueLog(
      path,
      numbers.sort((a, b) => a - b),
    );
  }

  /** Segments that nothing is appended to any more, oldest first. */
  get closedSegments(): readonly number[] {
    return this.#closed;
  }

  /**
   * Appends and syncs. Await one call before the next.
   *
   * @returns where the values stand, in their order, and whether a segment was closed
   * @throws errors of the file system; nothing may be appended after one
   */
  async append(values: readonly LoggedValue[]): Promise<{ readonly pointers: readonly ValuePointer[]; readonly closedOne: boolean }> {
    const file = this.#file ?? (await this.#begin());
    const segment = this.#newest;
    const start = this.#size;
    const bytes = new Uint8Array(values.reduce((sum, { key, value }) => sum + HEADER_BYTES + key.length + value.length, 0));
    const pointers: ValuePointer[] = [];
    let at = 0;
    for (const { key, value } of values) {
      const length = writeEntry(bytes, at, key, value);
      pointers.push({ segment, offset: start + at, length });
      at += length;
    }
    await writeAll(file, bytes, start);
    await file.datasync();
    this.#size += bytes.length;
    const closedOne = this.#size >= SEGMENT_BYTES;
    if (closedOne) await this.end();
    return { pointers, closedOne };
  }

  /** @returns undefined if what stands there is not the key's entry as it was written */
  read(key: Uint8Array, { segment, offset, length }: ValuePointer): Uint8Array | undefined {
    const descriptor = this.#descriptor(segment);
    if (descriptor === undefined || length < HEADER_BYTES + key.length) return undefined;
    const entry = new Uint8Array(length);
    for (let filled = 0; filled < length; ) {
      const count = readSync(descriptor, entry, filled, length - filled, offset + filled);
      if (count === 0) return undefined;
      filled += count;
    }
    const found = readEntry(entry, 0);
    return found !== null && found.length === length && bytesEqual(found.key, key) ? found.value : undefined;
  }

  /**
   * Goes through a closed segment in order.
   *
   * @returns whether all of it is undamaged; if not, `each` has seen what stands before the damage
   */
  async visit(segment: number, each: (entry: LoggedValue, pointer: ValuePointer) => Promise<void>): Promise<boolean> {
    const file = await open(this.#pathOf(segment), 'r');
    try {
      const { size } = await file.stat();
      let window = READ_BYTES;
      let offset = 0;
      while (offset < size) {
        const bytes = new Uint8Array(Math.min(window, size - offset));
        await readAll(file, bytes, offset);
        let at = 0;
        for (let entry = readEntry(bytes, at); entry !== null; entry = readEntry(bytes, at)) {
          await each(entry, { segment, offset: offset + at, length: entry.length });
          at += entry.length;
        }
        offset += at;
        // An entry longer than the window says its own length.
        const wanted = bytes.length < HEADER_BYTES ? 0 : entryLength(bytes, 0);
        if (at === 0 && (wanted <= bytes.length || wanted > size - offset)) return false;
        window = at === 0 ? wanted : READ_BYTES;
      }
      return true;
    } finally {
      await file.close();
    }
  }

  /** Removes a closed segment that nothing points into. */
  async remove(segment: number): Promise<void> {
    this.#closed.splice(this.#closed.indexOf(segment), 1);
    const descriptor = this.#descriptors.get(segment);
    this.#descriptors.delete(segment);
    if (descriptor !== undefined) closeSync(descriptor);
    await unlink(this.#pathOf(segment));
  }

  async close(): Promise<void> {
    for (const descriptor of this.#descriptors.values()) closeSync(descriptor);
    this.#descriptors.clear();
    await this.end();
  }

  async #begin(): Promise<FileHandle> {
    const file = await open(this.#pathOf(++this.#newest), 'wx', 0o600);
    this.#file = file;
    this.#size = 0;
    // What is synced in a file is lost with the file if its name is not durable.
    const directory = await open(this.#path, 'r');
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
    return file;
  }

  /** Ends the segment that is being filled: the next value begins another. Not while `append` runs. */
  async end(): Promise<void> {
    const file = this.#file;
    if (file === null) return;
    this.#file = null;
    this.#closed.push(this.#newest);
    await file.close();
  }

  #descriptor(segment: number): number | undefined {
    const open = this.#descriptors.get(segment);
    if (open !== undefined) return open;
    let descriptor: number;
    try {
      descriptor = openSync(this.#pathOf(segment), 'r');
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
      throw error;
    }
    const [oldest] = this.#descriptors;
    if (this.#descriptors.size >= OPEN_SEGMENTS_MAX && oldest !== undefined) {
      this.#descriptors.delete(oldest[0]);
      closeSync(oldest[1]);
    }
    this.#descriptors.set(segment, descriptor);
    return descriptor;
  }

  #pathOf(segment: number): string {
    return join(this.#path, `${String(segment).padStart(10, '0')}.values`);
  }
}

function writeEntry(bytes: Uint8Array, at: number, key: Uint8Array, value: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at);
  const length = HEADER_BYTES + key.length + value.length;
  view.setUint16(4, key.length);
  view.setUint32(6, value.length);
  bytes.set(key, at + HEADER_BYTES);
  bytes.set(value, at + HEADER_BYTES + key.length);
  view.setUint32(0, crc32(bytes.subarray(at + 4, at + length)));
  return length;
}

/** @param bytes with a whole header at `at` */
function entryLength(bytes: Uint8Array, at: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at);
  return HEADER_BYTES + view.getUint16(4) + view.getUint32(6);
}

/** The entry at `at`, or null if the bytes do not hold a whole and undamaged one there. */
function readEntry(bytes: Uint8Array, at: number): { key: Uint8Array; value: Uint8Array; length: number } | null {
  if (at + HEADER_BYTES > bytes.length) return null;
  const length = entryLength(bytes, at);
  if (at + length > bytes.length) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset + at);
  if (crc32(bytes.subarray(at + 4, at + length)) !== view.getUint32(0)) return null;
  const value = at + HEADER_BYTES + view.getUint16(4);
  return { key: bytes.subarray(at + HEADER_BYTES, value), value: bytes.subarray(value, at + length), length };
}

async function readAll(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let filled = 0; filled < bytes.length; ) {
    const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, position + filled);
    if (bytesRead === 0) throw new Error('a file of values became shorter while it was read');
    filled += bytesRead;
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let written = 0; written < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, written, bytes.length - written, position + written);
    written += bytesWritten;
  }
}
