import { LENGTH_BYTES } from './frame-reader.ts';

/** Positions at the front of the list that may be empty before it is moved up. */
const EMPTY_MAX = 1_024;

/** Frames in the order they came, with the bytes that they take on the wire, lengths included. Whoever fills it keeps to a bound. */
export class FrameFifo {
  /** The waiting frames start at the index; what is before it has left. */
  #frames: (Uint8Array | undefined)[] = [];
  #first = 0;
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  /** The oldest frame; undefined if none waits. */
  get first(): Uint8Array | undefined {
    return this.#frames[this.#first];
  }

  push(frame: Uint8Array): void {
    this.#frames.push(frame);
    this.#bytes += frame.length + LENGTH_BYTES;
  }

  /** Takes out the oldest frame, if one waits. */
  shift(): void {
    const frame = this.first;
    if (frame === undefined) return;
    this.#frames[this.#first++] = undefined;
    this.#bytes -= frame.length + LENGTH_BYTES;
    if (this.#first === this.#frames.length || this.#first > EMPTY_MAX) {
      this.#frames = this.#frames.slice(this.#first);
      this.#first = 0;
    }
  }
}
