import type { Stream } from '@libp2p/interface';
import { noise } from '@libp2p/noise';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { createLibp2p, type Libp2p } from 'libp2p';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { announceWindowLate } from '../src/lazy-window.ts';
import { until } from './support/nodes.ts';

const PROTOCOL = '/test/window';
const FRAME = new Uint8Array(3_000).fill(7);

let hosts: Libp2p[];
let sending: Stream;
let receiving: Stream;
let receivedBytes: number;
/** Window updates that have reached the sender. */
let updates: number;

beforeEach(async () => {
  const settings = { transports: [tcp()], connectionEncrypters: [noise()], streamMuxers: [yamux()], connectionMonitor: { enabled: false } };
  const listener = await createLibp2p({ ...settings, addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] } });
  const dialer = await createLibp2p(settings);
  hosts = [listener, dialer];
  const { promise, resolve } = Promise.withResolvers<Stream>();
  await listener.handle(PROTOCOL, (stream) => resolve(stream));
  sending = await dialer.dialProtocol(listener.getMultiaddrs(), PROTOCOL);
  receiving = await promise;
  receivedBytes = 0;
  receiving.addEventListener('message', ({ data }) => {
    receivedBytes += data.byteLength;
  });
  updates = 0;
  const stream = sending as unknown as { handleWindowUpdate(frame: unknown): void };
  const handle = stream.handleWindowUpdate.bind(stream);
  stream.handleWindowUpdate = (frame) => {
    updates++;
    handle(frame);
  };
});

afterEach(async () => {
  for (const host of hosts) await host.stop();
});

async function send(frames: number): Promise<void> {
  const before = receivedBytes;
  for (let sent = 1; sent <= frames; sent++) {
    if (!sending.send(FRAME)) await sending.onDrain();
    await until(() => receivedBytes >= before + sent * FRAME.length);
  }
}

// @mutation packages/network/src/lazy-window.ts
// - if (stream.state === ESTABLISHED && 2 * stream.recvWindowCapacity > stream.recvWindow) return;
// +
test('a peer hears of its window once in a while, and not after every frame', async () => {
  await send(1);
  await until(() => updates > 0);
  updates = 0;
  announceWindowLate(receiving);
  await send(20);
  expect(updates).toBe(0);
  await send(60);
  expect(updates).toBeGreaterThan(0);
  expect(updates).toBeLessThan(5);
});

// @mutation packages/network/src/lazy-window.ts
// - announce();
// +
test('and can send without end', async () => {
  announceWindowLate(receiving);
  await send(300);
  expect(receivedBytes).toBe(300 * FRAME.length);
});
