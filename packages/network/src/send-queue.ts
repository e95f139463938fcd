import { assert } from '@nacre/base';
import { LENGTH_BYTES } from './frame-reader.ts';

/** Frames are joined into one write up to this size, in bytes: one TLS record and one system call for many votes. */
const CHUNK_BYTES = 64 * 1024;
/** Positions at the front of the list that may be empty before it is moved up. */
const EMPTY_MAX = 1_024;

/**
 * The frames that wait for one peer, bounded in bytes. At the bound the oldest are dropped: they are the ones that newer
 * votes and round states have overtaken, and all of them come back by repair or resending. A frame is dropped whole.
 */
export class SendQueue {
  readonly #bytesMax: number;
  /** The waiting frames start at the index; what is before it was sent. */
  #frames: (Uint8Array | undefined)[] = [];
  #first = 0;
  #bytes = 0;
  readonly #signals: number[] = [];

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get empty(): boolean {
    return this.#first === this.#frames.length && this.#signals.length === 0;
  }

  /** @returns how many older frames had to go */
  push(frame: Uint8Array): number {
    assert(frame.length + LENGTH_BYTES <= this.#bytesMax, 'a queue holds at least one frame');
    this.#frames.push(frame);
    this.#bytes += frame.length + LENGTH_BYTES;
    let dropped = 0;
    for (; this.#bytes > this.#bytesMax; dropped++) this.#shift();
    return dropped;
  }

  /** Signals overtake the frames; one that waits already is not queued again. */
  signal(signal: number): void {
    if (!this.#signals.includes(signal)) this.#signals.push(signal);
  }

  /** @returns what is to be written next: the signals and the next frames with their lengths, at least one; null if none waits */
  take(): { readonly chunk: Uint8Array; readonly frames: number } | null {
    if (this.empty) return null;
    let bytes = this.#signals.length * LENGTH_BYTES;
    let end = this.#first;
    while (end < this.#frames.length) {
      const next = (this.#frames[end] as Uint8Array).length + LENGTH_BYTES;
      if (end > this.#first && bytes + next > CHUNK_BYTES) break;
      bytes += next;
      end++;
    }
    const chunk = new Uint8Array(bytes);
    const view = new DataView(chunk.buffer);
    let offset = 0;
    for (const signal of this.#signals.splice(0)) {
      view.setUint32(offset, signal);
      offset += LENGTH_BYTES;
    }
    const frames = end - this.#first;
    for (let i = 0; i < frames; i++) {
      const frame = this.#shift();
      view.setUint32(offset, frame.length);
      chunk.set(frame, offset + LENGTH_BYTES);
      offset += LENGTH_BYTES + frame.length;
    }
    return { chunk, frames };
  }

  #shift(): Uint8Array {
    const frame = this.#frames[this.#first] as Uint8Array;
    this.#frames[this.#first++] = undefined;
    this.#bytes -= frame.length + LENGTH_BYTES;
    if (this.#first === this.#frames.length || this.#first > EMPTY_MAX) {
      this.#frames = this.#frames.slice(this.#first);
      this.#first = 0;
    }
    return frame;
  }
}
