import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FrameReader, SIGNALS_FROM } from '../src/frame-reader.ts';
import { SendQueue } from '../src/send-queue.ts';

const CHUNK = 64 * 1024;

function drain(queue: SendQueue): { frames: Uint8Array[]; signals: number[]; chunks: Uint8Array[] } {
  const frames: Uint8Array[] = [];
  const signals: number[] = [];
  const chunks: Uint8Array[] = [];
  const reader = new FrameReader({ frameBytesMax: 1e6, onFrame: (f) => frames.push(f), onSignal: (s) => signals.push(s) });
  for (let next = queue.take(); next !== null; next = queue.take()) {
    chunks.push(next.chunk);
    reader.push(next.chunk);
  }
  return { frames, signals, chunks };
}

const frame = (length: number, mark: number): Uint8Array => new Uint8Array(length).fill(mark);

test('frames leave in the order they came, whatever is taken in between', () => {
  const step = fc.oneof(fc.record({ push: fc.integer({ min: 0, max: 3000 }) }), fc.constant('take' as const));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const queue = new SendQueue(1e7);
      const sent: Uint8Array[] = [];
      const left: Uint8Array[] = [];
      const reader = new FrameReader({ frameBytesMax: 1e6, onFrame: (f) => left.push(f) });
      steps.forEach((next, i) => {
        if (next === 'take') {
          reader.push(queue.take()?.chunk ?? new Uint8Array(0));
          return;
        }
        const bytes = frame(next.push, i % 256);
        sent.push(bytes);
        queue.push(bytes);
      });
      reader.push(drainBytes(queue));
      expect(left).toEqual(sent);
      expect([queue.bytes, queue.empty]).toEqual([0, true]);
    }),
    { numRuns: 50 },
  );
});

function drainBytes(queue: SendQueue): Uint8Array {
  return Buffer.concat(drain(queue).chunks);
}

// @mutation packages/network/src/send-queue.ts
// -     for (; this.#bytes > this.#bytesMax; dropped++) this.#shift();
// +     for (; this.#bytes > 2 * this.#bytesMax; dropped++) this.#shift();
test('a full queue keeps to its bound by dropping the oldest frames, whole', () => {
  const queue = new SendQueue(1_000);
  const dropped = Array.from({ length: 30 }, (_, i) => queue.push(frame(96, i)));
  expect(queue.bytes).toBe(1_000);
  expect(dropped.reduce((sum, count) => sum + count)).toBe(20);
  expect(drain(queue).frames.map(([mark]) => mark)).toEqual([20, 21, 22, 23, 24, 25, 26, 27, 28, 29]);
});

test('a frame larger than many smaller ones pushes all of them out', () => {
  const queue = new SendQueue(1_000);
  for (let i = 0; i < 10; i++) queue.push(frame(90, i));
  expect(queue.push(frame(996, 99))).toBe(10);
  expect(drain(queue).frames).toEqual([frame(996, 99)]);
});

// @mutation packages/network/src/send-queue.ts
// -       if (end > this.#first && bytes + next > CHUNK_BYTES) break;
// +       if (end > this.#first) break;
test('small frames leave together, up to 64 KiB at a time', () => {
  const queue = new SendQueue(1e6);
  for (let i = 0; i < 100; i++) queue.push(frame(3_000, i));
  const { chunks, frames } = drain(queue);
  expect(chunks.length).toBe(Math.ceil(100 / Math.floor(CHUNK / 3_004)));
  expect(Math.max(...chunks.map(({ length }) => length))).toBeLessThanOrEqual(CHUNK);
  expect(frames.length).toBe(100);
});

test('a frame larger than a chunk leaves alone', () => {
  const queue = new SendQueue(1e6);
  queue.push(frame(200_000, 1));
  queue.push(frame(10, 2));
  expect(drain(queue).chunks.map(({ length }) => length)).toEqual([200_004, 14]);
});

test('signals overtake frames, and none waits twice', () => {
  const queue = new SendQueue(1_000);
  queue.push(frame(10, 1));
  queue.signal(SIGNALS_FROM);
  queue.signal(SIGNALS_FROM);
  const { frames, signals, chunks } = drain(queue);
  expect(signals).toEqual([SIGNALS_FROM]);
  expect(frames).toEqual([frame(10, 1)]);
  expect(chunks[0]?.subarray(0, 4)).toEqual(Uint8Array.of(0xff, 0xff, 0xff, 0xf0));
});
