import { assert, type Urgency } from '@nacre/base';
import { FrameFifo } from './frame-fifo.ts';
import { LENGTH_BYTES } from './frame-reader.ts';

/** Frames are joined into one write up to this size, in bytes: one TLS record and one system call for many votes. */
const CHUNK_BYTES = 64 * 1024;

/**
 * The frames that wait for one peer, bounded in bytes. Urgent ones leave before bulk, each kind in its own order. At the bound the
 * oldest bulk is dropped, and urgent frames only when no bulk is left: the oldest are the ones that newer votes and round states
 * have overtaken. All of them come back by repair or resending. A frame is dropped whole.
 */
export class SendQueue {
  readonly #bytesMax: number;
  readonly #urgent = new FrameFifo();
  readonly #bulk = new FrameFifo();
  readonly #signals: number[] = [];

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#urgent.bytes + this.#bulk.bytes;
  }

  get empty(): boolean {
    return this.#next.first === undefined && this.#signals.length === 0;
  }

  /** @returns how many frames had to go: older ones, or this one if it is bulk and urgent ones leave it no room */
  push(frame: Uint8Array, urgency: Urgency): number {
    assert(frame.length + LENGTH_BYTES <= this.#bytesMax, 'a queue holds at least one frame');
    (urgency === 'bulk' ? this.#bulk : this.#urgent).push(frame);
    let dropped = 0;
    for (; this.bytes > this.#bytesMax; dropped++) this.#drop();
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
    const frames: Uint8Array[] = [];
    for (let next = this.#next.first; next !== undefined; next = this.#next.first) {
      if (frames.length > 0 && bytes + LENGTH_BYTES + next.length > CHUNK_BYTES) break;
      bytes += LENGTH_BYTES + next.length;
      frames.push(next);
      this.#next.shift();
    }
    return { chunk: joined(this.#signals.splice(0), frames, bytes), frames: frames.length };
  }

  /** The frames of which the first is the next to leave. */
  get #next(): FrameFifo {
    return this.#urgent.first === undefined ? this.#bulk : this.#urgent;
  }

  #drop(): void {
    (this.#bulk.first === undefined ? this.#urgent : this.#bulk).shift();
  }
}

function joined(signals: readonly number[], frames: readonly Uint8Array[], bytes: number): Uint8Array {
  const chunk = new Uint8Array(bytes);
  const view = new DataView(chunk.buffer);
  let offset = 0;
  for (const signal of signals) {
    view.setUint32(offset, signal);
    offset += LENGTH_BYTES;
  }
  for (const frame of frames) {
    view.setUint32(offset, frame.length);
    chunk.set(frame, offset + LENGTH_BYTES);
    offset += LENGTH_BYTES + frame.length;
  }
  return chunk;
}
