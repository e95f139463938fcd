import { type Log, RPC_PING_INTERVAL_MS, RPC_SOCKET_BUFFER_BYTES, RPC_SOCKET_MESSAGES_MAX } from '@nacre/base';
import type { Admit, Dispatcher } from './dispatcher.ts';
import { type SubscriptionHost as Host, SubscriptionHost, type SubscriptionLimits } from './subscriptions.ts';

/** What of `ws` is used here. */
export interface ServerSocket {
  readonly bufferedAmount: number;
  send(text: string, done: (error?: Error) => void): void;
  ping(): void;
  pause(): void;
  resume(): void;
  close(code: number, reason: string): void;
  terminate(): void;
  on(event: 'message', listener: (data: Uint8Array) => void): unknown;
  on(event: 'pong' | 'close', listener: () => void): unknown;
}

/** RFC 6455, section 7.4.1. */
const CLOSE_GOING_AWAY = 1001;
const CLOSE_INTERNAL_ERROR = 1011;

interface Dependencies {
  readonly dispatcher: Dispatcher;
  readonly admit: Admit;
  readonly log: Log;
  /** The socket is closed. */
  readonly closed: () => void;
}

/**
 * One client's WebSocket: calls in, answers and events out. A client that does not read is not read from either, so what waits
 * in memory for it is bounded, and one that has gone silent is closed.
 */
export class WebSocketSession {
  readonly #socket: ServerSocket;
  readonly #dependencies: Dependencies;
  readonly #subscriptions: Host;
  readonly #ended = new AbortController();
  readonly #pings: NodeJS.Timeout;
  #answering = 0;
  #paused = false;
  /** Whether it has answered a ping or taken a message since the last ping. */
  #alive = true;

  constructor(socket: ServerSocket, limits: SubscriptionLimits, dependencies: Dependencies) {
    this.#socket = socket;
    this.#dependencies = dependencies;
    this.#subscriptions = new SubscriptionHost(limits, {
      send: (text) => this.#send(text),
      fail: (error) => {
        dependencies.log.error({ error: error instanceof Error ? error.message : String(error) }, 'events cannot be read');
        socket.close(CLOSE_INTERNAL_ERROR, 'events cannot be read');
      },
    });
    socket.on('message', (data) => void this.#answer(data));
    socket.on('pong', () => {
      this.#alive = true;
    });
    socket.on('close', () => this.#close());
    this.#pings = setInterval(() => this.#ping(), RPC_PING_INTERVAL_MS);
  }

  get subscriptions(): number {
    return this.#subscriptions.size;
  }

  /** Something new is decided. */
  wake(): void {
    this.#subscriptions.wake();
  }

  /** The node stops. */
  end(): void {
    this.#socket.close(CLOSE_GOING_AWAY, 'the node stops');
    this.#close();
  }

  async #answer(data: Uint8Array): Promise<void> {
    const { dispatcher, admit } = this.#dependencies;
    this.#answering++;
    this.#regulate();
    const context = { signal: this.#ended.signal, subscriptions: this.#subscriptions };
    const text = await dispatcher.answer(data, context, admit);
    if (text !== null) await this.#send(text);
    this.#subscriptions.activate();
    this.#answering--;
    this.#regulate();
  }

  async #send(text: string): Promise<void> {
    if (this.#ended.signal.aborted) return;
    // Whatever goes wrong with the socket closes it, and that is where it is dealt with.
    await new Promise<void>((resolve) => {
      this.#socket.send(text, (error) => {
        this.#alive ||= error === undefined || error === null;
        this.#regulate();
        resolve();
      });
    });
  }

  /** Reads on only while there is room for answers. */
  #regulate(): void {
    const full = this.#answering >= RPC_SOCKET_MESSAGES_MAX || this.#socket.bufferedAmount > RPC_SOCKET_BUFFER_BYTES;
    if (full === this.#paused) return;
    this.#paused = full;
    if (full) this.#socket.pause();
    else this.#socket.resume();
  }

  #ping(): void {
    // While so many calls wait that nothing is read, no pong can be.
    if (this.#answering >= RPC_SOCKET_MESSAGES_MAX) return;
    if (!this.#alive) return this.#socket.terminate();
    this.#alive = false;
    this.#socket.ping();
  }

  #close(): void {
    if (this.#ended.signal.aborted) return;
    clearInterval(this.#pings);
    this.#ended.abort();
    this.#subscriptions.close();
    this.#dependencies.closed();
  }
}
