import type { Stream } from '@libp2p/interface';
import { concatBytes, FRAME_BYTES_MAX, utf8 } from '@nacre/base';
import { afterEach, expect, test } from 'vitest';
import { lengthPrefix, SIGNALS_FROM } from '../src/frame-reader.ts';
import { Committee, makeValidator, type NodeOptions, pause, refusals, TestNetwork, type TestNode, until } from './support/nodes.ts';
import { RawPeer } from './support/raw-peer.ts';

let network: TestNetwork;
const peers: RawPeer[] = [];
afterEach(async () => {
  await network.stopAll();
  await Promise.all(peers.splice(0).map((peer) => peer.stop()));
});

async function lone(limits: NodeOptions['limits'] = {}): Promise<TestNode> {
  network = new TestNetwork(new Committee());
  return network.node({ limits });
}

/** A peer that was let in and from now on behaves as the test says. */
async function intruder(node: TestNode) {
  const peer = await RawPeer.create();
  peers.push(peer);
  const entered = await peer.enter(node, peer.admissionOptions(network.committee));
  await until(() => node.transport.peers().some(({ id }) => id.startsWith(peer.peerId)));
  return { peer, ...entered };
}

function readAll(lane: Stream): () => Uint8Array {
  const chunks: Uint8Array[] = [];
  lane.addEventListener('message', ({ data }) => chunks.push(data.subarray()));
  return () => concatBytes(...chunks);
}

// @mutation packages/network/src/neighbours.ts
// -         if (reason === 'MALFORMED') this.penalize(link, details);
// +         if (reason === 'SILENT') this.penalize(link, details);
test('a frame above the bound ends the connection unread, and bans its sender', async () => {
  const node = await lone();
  const { peer, connection, lane } = await intruder(node);
  lane.send(lengthPrefix(FRAME_BYTES_MAX + 1));
  await until(() => connection.status !== 'open');
  expect(node.transport.counters()).toMatchObject({ framesIn: 0, bans: 1, disconnected: { BANNED: 1 } });
  await peer.dial(node).catch(() => undefined);
  expect(refusals(node).BANNED).toBe(1);
});

test('a signal that nobody has defined ends the connection', async () => {
  const node = await lone();
  const { connection, lane } = await intruder(node);
  lane.send(lengthPrefix(SIGNALS_FROM + 9));
  await until(() => connection.status !== 'open');
  expect(node.transport.counters().disconnected).toEqual({ MALFORMED: 1 });
});

test('a lane that is cut inside a frame delivers nothing of it', async () => {
  const node = await lone();
  const { lane } = await intruder(node);
  lane.send(concatBytes(lengthPrefix(3), utf8('one'), lengthPrefix(100), utf8('tw')));
  await until(() => node.frames.length === 1);
  await lane.close();
  await until(() => node.transport.peers().length === 0);
  expect(node.frames.map(({ frame }) => Buffer.from(frame).toString())).toEqual(['one']);
});

test('a second lane, a second admission or an unknown protocol is not served', async () => {
  const node = await lone();
  const { connection, lane } = await intruder(node);
  for (const protocol of ['/nacre/1/lane', '/nacre/1/admission']) {
    const stream = await connection.newStream(protocol);
    await until(() => stream.status !== 'open');
  }
  const other = await connection.newStream('/nacre/9/other').catch(() => null);
  expect(other).toBeNull();
  lane.send(concatBytes(lengthPrefix(2), utf8('ok')));
  await until(() => node.frames.length === 1);
});

// @mutation packages/network/src/lane.ts
// -     if (nowMs - this.#heardAtMs > limits.silenceMs) return this.#end('SILENT', { code: 'SILENT', silenceMs: limits.silenceMs });
// +     if (nowMs - this.#heardAtMs > 1e9) return this.#end('SILENT', { code: 'SILENT', silenceMs: limits.silenceMs });
test('a peer from which nothing comes any more is gone, however open its connection looks', async () => {
  const node = await lone({ keepaliveMs: 50, silenceMs: 1_500, stallMs: 60_000 });
  const { connection } = await intruder(node);
  await until(() => connection.status !== 'open');
  expect(node.transport.counters().disconnected).toEqual({ SILENT: 1 });
});

test('pings keep a quiet peer connected, and tell the latency', async () => {
  const [a, b] = [makeValidator(), makeValidator()];
  network = new TestNetwork(new Committee(a, b));
  const limits = { keepaliveMs: 30, silenceMs: 2_000, stallMs: 60_000 };
  const left = await network.node({ validator: a, limits });
  const right = await network.node({ validator: b, limits, bootstrap: [left.address] });
  await until(() => left.knows(right) && right.knows(left));
  await pause(3_000);
  expect([left, right].map((node) => node.connections.length)).toEqual([1, 1]);
  expect(left.transport.peerInfo()[0]?.latencyMs).toBeGreaterThan(0);
});

