import { SignerError } from '@nacre/base';
import { afterEach, expect, test } from 'vitest';
import { Committee, connected, makeValidator, pause, random, TestNetwork, type TestNode, until } from './support/nodes.ts';

let network: TestNetwork;
afterEach(() => network.stopAll());

const meshed = (nodes: readonly TestNode[]) => nodes.every((node) => nodes.every((other) => node === other || connected(node, other)));

// @mutation packages/network/src/reach.ts
// -     void this.#exchange.ask(link);
// +     void link;
test('validators that know one bootstrap peer find all the others', async () => {
  const validators = Array.from({ length: 4 }, makeValidator);
  network = new TestNetwork(new Committee(...validators));
  const [first] = validators;
  const nodes = [await network.node({ ...(first && { validator: first }), limits: { addressesIntervalMs: 60_000 } })];
  for (const validator of validators.slice(1)) {
    const bootstrap = [(nodes[0] as TestNode).bareAddress];
    nodes.push(await network.node({ validator, bootstrap, limits: { addressesIntervalMs: 60_000 } }));
    await until(() => connected(nodes[0] as TestNode, nodes.at(-1) as TestNode));
  }
  await until(() => meshed(nodes));
  expect(nodes.map((node) => node.transport.peers().length)).toEqual([3, 3, 3, 3]);
});

test('a node that comes back on its old address is found again by the others', async () => {
  const validators = Array.from({ length: 3 }, makeValidator);
  network = new TestNetwork(new Committee(...validators));
  const [a, b, c] = validators as [(typeof validators)[0], (typeof validators)[0], (typeof validators)[0]];
  const peerKey = random.bytes(32);
  const first = await network.node({ validator: a, peerKey });
  const others = [await network.node({ validator: b, bootstrap: [first.address] })];
  others.push(await network.node({ validator: c, bootstrap: [first.address] }));
  await until(() => meshed([first, ...others]));
  const listen = [first.bareAddress];
  await network.stop(first);
  await until(() => others.every((node) => node.transport.peers().length === 1));
  // It knows nobody: the others have to come to it.
  const returned = await network.node({ validator: a, peerKey, listen });
  await until(() => meshed([returned, ...others]));
  for (const { connections } of others) {
    const ids = connections.map(({ peer }) => peer.id).filter((id) => id.startsWith(first.transport.peerId));
    expect([ids.length, new Set(ids).size]).toEqual([3, 2]);
  }
});

test('nodes that dial one another at once end with one connection, and keep it', async () => {
  const validators = Array.from({ length: 3 }, makeValidator);
  network = new TestNetwork(new Committee(...validators));
  const nodes = [];
  for (const validator of validators) nodes.push(await network.idle({ validator, listen: ['/ip4/127.0.0.1/tcp/0'] }));
  const addresses = nodes.map((node) => node.bareAddress);
  const keys = nodes.map(() => random.bytes(32));
  await network.stopAll();
  const eager: TestNode[] = [];
  for (const [i, validator] of validators.entries()) {
    eager.push(await network.idle({ validator, peerKey: keys[i] as Uint8Array, listen: [addresses[i] as string], bootstrap: addresses }));
  }
  for (const node of eager) node.start();
  await until(() => meshed(eager));
  await pause(1_000);
  expect(meshed(eager)).toBe(true);
  for (const node of eager) {
    expect(node.transport.peers().length).toBe(2);
    expect(node.transport.counters().disconnected.CLOSED ?? 0).toBeLessThan(5);
  }
});

// @mutation packages/network/src/reach.ts
// -         if (!(error instanceof SignerError)) throw error;
// +         throw error;
// @mutation packages/network/src/admission.ts
// -     if (error instanceof SignerError) return null;
// +
test('a validator whose signer is away tells others and is let in when it is back', async () => {
  const [a, b] = [makeValidator(), makeValidator()];
  network = new TestNetwork(new Committee(a, b));
  const first = await network.node({ validator: a });
  // Twice before it can say where it is, and once when it has to prove who it is.
  const away = [1, 2, 4];
  let asked = 0;
  const sign: typeof b.signer.sign = async (...request) => {
    if (away.includes(++asked)) throw new SignerError('SIGNER_AWAY', 'away');
    return b.signer.sign(...request);
  };
  const identity = { address: b.address, signer: { publicKey: b.signer.publicKey, sign } };
  const second = await network.node({ identity, bootstrap: [first.address] });
  await until(() => connected(first, second));
  expect(asked).toBeGreaterThan(4);
  expect(second.events('connection refused')[0]).toMatchObject({ code: 'TIMEOUT', reason: 'own signer away' });
  expect(first.peer(second).validator).toEqual(b.address);
});

// @mutation packages/network/src/neighbours.ts
// -       if (!same) this.drop(link, 'MEMBERSHIP_CHANGED');
// +       if (!same && key !== null) this.drop(link, 'MEMBERSHIP_CHANGED');
test('who joins the committee, or leaves it, comes again with its new standing', async () => {
  const [a, b] = [makeValidator(), makeValidator()];
  network = new TestNetwork(new Committee(a));
  const left = await network.node({ validator: a });
  const right = await network.node({ validator: b, bootstrap: [left.address] });
  await until(() => connected(left, right));
  expect(left.peer(right).validator).toBeUndefined();
  network.committee.add(b);
  await until(() => connected(left, right) && left.peer(right).validator !== undefined);
  network.committee.remove(b);
  await until(() => connected(left, right) && left.peer(right).validator === undefined);
});

// @mutation packages/network/src/dial-targets.ts
// -     return missing.sort((a, b) => failures(a) - failures(b)).slice(0, lacking);
// +     return missing.sort((a, b) => failures(a) - failures(b));
test('a follower keeps to a few validators, a validator wants them all', async () => {
  const validators = Array.from({ length: 4 }, makeValidator);
  network = new TestNetwork(new Committee(...validators));
  const nodes: TestNode[] = [];
  for (const validator of validators)
    nodes.push(await network.node({ validator, bootstrap: nodes.slice(0, 1).map(({ address }) => address) }));
  await until(() => meshed(nodes));
  const follower = await network.node({ bootstrap: [(nodes[0] as TestNode).address], limits: { followedValidators: 2 } });
  await until(() => follower.transport.peers().length === 2);
  await pause(500);
  expect(follower.transport.peers().length).toBe(2);
});

test('a validator whose own address is among its bootstrap peers does not mind', async () => {
  const [a, b] = [makeValidator(), makeValidator()];
  network = new TestNetwork(new Committee(a, b));
  const left = await network.node({ validator: a });
  const probe = await network.idle({});
  const own = probe.bareAddress;
  await network.stop(probe);
  const right = await network.node({ validator: b, listen: [own], bootstrap: [own, left.bareAddress] });
  await until(() => connected(left, right));
  expect(right.transport.peers().length).toBe(1);
});

test('a twin with the same key but another peer id is let in and named in the log', async () => {
  const twin = makeValidator();
  network = new TestNetwork(new Committee(twin));
  const left = await network.node({ validator: twin });
  const right = await network.node({ validator: twin, bootstrap: [left.address] });
  await until(() => connected(left, right));
  for (const node of [left, right]) {
    expect(node.log.filter(({ level }) => level === 'warn').map(({ event }) => event)).toEqual([
      'a peer holds the key of this very validator',
    ]);
  }
});
