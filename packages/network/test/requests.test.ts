import { utf8 } from '@nacre/base';
import { afterEach, expect, test } from 'vitest';
import { lengthPrefix } from '../src/frame-reader.ts';
import {
  Committee,
  codeOf,
  connected,
  makeValidator,
  type NodeOptions,
  pause,
  refusals,
  TestNetwork,
  type TestNode,
  until,
} from './support/nodes.ts';
import { RawPeer } from './support/raw-peer.ts';

let network: TestNetwork;
const peers: RawPeer[] = [];
afterEach(async () => {
  await network.stopAll();
  await Promise.all(peers.splice(0).map((peer) => peer.stop()));
});

const LIMITS = { timeoutMs: 2_000, answerBytesMax: 1_000_000 };

async function pair(limits: NodeOptions['limits'] = {}): Promise<[TestNode, TestNode]> {
  const [a, b] = [makeValidator(), makeValidator()];
  network = new TestNetwork(new Committee(a, b));
  const asker = await network.node({ validator: a });
  const answerer = await network.node({ validator: b, bootstrap: [asker.address], limits });
  await until(() => connected(asker, answerer));
  return [asker, answerer];
}

function ask(from: TestNode, to: TestNode, question = utf8('?'), limits = LIMITS) {
  return from.transport.request(from.peer(to).id, question, limits);
}

test('a question gets its answer, many at a time, each its own', async () => {
  const [asker, answerer] = await pair();
  answerer.answer = async (_, question) => {
    await pause(question[0] as number);
    return new Uint8Array(1_000 * (question[0] as number)).fill(question[0] as number);
  };
  const answers = await Promise.all([30, 1, 20, 0, 10].map((mark) => ask(asker, answerer, Uint8Array.of(mark))));
  expect(answers.map((answer) => answer.ok && [answer.value.length, answer.value[0]])).toEqual([
    [30_000, 30],
    [1_000, 1],
    [20_000, 20],
    [0, undefined],
    [10_000, 10],
  ]);
});

test('the largest answer passes whole', async () => {
  const [asker, answerer] = await pair();
  const large = new Uint8Array(4 * 1024 * 1024).map((_, i) => i % 253);
  answerer.answer = async () => large;
  const answer = await ask(asker, answerer, utf8('?'), { timeoutMs: 20_000, answerBytesMax: large.length });
  expect(answer.ok && Buffer.compare(answer.value, large)).toBe(0);
});

test('no answer is told apart from an empty one', async () => {
  const [asker, answerer] = await pair();
  answerer.answer = async () => undefined;
  expect(codeOf(await ask(asker, answerer))).toBe('NO_ANSWER');
  answerer.answer = async () => new Uint8Array(0);
  expect(await ask(asker, answerer)).toEqual({ ok: true, value: new Uint8Array(0) });
});

// @mutation packages/network/src/requests.ts
// -       dialogue = new FrameStream(stream, answerBytesMax);
// +       dialogue = new FrameStream(stream, answerBytesMax + 1);
test('an answer above the limit is refused by its announced length', async () => {
  const [asker, answerer] = await pair();
  answerer.answer = async () => new Uint8Array(11);
  expect(codeOf(await ask(asker, answerer, utf8('?'), { timeoutMs: 2_000, answerBytesMax: 10 }))).toBe('TOO_LARGE');
});

test('an answer that does not come in time is a timeout', async () => {
  const [asker, answerer] = await pair();
  answerer.answer = () => new Promise(() => undefined);
  expect(codeOf(await ask(asker, answerer, utf8('?'), { timeoutMs: 50, answerBytesMax: 10 }))).toBe('TIMEOUT');
});

test('a connection that ends takes its questions with it', async () => {
  const [asker, answerer] = await pair();
  const { id } = asker.peer(answerer);
  const asked = new Promise<void>((resolve) => {
    answerer.answer = () => {
      resolve();
      return new Promise(() => undefined);
    };
  });
  const answer = ask(asker, answerer);
  await asked;
  await network.stop(answerer);
  expect(codeOf(await answer)).toBe('DISCONNECTED');
  expect(codeOf(await asker.transport.request(id, utf8('?'), LIMITS))).toBe('DISCONNECTED');
  expect(asker.transport.counters()).toMatchObject({ requestsFailed: 1 });
});

// @mutation packages/network/src/requests.ts
// -     const overRate = !link.requestRate.tryTake(1, clock.nowMs()) || link.answering >= limits.requestsPerPeerMax;
// +     const overRate = !link.requestRate.tryTake(1, clock.nowMs());
test('what one peer may have answered at a time is bounded, and asking for more costs it', async () => {
  const [asker, answerer] = await pair({ requestsPerPeerMax: 2 });
  let waiting = 0;
  answerer.answer = () => {
    waiting++;
    return new Promise(() => undefined);
  };
  const limits = { timeoutMs: 500, answerBytesMax: 10 };
  const answers = await Promise.all([1, 2, 3].map(() => ask(asker, answerer, utf8('?'), limits)));
  expect(Map.groupBy(answers.map(codeOf), String)).toEqual(
    new Map([
      ['NO_ANSWER', ['NO_ANSWER']],
      ['TIMEOUT', ['TIMEOUT', 'TIMEOUT']],
    ]),
  );
  expect([waiting, answerer.transport.peerInfo()[0]?.score !== 0]).toEqual([2, true]);
});

