import { assert, fail, ok, type Result } from '@nacre/base';

/** Bytes of the big-endian length in front of every frame. */
export const LENGTH_BYTES = 4;
/** Lengths from here on are no lengths but signals, far above every frame. */
export const SIGNALS_FROM = 0xffff_fff0;
/** A frame's buffer starts with at most this, so that a peer which announces 4 MiB and sends none of it costs little. */
const FIRST_BUFFER_BYTES = 64 * 1024;

interface FrameReaderOptions {
  /** Longer frames are refused as soon as their length is known. */
  readonly frameBytesMax: number;
  /** Owns its bytes: what arrives in one large chunk is copied, or one kept frame would keep the chunk. */
  readonly onFrame: (frame: Uint8Array) => void;
  /** Without it, signals are refused as frames that are too long. */
  readonly onSignal?: (signal: number) => void;
}

/** Cuts a stream of bytes into length-prefixed frames. After a refusal it must not be used again. */
export class FrameReader {
  readonly #options: FrameReaderOptions;
  #lengthBytes = 0;
  #length = 0;
  #body: Uint8Array | null = null;
  #bodyBytes = 0;

  constructor(options: FrameReaderOptions) {
    this.#options = options;
  }

  /** Whether the bytes so far end inside a frame. */
  get incomplete(): boolean {
    return this.#lengthBytes > 0;
  }

  /** @returns code `FRAME_TOO_LARGE` with the announced `bytes` */
  push(chunk: Uint8Array): Result<void> {
    let offset = 0;
    while (offset < chunk.length) {
      if (this.#lengthBytes < LENGTH_BYTES) {
        this.#length = this.#length * 256 + (chunk[offset++] as number);
        this.#lengthBytes++;
        if (this.#lengthBytes < LENGTH_BYTES) continue;
        if (this.#length >= SIGNALS_FROM && this.#options.onSignal !== undefined) {
          const signal = this.#length;
          this.#reset();
          this.#options.onSignal(signal);
          continue;
        }
        if (this.#length > this.#options.frameBytesMax) {
          return fail({ code: 'FRAME_TOO_LARGE', bytes: this.#length, bytesMax: this.#options.frameBytesMax });
        }
        if (this.#length > 0) continue;
      }
      offset += this.#take(chunk, offset);
    }
    return ok(undefined);
  }

  /** @returns how many bytes of the chunk belong to the frame under way */
  #take(chunk: Uint8Array, offset: number): number {
    const taken = Math.min(this.#length - this.#bodyBytes, chunk.length - offset);
    if (this.#body === null && taken === this.#length) {
      // Not slice(): on the Buffers that sockets give, that is a view of the whole chunk.
      this.#deliver(new Uint8Array(chunk.subarray(offset, offset + taken)));
      return taken;
    }
    const body = this.#roomFor(this.#bodyBytes + taken);
    body.set(chunk.subarray(offset, offset + taken), this.#bodyBytes);
    this.#bodyBytes += taken;
    if (this.#bodyBytes === this.#length) this.#deliver(body);
    return taken;
  }

  #roomFor(bytes: number): Uint8Array {
    let body = this.#body ?? new Uint8Array(Math.min(this.#length, FIRST_BUFFER_BYTES));
    if (body.length < bytes) {
      const larger = new Uint8Array(Math.min(this.#length, Math.max(bytes, 2 * body.length)));
      larger.set(body.subarray(0, this.#bodyBytes));
      body = larger;
    }
    this.#body = body;
    return body;
  }

  #deliver(frame: Uint8Array): void {
    assert(frame.length === this.#length, 'a frame is delivered whole');
    this.#reset();
    this.#options.onFrame(frame);
  }

  #reset(): void {
    this.#lengthBytes = 0;
    this.#length = 0;
    this.#body = null;
    this.#bodyBytes = 0;
  }
}

/** The length in front of a frame, or a signal. */
export function lengthPrefix(length: number): Uint8Array {
  const prefix = new Uint8Array(LENGTH_BYTES);
  new DataView(prefix.buffer).setUint32(0, length);
  return prefix;
}
