import { concatBytes } from '@nacre/base';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FrameReader, lengthPrefix, SIGNALS_FROM } from '../src/frame-reader.ts';

const MAX = 100_000;

function collect(options: { readonly signals?: number[] } = {}) {
  const frames: Uint8Array[] = [];
  const { signals } = options;
  const reader = new FrameReader({
    frameBytesMax: MAX,
    onFrame: (frame) => frames.push(frame),
    ...(signals === undefined ? {} : { onSignal: (signal: number) => signals.push(signal) }),
  });
  return { reader, frames };
}

function encode(frames: readonly Uint8Array[]): Uint8Array {
  return concatBytes(...frames.flatMap((frame) => [lengthPrefix(frame.length), frame]));
}

/** Cuts bytes at the given fractions. */
function cut(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const at = [0, ...cuts.map((fraction) => Math.floor(fraction * bytes.length)), bytes.length].sort((a, b) => a - b);
  return at.slice(1).map((end, i) => bytes.subarray(at[i], end));
}

const frame = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc.integer({ min: 60_000, max: MAX }).map((length) => new Uint8Array(length).fill(length % 256)),
);

// @mutation packages/network/src/frame-reader.ts
// -       larger.set(body.subarray(0, this.#bodyBytes));
// +       larger.set(body.subarray(0, 0));
test('frames come out as they went in, wherever the stream is cut', () => {
  fc.assert(
    fc.property(
      fc.array(frame, { maxLength: 8 }),
      fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 }),
      (sent, cuts) => {
        const { reader, frames } = collect();
        for (const chunk of cut(encode(sent), cuts)) expect(reader.push(chunk).ok).toBe(true);
        expect(frames.map((bytes) => Buffer.from(bytes).toString('hex'))).toEqual(sent.map((bytes) => Buffer.from(bytes).toString('hex')));
        expect(reader.incomplete).toBe(false);
      },
    ),
    { numRuns: 60 },
  );
});

// @mutation packages/network/src/frame-reader.ts
// -         if (this.#length > this.#options.frameBytesMax) {
// +         if (this.#length > this.#options.frameBytesMax + 1) {
test('a frame is refused by its announced length, before any of it has come', () => {
  const { reader, frames } = collect();
  expect(reader.push(lengthPrefix(MAX + 1))).toEqual({ ok: false, error: { code: 'FRAME_TOO_LARGE', bytes: MAX + 1, bytesMax: MAX } });
  expect(frames).toEqual([]);
});

test('the largest frame passes', () => {
  const { reader, frames } = collect();
  expect(reader.push(encode([new Uint8Array(MAX)])).ok).toBe(true);
  expect(frames[0]?.length).toBe(MAX);
});

// @mutation packages/network/src/frame-reader.ts
// -       this.#deliver(new Uint8Array(chunk.subarray(offset, offset + taken)));
// +       this.#deliver(chunk.slice(offset, offset + taken));
test('a frame owns its bytes: the buffer of the socket may be used again', () => {
  const { reader, frames } = collect();
  const socketBuffer = Buffer.from(encode([Uint8Array.of(1, 2, 3)]));
  reader.push(socketBuffer);
  socketBuffer.fill(0);
  expect(frames).toEqual([Uint8Array.of(1, 2, 3)]);
  expect(frames[0]?.buffer.byteLength).toBe(3);
});

// @mutation packages/network/src/frame-reader.ts
// -     let body = this.#body ?? new Uint8Array(Math.min(this.#length, FIRST_BUFFER_BYTES));
// +     let body = this.#body ?? new Uint8Array(this.#length);
test('who announces a large frame and sends little of it costs little memory', () => {
  const readers = Array.from({ length: 200 }, () => {
    const reader = new FrameReader({ frameBytesMax: 2 ** 26, onFrame: () => undefined });
    reader.push(concatBytes(lengthPrefix(2 ** 26), Uint8Array.of(1)));
    return reader;
  });
  expect(process.memoryUsage().arrayBuffers).toBeLessThan(2 ** 30);
  expect(readers.every(({ incomplete }) => incomplete)).toBe(true);
});

test('signals stand between frames and inside none', () => {
  const signals: number[] = [];
  const { reader, frames } = collect({ signals });
  const bytes = concatBytes(
    lengthPrefix(SIGNALS_FROM),
    encode([Uint8Array.of(7)]),
    lengthPrefix(SIGNALS_FROM + 1),
    encode([new Uint8Array(0)]),
  );
  for (const byte of bytes) reader.push(Uint8Array.of(byte));
  expect(signals).toEqual([SIGNALS_FROM, SIGNALS_FROM + 1]);
  expect(frames).toEqual([Uint8Array.of(7), new Uint8Array(0)]);
});

test('without signals, what looks like one is a frame that is too long', () => {
  expect(collect().reader.push(lengthPrefix(SIGNALS_FROM)).ok).toBe(false);
});

test('any bytes are read or refused, never thrown at', () => {
  const property = fc.property(fc.array(fc.uint8Array({ maxLength: 64 }), { maxLength: 20 }), (chunks) => {
    const { reader } = collect({ signals: [] });
    for (const chunk of chunks) if (!reader.push(chunk).ok) break;
  });
  expect(fc.check(property)).toMatchObject({ failed: false });
});
