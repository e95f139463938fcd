import { utf8 } from '@nacre/base';
import { afterEach, expect, test } from 'vitest';
import { encodeAdmission } from '../src/admission-messages.ts';
import { FrameStream } from '../src/frame-stream.ts';
import { FakeClock } from './support/fake-clock.ts';
import {
  Committee,
  connected,
  makeValidator,
  type NodeOptions,
  pause,
  random,
  refusals,
  TestNetwork,
  type TestNode,
  until,
} from './support/nodes.ts';
import { RawPeer } from './support/raw-peer.ts';

/** Unlike every other delay. */
const ADMISSION_TIMEOUT_MS = 12_345;

let network: TestNetwork;
const peers: RawPeer[] = [];
afterEach(async () => {
  await network.stopAll();
  await Promise.all(peers.splice(0).map((peer) => peer.stop()));
});

async function rawPeer(...options: Parameters<typeof RawPeer.create>): Promise<RawPeer> {
  const peer = await RawPeer.create(...options);
  peers.push(peer);
  return peer;
}

/** A validator that listens, and nobody else yet. */
async function lone(options: NodeOptions = {}): Promise<TestNode> {
  const validator = makeValidator();
  network = new TestNetwork(new Committee(validator));
  return network.node({ validator, ...options });
}

/** A validator that listens and a second node that dials it. */
async function pair(options: NodeOptions, own: NodeOptions = {}): Promise<[TestNode, TestNode]> {
  const node = await lone(own);
  return [node, await network.node({ bootstrap: [node.address], ...options })];
}

// @mutation packages/network/src/admission.ts
// -   if (!bytesEqual(hello.genesisHash, options.genesisHash)) return 'WRONG_GENESIS';
// +   if (hello.genesisHash.length === 0) return 'WRONG_GENESIS';
test('a peer of another network is refused, and both sides say why', async () => {
  const [node, stranger] = await pair({ genesisHash: random.bytes(32) });
  await until(() => refusals(node).WRONG_GENESIS !== undefined && refusals(stranger).WRONG_GENESIS !== undefined);
  expect(node.events('connection refused')[0]).toMatchObject({
    code: 'WRONG_GENESIS',
    peerId: stranger.transport.peerId,
    direction: 'inbound',
  });
  expect([node.transport.peers(), stranger.transport.peers()]).toEqual([[], []]);
});

// @mutation packages/network/src/admission.ts
// -   return hello.protocolVersion === options.protocolVersion ? null : 'WRONG_VERSION';
// +   return null;
test('a peer of another protocol version is refused', async () => {
  const [node, stranger] = await pair({ protocolVersion: 2 });
  await until(() => refusals(node).WRONG_VERSION !== undefined && refusals(stranger).WRONG_VERSION !== undefined);
  expect(node.transport.peers()).toEqual([]);
});

// @mutation packages/network/src/admission.ts
// -   return options.verifier.verify({ publicKey: candidate.key, message: challengeBytes(challenge), context: ADMISSION_CONTEXT, signature });
// +   return true;
test('the address of a validator without its key is refused', async () => {
  const [victim, thief] = [makeValidator(), makeValidator()];
  network = new TestNetwork(new Committee(victim));
  const node = await network.node({ validator: makeValidator() });
  const liar = await network.node({ bootstrap: [node.address], identity: { address: victim.address, signer: thief.signer } });
  await until(() => refusals(node).BAD_PROOF !== undefined && refusals(liar).BAD_PROOF !== undefined);
  expect(liar.events('connection refused')[0]).toMatchObject({ code: 'BAD_PROOF', byPeer: true });
  expect(node.transport.peers()).toEqual([]);
});

test('an address that is in no committee counts as a follower, whatever it claims', async () => {
  const [node, follower] = await pair({ validator: makeValidator() });
  await until(() => connected(node, follower));
  expect(node.peer(follower).validator).toBeUndefined();
});

// @mutation packages/network/src/admission.ts
// -     signerNonce: theirs.nonce,
// -     verifierNonce: own.nonce,
// +     signerNonce: theirs.nonce,
// +     verifierNonce: theirs.nonce,
// @mutation packages/network/src/admission.ts
// -     signerPeerId: connection.remotePeerId,
// +     signerPeerId: options.peerId,
test('a validator proves itself to an honest node', async () => {
  const validator = makeValidator();
  const node = await lone();
  network.committee.add(validator);
  const peer = await rawPeer();
  const { connection } = await peer.enter(node, peer.admissionOptions(network.committee, validator));
  await until(() => node.transport.peers().some((known) => known.validator !== undefined));
  await connection.close();
  expect(refusals(node)).toEqual({});
});

