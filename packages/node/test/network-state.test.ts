import { toHex } from '@nacre/base';
import { Committee } from '@nacre/consensus';
import { describe, expect, test } from 'vitest';
import { type NetworkView, networkState } from '../src/network-state.ts';

const addresses = [1, 2, 3, 4].map((byte) => new Uint8Array(32).fill(byte));
const [a, b, c, d] = addresses as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
const created = Committee.create(addresses.map((address) => ({ address, publicKey: address, weight: 1000 })));
if (!created.ok) throw new Error('no committee');

const healthy: NetworkView = {
  committee: created.value,
  // Committees are ordered by address, people by name: here the two orders are opposite.
  nameOf: (address) => `node${4 - (address[0] ?? 0)}`,
  self: a,
  signerTrouble: null,
  cutOff: new Set(),
  connected: [b, c, d],
  replica: { mode: 'consensus', voting: true, doubt: null, peers: 3, snapshot: null },
  idleIntervalMs: 10_000,
  sinceProgressMs: 0,
  sinceStartMs: 60_000,
};

const view = (changes: Partial<NetworkView>, replica: Partial<NetworkView['replica']> = {}): NetworkView => ({
  ...healthy,
  ...changes,
  replica: { ...healthy.replica, ...replica },
});

describe('network state', () => {
  test('a validator that reaches a quorum, votes and sees blocks: normal, for no reason', () => {
    expect(networkState(healthy)).toEqual({ state: 'NORMAL', reason: null });
    expect(networkState(view({ connected: [b, c] }))).toEqual({ state: 'NORMAL', reason: null });
  });

  // @mutation packages/node/src/network-state.ts
  // - if (view.signerTrouble !== null)
  // + if (view.signerTrouble === undefined)
  test('a validator whose signer is away is recovering, and says why; its own weight does not count', () => {
    const away = { signerTrouble: 'nobody listens on its socket' };
    expect(networkState(view(away, { voting: false }))).toEqual({
      state: 'RECOVERING',
      reason: 'the signer is away: silent until it is back (nobody listens on its socket)',
    });
    expect(networkState(view({ ...away, connected: [b, c] })).state).toBe('PARTITIONED');
  });

  // @mutation packages/node/src/network-state.ts
  // - const connected = view.connected.filter((address) => !cutOff.has(toHex(address)));
  // + const { connected } = view;
  test('whoever stands on another side does not count, although its connection is still there', () => {
    expect(networkState(view({ cutOff: new Set([toHex(c)]) })).state).toBe('NORMAL');
    const { state, reason } = networkState(view({ cutOff: new Set([toHex(c), toHex(d)]) }));
    expect(state).toBe('PARTITIONED');
    expect(reason).toContain('reaches weight 2000 of 4000');
  });

  // @mutation packages/node/src/network-state.ts
  // - if (committee.isQuorum(weight)) return null;
  // + if (!committee.isQuorum(weight)) return null;
  test('half of the weight is a partition, and its reason names who is missing', () => {
    const { state, reason } = networkState(view({ connected: [b] }));
    expect(state).toBe('PARTITIONED');
    expect(reason).toBe('reaches weight 2000 of 4000, more than two thirds are needed; not connected: node0, node1');
  });

  // @mutation packages/node/src/network-state.ts
  // - of replica.doubt === null && signerTrouble === null ? [self, ...connected] : connected
  // + of [self, ...connected]
  test('a validator whose journal is in doubt does not count itself', () => {
    const doubt = { code: 'JOURNAL_MISSING' };
    expect(networkState(view({ connected: [b, c] }, { doubt, voting: false })).state).toBe('PARTITIONED');
    const { state, reason } = networkState(view({}, { doubt, voting: false }));
    expect(state).toBe('RECOVERING');
    expect(reason).toContain('JOURNAL_MISSING');
  });

  test('one peer twice is one validator, and strangers are none', () => {
    expect(networkState(view({ connected: [b, b, new Uint8Array(32).fill(77)] })).state).toBe('PARTITIONED');
  });

  test('syncing is recovering', () => {
    expect(networkState(view({}, { mode: 'syncing', voting: false }))).toEqual({
      state: 'RECOVERING',
      reason: 'catching up with the chain from peers',
    });
  });

  // @mutation packages/node/src/network-state.ts
  // - const STALE_INTERVALS = 3;
  // + const STALE_INTERVALS = 300;
  test('everyone is connected and no block comes: partitioned somewhere that no connection shows', () => {
    expect(networkState(view({ sinceProgressMs: 30_000 })).state).toBe('NORMAL');
    const { state, reason } = networkState(view({ sinceProgressMs: 31_000 }));
    expect([state, reason]).toEqual(['PARTITIONED', 'no block for 31 s; an idle network makes one every 10 s']);
  });

  test('a validator that may not vote yet says what it waits for, and after a while what that may mean', () => {
    const early = networkState(view({ sinceStartMs: 1_000 }, { voting: false }));
    expect(early.state).toBe('RECOVERING');
    expect(early.reason).not.toContain('copy of this home');
    expect(networkState(view({}, { voting: false })).reason).toContain('copy of this home');
  });

  // @mutation packages/node/src/network-state.ts
  // - const unreachable = isValidator ? quorumMissing(view, self) : followerIsolated(view);
  // + const unreachable = self !== null ? quorumMissing(view, self) : followerIsolated(view);
  test('a validator-to-be is a follower as far as this goes', () => {
    const self = new Uint8Array(32);
    expect(networkState(view({ self, connected: [] }, { voting: false, peers: 1 })).state).toBe('NORMAL');
    expect(networkState(view({ self, connected: [] }, { voting: false, peers: 0 })).state).toBe('PARTITIONED');
  });

  test('a follower needs any one peer, and does not vote', () => {
    expect(networkState(view({ self: null, connected: [] }, { voting: false, peers: 1 })).state).toBe('NORMAL');
    expect(networkState(view({ self: null, connected: [] }, { voting: false, peers: 0 }))).toEqual({
      state: 'PARTITIONED',
      reason: 'no peer is connected',
    });
  });

  test('a stopped replica is not ready whatever else holds', () => {
    expect(networkState(view({}, { mode: 'stopped' })).state).toBe('RECOVERING');
  });

  test('of many missing validators eight are named', () => {
    const many = Array.from({ length: 20 }, (_, i) => new Uint8Array(32).fill(i + 1));
    const large = Committee.create(many.map((address) => ({ address, publicKey: address, weight: 1 })));
    if (!large.ok) throw new Error('no committee');
    const { reason } = networkState(view({ committee: large.value, connected: [], nameOf: () => undefined }));
    expect(reason?.match(/nacre1/g)).toHaveLength(8);
    expect(reason).toContain('and 11 more');
  });
});
