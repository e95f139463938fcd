import { readShape, type Shape } from './answer-shape.ts';
import { TOPICS, type Topic, type TopicData } from './answers.ts';
import type { NacreRpcError } from './client-error.ts';
import { ATTEMPT_TIMEOUT_MS, EVENT_CHARACTERS_QUEUED_MAX, EVENTS_QUEUED_MAX, SOCKET_SILENCE_MS } from './client-limits.ts';
import { deferred } from './deferred.ts';
import { errorFrom, malformedError, type Params, REACH_HINT, timeoutError, unreachableError } from './http-call.ts';

/** What a subscription tells. */
export type SubscriptionEvent<Name extends Topic> =
  | { readonly kind: 'event'; readonly data: TopicData<Name>; readonly cursor: string }
  /** The reader was too slow: events from cursor `from` to cursor `to` were left out, and can be had by subscribing from `from`. */
  | { readonly kind: 'missed'; readonly from: string; readonly to: string; readonly cursor: string };

interface Queued<Name extends Topic> {
  readonly event: SubscriptionEvent<Name>;
  readonly characters: number;
}

const SUBSCRIBE_ID = 1;
const KEEPALIVE_ID = 2;

type Message = Readonly<Record<string, unknown>>;

/** One subscription on one WebSocket: it ends with the connection, and what came before that can still be read. */
export class SubscriptionSocket<Name extends Topic> {
  /** Settles with the cursor of the first event to come. */
  readonly begun: Promise<string>;
  readonly #begin = deferred<string>();
  readonly #url: string;
  readonly #topic: Name;
  readonly #socket: WebSocket;
  readonly #queue: Queued<Name>[] = [];
  #characters = 0;
  #ended = false;
  #heard = true;
  #wake: () => void = () => {};
  readonly #keepalive: ReturnType<typeof setInterval>;
  readonly #patience: ReturnType<typeof setTimeout>;

  constructor(url: string, topic: Name, params: Params) {
    this.#url = url;
    this.#topic = topic;
    this.begun = this.#begin.promise;
    const address = new URL('ws', url);
    address.protocol = address.protocol === 'https:' ? 'wss:' : 'ws:';
    const socket = new WebSocket(address);
    this.#socket = socket;
    socket.addEventListener('open', () => this.#send(SUBSCRIBE_ID, 'subscribe', { topic, ...params }));
    socket.addEventListener('message', ({ data }) => this.#read(String(data)));
    socket.addEventListener('error', () => this.#end(unreachableError(url, undefined)));
    socket.addEventListener('close', () => this.#end(unreachableError(url, undefined)));
    this.#keepalive = setInterval(() => this.#listen(), SOCKET_SILENCE_MS);
    const silent = timeoutError(`no subscription at ${url} in time`, { url }, REACH_HINT);
    this.#patience = setTimeout(() => this.#end(silent), ATTEMPT_TIMEOUT_MS);
  }

  /** @returns the next event; undefined when the connection has ended and all that it brought has been read, or the signal aborts */
  async next(signal: AbortSignal | undefined): Promise<SubscriptionEvent<Name> | undefined> {
    while (this.#queue.length === 0 && !this.#ended && signal?.aborted !== true) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const first = this.#queue.shift();
    this.#characters -= first?.characters ?? 0;
    return first?.event;
  }

  /** Lets whoever waits for an event look again. */
  wake(): void {
    this.#wake();
  }

  close(): void {
    this.#end(unreachableError(this.#url, undefined));
  }

  #send(id: number, method: string, params: Params): void {
    this.#socket.send(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
  }

  /** A connection whose other end is gone may stay open for many minutes. */
  #listen(): void {
    if (!this.#heard) return this.#end(unreachableError(this.#url, undefined));
    this.#heard = false;
    if (this.#socket.readyState === WebSocket.OPEN) this.#send(KEEPALIVE_ID, 'node_status', {});
  }

  #read(text: string): void {
    if (this.#ended) return;
    this.#heard = true;
    let message: unknown;
    try {
      message = JSON.parse(text);
    } catch {
      return this.#end(malformedError(this.#url, 'not JSON'));
    }
    if (typeof message !== 'object' || message === null) return this.#end(malformedError(this.#url, 'not JSON-RPC'));
    const { id, method, params, result, error } = message as Message;
    if (id === SUBSCRIBE_ID) this.#readAnswer(result, error);
    else if (method === 'event' || method === 'missed') this.#readEvent(method, params, text.length);
  }

  #readAnswer(result: unknown, error: unknown): void {
    if (error !== undefined) return this.#end(errorFrom(error, this.#url));
    const cursor = (result as Message | null | undefined)?.cursor;
    if (typeof cursor !== 'string') return this.#end(malformedError(this.#url, 'a subscription without a cursor'));
    clearTimeout(this.#patience);
    this.#begin.resolve(cursor);
  }

  #readEvent(kind: 'event' | 'missed', params: unknown, characters: number): void {
    const { cursor, data, from, to } = (params ?? {}) as Message;
    const read = readShape(TOPICS[this.#topic] as Shape<TopicData<Name>>, data);
    if (typeof cursor !== 'string') return this.#end(malformedError(this.#url, 'an event without a cursor'));
    if (kind === 'missed' && typeof from === 'string' && typeof to === 'string') return this.#take({ kind, from, to, cursor }, characters);
    if (kind === 'missed' || !read.ok) return this.#end(malformedError(this.#url, 'an event of another topic'));
    this.#take({ kind, data: read.value, cursor }, characters);
  }

  #take(event: SubscriptionEvent<Name>, characters: number): void {
    this.#queue.push({ event, characters });
    this.#characters += characters;
    // A WebSocket cannot be told to wait. The subscription goes on behind the last event taken in, so closing it loses nothing.
    if (this.#queue.length >= EVENTS_QUEUED_MAX || this.#characters >= EVENT_CHARACTERS_QUEUED_MAX) this.close();
    this.#wake();
  }

  #end(reason: NacreRpcError): void {
    if (this.#ended) return;
    this.#ended = true;
    clearInterval(this.#keepalive);
    clearTimeout(this.#patience);
    this.#begin.reject(reason);
    this.#socket.close();
    this.#wake();
  }
}
