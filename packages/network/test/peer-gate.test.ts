import { formatAddress } from '@nacre/crypto';
import { expect, test } from 'vitest';
import { PeerGate } from '../src/peer-gate.ts';

const name = (i: number) =>
  formatAddress(
    new Uint8Array(32)
      .fill(1)
      .with(0, i % 256)
      .with(1, i >> 8),
  );

// @mutation packages/network/src/peer-gate.ts
// -     if (this.#blocked.size >= BLOCKED_MAX) {
// +     if (this.#blocked.size > BLOCKED_MAX) {
test('the list of blocked peers is bounded', () => {
  const gate = new PeerGate(() => undefined);
  for (let i = 0; i < 1_024; i++) gate.block(name(i));
  expect(() => gate.block(name(1_024))).toThrow(expect.objectContaining({ code: 'BLOCKED_TOO_MANY' }));
  gate.block(name(7));
  gate.allow(name(7));
  gate.block(name(1_024));
  expect(gate.list().length).toBe(1_024);
});

test('a change is carried out once', () => {
  const changes: unknown[] = [];
  const gate = new PeerGate((peer, blocked) => changes.push([peer, blocked]));
  gate.block(name(1));
  gate.block(name(1));
  gate.allow(name(1));
  expect(changes).toEqual([
    [name(1), true],
    [name(1), false],
  ]);
  expect([gate.blocks(name(1)), gate.blocks(null)]).toEqual([false, false]);
});
