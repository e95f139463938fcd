import type { Connection } from '@libp2p/interface';
import fc from 'fast-check';
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
  options: { instance?: number; id?: string; epoch?: number } = {},
): PeerLink {
  const connection = {
    id: options.id ?? `${peerId}-${direction}`,
    direction,
    remotePeer: { toString: () => peerId },
  } as unknown as Connection;
  const candidate = { claim: null, key: null, instance: Uint8Array.of(options.instance ?? 1) };
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

// @mutation packages/network/src/link-table.ts
// -     return (direction === 'outbound') === this.#ownPeerId < peerId;
// +     return direction === 'outbound';
test('of two connections dialled at once both ends keep the same one, in whichever order they see them', () => {
  const first = fc.constantFrom('dialled by a', 'dialled by b');
  fc.assert(
    fc.property(fc.constantFrom(['a', 'b'], ['b', 'a']), first, first, ([own, other], seenHere, seenThere) => {
      const kept = (self: string, peer: string, seen: string): string => {
        const table = new LinkTable(self);
        const directionOf = (which: string) => (which === `dialled by ${self}` ? ('outbound' as const) : ('inbound' as const));
        const second = seen === 'dialled by a' ? 'dialled by b' : 'dialled by a';
        table.add(link(peer, directionOf(seen)));
        return table.mayReplace(peer, candidate(), directionOf(second)) ? second : seen;
      };
      expect(kept(own as string, other as string, seenHere)).toBe(kept(other as string, own as string, seenThere));
    }),
  );
});

// @mutation packages/network/src/link-table.ts
// -     if (present === undefined || !bytesEqual(present.candidate.instance, candidate.instance)) return true;
// +     if (present === undefined) return true;
test.each(['inbound', 'outbound'] as const)('a peer that was restarted takes the place of its dead connection, %s', (direction) => {
  for (const own of ['a', 'z']) {
    const table = new LinkTable(own);
    table.add(link('m', direction === 'inbound' ? 'outbound' : 'inbound'));
    expect(table.mayReplace('m', candidate(2), direction)).toBe(true);
  }
});

test('of two connections that the same side dialled, the dialer keeps the first and the listener follows it', () => {
  const table = new LinkTable('a');
  table.add(link('b', 'outbound'));
  table.add(link('c', 'inbound'));
  expect([table.mayReplace('b', candidate(), 'outbound'), table.mayReplace('c', candidate(), 'inbound')]).toEqual([false, true]);
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
