import { RPC_PING_INTERVAL_MS, RPC_SOCKET_BUFFER_BYTES, RPC_SOCKET_MESSAGES_MAX } from '@nacre/base';
import { Registry } from 'prom-client';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { RpcMetrics } from '../src/metrics.ts';
import { Dispatcher } from '../src/rpc/dispatcher.ts';
import { defineMethod } from '../src/rpc/method.ts';
import { type ServerSocket, WebSocketSession } from '../src/rpc/web-socket.ts';
import { silentLog } from './support/rpc-node.ts';

/** A socket that does what a test tells it to. */
class FakeSocket implements ServerSocket {
  bufferedAmount = 0;
  readonly sent: string[] = [];
  pings = 0;
  paused = false;
  terminated = false;
  /** Whether what is sent is taken at once. */
  flowing = true;
  readonly #held: (() => void)[] = [];
  readonly #listeners = new Map<string, (data: Uint8Array) => void>();

  send(text: string, done: (error?: Error) => void): void {
    this.sent.push(text);
    if (this.flowing) done();
    else this.#held.push(() => done());
  }
  ping(): void {
    this.pings++;
  }
  pause(): void {
    this.paused = true;
  }
  resume(): void {
    this.paused = false;
  }
  close(): void {
    this.emit('close');
  }
  terminate(): void {
    this.terminated = true;
    this.emit('close');
  }
  on(event: string, listener: (data: Uint8Array) => void): void {
    this.#listeners.set(event, listener);
  }
  emit(event: string, data = ''): void {
    this.#listeners.get(event)?.(new TextEncoder().encode(data));
  }
  flush(): void {
    this.bufferedAmount = 0;
    for (const done of this.#held.splice(0)) done();
  }
}

describe('a WebSocket session', () => {
  let release: (() => void)[];
  let aborted: number;
  let ended: number;
  let socket: FakeSocket;

  beforeEach(() => {
    vi.useFakeTimers();
    release = [];
    aborted = 0;
    ended = 0;
    socket = new FakeSocket();
    const wait = defineMethod({
      name: 'wait',
      summary: '',
      params: z.strictObject({}),
      result: z.literal('done'),
      errors: [],
      handle: (_params, { signal }) => {
        signal.addEventListener('abort', () => aborted++);
        return new Promise((resolve) => release.push(() => resolve('done')));
      },
    });
    const metrics = new RpcMetrics(new Registry());
    const dispatcher = new Dispatcher({ methods: [wait], batchCallsMax: 10 }, { metrics, log: silentLog });
    const closed = () => ended++;
    new WebSocketSession(socket, { subscriptionsMax: 1, lagMax: 1 }, { dispatcher, admit: async () => {}, log: silentLog, closed });
  });

  afterEach(() => {
    vi.useRealTimers();
  });

  const settle = async (): Promise<void> => {
    for (let i = 0; i < 20; i++) await Promise.resolve();
  };
  const ask = (id: number): void => socket.emit('message', JSON.stringify({ jsonrpc: '2.0', id, method: 'wait' }));

  // @mutation packages/node/src/rpc/web-socket.ts
  // - if (!this.#alive) return this.#socket.terminate();
  // + if (!this.#alive) return;
  test('whose client has gone silent is ended', () => {
    vi.advanceTimersByTime(RPC_PING_INTERVAL_MS);
    expect([socket.pings, socket.terminated]).toEqual([1, false]);
    vi.advanceTimersByTime(RPC_PING_INTERVAL_MS);
    expect([socket.terminated, ended]).toEqual([true, 1]);
    vi.advanceTimersByTime(10 * RPC_PING_INTERVAL_MS);
    expect([socket.pings, ended]).toEqual([1, 1]);
  });

  test('whose client answers pings, or takes what it is sent, goes on', async () => {
    for (let i = 0; i < 5; i++) {
      vi.advanceTimersByTime(RPC_PING_INTERVAL_MS);
      socket.emit('pong');
    }
    for (let i = 0; i < 5; i++) {
      vi.advanceTimersByTime(RPC_PING_INTERVAL_MS);
      socket.emit('message', 'not JSON');
      await settle();
    }
    expect(socket.sent).toHaveLength(5);
    expect(socket.terminated).toBe(false);
  });

  // @mutation packages/node/src/rpc/web-socket.ts
  // - const full = this.#answering >= RPC_SOCKET_MESSAGES_MAX ||
  // + const full = this.#answering >= 2 * RPC_SOCKET_MESSAGES_MAX ||
  test('reads no further while too much is being answered, and is not taken for silent meanwhile', async () => {
    for (let id = 1; id < RPC_SOCKET_MESSAGES_MAX; id++) ask(id);
    expect(socket.paused).toBe(false);
    ask(RPC_SOCKET_MESSAGES_MAX);
    expect(socket.paused).toBe(true);
    vi.advanceTimersByTime(5 * RPC_PING_INTERVAL_MS);
    expect(socket.terminated).toBe(false);
    await settle();
    release[0]?.();
    await settle();
    expect(socket.paused).toBe(false);
    expect(socket.sent).toHaveLength(1);
  });

  // @mutation packages/node/src/rpc/web-socket.ts
  // - this.#socket.bufferedAmount > RPC_SOCKET_BUFFER_BYTES;
  // + false;
  test('reads no further while its answers are not read', async () => {
    socket.flowing = false;
    ask(1);
    await settle();
    release[0]?.();
    await settle();
    socket.bufferedAmount = RPC_SOCKET_BUFFER_BYTES + 1;
    socket.emit('message', JSON.stringify({ jsonrpc: '2.0', method: 'nothing' }));
    await settle();
    expect(socket.paused).toBe(true);
    socket.flush();
    await settle();
    expect(socket.paused).toBe(false);
  });

  test('that is over stops the calls that nobody waits for', async () => {
    ask(1);
    await settle();
    socket.emit('close');
    expect([aborted, ended]).toEqual([1, 1]);
    release[0]?.();
    await settle();
    expect(socket.sent).toEqual([]);
    socket.emit('close');
    expect(ended).toBe(1);
  });
});