const FOREIGN_BINDINGS = [
  ['another exporter', random.bytes(32)],
  ['no exporter', new Uint8Array(0)],
] as const;

// @mutation packages/network/src/admission.ts
// -     verifierNonce: own.nonce,
// -     binding: connection.binding,
// +     verifierNonce: own.nonce,
// +     binding: new Uint8Array(0),
test.each(FOREIGN_BINDINGS)('who sits in the middle cannot pass a proof on: one over %s is refused', async (_, binding) => {
  const validator = makeValidator();
  const node = await lone();
  network.committee.add(validator);
  const peer = await rawPeer();
  const connection = await peer.dial(node);
  // It does not look at the node's own proof, which would not hold over that binding either.
  const options = { ...peer.admissionOptions(network.committee, validator), validatorKey: () => undefined };
  const refusal = { ok: false, error: { code: 'BAD_PROOF', byPeer: true } };
  expect(await peer.negotiate(connection, options, binding)).toMatchObject(refusal);
  await until(() => refusals(node).BAD_PROOF === 1);
});

test('a proof made for another peer is refused, even over this very connection', async () => {
  const validator = makeValidator();
  const [node, other] = await pair({});
  network.committee.add(validator);
  const peer = await rawPeer();
  const connection = await peer.dial(node);
  const options = peer.admissionOptions(network.committee, validator);
  const elsewhere = { ...options, peerId: utf8(other.transport.peerId), validatorKey: () => undefined };
  expect(await peer.negotiate(connection, elsewhere)).toMatchObject({ ok: false, error: { code: 'BAD_PROOF', byPeer: true } });
});

// @mutation packages/network/src/admission-desk.ts
// -     if (follower && followerAllowlist !== null && !followerAllowlist.has(peerId)) return 'NOT_ALLOWED';
// +     if (follower && followerAllowlist !== null && followerAllowlist.has(peerId)) return 'NOT_ALLOWED';
test('with an allowlist, followers beside it are refused and those on it are let in', async () => {
  const seed = random.bytes(32);
  const listed = await rawPeer({ seed });
  const [node, stranger] = await pair({}, { followerAllowlist: [listed.peerId] });
  await until(() => refusals(node).NOT_ALLOWED !== undefined && refusals(stranger).NOT_ALLOWED !== undefined);
  await listed.enter(node, listed.admissionOptions(network.committee));
  await until(() => node.transport.peers().length === 1);
  expect(node.transport.peers()[0]?.id).toContain(listed.peerId);
});

test('an allowlist of followers holds up no validator', async () => {
  const [a, b] = [makeValidator(), makeValidator()];
  network = new TestNetwork(new Committee(a, b));
  const left = await network.node({ validator: a, followerAllowlist: [] });
  const right = await network.node({ validator: b, bootstrap: [left.address], followerAllowlist: [] });
  await until(() => connected(left, right));
  expect([refusals(left), refusals(right)]).toEqual([{}, {}]);
});

// @mutation packages/network/src/admission-desk.ts
// -     if (follower && links.followersBeside(peerId) >= limits.followersMax) return 'TOO_MANY';
// +     if (follower && links.followersBeside(peerId) > limits.followersMax) return 'TOO_MANY';
test('followers beyond their number are refused until one leaves; validators are not', async () => {
  const [a, b] = [makeValidator(), makeValidator()];
  network = new TestNetwork(new Committee(a, b));
  const node = await network.node({ validator: a, limits: { followersMax: 1 } });
  const bootstrap = [node.address];
  const first = await network.node({ bootstrap });
  await until(() => connected(node, first));
  const second = await network.node({ bootstrap });
  await until(() => refusals(second).TOO_MANY !== undefined);
  const validator = await network.node({ validator: b, bootstrap });
  await until(() => connected(node, validator));
  expect(node.knows(second)).toBe(false);
  await network.stop(first);
  await until(() => connected(node, second));
});

