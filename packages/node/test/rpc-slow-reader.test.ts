import { describe, expect, test } from 'vitest';
import type { Feed } from '../src/rpc/feeds.ts';
import { SubscriptionHost } from '../src/rpc/subscriptions.ts';
import type { Notification } from './support/web-socket-client.ts';

const LAG_MAX = 20;

describe('a slow reader', () => {
  /** A feed over the numbers from 0 to what `newest` says. */
  class Numbers implements Feed {
    newest = 0;
    #at = 0;
    get cursor(): string {
      return String(this.#at);
    }
    lag(): number {
      return this.newest - this.#at;
    }
    async next(limit: number) {
      const count = Math.min(limit, this.lag());
      return Array.from({ length: count }, () => ({ data: this.#at, cursor: String(++this.#at) }));
    }
    skip(): void {
      this.#at = this.newest;
    }
  }

  function reader(newest: number) {
    const feed = new Numbers();
    feed.newest = newest;
    const sent: Notification[] = [];
    const waiting: (() => void)[] = [];
    let slow = true;
    const send = async (text: string): Promise<void> => {
      sent.push(JSON.parse(text) as Notification);
      if (slow) await new Promise<void>((resolve) => waiting.push(resolve));
    };
    const host = new SubscriptionHost({ subscriptionsMax: 4, lagMax: LAG_MAX }, { send, fail: () => {} });
    host.add('blocks', () => feed);
    host.activate();
    const read = (): void => {
      slow = false;
      for (const resolve of waiting.splice(0)) resolve();
    };
    return { feed, host, sent, read };
  }

  // @mutation packages/node/src/rpc/subscriptions.ts
  // - if (lag > subscription.lagMax) {
  // + if (lag > 1e9) {
  test('goes on with the newest and is told what it missed', async () => {
    const { feed, host, sent, read } = reader(0);
    feed.newest = 1;
    host.wake();
    await expect.poll(() => sent).toHaveLength(1);
    feed.newest = 100;
    host.wake();
    read();
    await expect.poll(() => sent).toHaveLength(2);
    expect(sent[1]).toMatchObject({
      method: 'missed',
      params: { subscription: '1', topic: 'blocks', from: '1', to: '100', cursor: '100' },
    });
    feed.newest = 103;
    host.wake();
    await expect.poll(() => sent).toHaveLength(5);
    expect(sent.slice(2).map(({ params }) => params.data)).toEqual([100, 101, 102]);
  });

  test('that is behind by no more than it may be misses nothing', async () => {
    const { feed, host, sent, read } = reader(0);
    feed.newest = 1;
    host.wake();
    await expect.poll(() => sent).toHaveLength(1);
    feed.newest = 1 + LAG_MAX;
    host.wake();
    read();
    await expect.poll(() => sent).toHaveLength(1 + LAG_MAX);
    expect(sent.every(({ method }) => method === 'event')).toBe(true);
  });

  test('that resumes from far behind gets all of it, unless it falls back', async () => {
    const resumed = reader(500);
    await expect.poll(() => resumed.sent).toHaveLength(16);
    resumed.read();
    await expect.poll(() => resumed.sent).toHaveLength(500);
    expect(resumed.sent.map(({ params }) => params.data)).toEqual(Array.from({ length: 500 }, (_, i) => i));

    const fallingBack = reader(500);
    await expect.poll(() => fallingBack.sent).toHaveLength(16);
    fallingBack.feed.newest = 600;
    fallingBack.read();
    await expect.poll(() => fallingBack.sent.at(-1)?.method).toBe('missed');
    expect(fallingBack.sent.at(-1)?.params).toMatchObject({ from: '16', to: '600' });
  });
});