// @mutation packages/network/src/requests.ts
// -     if (overRate || this.#answering >= limits.requestsAnsweringMax) {
// +     if (overRate) {
test('what all peers together may have answered at a time is bounded, and is nobody’s fault', async () => {
  const [asker, answerer] = await pair({ requestsAnsweringMax: 1 });
  answerer.answer = () => new Promise(() => undefined);
  const limits = { timeoutMs: 500, answerBytesMax: 10 };
  const answers = await Promise.all([1, 2].map(() => ask(asker, answerer, utf8('?'), limits)));
  expect(new Set(answers.map(codeOf))).toEqual(new Set(['NO_ANSWER', 'TIMEOUT']));
  expect(answerer.transport.peerInfo()[0]?.score).toBe(0);
});

test('requests beyond the rate are refused', async () => {
  const rate = { bytesPerSecond: 1e6, framesPerSecond: 1_000, requestsPerSecond: 5 };
  const [asker, answerer] = await pair({ validatorRate: rate });
  const codes = [];
  for (let i = 0; i < 8; i++) codes.push(codeOf(await ask(asker, answerer)));
  expect(codes.filter((code) => code === 'NO_ANSWER').length).toBeGreaterThanOrEqual(2);
});

// @mutation packages/network/src/requests.ts
// -     const turn = await link.questions.take(timeout.signal);
// +     const turn = timeout.signal !== null;
test('questions to one peer beyond their number wait for their turn, no longer than their time', async () => {
  const [a, b] = [makeValidator(), makeValidator()];
  network = new TestNetwork(new Committee(a, b));
  const asker = await network.node({ validator: a, limits: { questionsPerPeerMax: 2, addressesIntervalMs: 60_000 } });
  const answerer = await network.node({ validator: b, bootstrap: [asker.address] });
  await until(() => connected(asker, answerer));
  // Both ask one another for addresses first, and that takes a turn as well.
  await pause(200);
  let answering = 0;
  let most = 0;
  answerer.answer = async (_, question) => {
    most = Math.max(most, ++answering);
    await pause(question[0] === 0 ? 10_000 : 20);
    answering--;
    return question;
  };
  const answers = await Promise.all([1, 2, 3, 4, 5, 6].map((mark) => ask(asker, answerer, Uint8Array.of(mark))));
  expect([answers.map((answer) => answer.ok && answer.value[0]), most]).toEqual([[1, 2, 3, 4, 5, 6], 2]);
  const hanging = [ask(asker, answerer, Uint8Array.of(0)), ask(asker, answerer, Uint8Array.of(0))];
  const late = await ask(asker, answerer, Uint8Array.of(1), { timeoutMs: 100, answerBytesMax: 10 });
  expect([codeOf(late), most]).toEqual(['TIMEOUT', 2]);
  await Promise.all(hanging);
});

async function intruder(node: TestNode): Promise<{ peer: RawPeer; connection: Awaited<ReturnType<RawPeer['dial']>> }> {
  const peer = await RawPeer.create();
  peers.push(peer);
  const { connection } = await peer.enter(node, peer.admissionOptions(network.committee));
  await until(() => node.transport.peers().some(({ id }) => id.startsWith(peer.peerId)));
  return { peer, connection };
}

async function lone(limits: NodeOptions['limits'] = {}): Promise<TestNode> {
  network = new TestNetwork(new Committee());
  return network.node({ limits });
}

test('a question above the limit is not read, and its sender is banned', async () => {
  const node = await lone({ questionBytesMax: 100 });
  const { peer, connection } = await intruder(node);
  const stream = await connection.newStream('/nacre/1/request');
  stream.send(lengthPrefix(101));
  await until(() => connection.status !== 'open');
  expect(node.transport.counters().disconnected).toEqual({ BANNED: 1 });
  await peer.dial(node).catch(() => undefined);
  await until(() => refusals(node).BANNED !== undefined);
  expect(refusals(node).BANNED).toBe(1);
});

test('a question that never ends is given up in time, its place is free again', async () => {
  const node = await lone({ requestsAnsweringMax: 1, answerTimeoutMs: 200 });
  const { connection } = await intruder(node);
  const stream = await connection.newStream('/nacre/1/request');
  stream.send(lengthPrefix(50));
  await until(() => stream.status !== 'open');
  const second = await connection.newStream('/nacre/1/request');
  second.send(lengthPrefix(0));
  const answer = await new Promise<{ readonly data: { subarray(): Uint8Array } }>((resolve) => second.addEventListener('message', resolve));
  expect(Uint8Array.from(answer.data.subarray())).toEqual(lengthPrefix(0));
});

test('a question that is cut off costs its sender nothing', async () => {
  const node = await lone();
  const { connection } = await intruder(node);
  const stream = await connection.newStream('/nacre/1/request');
  stream.send(lengthPrefix(50));
  await stream.close();
  await until(() => node.transport.counters().requestsRefused === 1);
  expect(node.transport.peerInfo()[0]?.score).toBe(0);
});
