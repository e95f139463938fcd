import type { Stream } from '@libp2p/interface';
import { concatBytes, utf8 } from '@nacre/base';
import { expect, test } from 'vitest';
import { lengthPrefix, SIGNALS_FROM } from '../src/frame-reader.ts';
import { Lane } from '../src/lane.ts';
import { FakeClock } from './support/fake-clock.ts';

const PING = lengthPrefix(SIGNALS_FROM);
const PONG = lengthPrefix(SIGNALS_FROM + 1);
const LIMITS = { queueBytesMax: 10_000, stallMs: 10_000, keepaliveMs: 5_000, silenceMs: 15_000 };
const RATE = { bytesPerSecond: 1e9, framesPerSecond: 1e6, requestsPerSecond: 1 };

/** The side of a stream that a lane sees, with a peer who reads when the test says so. */
class FakeStream {
  readonly sent: Uint8Array[] = [];
  readonly #listeners = new Map<string, ((event: unknown) => void)[]>();
  status = 'open';
  readStatus = 'readable';
  writeStatus = 'writable';
  writableNeedsDrain = false;
  writeBufferLength = 0;

  addEventListener(type: string, listener: (event: unknown) => void): void {
    this.#listeners.set(type, [...(this.#listeners.get(type) ?? []), listener]);
  }

  emit(type: string, event: unknown = {}): void {
    for (const listener of this.#listeners.get(type) ?? []) listener(event);
  }

  receive(...parts: Uint8Array[]): void {
    this.emit('message', { data: concatBytes(...parts) });
  }

  send(bytes: Uint8Array): boolean {
    this.sent.push(bytes);
    return !this.writableNeedsDrain;
  }

  /** The peer's window is full, or free again. */
  block(blocked: boolean): void {
    this.writableNeedsDrain = blocked;
    if (!blocked) this.emit('drain');
  }

  pause(): void {
    this.readStatus = 'paused';
  }

  resume(): void {
    this.readStatus = 'readable';
  }

  abort(): void {
    this.status = 'aborted';
    this.emit('close');
  }
}

function setUp(rate = RATE) {
  const stream = new FakeStream();
  const clock = new FakeClock();
  const frames: string[] = [];
  const ends: string[] = [];
  const lane = new Lane(
    { stream: stream as unknown as Stream, limits: LIMITS, rate, clock, together: (write) => write() },
    {
      frame: (frame) => frames.push(Buffer.from(frame).toString()),
      sent: () => undefined,
      dropped: () => undefined,
      throttled: () => undefined,
      ended: (reason) => ends.push(reason),
    },
  );
  return { stream, clock, lane, frames, ends };
}

/** Lets the event loop come round, twice: what it schedules for its next round happens too. */
async function turn(): Promise<void> {
  for (let i = 0; i < 2; i++) await new Promise<void>((resolve) => setImmediate(resolve));
}

async function pass(clock: FakeClock, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 1_000) {
    clock.advance(1_000);
    await turn();
  }
}

const sentText = (stream: FakeStream) => Buffer.concat(stream.sent).toString('latin1');

test('the first frame leaves at once, what follows in the same turn of the loop leaves together', async () => {
  const { stream, lane } = setUp();
  await turn();
  stream.sent.length = 0;
  lane.enqueue(utf8('a'), 'urgent');
  await Promise.resolve();
  expect(stream.sent.length).toBe(1);
  for (const text of ['b', 'c', 'd']) {
    lane.enqueue(utf8(text), 'urgent');
    await Promise.resolve();
  }
  expect(stream.sent.length).toBe(1);
  await turn();
  expect(stream.sent.map(({ length }) => length)).toEqual([5, 15]);
  lane.close();
});

// @mutation packages/network/src/lane.ts
// -     return !this.#ended && stream.writeStatus === 'writable' && !stream.writableNeedsDrain && stream.writeBufferLength === 0;
// +     return !this.#ended && stream.writeStatus === 'writable' && stream.writeBufferLength === 0;
test('a stream that is full is given nothing until it drains', async () => {
  const { stream, lane } = setUp();
  await turn();
  stream.block(true);
  stream.sent.length = 0;
  lane.enqueue(utf8('later'), 'urgent');
  await turn();
  expect([stream.sent, lane.queuedBytes]).toEqual([[], 9]);
  stream.block(false);
  await turn();
  expect(sentText(stream)).toContain('later');
  lane.close();
});

test('pings are answered, ahead of what is queued', async () => {
  const { stream, lane } = setUp();
  await turn();
  stream.block(true);
  lane.enqueue(utf8('frame'), 'urgent');
  stream.receive(PING);
  stream.sent.length = 0;
  stream.block(false);
  await turn();
  expect(Buffer.concat(stream.sent)).toEqual(Buffer.concat([PONG, lengthPrefix(5), utf8('frame')]));
  lane.close();
});

