import type { Urgency } from '@nacre/base';
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

type Step = { readonly push: number; readonly urgency: Urgency } | 'take';

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ push: fc.integer({ min: 0, max: 3_000 }), urgency: fc.constantFrom<Urgency>('urgent', 'bulk') }),
  fc.constant('take' as const),
);

/** The rules said plainly: one list, looked through each time. */
class PlainQueue {
  waiting: { readonly frame: Uint8Array; readonly urgency: Urgency }[] = [];
  dropped = 0;
  readonly #bytesMax: number;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  push(frame: Uint8Array, urgency: Urgency): void {
    this.waiting.push({ frame, urgency });
    while (this.waiting.reduce((sum, { frame: { length } }) => sum + length + 4, 0) > this.#bytesMax) {
      const oldestBulk = this.waiting.findIndex((one) => one.urgency === 'bulk');
      this.waiting.splice(Math.max(oldestBulk, 0), 1);
      this.dropped++;
    }
  }

  take(count: number): Uint8Array[] {
    const inOrder = [...this.waiting].sort((a, b) => Number(a.urgency === 'bulk') - Number(b.urgency === 'bulk'));
    const taken = inOrder.slice(0, count);
    this.waiting = this.waiting.filter((one) => !taken.includes(one));
    return taken.map(({ frame: bytes }) => bytes);
  }
}

test('urgent frames leave before bulk, each kind in its order and within the bound, whatever is taken in between', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), fc.constantFrom(4_000, 20_000, 1e7), (steps, bytesMax) => {
      const queue = new SendQueue(bytesMax);
      const plain = new PlainQueue(bytesMax);
      let dropped = 0;
      const left: Uint8Array[] = [];
      const reader = new FrameReader({ frameBytesMax: 1e6, onFrame: (bytes) => left.push(bytes) });
      const expected: Uint8Array[] = [];
      const take = (): boolean => {
        const next = queue.take();
        if (next === null) return false;
        reader.push(next.chunk);
        expected.push(...plain.take(next.frames));
        return true;
      };
      steps.forEach((next, i) => {
        if (next === 'take') {
          take();
          return;
        }
        const bytes = frame(next.push, i % 256);
        dropped += queue.push(bytes, next.urgency);
        plain.push(bytes, next.urgency);
        expect(queue.bytes).toBeLessThanOrEqual(bytesMax);
      });
      while (take());
      expect(left).toEqual(expected);
      expect([dropped, queue.bytes, queue.empty, plain.waiting.length]).toEqual([plain.dropped, 0, true, 0]);
    }),
    { numRuns: 100 },
  );
});

// @mutation packages/network/src/send-queue.ts
// -     return this.#urgent.first === undefined ? this.#bulk : this.#urgent;
// +     return this.#bulk.first === undefined ? this.#urgent : this.#bulk;
test('a vote waits for no transactions, however many came before it', () => {
  const queue = new SendQueue(1e6);
  for (let i = 0; i < 10; i++) queue.push(frame(60_000, i), 'bulk');
  queue.take();
  queue.push(frame(3_000, 99), 'urgent');
  expect(drain(queue).frames.map(([mark]) => mark)).toEqual([99, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

// @mutation packages/network/src/send-queue.ts
// -     for (; this.bytes > this.#bytesMax; dropped++) this.#drop();
// +     for (; this.bytes > 2 * this.#bytesMax; dropped++) this.#drop();
test('a full queue keeps to its bound by dropping the oldest frames, whole', () => {
  for (const urgency of ['urgent', 'bulk'] as const) {
    const queue = new SendQueue(1_000);
    const dropped = Array.from({ length: 30 }, (_, i) => queue.push(frame(96, i), urgency));
    expect(queue.bytes).toBe(1_000);
    expect(dropped.reduce((sum, count) => sum + count)).toBe(20);
    expect(drain(queue).frames.map(([mark]) => mark)).toEqual([20, 21, 22, 23, 24, 25, 26, 27, 28, 29]);
  }
});

// @mutation packages/network/src/send-queue.ts
// -     (this.#bulk.first === undefined ? this.#urgent : this.#bulk).shift();
// +     (this.#urgent.first === undefined ? this.#bulk : this.#urgent).shift();
test('a full queue drops transactions before votes, and votes only when nothing else is left', () => {
  const queue = new SendQueue(1_000);
  for (let i = 0; i < 4; i++) queue.push(frame(96, i), 'urgent');
  for (let i = 10; i < 16; i++) queue.push(frame(96, i), 'bulk');
  expect(queue.push(frame(196, 4), 'urgent')).toBe(2);
  expect(queue.push(frame(496, 20), 'bulk')).toBe(5);
  expect(queue.push(frame(496, 5), 'urgent')).toBe(1);
  expect(drain(queue).frames.map(([mark]) => mark)).toEqual([1, 2, 3, 4, 5]);
});

test('a frame larger than many smaller ones pushes all of them out', () => {
  const queue = new SendQueue(1_000);
  for (let i = 0; i < 10; i++) queue.push(frame(90, i), 'urgent');
  expect(queue.push(frame(996, 99), 'urgent')).toBe(10);
  expect(drain(queue).frames).toEqual([frame(996, 99)]);
});

// @mutation packages/network/src/send-queue.ts
// -       if (frames.length > 0 && bytes + LENGTH_BYTES + next.length > CHUNK_BYTES) break;
// +       if (frames.length > 0) break;
test('small frames leave together, up to 64 KiB at a time, of both kinds', () => {
  const queue = new SendQueue(1e6);
  for (let i = 0; i < 100; i++) queue.push(frame(3_000, i), i % 3 === 0 ? 'urgent' : 'bulk');
  const { chunks, frames } = drain(queue);
  expect(chunks.length).toBe(Math.ceil(100 / Math.floor(CHUNK / 3_004)));
  expect(Math.max(...chunks.map(({ length }) => length))).toBeLessThanOrEqual(CHUNK);
  expect(frames.length).toBe(100);
});

test('a frame larger than a chunk leaves alone', () => {
  const queue = new SendQueue(1e6);
  queue.push(frame(200_000, 1), 'bulk');
  queue.push(frame(10, 2), 'bulk');
  expect(drain(queue).chunks.map(({ length }) => length)).toEqual([200_004, 14]);
});

test('signals overtake frames, and none waits twice', () => {
  const queue = new SendQueue(1_000);
  queue.push(frame(10, 1), 'urgent');
  queue.signal(SIGNALS_FROM);
  queue.signal(SIGNALS_FROM);
  const { frames, signals, chunks } = drain(queue);
  expect(signals).toEqual([SIGNALS_FROM]);
  expect(frames).toEqual([frame(10, 1)]);
  expect(chunks[0]?.subarray(0, 4)).toEqual(Uint8Array.of(0xff, 0xff, 0xff, 0xf0));
});
