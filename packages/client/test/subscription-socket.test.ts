import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ATTEMPT_TIMEOUT_MS, EVENT_CHARACTERS_QUEUED_MAX, SOCKET_SILENCE_MS } from '../src/client-limits.ts';
import { SubscriptionSocket } from '../src/subscription-socket.ts';

/** A WebSocket whose other end is the test. */
class FakeWebSocket extends EventTarget {
  static readonly OPEN = WebSocket.OPEN;
  static last: FakeWebSocket;
  readonly readyState = WebSocket.OPEN;
  readonly url: string;
  readonly sent: { readonly id: number; readonly method: string; readonly params: object }[] = [];
  closed = false;

  constructor(url: URL) {
    super();
    this.url = url.href;
    FakeWebSocket.last = this;
  }

  send(text: string): void {
    this.sent.push(JSON.parse(text) as (typeof this.sent)[number]);
  }

  close(): void {
    this.closed = true;
  }

  say(message: unknown): void {
    this.dispatchEvent(new MessageEvent('message', { data: typeof message === 'string' ? message : JSON.stringify(message) }));
  }
}

const record = { index: 0, txId: 'ab', chain: 0, height: 1, service: 's', key: null, schema: 'json@1', payload: 'x' };

function opened(): { readonly socket: SubscriptionSocket<'records'>; readonly node: FakeWebSocket } {
  const socket = new SubscriptionSocket('https://node.example/', 'records', { service: 's' });
  const node = FakeWebSocket.last;
  node.dispatchEvent(new Event('open'));
  return { socket, node };
}

function eventOf(params: object): object {
  return { jsonrpc: '2.0', method: 'event', params: { subscription: '1', topic: 'records', ...params } };
}

/** What no node says, and how. */
const MALFORMED: readonly [string, unknown][] = [
  ['is not JSON', '{'],
  ['is not an object', 'null'],
  ['is an answer without a cursor', { id: 1, result: null }],
  ['is an event without a cursor', eventOf({ data: record })],
  ['is an event of another topic', eventOf({ cursor: '1', data: { height: 1 } })],
  ['is an event without anything', { method: 'event' }],
  ['tells of missed events without where', { method: 'missed', params: { cursor: '1' } }],
];

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('WebSocket', FakeWebSocket);
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test('subscribes on the WebSocket beside the address, encrypted where that is', () => {
  const { node } = opened();
  expect(node.url).toBe('wss://node.example/ws');
  expect(node.sent).toEqual([{ jsonrpc: '2.0', id: 1, method: 'subscribe', params: { topic: 'records', service: 's' } }]);
});

describe('a connection is given up', () => {
  test('when the node does not take the subscription in time', async () => {
    const { socket, node } = opened();
    vi.advanceTimersByTime(ATTEMPT_TIMEOUT_MS);
    await expect(socket.begun).rejects.toMatchObject({ code: 'TIMEOUT' });
    expect(node.closed).toBe(true);
  });

  // @mutation packages/client/src/subscription-socket.ts
  // - if (!this.#heard) return
  // + if (this.#ended) return
  test('when nothing is heard for two periods, though it was asked', () => {
    const { node } = opened();
    node.say({ id: 1, result: { subscription: '1', cursor: '0' } });
    vi.advanceTimersByTime(SOCKET_SILENCE_MS);
    expect(node.sent.at(-1)?.method).toBe('node_status');
    node.say({ id: 2, result: {} });
    vi.advanceTimersByTime(SOCKET_SILENCE_MS);
    expect(node.closed).toBe(false);
    vi.advanceTimersByTime(SOCKET_SILENCE_MS);
    expect(node.closed).toBe(true);
  });

  // @mutation packages/client/src/subscription-socket.ts
  // - if (kind === 'missed' || !read.ok)
  // + if (kind === 'missed')
  test.each(MALFORMED)('when what it says %s', async (_, message) => {
    const { socket, node } = opened();
    node.say(message);
    await expect(socket.begun).rejects.toMatchObject({ code: 'NETWORK_ANSWER_MALFORMED' });
    expect(await socket.next(undefined)).toBeUndefined();
    expect(node.closed).toBe(true);
  });
});

// @mutation packages/client/src/subscription-socket.ts
// - || this.#characters >= EVENT_CHARACTERS_QUEUED_MAX
// + || this.#characters < 0
test('large events that nobody reads close it early, and what came can still be read', async () => {
  const { socket, node } = opened();
  const message = JSON.stringify(eventOf({ cursor: '1', data: { ...record, payload: 'x'.repeat(EVENT_CHARACTERS_QUEUED_MAX / 2) } }));
  for (const closed of [false, true, true]) {
    node.say(message);
    expect(node.closed).toBe(closed);
  }
  expect([await socket.next(undefined), await socket.next(undefined)]).toMatchObject([{ cursor: '1' }, { cursor: '1' }]);
  expect(await socket.next(undefined)).toBeUndefined();
});
