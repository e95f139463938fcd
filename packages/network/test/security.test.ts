import { connect } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { NetworkError } from '../src/network-error.ts';
import {
  Committee,
  connected,
  makeValidator,
  type NodeOptions,
  pause,
  refusals,
  TestNetwork,
  type TestNode,
  until,
} from './support/nodes.ts';

let network: TestNetwork;
afterEach(() => network.stopAll());

/** Two validators; the second dials the first. */
async function validators(left: NodeOptions, right: NodeOptions): Promise<[TestNode, TestNode]> {
  const [a, b] = [makeValidator(), makeValidator()];
  network = new TestNetwork(new Committee(a, b));
  const listener = await network.node({ validator: a, ...left });
  return [listener, await network.node({ validator: b, bootstrap: [listener.address], ...right })];
}

const groups = (node: TestNode) => node.transport.peerInfo().map(({ security }) => security);

test('links use the hybrid group: the dialer reads it, the listener names its pin', async () => {
  const [listener, dialer] = await validators({}, {});
  await until(() => connected(listener, dialer));
  expect(groups(dialer)).toEqual([{ protocol: 'tls', group: 'X25519MLKEM768' }]);
  expect(groups(listener)).toEqual([{ protocol: 'tls', group: 'X25519MLKEM768 (pinned)' }]);
});

test('what the dialer reports is what was negotiated: where X25519 is pinned, it says so', async () => {
  const [listener, dialer] = await validators({ tlsGroups: 'X25519' }, { tlsGroups: 'X25519:P-256' });
  await until(() => connected(listener, dialer));
  expect(groups(dialer)).toEqual([{ protocol: 'tls', group: 'X25519' }]);
  expect(groups(listener)).toEqual([{ protocol: 'tls', group: 'X25519 (pinned)' }]);
});

const CLASSICAL_PEERS = [
  ['a dialer that offers classical groups only', {}, { tlsGroups: 'X25519' }],
  ['a listener that accepts classical groups only', { tlsGroups: 'X25519' }, {}],
  ['a dialer that speaks noise', {}, { security: 'noise' }],
  ['a listener that speaks noise', { security: 'noise' }, {}],
] as const;

// @mutation packages/network/src/pinned-tls.ts
// -       const context = createSecureContext({ ...certificate, minVersion: 'TLSv1.3', maxVersion: 'TLSv1.3', ecdhCurve: groups });
// +       const context = createSecureContext({ ...certificate, minVersion: 'TLSv1.3', maxVersion: 'TLSv1.3' });
test.each(CLASSICAL_PEERS)('%s is refused, and both sides count it', async (_, left, right) => {
  const [listener, dialer] = await validators(left, right);
  await until(() => refusals(listener).INSECURE !== undefined && refusals(dialer).INSECURE !== undefined);
  expect([listener.transport.peers(), dialer.transport.peers()]).toEqual([[], []]);
  expect(listener.events('connection refused')[0]).toMatchObject({ code: 'INSECURE', direction: 'inbound' });
});

test('nodes whose configuration says so speak noise, and nothing binds their proofs to the connection', async () => {
  const [listener, dialer] = await validators({ security: 'noise' }, { security: 'noise' });
  await until(() => connected(listener, dialer));
  expect([...groups(listener), ...groups(dialer)]).toEqual(Array(2).fill({ protocol: 'noise', group: 'X25519' }));
  expect(listener.peer(dialer).validator).toBeDefined();
});

test('a port scan is refused and counted', async () => {
  const [listener] = await validators({}, {});
  const port = Number(/tcp\/(\d+)/.exec(listener.address)?.[1]);
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write('GET / HTTP/1.1\r\n\r\n');
  await until(() => refusals(listener).INSECURE !== undefined);
  expect(refusals(listener)).toEqual({ INSECURE: 1 });
  socket.destroy();
});

test('a dialer that expects another peer at an address goes away', async () => {
  const [a, b] = [makeValidator(), makeValidator()];
  network = new TestNetwork(new Committee(a, b));
  const listener = await network.node({ validator: a });
  const other = await network.node();
  const dialer = await network.node({ validator: b, bootstrap: [`${listener.bareAddress}/p2p/${other.transport.peerId}`] });
  await until(() => refusals(dialer).INSECURE !== undefined);
  expect(dialer.transport.peers()).toEqual([]);
});

const fresh = () => {
  network = new TestNetwork(new Committee());
  return network;
};
const codeOf = (attempt: Promise<unknown>) =>
  attempt.then(
    () => 'none',
    (error: unknown) => (error instanceof NetworkError ? error.code : String(error)),
  );

test.each([
  [{ tlsGroups: 'X25519MLKEM768:NOSUCHGROUP9' }, 'TLS_GROUPS_UNSUPPORTED'],
  [{ peerKey: new Uint8Array(31) }, 'PEER_KEY_INVALID'],
  [{ listen: ['/ip4/127.0.0.1/udp/1'] }, 'MULTIADDR_INVALID'],
  [{ listen: ['nonsense'] }, 'MULTIADDR_INVALID'],
  [{ bootstrap: ['/ip4/127.0.0.1/tcp/1/p2p/nobody'] }, 'MULTIADDR_INVALID'],
  [{ announce: ['/ip4/127.0.0.1/tcp/1/ws'] }, 'MULTIADDR_INVALID'],
  [{ listen: ['/ip4/203.0.113.7/tcp/0'] }, 'LISTEN_FAILED'],
] as const)('options that cannot work are refused: %o is %s', async (options, code) => {
  expect(await codeOf(fresh().idle(options))).toBe(code);
});

test('a busy port is named', async () => {
  const node = await fresh().idle();
  const attempt = network.idle({ listen: [node.bareAddress] });
  expect(await codeOf(attempt)).toBe('PORT_BUSY');
  await expect(attempt).rejects.toMatchObject({ fields: { address: node.bareAddress } });
});

// @mutation packages/network/src/admission-desk.ts
// -     await Promise.race([this.#opening.promise, pending.outcome.promise]);
// +     await Promise.resolve(this.#opening);
test('whoever comes before the start waits for it', async () => {
  const validator = makeValidator();
  network = new TestNetwork(new Committee(validator));
  const limits = { admissionTimeoutMs: 60_000 };
  const listener = await network.idle({ validator, limits });
  const started = await network.node();
  const dialer = await network.node({ bootstrap: [listener.address, started.address], limits });
  // By then the other one would have let it in as well.
  await until(() => connected(started, dialer));
  await pause(300);
  expect([listener.transport.peers(), dialer.knows(listener)]).toEqual([[], false]);
  listener.start();
  await until(() => connected(listener, dialer));
  expect([dialer.transport.counters().dials, refusals(dialer)]).toEqual([2, {}]);
});
