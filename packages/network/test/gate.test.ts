import { afterEach, expect, test } from 'vitest';
import { NetworkError } from '../src/network-error.ts';
import {
  Committee,
  connected,
  makeValidator,
  pause,
  refusals,
  TestNetwork,
  type TestNode,
  until,
  type Validator,
} from './support/nodes.ts';

let network: TestNetwork;
afterEach(() => network.stopAll());

async function pair(): Promise<{ left: TestNode; right: TestNode; a: Validator; b: Validator }> {
  const [a, b] = [makeValidator(), makeValidator()];
  network = new TestNetwork(new Committee(a, b));
  const left = await network.node({ validator: a });
  const right = await network.node({ validator: b, bootstrap: [left.address] });
  await until(() => connected(left, right));
  // From now on each of them can dial the other.
  await until(() => [left, right].every((node) => node.events('addresses learned').length === 1));
  return { left, right, a, b };
}

// @mutation packages/network/src/admission-desk.ts
// -     if (gate.blocks(peerId) || gate.blocks(claimed)) return 'BLOCKED';
// +     if (gate.blocks(peerId)) return 'BLOCKED';
test('a validator blocked by its address is cut off, whoever dials, until it is allowed again', async () => {
  const { left, right, b } = await pair();
  left.transport.gate.block(b.name);
  await until(() => !connected(left, right) && right.transport.peers().length === 0);
  await until(() => (refusals(left).BLOCKED ?? 0) > 0);
  expect(left.transport.gate.list()).toEqual([b.name]);
  expect(left.transport.counters().disconnected).toEqual({ BLOCKED: 1 });
  left.transport.gate.allow(b.name);
  await until(() => connected(left, right));
});

// @mutation packages/network/src/libp2p-transport.ts
// -       for (const link of [...this.#links.all()]) if (link.isNamed(peer)) this.#neighbours.drop(link, 'BLOCKED');
// +       for (const link of [...this.#links.all()]) if (link.isNamed('')) this.#neighbours.drop(link, 'BLOCKED');
test('a peer blocked by its peer id is not dialled, and refused when it dials', async () => {
  const { left, right } = await pair();
  right.transport.gate.block(left.transport.peerId);
  await until(() => left.transport.peers().length === 0 && right.transport.peers().length === 0);
  const { dials } = right.transport.counters();
  await until(() => (refusals(right).BLOCKED ?? 0) > 0);
  expect(right.transport.counters().dials).toBe(dials);
  right.transport.gate.allow(left.transport.peerId);
  await until(() => connected(left, right));
});

test('a partition of four into halves holds on both sides and heals', async () => {
  const validators = Array.from({ length: 4 }, makeValidator);
  network = new TestNetwork(new Committee(...validators));
  const nodes: TestNode[] = [];
  for (const validator of validators) nodes.push(await network.node({ validator, bootstrap: nodes.map(({ address }) => address) }));
  const [a, b, c, d] = nodes as [TestNode, TestNode, TestNode, TestNode];
  await until(() => nodes.every((node) => node.transport.peers().length === 3));
  for (const node of [a, b]) for (const other of [c, d]) node.transport.gate.block(other.transport.peerId);
  for (const node of [c, d]) for (const other of [a, b]) node.transport.gate.block(other.transport.peerId);
  await until(() => nodes.every((node) => node.transport.peers().length === 1));
  await pause(500);
  expect([connected(a, b), connected(c, d), connected(a, c), connected(b, d)]).toEqual([true, true, false, false]);
  for (const node of nodes) for (const peer of node.transport.gate.list()) node.transport.gate.allow(peer);
  await until(() => nodes.every((node) => node.transport.peers().length === 3));
});

// @mutation packages/network/src/libp2p-transport.ts
// -     this.#scoreboard.forgive(peer);
// +     this.#scoreboard.forgive('');
test('allowing a peer ends its ban', async () => {
  const { left, right, b } = await pair();
  left.transport.penalize(left.peer(right).id, { code: 'VOTE_SIGNATURE' });
  await until(() => (refusals(left).BANNED ?? 0) > 0 && right.transport.peers().length === 0);
  left.transport.gate.allow(b.name);
  await until(() => connected(left, right));
  expect(left.transport.peerInfo()[0]?.score).toBe(0);
});

test('what names no peer is refused', async () => {
  network = new TestNetwork(new Committee());
  const { gate } = (await network.idle()).transport;
  for (const name of ['', 'node1', '12D3KooW', 'nacre1qqqq']) {
    expect(() => gate.block(name)).toThrow(NetworkError);
    expect(() => gate.allow(name)).toThrow(expect.objectContaining({ code: 'PEER_UNKNOWN', fields: { peer: name } }));
  }
  expect(gate.list()).toEqual([]);
});
