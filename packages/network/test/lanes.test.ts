import { FRAME_BYTES_MAX, fromUtf8, utf8 } from '@nacre/base';
import { afterEach, expect, test } from 'vitest';
import { Committee, connected, makeValidator, pause, TestNetwork, type TestNode, until } from './support/nodes.ts';

let network: TestNetwork;
afterEach(() => network.stopAll());

/** Validators that know the first one's address, then followers that do, all connected to the first. */
async function star(validators: number, followers: number): Promise<TestNode[]> {
  const members = Array.from({ length: validators }, makeValidator);
  network = new TestNetwork(new Committee(...members));
  const nodes: TestNode[] = [];
  for (let i = 0; i < validators + followers; i++) {
    const [validator] = members.slice(i, i + 1);
    nodes.push(await network.node({ bootstrap: nodes.slice(0, 1).map(({ address }) => address), ...(validator && { validator }) }));
  }
  const [first, ...rest] = nodes as [TestNode, ...TestNode[]];
  await until(() => rest.every((node) => connected(node, first)));
  return nodes;
}

const texts = (node: TestNode) => node.frames.map(({ frame }) => fromUtf8(frame));

test('validators exchange frames both ways, in order and whole', async () => {
  const [left, right] = (await star(2, 0)) as [TestNode, TestNode];
  const sizes = [0, 1, 70_000, 300_000, 5, FRAME_BYTES_MAX];
  for (const size of sizes) {
    left.transport.send(left.peer(right).id, new Uint8Array(size).fill(size % 251));
    right.transport.send(right.peer(left).id, new Uint8Array(size).fill(size % 251));
  }
  await until(() => left.frames.length === sizes.length && right.frames.length === sizes.length);
  for (const node of [left, right]) {
    expect(node.frames.map(({ frame }) => frame.length)).toEqual(sizes);
    expect(node.frames.every(({ frame }) => frame.every((byte) => byte === frame.length % 251))).toBe(true);
  }
  expect(left.frames[0]?.peer).toBe(left.peer(right));
});

// @mutation packages/network/src/neighbours.ts
// -       if (committeePair === (lane === 'committee')) yield link;
// +       yield link;
test('the committee lane reaches validators alone, the gossip lane everyone else', async () => {
  const [a, b, follower] = (await star(2, 1)) as [TestNode, TestNode, TestNode];
  await until(() => connected(b, follower));
  a.transport.broadcast('committee', utf8('vote'));
  a.transport.broadcast('gossip', utf8('block'));
  follower.transport.broadcast('committee', utf8('nobody'));
  follower.transport.broadcast('gossip', utf8('transaction'));
  await until(() => [a, b, follower].every(({ frames }) => frames.length > 0));
  await pause(50);
  expect([texts(a), texts(follower)]).toEqual([['transaction'], ['block']]);
  // Two connections: nothing orders one before the other.
  expect(new Set(texts(b))).toEqual(new Set(['transaction', 'vote']));
  expect(b.frames.length).toBe(2);
});

// @mutation packages/network/src/neighbours.ts
// -     for (const link of receivers) link.lane?.enqueue(frame, urgency);
// +     for (const link of receivers) link.lane?.enqueue(frame, 'urgent');
test('what is urgent arrives before the bulk that was handed over with it', async () => {
  const [a, b] = (await star(2, 0)) as [TestNode, TestNode];
  a.transport.broadcast('committee', utf8('transactions'), 'bulk');
  a.transport.broadcast('committee', utf8('vote'));
  await until(() => b.frames.length === 2);
  expect(texts(b)).toEqual(['vote', 'transactions']);
});

test('a peer is told of before its frames, with the validator that it has proven to be', async () => {
  const [a, b] = [makeValidator(), makeValidator()];
  network = new TestNetwork(new Committee(a, b));
  const left = await network.node({ validator: a });
  left.onConnected = (peer) => left.transport.send(peer.id, utf8('welcome'));
  const right = await network.node({ validator: b, bootstrap: [left.address] });
  right.onConnected = (peer) => right.transport.send(peer.id, utf8('thanks'));
  await until(() => left.frames.length > 0 && right.frames.length > 0);
  expect(left.connections.map(({ peer }) => peer.validator && Buffer.from(peer.validator))).toEqual([Buffer.from(b.address)]);
  expect(right.connections.map(({ peer }) => peer.validator && Buffer.from(peer.validator))).toEqual([Buffer.from(a.address)]);
  expect([texts(left), texts(right)]).toEqual([['thanks'], ['welcome']]);
});

test('peers are described for operators, and everything is counted', async () => {
  const [left, right] = (await star(2, 0)) as [TestNode, TestNode];
  right.transport.broadcast('committee', new Uint8Array(1_000));
  await until(() => left.frames.length === 1 && left.transport.peerInfo()[0]?.latencyMs !== null);
  expect(left.transport.peerInfo()[0]).toMatchObject({
    peerId: right.transport.peerId,
    direction: 'inbound',
    security: { protocol: 'tls', group: 'X25519MLKEM768 (pinned)' },
    score: 0,
  });
  expect(right.transport.peerInfo()[0]).toMatchObject({ direction: 'outbound', security: { protocol: 'tls', group: 'X25519MLKEM768' } });
  expect(left.transport.peerInfo()[0]?.bytesIn).toBeGreaterThanOrEqual(1_000);
  expect(left.transport.counters()).toMatchObject({ admitted: 1, framesIn: 1, refused: {}, disconnected: {} });
  expect(right.transport.counters()).toMatchObject({ admitted: 1, framesOut: 1, dials: 1, dialFailures: 0 });
});

test('a frame to a peer that has gone is lost without a word', async () => {
  const [left, right] = (await star(2, 0)) as [TestNode, TestNode];
  const { id } = left.peer(right);
  await network.stop(right);
  await until(() => left.transport.peers().length === 0);
  left.transport.send(id, utf8('anyone?'));
  left.transport.broadcast('committee', utf8('anyone?'));
  expect(left.connections.map(({ kind }) => kind)).toEqual(['connected', 'disconnected']);
  expect(left.transport.counters().disconnected).toEqual({ CLOSED: 1 });
});
