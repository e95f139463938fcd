import { assert } from '@nacre/base';
import type { Topic } from './answers.ts';
import { NacreClientError } from './client-error.ts';
import { CALL_ATTEMPTS_MAX, CALL_TIMEOUT_MS, RECONNECT_MS } from './client-limits.ts';
import { isNodeTrouble, retryAfterMs } from './failover.ts';
import type { KnownNode, NodePool } from './node-pool.ts';
import { pause } from './pause.ts';
import { type SubscriptionEvent, SubscriptionSocket } from './subscription-socket.ts';

/** A topic to listen to, from `cursor` on (as an event or a subscription carried it), or from now on. */
export type SubscribeRequest<Name extends Topic> = { readonly topic: Name; readonly cursor?: string } & (Name extends 'records'
  ? { readonly service: string }
  : unknown);

/**
 * The events of one topic, in order and each once, from whichever node is there: a cursor means the same at all of them.
 *
 * Iterate over it once. It ends when the loop is left or `close` is called; it throws when its signal aborts, when no node could be
 * reached for ten minutes, or when a node refuses it for good.
 */
export class Subscription<Name extends Topic> implements AsyncIterable<SubscriptionEvent<Name>> {
  readonly #pool: NodePool;
  readonly #request: SubscribeRequest<Name>;
  readonly #signal: AbortSignal | undefined;
  readonly #closed = new AbortController();
  readonly #ending: AbortSignal;
  #socket: SubscriptionSocket<Name> | undefined;
  #cursor: string | undefined;

  private constructor(pool: NodePool, request: SubscribeRequest<Name>, signal: AbortSignal | undefined) {
    this.#pool = pool;
    this.#request = request;
    this.#signal = signal;
    this.#cursor = request.cursor;
    this.#ending = signal === undefined ? this.#closed.signal : AbortSignal.any([this.#closed.signal, signal]);
    this.#ending.addEventListener('abort', () => this.#socket?.close());
  }

  /** @throws {NacreRpcError} where no node takes the subscription; {NacreClientError} `WEBSOCKET_MISSING` */
  static async open<Name extends Topic>(
    pool: NodePool,
    request: SubscribeRequest<Name>,
    signal: AbortSignal | undefined,
  ): Promise<Subscription<Name>> {
    signal?.throwIfAborted();
    if (typeof WebSocket === 'undefined') {
      throw new NacreClientError('WEBSOCKET_MISSING', 'this runtime has no WebSocket, which subscriptions need', {
        hint: 'Node.js has one from version 22 on. Before, set globalThis.WebSocket to that of the package ws.',
      });
    }
    const subscription = new Subscription(pool, request, signal);
    await subscription.#connect({ attemptsMax: CALL_ATTEMPTS_MAX, forMs: CALL_TIMEOUT_MS });
    return subscription;
  }

  /** Of the next event: subscribe with it to go on here later. */
  get cursor(): string {
    assert(this.#cursor !== undefined, 'an open subscription has been told where it begins');
    return this.#cursor;
  }

  /** Ends the iteration. */
  close(): void {
    this.#closed.abort();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<SubscriptionEvent<Name>, void, undefined> {
    try {
      while (!this.#ending.aborted) {
        const event = await this.#socket?.next(this.#ending);
        if (this.#ending.aborted) break;
        if (event === undefined) {
          await this.#connect({ attemptsMax: Infinity, forMs: RECONNECT_MS });
        } else {
          this.#cursor = event.cursor;
          yield event;
        }
      }
      this.#signal?.throwIfAborted();
    } catch (error) {
      // Being closed while it looks for a node is an end like any other.
      if (!this.#closed.signal.aborted) throw error;
    } finally {
      this.#closed.abort();
    }
  }

  /** Subscribes at a node, from the cursor on. */
  async #connect({ attemptsMax, forMs }: { readonly attemptsMax: number; readonly forMs: number }): Promise<void> {
    const { topic, ...rest } = this.#request;
    const deadlineMs = performance.now() + forMs;
    const tried = new Set<KnownNode>();
    for (let attempt = 1; ; attempt++) {
      const node = this.#pool.pick(tried) ?? this.#pool.first();
      if (tried.has(node)) tried.clear();
      await pause(Math.max(0, node.availableAtMs - performance.now()), this.#ending);
      tried.add(node);
      const params = this.#cursor === undefined ? rest : { ...rest, cursor: this.#cursor };
      const socket = new SubscriptionSocket<Name>(node.url, topic, params);
      this.#socket = socket;
      try {
        const cursor = await socket.begun;
        this.#cursor ??= cursor;
        this.#pool.succeeded(node);
        return;
      } catch (error) {
        socket.close();
        this.#ending.throwIfAborted();
        if (!isNodeTrouble(error)) throw error;
        this.#pool.failed(node, retryAfterMs(error));
        if (attempt >= attemptsMax || performance.now() >= deadlineMs) throw error;
      }
    }
  }
}