// @mutation packages/network/src/admission-desk.ts
// -       timer: clock.schedule(limits.admissionTimeoutMs, () => this.#refuse(pending, { code: 'TIMEOUT' })),
// +       timer: clock.schedule(1e6, () => this.#refuse(pending, { code: 'TIMEOUT' })),
test.each(['says nothing', 'is let in and opens no lane'])('a connection that %s is closed in time', async (behaviour) => {
  const clock = new FakeClock();
  const node = await lone({ clock, limits: { admissionTimeoutMs: ADMISSION_TIMEOUT_MS } });
  const peer = await rawPeer();
  const connection = await peer.dial(node);
  await until(() => clock.isWaiting(ADMISSION_TIMEOUT_MS));
  if (behaviour !== 'says nothing') await peer.negotiate(connection, peer.admissionOptions(network.committee));
  clock.advance(ADMISSION_TIMEOUT_MS);
  await until(() => connection.status !== 'open');
  expect(refusals(node)).toEqual({ TIMEOUT: 1 });
  expect(node.connections).toEqual([]);
});

test('a dialogue that stops in the middle ends in time', async () => {
  const clock = new FakeClock();
  const node = await lone({ clock, limits: { admissionTimeoutMs: ADMISSION_TIMEOUT_MS } });
  const peer = await rawPeer();
  const connection = await peer.dial(node);
  const dialogue = new FrameStream(await connection.newStream('/nacre/1/admission'), 8_192);
  const { genesisHash } = network.committee;
  const hello = { genesisHash, protocolVersion: 1, nonce: random.bytes(32), instance: random.bytes(16), claim: null };
  dialogue.write(encodeAdmission({ kind: 'hello', hello }));
  await until(() => clock.isWaiting(ADMISSION_TIMEOUT_MS));
  clock.advance(ADMISSION_TIMEOUT_MS);
  await until(() => refusals(node).TIMEOUT === 1);
  expect(node.connections).toEqual([]);
});

// @mutation packages/network/src/admission-desk.ts
// -     if (this.#pending.size >= limits.unadmittedMax) {
// +     if (this.#pending.size > limits.unadmittedMax) {
test('connections without admission are bounded in number', async () => {
  const node = await lone({ limits: { unadmittedMax: 2 } });
  const many = await Promise.all([rawPeer(), rawPeer(), rawPeer()]);
  // One after the other: libp2p bounds the handshakes under way on its own.
  for (const peer of many) await peer.dial(node).catch(() => undefined);
  await until(() => refusals(node).TOO_MANY === 1);
  expect(refusals(node)).toEqual({ TOO_MANY: 1 });
});

test('another protocol is served to nobody before admission', async () => {
  const node = await lone();
  const peer = await rawPeer();
  const connection = await peer.dial(node);
  for (const protocol of ['/nacre/1/lane', '/nacre/1/request', '/nacre/1/addresses']) {
    const stream = await connection.newStream(protocol);
    if (stream.status === 'open') stream.send(new Uint8Array(8));
    void stream.close().catch(() => undefined);
  }
  await pause(100);
  expect(node.frames).toEqual([]);
  expect(node.transport.counters().requestsAnswered).toBe(0);
  expect((await peer.negotiate(connection, peer.admissionOptions(network.committee))).ok).toBe(true);
});

test.each([
  ['garbage', new Uint8Array(100).fill(7)],
  ['another version of the dialogue', Uint8Array.of(2, 0)],
  ['the answer to no question', encodeAdmission({ kind: 'verdict', refusal: null })],
  ['an early proof', encodeAdmission({ kind: 'proof', signature: new Uint8Array(0) })],
  ['an empty message', new Uint8Array(0)],
])('a peer that greets with %s is refused', async (_, greeting) => {
  const node = await lone();
  const peer = await rawPeer();
  const connection = await peer.dial(node);
  const dialogue = new FrameStream(await connection.newStream('/nacre/1/admission'), 8_192);
  dialogue.write(greeting);
  await until(() => connection.status !== 'open');
  expect((refusals(node).MALFORMED ?? 0) + (refusals(node).WRONG_VERSION ?? 0)).toBe(1);
});

test('a peer that leaves in the middle of admission is forgotten', async () => {
  const node = await lone({ limits: { unadmittedMax: 2 } });
  const leaver = await rawPeer();
  await (await leaver.dial(node)).close();
  await until(() => refusals(node).CLOSED === 1);
  const peer = await rawPeer();
  await peer.enter(node, peer.admissionOptions(network.committee));
  expect(refusals(node)).toEqual({ CLOSED: 1 });
});