// @mutation packages/network/src/lane.ts
// -     if (nowMs - stalledSinceMs > limits.stallMs) return this.#end('SLOW_READER', { code: 'SLOW_READER', queuedBytes });
// +     if (nowMs - stalledSinceMs > 1e9) return this.#end('SLOW_READER', { code: 'SLOW_READER', queuedBytes });
test('a peer that does not read costs a bounded queue, then its connection', async () => {
  const node = await lone({ queueBytesMax: 5 * 1024 * 1024, stallMs: 1_000, silenceMs: 60_000 });
  const { peer, connection, lane } = await intruder(node);
  lane.pause();
  const { id } = node.transport.peers()[0] as { id: string };
  const frame = new Uint8Array(100_000);
  for (let i = 0; i < 400; i++) {
    node.transport.send(id, frame);
    if (i % 20 === 0) await pause(1);
  }
  expect(node.transport.counters().framesDropped).toBeGreaterThan(200);
  await until(() => node.transport.counters().disconnected.SLOW_READER === 1);
  expect(node.transport.counters().framesOut).toBeLessThan(150);
  await until(() => connection.status !== 'open');
  expect(peer.peerId).toBeDefined();
});

// @mutation packages/network/src/lane.ts
// -     if (waitMs > 0) this.#pause(waitMs);
// +     if (waitMs > 1e6) this.#pause(waitMs);
test('a peer that sends too fast is read at its rate and no faster, and pays', async () => {
  // Ten frames a second, after a burst of one second's worth; all of them would take half a minute.
  const rate = { bytesPerSecond: 100_000, framesPerSecond: 1_000, requestsPerSecond: 10 };
  const node = await lone({ followerRate: rate });
  const { lane } = await intruder(node);
  const frames = concatBytes(...Array.from({ length: 300 }, () => concatBytes(lengthPrefix(9_996), new Uint8Array(9_996))));
  const startedMs = performance.now();
  lane.send(frames);
  await until(() => node.transport.counters().throttled > 0 || node.frames.length === 300);
  await pause(500);
  expect(node.frames.length).toBeLessThan(30 + (10 * (performance.now() - startedMs)) / 1000);
  expect(node.transport.peerInfo()[0]?.score).toBeLessThan(0);
});

test('many tiny frames are bounded by their number', async () => {
  const rate = { bytesPerSecond: 1e9, framesPerSecond: 200, requestsPerSecond: 10 };
  const node = await lone({ followerRate: rate });
  const { lane } = await intruder(node);
  const tiny = concatBytes(...Array.from({ length: 2_000 }, () => lengthPrefix(0)));
  lane.send(tiny);
  await until(() => node.transport.counters().throttled > 0);
  lane.send(tiny);
  await pause(300);
  expect(node.frames.length).toBeLessThanOrEqual(2_000);
});

test('what a throttled peer has sent arrives once it is paid for, whole and in order', async () => {
  const rate = { bytesPerSecond: 400_000, framesPerSecond: 1_000, requestsPerSecond: 10 };
  const node = await lone({ followerRate: rate });
  const { lane } = await intruder(node);
  for (let i = 0; i < 60; i++) lane.send(concatBytes(lengthPrefix(10_000), new Uint8Array(10_000).fill(i)));
  await until(() => node.frames.length === 60);
  expect(node.frames.map(({ frame }) => frame[0])).toEqual(Array.from({ length: 60 }, (_, i) => i));
});

test('offences add up: the peer is banned, and its validator’s address too, under whatever peer id it comes', async () => {
  const validator = makeValidator();
  network = new TestNetwork(new Committee(validator));
  const node = await network.node();
  const first = await RawPeer.create();
  const second = await RawPeer.create();
  peers.push(first, second);
  await first.enter(node, first.admissionOptions(network.committee, validator));
  await until(() => node.transport.peers().length === 1);
  const { id } = node.transport.peers()[0] as { readonly id: string };
  for (let i = 0; i < 4; i++) node.transport.penalize(id, { code: 'MALFORMED' });
  expect(node.transport.peers()).toEqual([]);
  node.transport.penalize(id, { code: 'MALFORMED' });
  expect(node.transport.counters()).toMatchObject({ offences: 4, bans: 1 });
  const connection = await second.dial(node);
  const again = await second.negotiate(connection, second.admissionOptions(network.committee, validator));
  expect(again).toMatchObject({ ok: false, error: { code: 'BANNED' } });
});

test('frames of the node reach a peer that speaks by hand, in the documented format', async () => {
  const node = await lone();
  const { lane } = await intruder(node);
  const received = readAll(lane);
  node.transport.broadcast('gossip', utf8('abc'));
  await until(() => received().length >= 11);
  expect(received()).toEqual(concatBytes(lengthPrefix(SIGNALS_FROM), lengthPrefix(3), utf8('abc')));
});
