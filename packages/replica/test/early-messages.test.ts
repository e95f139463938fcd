import { FRAME_BYTES_MAX } from '@nacre/base';
import type { Vote } from '@nacre/consensus';
import { expect, test } from 'vitest';
import { type EarlyMessage, EarlyMessages } from '../src/early-messages.ts';

function early(peerId: string, content: { votes?: number; block?: number } = {}): EarlyMessage {
  const view = { peer: { id: peerId, validator: undefined }, claimedHeight: 0, fruitless: 0, repairedAtMs: 0, verifying: 0, heard: false };
  const vote: Vote = { height: 5, round: 0, kind: 'prepare', blockHash: null, validator: 0, signature: new Uint8Array(10) };
  const votes = Array.from({ length: content.votes ?? 1 }, () => vote);
  const proposal = { height: 5, round: 0, validRound: -1, blockHash: new Uint8Array(32), proposer: 0, signature: new Uint8Array(10) };
  const message: EarlyMessage['message'] =
    content.block === undefined
      ? { kind: 'votes', votes }
      : { kind: 'proposal', proposal, block: new Uint8Array(content.block), justification: [] };
  return { view, message, arrivalMs: 1 };
}

test('what is for a height is handed out once, in order, and what is for earlier ones is forgotten', () => {
  const messages = new EarlyMessages();
  const [a, b, c, old] = [early('p'), early('q'), early('p'), early('p')];
  messages.add(4, old);
  messages.add(5, a);
  messages.add(5, b);
  messages.add(6, c);
  expect(messages.take(5)).toEqual([a, b]);
  expect(messages.take(5)).toEqual([]);
  expect(messages.take(4)).toEqual([]);
  expect(messages.take(6)).toEqual([c]);
});

// @mutation packages/replica/src/early-messages.ts
// - if (waiting.length >= EARLY_PER_PEER_MAX ||
// + if (
test('cometbft #5955: a peer may have 64 of them waiting, and others theirs beside', () => {
  const messages = new EarlyMessages();
  for (let i = 0; i < 100; i++) messages.add(5, early('loud'));
  messages.add(5, early('quiet'));
  expect(messages.take(5)).toHaveLength(65);
});

// @mutation packages/replica/src/early-messages.ts
// - || bytes > EARLY_BYTES_PER_PEER_MAX) return;
// + ) return;
test('a peer may fill two frames with them', () => {
  const messages = new EarlyMessages();
  for (let i = 0; i < 10; i++) messages.add(5, early('loud', { block: FRAME_BYTES_MAX - 1000 }));
  expect(messages.take(5)).toHaveLength(2);
  for (let i = 0; i < 60; i++) messages.add(6, early('loud', { votes: 256 }));
  expect(messages.take(6).length).toBeLessThan(10);
});

test('what a peer said goes with its connection', () => {
  const messages = new EarlyMessages();
  messages.add(5, early('p'));
  messages.drop('p');
  expect(messages.take(5)).toEqual([]);
});
