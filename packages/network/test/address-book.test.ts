import { multiaddr } from '@multiformats/multiaddr';
import { utf8 } from '@nacre/base';
import { expect, test } from 'vitest';
import { AddressBook } from '../src/address-book.ts';
import type { AddressRecord } from '../src/address-record.ts';
import { readTcpAddress } from '../src/multiaddrs.ts';
import { FakeClock } from './support/fake-clock.ts';
import { Committee, makeValidator, type Validator, verifier } from './support/nodes.ts';

const PEER_ID = '12D3KooWCHhPDN8mn8pr1kcfv4BLotochXaByfanekFy8Gd2a4VK';
const clock = new FakeClock();

function bookOf(committee: Committee, validator?: Validator): AddressBook {
  const identity = validator === undefined ? null : { address: validator.address, signer: validator.signer };
  return new AddressBook({ genesisHash: committee.genesisHash, identity, validatorKey: committee.keyOf, verifier, clock });
}

async function recordOf(
  committee: Committee,
  validator: Validator,
  addresses = ['/ip4/192.0.2.1/tcp/9640'],
  peerId = PEER_ID,
): Promise<AddressRecord> {
  const book = bookOf(committee, validator);
  await book.announce(
    peerId,
    addresses.map((address) => multiaddr(address)),
  );
  return book.records()[0] as AddressRecord;
}

test('a record is learned, used and passed on', async () => {
  const a = makeValidator();
  const committee = new Committee(a);
  const record = await recordOf(committee, a, ['/ip4/192.0.2.1/tcp/9640', `/dns4/node.example/tcp/1/p2p/${PEER_ID}`]);
  const book = bookOf(committee);
  expect(await book.learn([record])).toEqual({ learned: 1, forged: false });
  expect(book.records()).toEqual([record]);
  expect(book.places().map((place) => ({ ...place, multiaddrs: place.multiaddrs.map(String) }))).toEqual([
    { validator: a.name, peerId: PEER_ID, multiaddrs: ['/ip4/192.0.2.1/tcp/9640', '/dns4/node.example/tcp/1'] },
  ]);
});

// @mutation packages/network/src/address-book.ts
// -       const place = valid ? placeOf(record) : undefined;
// +       const place = placeOf(record);
test('a record that the validator has not signed is refused, whatever was changed', async () => {
  const a = makeValidator();
  const committee = new Committee(a);
  const record = await recordOf(committee, a);
  const changes: Partial<AddressRecord>[] = [
    { peerId: utf8('12D3KooWAvQfhMXKtC25w9ZASAWeS4mk6XKDZSsQBFyARzsnuL9b') },
    { multiaddrs: [multiaddr('/ip4/192.0.2.66/tcp/1').bytes] },
    { madeAtMs: record.madeAtMs + 1 },
    { signature: new Uint8Array(record.signature.length) },
  ];
  for (const change of changes) {
    const book = bookOf(committee);
    expect(await book.learn([{ ...record, ...change }])).toEqual({ learned: 0, forged: true });
    expect(book.places()).toEqual([]);
  }
});

test('a record signed for another network is refused', async () => {
  const a = makeValidator();
  const record = await recordOf(new Committee(a), a);
  expect(await bookOf(new Committee(a)).learn([record])).toEqual({ learned: 0, forged: true });
});

test('signed nonsense is refused: addresses that cannot be dialled, peer ids that are none', async () => {
  const a = makeValidator();
  const committee = new Committee(a);
  expect(await bookOf(committee).learn([await recordOf(committee, a, ['/ip4/192.0.2.1/tcp/1'], 'nobody')])).toEqual({
    learned: 0,
    forged: true,
  });
});

// @mutation packages/network/src/address-book.ts
// -     return known === undefined || known.record.madeAtMs < record.madeAtMs;
// +     return true;
test('the latest record counts, in whatever order they come', async () => {
  const a = makeValidator();
  const committee = new Committee(a);
  const old = await recordOf(committee, a, ['/ip4/192.0.2.1/tcp/1']);
  clock.advance(1_000);
  const fresh = await recordOf(committee, a, ['/ip4/192.0.2.2/tcp/2']);
  for (const order of [
    [old, fresh],
    [fresh, old],
  ]) {
    const book = bookOf(committee);
    for (const record of order) await book.learn([record]);
    expect(book.records()).toEqual([fresh]);
  }
});

// @mutation packages/network/src/address-book.ts
// -       if (!this.#isSignedWith(record.address, publicKey)) this.#entries.delete(name);
// +       if (publicKey === undefined) this.#entries.delete(name);
test('only records of the committee are kept, and only while they are of it', async () => {
  const [a, stranger] = [makeValidator(), makeValidator()];
  const committee = new Committee(a, stranger);
  const records = [await recordOf(committee, a), await recordOf(committee, stranger)];
  committee.remove(stranger);
  const book = bookOf(committee);
  expect(await book.learn(records)).toEqual({ learned: 1, forged: false });
  committee.remove(a);
  expect([book.records(), book.places()]).toEqual([[], []]);
});