// @mutation packages/network/src/lane.ts
// -     const dropped = this.#queue.push(frame, urgency);
// +     const dropped = this.#queue.push(frame, 'urgent');
test('a vote that comes late leaves ahead of the transactions that wait', async () => {
  const { stream, lane } = setUp();
  await turn();
  stream.block(true);
  stream.sent.length = 0;
  lane.enqueue(utf8('transactions'), 'bulk');
  lane.enqueue(utf8('vote'), 'urgent');
  stream.block(false);
  await turn();
  expect(Buffer.concat(stream.sent)).toEqual(Buffer.concat([lengthPrefix(4), utf8('vote'), lengthPrefix(12), utf8('transactions')]));
  lane.close();
});

test('an answer to a ping gives the latency, one to no ping gives nothing', async () => {
  const { stream, lane } = setUp();
  await turn();
  stream.receive(PONG);
  const first = lane.latencyMs;
  stream.receive(PONG);
  expect([first !== null && first >= 0, lane.latencyMs]).toEqual([true, first]);
  lane.close();
});

test('a ping goes out at every interval while the peer speaks', async () => {
  const { stream, clock, lane, ends } = setUp();
  await turn();
  for (let i = 0; i < 6; i++) {
    stream.receive(lengthPrefix(0));
    clock.advance(5_000);
    await turn();
  }
  expect(sentText(stream).split(Buffer.from(PING).toString('latin1')).length - 1).toBeGreaterThanOrEqual(5);
  expect(ends).toEqual([]);
  lane.close();
});

test('silence ends the lane, once', async () => {
  const { clock, ends } = setUp();
  await pass(clock, 60_000);
  expect(ends).toEqual(['SILENT']);
});

// @mutation packages/network/src/lane.ts
// -     if (stoodStill || this.#paused !== null) this.#heardAtMs = nowMs;
// +     if (this.#paused !== null) this.#heardAtMs = nowMs;
test('a pause of this very process accuses nobody', async () => {
  const { stream, clock, lane, ends } = setUp();
  await turn();
  stream.block(true);
  lane.enqueue(new Uint8Array(9_000), 'urgent');
  lane.enqueue(new Uint8Array(9_000), 'urgent');
  clock.jump(600_000);
  clock.advance(2_000);
  expect(ends).toEqual([]);
  lane.close();
});

test('a peer that accepts nothing is a slow reader, one that accepts a little now and then is not', async () => {
  for (const [accepting, outcome] of [
    [false, ['SLOW_READER']],
    [true, []],
  ] as const) {
    const { stream, clock, lane, ends } = setUp();
    await turn();
    stream.block(true);
    lane.enqueue(utf8('waiting'), 'urgent');
    for (let i = 0; i < 8; i++) {
      stream.receive(lengthPrefix(0));
      if (accepting) {
        stream.block(false);
        await turn();
        stream.block(true);
        lane.enqueue(utf8('waiting'), 'urgent');
      }
      clock.advance(2_000);
    }
    expect(ends).toEqual(outcome);
    lane.close();
  }
});

// @mutation packages/network/src/lane.ts
// -       this.#overflowingSinceMs ??= this.#options.clock.nowMs();
// +       this.#overflowingSinceMs = this.#options.clock.nowMs();
test('a peer whose queue stays full is a slow reader even if it accepts a little', async () => {
  const { stream, clock, lane, ends } = setUp();
  await turn();
  for (let i = 0; i < 8; i++) {
    stream.block(true);
    for (let j = 0; j < 12; j++) lane.enqueue(new Uint8Array(996), 'urgent');
    stream.receive(lengthPrefix(0));
    stream.emit('drain');
    clock.advance(2_000);
  }
  expect(ends).toEqual(['SLOW_READER']);
});

test('a stream that ends, ends the lane; nothing is sent or delivered after it', async () => {
  const { stream, lane, frames, ends } = setUp();
  stream.emit('remoteCloseWrite');
  stream.receive(lengthPrefix(1), utf8('x'));
  lane.enqueue(utf8('y'), 'urgent');
  await turn();
  expect([ends, frames, stream.status]).toEqual([['CLOSED'], [], 'aborted']);
});

test('a lane that is closed says nothing of it', () => {
  const { lane, ends, clock } = setUp();
  lane.close();
  lane.close();
  clock.advance(100_000);
  expect(ends).toEqual([]);
});

test('a throttled peer is not taken for a silent one', async () => {
  const { stream, clock, lane, frames, ends } = setUp({ ...RATE, bytesPerSecond: 10 });
  stream.receive(lengthPrefix(300), new Uint8Array(300));
  expect([stream.readStatus, frames.length]).toEqual(['paused', 1]);
  await pass(clock, 25_000);
  expect([stream.readStatus, ends]).toEqual(['paused', []]);
  await pass(clock, 6_000);
  expect([stream.readStatus, ends]).toEqual(['readable', []]);
  lane.close();
});
