import { setImmediate as nextTurn } from 'node:timers/promises';
import { RPC_EVENTS_PER_TURN } from '@nacre/base';
import { RpcError } from './errors.ts';
import type { Feed, Topic } from './feeds.ts';

interface Subscription {
  readonly id: string;
  readonly topic: Topic;
  readonly feed: Feed;
  /** Lag at which events are skipped: so much more than it was at its best. A resumed reader thus gets all that it was behind by. */
  lagMax: number;
  /** False until its id has been sent. */
  active: boolean;
}

export interface SubscriptionLimits {
  readonly subscriptionsMax: number;
  readonly lagMax: number;
}

/** Sends one notification; settles when the socket has taken it or is closed, so that a slow reader holds up its own events only. */
type Send = (text: string) => Promise<void>;

interface Socket {
  readonly send: Send;
  /** Events cannot be read any more: the store failed. */
  readonly fail: (error: unknown) => void;
}

/** The subscriptions of one WebSocket, served in turn, a few events each, no faster than the reader reads. */
export class SubscriptionHost {
  readonly #limits: SubscriptionLimits;
  readonly #socket: Socket;
  readonly #subscriptions = new Map<string, Subscription>();
  #nextId = 1;
  #pumping = false;
  /** Something may have come since everybody was looked at. */
  #news = false;
  #closed = false;

  constructor(limits: SubscriptionLimits, socket: Socket) {
    this.#limits = limits;
    this.#socket = socket;
  }

  get size(): number {
    return this.#subscriptions.size;
  }

  /**
   * Takes a subscription in; its events begin after `activate`.
   *
   * @throws {RpcError} `TOO_MANY_SUBSCRIPTIONS`
   */
  add(topic: Topic, open: () => Feed): { readonly subscription: string; readonly cursor: string } {
    const { subscriptionsMax, lagMax } = this.#limits;
    if (this.#subscriptions.size >= subscriptionsMax) throw new RpcError('TOO_MANY_SUBSCRIPTIONS', { subscriptionsMax });
    const feed = open();
    const id = String(this.#nextId++);
    this.#subscriptions.set(id, { id, topic, feed, lagMax: Math.max(feed.lag(), 0) + lagMax, active: false });
    return { subscription: id, cursor: feed.cursor };
  }

  /** @throws {RpcError} `SUBSCRIPTION_UNKNOWN` */
  remove(id: string): void {
    if (!this.#subscriptions.delete(id)) throw new RpcError('SUBSCRIPTION_UNKNOWN', { subscription: id });
  }

  /** Call when the answers to all `subscribe` calls so far have been sent. */
  activate(): void {
    for (const subscription of this.#subscriptions.values()) subscription.active = true;
    this.wake();
  }

  /** Something new is decided. */
  wake(): void {
    this.#news = true;
    if (this.#pumping || this.#closed) return;
    this.#pumping = true;
    void this.#pump();
  }

  close(): void {
    this.#closed = true;
    this.#subscriptions.clear();
  }

  /** Ends when nobody has anything left to read. */
  async #pump(): Promise<void> {
    try {
      while (this.#news) {
        this.#news = false;
        let told = false;
        for (const subscription of this.#subscriptions.values()) {
          if (subscription.active && (await this.#turn(subscription))) told = true;
        }
        if (!told) continue;
        this.#news = true;
        // A socket with room takes everything at once, and the node has more to do than this.
        await nextTurn();
      }
    } catch (error) {
      this.#socket.fail(error);
    } finally {
      this.#pumping = false;
    }
  }

  /** @returns whether there was anything to tell */
  async #turn(subscription: Subscription): Promise<boolean> {
    const { id, topic, feed } = subscription;
    const lag = feed.lag();
    if (lag <= 0) return false;
    const from = feed.cursor;
    const missed = () => this.#notify('missed', { subscription: id, topic, from, to: feed.cursor, cursor: feed.cursor });
    if (lag > subscription.lagMax) {
      feed.skip();
      await missed();
      return true;
    }
    subscription.lagMax = Math.min(subscription.lagMax, lag + this.#limits.lagMax);
    const events = await feed.next(RPC_EVENTS_PER_TURN);
    if (events === 'pruned') {
      if (this.#subscriptions.has(id)) await missed();
      return true;
    }
    const last = events.at(-1);
    // Blocks without transactions move a feed on without an event.
    if (last === undefined || !this.#subscriptions.has(id)) return feed.lag() < lag;
    for (const { data, cursor } of events) {
      const sent = this.#notify('event', { subscription: id, topic, cursor, data });
      if (cursor === last.cursor) await sent;
    }
    return true;
  }

  #notify(method: 'event' | 'missed', params: object): Promise<void> {
    return this.#socket.send(JSON.stringify({ jsonrpc: '2.0', method, params }));
  }
}
