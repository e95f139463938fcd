import type { Stream } from '@libp2p/interface';
import { concatBytes, fail, ok, type Refusal, type Result } from '@nacre/base';
import { FrameReader, lengthPrefix } from './frame-reader.ts';
import { attempt } from './stream-flow.ts';

/** Frames that came before anyone read them. The protocols here are strict dialogues: more is a breach. */
const UNREAD_FRAMES_MAX = 4;

/**
 * A dialogue of frames over one stream, for protocols that say a few things and end. The owner sets the deadline: it calls
 * `fail` when its time is up, and every read that waits or comes later gets that refusal.
 */
export class FrameStream {
  readonly #stream: Stream;
  readonly #unread: Uint8Array[] = [];
  #waiting: ((result: Result<Uint8Array>) => void) | null = null;
  #ended: Refusal | null = null;

  constructor(stream: Stream, frameBytesMax: number) {
    this.#stream = stream;
    const reader = new FrameReader({ frameBytesMax, onFrame: (frame) => this.#receive(frame) });
    stream.addEventListener('message', ({ data }) => {
      for (const chunk of data instanceof Uint8Array ? [data] : data) {
        if (this.#ended !== null) return;
        const read = reader.push(chunk);
        if (!read.ok) this.fail(read.error);
      }
    });
    // A stream cut inside a frame and one that ended between two are different things to whoever waits.
    const onEnd = (): void => this.#end(reader.incomplete ? { code: 'TRUNCATED' } : { code: 'CLOSED' });
    stream.addEventListener('remoteCloseWrite', onEnd);
    stream.addEventListener('close', onEnd);
    if (stream.status !== 'open') onEnd();
  }

  /** @returns the next frame; codes `CLOSED`, `TRUNCATED`, `FRAME_TOO_LARGE`, `UNEXPECTED`, or what `fail` was called with */
  read(): Promise<Result<Uint8Array>> {
    const frame = this.#unread.shift();
    if (frame !== undefined) return Promise.resolve(ok(frame));
    if (this.#ended !== null) return Promise.resolve(fail(this.#ended));
    return new Promise((resolve) => {
      this.#waiting = resolve;
    });
  }

  /** Waits, past any frames, until the other side has said its last. */
  async ended(): Promise<void> {
    for (let frame = await this.read(); frame.ok; ) frame = await this.read();
  }

  /** Queues a frame. On a stream that has ended it is lost, and the next read tells. */
  write(frame: Uint8Array): void {
    if (this.#stream.status !== 'open' || this.#stream.writeStatus !== 'writable') return;
    attempt(() => this.#stream.send(concatBytes(lengthPrefix(frame.length), frame)));
  }

  /** Says that no more frames follow, once those written are on their way. Never rejects. */
  async close(): Promise<void> {
    await this.#stream.close().catch(() => undefined);
  }

  /** Ends the dialogue for both sides at once; reads fail with the refusal. */
  fail(refusal: Refusal): void {
    this.#end(refusal);
    this.#stream.abort(new Error(refusal.code));
  }

  #receive(frame: Uint8Array): void {
    if (this.#waiting !== null) {
      const waiting = this.#waiting;
      this.#waiting = null;
      waiting(ok(frame));
    } else if (this.#unread.length < UNREAD_FRAMES_MAX) this.#unread.push(frame);
    else this.fail({ code: 'UNEXPECTED' });
  }

  #end(refusal: Refusal): void {
    this.#ended ??= refusal;
    this.#waiting?.(fail(this.#ended));
    this.#waiting = null;
  }
}