// @mutation packages/network/src/address-book.ts
// -     return keyNow === undefined || publicKey === undefined ? keyNow === publicKey : bytesEqual(keyNow, publicKey);
// +     return keyNow !== undefined || publicKey === undefined;
test('a record is passed on only while its key counts, and the own one is signed anew', async () => {
  const [first, second] = [makeValidator(), makeValidator()];
  let { signer } = first;
  const { genesisHash } = new Committee(first);
  const validatorKey = (address: Uint8Array) => (address === first.address ? signer.publicKey : undefined);
  const rotating = { publicKey: signer.publicKey, sign: (message: Uint8Array, context: string) => signer.sign(message, context) };
  const place = [multiaddr('/ip4/192.0.2.1/tcp/9640')];
  const own = new AddressBook({ genesisHash, identity: { address: first.address, signer: rotating }, validatorKey, verifier, clock });
  const other = new AddressBook({ genesisHash, identity: null, validatorKey, verifier, clock });
  await own.announce(PEER_ID, place);
  expect(await other.learn(own.records())).toEqual({ learned: 1, forged: false });
  signer = second.signer;
  expect([own.isOutdated, own.records(), other.records()]).toEqual([true, [], []]);
  await own.announce(PEER_ID, place);
  expect(own.isOutdated).toBe(false);
  expect(await other.learn(own.records())).toEqual({ learned: 1, forged: false });
});

test('a node learns nothing about itself, and a follower has nothing to say', async () => {
  const a = makeValidator();
  const committee = new Committee(a);
  const record = await recordOf(committee, a);
  expect(await bookOf(committee, a).learn([record])).toEqual({ learned: 0, forged: false });
  const follower = bookOf(committee);
  await follower.announce(PEER_ID, [multiaddr('/ip4/192.0.2.1/tcp/1')]);
  expect(follower.records()).toEqual([]);
});

test('of many addresses the first eight are told, and none that is too long or no TCP', async () => {
  const a = makeValidator();
  const committee = new Committee(a);
  const long = `/dns4/${'a'.repeat(300)}.example/tcp/1`;
  const many = [long, '/ip4/192.0.2.1/udp/9', ...Array.from({ length: 10 }, (_, i) => `/ip4/192.0.2.1/tcp/${i + 1}`)];
  const record = await recordOf(committee, a, many);
  expect(record.multiaddrs.map((bytes) => readTcpAddress(bytes)?.multiaddr.toString())).toEqual(
    Array.from({ length: 8 }, (_, i) => `/ip4/192.0.2.1/tcp/${i + 1}`),
  );
});

// @mutation packages/network/src/address-book.ts
// -     const told = (abroad.length > 0 ? abroad : reachable).map(({ bytes }) => bytes);
// +     const told = reachable.map(({ bytes }) => bytes);
test('loopback addresses are told only where there are no others', async () => {
  const a = makeValidator();
  const committee = new Committee(a);
  const told = async (...addresses: string[]) =>
    (await recordOf(committee, a, addresses)).multiaddrs.map((bytes) => readTcpAddress(bytes)?.multiaddr.toString());
  expect(await told('/ip4/127.0.0.1/tcp/1', '/ip4/192.0.2.1/tcp/1', '/ip6/::1/tcp/1')).toEqual(['/ip4/192.0.2.1/tcp/1']);
  expect(await told('/ip4/127.0.0.1/tcp/1', '/ip6/::1/tcp/1')).toEqual(['/ip4/127.0.0.1/tcp/1', '/ip6/::1/tcp/1']);
});

test.each([
  ['/ip4/127.0.0.1/tcp/9640', '/ip4/127.0.0.1/tcp/9640', null],
  ['/ip6/::1/tcp/9640', '/ip6/::1/tcp/9640', null],
  [`/dns4/node.example/tcp/1/p2p/${PEER_ID}`, '/dns4/node.example/tcp/1', PEER_ID],
])('%s is the address of a node', (text, address, peerId) => {
  const read = readTcpAddress(text);
  expect([read?.multiaddr.toString(), read?.peerId]).toEqual([address, peerId]);
});

test.each([
  '',
  '/',
  'ip4',
  '/ip4/127.0.0.1',
  '/tcp/1',
  '/ip4/1.2.3.4/udp/1',
  '/ip4/1.2.3.4/tcp/1/ws',
  '/unix/tmp',
  `/p2p/${PEER_ID}`,
  '/ip4/1.2.3.4/tcp/1/p2p/me',
])('%o is not', (text) => expect(readTcpAddress(text)).toBeUndefined());
