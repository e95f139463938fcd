import { utf8 } from '@nacre/base';
import type { Vote } from '@nacre/consensus';
import { taggedHash } from '@nacre/crypto';
import { encodeMessage, encodeRequest, type Message } from '@nacre/replica';
import { expect, test } from 'vitest';
import { describeEntry } from '../src/describe-entry.ts';
import { statementsIn } from '../src/frame-reader.ts';
import { TRACE_KINDS, type TraceEntry } from '../src/trace.ts';

const blockHash = taggedHash('nacre/1/test', utf8('block'));
const vote: Vote = { height: 7, round: 1, kind: 'prepare', blockHash, validator: 2, signature: new Uint8Array(100) };
const nilVote: Vote = { ...vote, kind: 'commit', blockHash: null };
const instance = new Uint8Array(16);

const read = (message: Message) => statementsIn({ kind: 'message', bytes: encodeMessage(message) });
const entry = (kind: TraceEntry['kind'], bytes?: Uint8Array, number = 1): TraceEntry => ({
  timeMs: 1,
  kind,
  node: 0,
  other: 1,
  number,
  bytes,
  sentAtMs: undefined,
});

test('votes are found in the frames that carry them, passed on ones included', () => {
  const statements = [
    { validator: 2, kind: 'prepare', height: 7, round: 1, blockHash, validRound: -1 },
    { validator: 2, kind: 'commit', height: 7, round: 1, blockHash: null, validRound: -1 },
  ];
  expect(read({ kind: 'votes', votes: [vote, nilVote] })).toEqual(statements);
  expect(read({ kind: 'instance-answer', instance, accepted: true, votes: [vote, nilVote] })).toEqual(statements);
});

test('frames without votes, foreign bytes, requests and answers state nothing', () => {
  expect(read({ kind: 'instance', instance })).toEqual([]);
  expect(statementsIn({ kind: 'message', bytes: utf8('noise') })).toEqual([]);
  expect(statementsIn({ kind: 'answer', bytes: encodeMessage({ kind: 'votes', votes: [vote] }) })).toEqual([]);
});

test('each entry of a trace has a line for people', () => {
  expect(describeEntry(entry('deliver', encodeMessage({ kind: 'votes', votes: [vote, nilVote] })))).toMatch(
    /node 0 receives from 1: prepare of 2 at 7\/1 for [0-9a-f]{16}; commit of 2 at 7\/1 for nothing, 1 bytes/,
  );
  expect(describeEntry(entry('deliver', utf8('noise')))).toContain('undecodable');
  expect(describeEntry(entry('deliver'))).toContain('undecodable');
  expect(describeEntry(entry('request', encodeRequest({ kind: 'blocks', from: 3, count: 2 })))).toContain('asked by 1: blocks from 3, 2');
  expect(describeEntry(entry('answered', blockHash, 1))).toContain('admits');
  expect(describeEntry(entry('answered', blockHash, 0))).toContain('refuses');
  for (const kind of TRACE_KINDS)
    expect(describeEntry(entry(kind, encodeMessage({ kind: 'instance', instance })))).toMatch(/^(nodes|node|a client) /);
});
