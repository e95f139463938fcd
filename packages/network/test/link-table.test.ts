import type { Connection } from '@libp2p/interface';
import { expect, test } from 'vitest';
import { LinkTable } from '../src/link-table.ts';
import { DEFAULT_NETWORK_LIMITS } from '../src/network-limits.ts';
import { PeerLink } from '../src/peer-link.ts';

const SECURITY = {
  protocol: 'tls',
  group: 'X25519MLKEM768',
  binding: new Uint8Array(32),
  together: (write: () => void) => write(),
} as const;

function link(
  peerId: string,
  direction: 'inbound' | 'outbound',
  options: { instance?: number; id?: string; epoch?: number; key?: Uint8Array } = {},
): PeerLink {
  const connection = {
    id: options.id ?? `${peerId}-${direction}`,
    direction,
    remotePeer: { toString: () => peerId },
  } as unknown as Connection;
  const candidate = { claim: null, key: options.key ?? null, instance: Uint8Array.of(options.instance ?? 1) };
  return new PeerLink({
    connection,
    candidate,
    security: SECURITY,
    rate: DEFAULT_NETWORK_LIMITS.followerRate,
    questionsMax: 1,
    epoch: options.epoch ?? 1,
    nowMs: 0,
  });
}

const candidate = (instance = 1) => ({ claim: null, key: null, instance: Uint8Array.of(instance) });

const DIALLED_BY = ['a', 'b'] as const;

// @mutation packages/network/src/link-table.ts
// -     return (direction === 'outbound') === this.#ownPeerId < peerId;
// +     return direction === 'outbound';
test('of two connections that both sides have welcomed, both ends keep the same one, whichever they saw first', () => {
  const kept = (own: 'a' | 'b', first: 'a' | 'b'): string => {
    const other = own === 'a' ? 'b' : 'a';
    const directionOf = (dialer: string) => (dialer === own ? ('outbound' as const) : ('inbound' as const));
    const second = first === 'a' ? 'b' : 'a';
    const table = new LinkTable(own);
    table.add(link(other, directionOf(first)));
    return table.admits(other, candidate(), directionOf(second)) ? second : first;
  };
  for (const seenByA of DIALLED_BY) for (const seenByB of DIALLED_BY) expect(kept('a', seenByA)).toBe(kept('b', seenByB));
});

// @mutation packages/network/src/link-table.ts
// -     return present.connection.direction === 'inbound' && direction === 'inbound';
// +     return direction === 'inbound';
test('a second connection is not welcome while the first stands, unless its dialer has lost the first', () => {
  const table = new LinkTable('a');
  table.add(link('in', 'inbound'));
  table.add(link('out', 'outbound'));
  const welcome = (peer: string) => (['inbound', 'outbound'] as const).filter((direction) => table.welcomes(peer, candidate(), direction));
  expect([welcome('in'), welcome('out'), welcome('new')]).toEqual([['inbound'], [], ['inbound', 'outbound']]);
});

// @mutation packages/network/src/link-table.ts
// - return present.candidate.key === null;
// + return true;
// @mutation packages/network/src/link-table.ts
// -     if (!bytesEqual(present.candidate.instance, candidate.instance)) return false;
// +
test('another process with the key of a validator does not take its place while its connection lives, whoever dialled', () => {
  for (const [own, direction] of [
    ['a', 'inbound'],
    ['z', 'inbound'],
    ['a', 'outbound'],
    ['z', 'outbound'],
  ] as const) {
    for (const present of ['inbound', 'outbound'] as const) {
      const table = new LinkTable(own);
      table.add(link('m', present, { key: new Uint8Array(1) }));
      expect([table.welcomes('m', candidate(2), direction), table.admits('m', candidate(2), direction)]).toEqual([false, false]);
    }
  }
});

// @mutation packages/network/src/link-table.ts
// - if (!bytesEqual(present.candidate.instance, candidate.instance)) return present
// + if (false) return present
test.each(['inbound', 'outbound'] as const)('a follower that was restarted takes the place of its dead connection, %s', (direction) => {
  for (const own of ['a', 'z']) {
    const table = new LinkTable(own);
    table.add(link('m', direction === 'inbound' ? 'outbound' : 'inbound'));
    expect([table.welcomes('m', candidate(2), direction), table.admits('m', candidate(2), direction)]).toEqual([true, true]);
  }
});

test('a dialer keeps the first of two that it dialled itself', () => {
  const table = new LinkTable('a');
  table.add(link('b', 'outbound'));
  expect(table.admits('b', candidate(), 'outbound')).toBe(false);
});

test('a link that was replaced takes nothing of its successor with it', () => {
  const table = new LinkTable('a');
  const [old, fresh] = [link('b', 'inbound', { id: 'old' }), link('b', 'inbound', { id: 'fresh', epoch: 2 })];
  table.add(old);
  table.add(fresh);
  table.remove(old);
  expect([table.ofPeerId('b'), table.ofPeer('b#2'), table.ofConnection('fresh')]).toEqual([fresh, fresh, fresh]);
  expect([table.ofPeer('b#1'), table.ofConnection('old')]).toEqual([undefined, undefined]);
});

test('followers are counted beside the one whose place is to be taken', () => {
  const table = new LinkTable('a');
  for (const peer of ['b', 'c', 'd']) table.add(link(peer, 'inbound'));
  expect([table.followersBeside('x'), table.followersBeside('c')]).toEqual([3, 2]);
});
