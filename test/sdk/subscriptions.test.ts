import { connect, type NacreClient, type RecordAnswer, type Subscription, type SubscriptionEvent } from '@nacre/client';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { SdkNetwork } from './support/sdk-network.ts';

let network: SdkNetwork;
let client: NacreClient;

beforeAll(async () => {
  network = await SdkNetwork.start();
  client = connect((await network.serve()).url);
});

afterAll(() => network?.stop());

async function record(service: string, ...payloads: readonly unknown[]): Promise<void> {
  await client.submitRecords({ service, payloads }, { wait: 'committed' });
}

/** Reads so many events. */
async function take(subscription: Subscription<'records'>, number: number): Promise<SubscriptionEvent<'records'>[]> {
  const events: SubscriptionEvent<'records'>[] = [];
  for await (const event of subscription) if (events.push(event) === number) break;
  return events;
}

function payloads(events: readonly SubscriptionEvent<'records'>[]): unknown[] {
  return events.map((event) => (event.kind === 'event' ? event.data.payload : event));
}

function numbers(length: number): number[] {
  return Array.from({ length }, (_, number) => number);
}

describe('a subscription', () => {
  test('tells what comes after it began, of its service only, and where to go on', async () => {
    await record('topic/mine', 'before');
    const subscription = await client.subscribe({ topic: 'records', service: 'topic/mine' });
    expect(subscription.cursor).toBe('1');
    await record('topic/other', 'other');
    await record('topic/mine', 'a', 'b');
    const events = await take(subscription, 2);
    expect(events.map(({ cursor }) => cursor)).toEqual(['2', '3']);
    expect(payloads(events)).toEqual(['a', 'b']);
    expect(subscription.cursor).toBe('3');
    const again = await client.subscribe({ topic: 'records', service: 'topic/mine', cursor: '0' });
    expect(payloads(await take(again, 3))).toEqual(['before', 'a', 'b']);
  });

  test('tells of blocks and of how transactions ended', async () => {
    const blocks = await client.subscribe({ topic: 'blocks' });
    const transactions = await client.subscribe({ topic: 'transactions' });
    const { txId, height } = await client.submitRecords({ service: 'topic/mine', payload: 1 }, { wait: 'committed' });
    for await (const event of blocks) {
      if (event.kind !== 'event' || event.data.height < (height as number)) continue;
      expect(event.data).toMatchObject({ height, transactionCount: 1 });
      break;
    }
    for await (const event of transactions) {
      expect(event).toMatchObject({ kind: 'event', data: { txId, status: 'committed', height } });
      break;
    }
  });

  // @mutation packages/client/src/subscription.ts
  // - const params = this.#cursor === undefined ? rest : { ...rest, cursor: this.#cursor };
  // + const params = rest;
  test('goes on at another node where the first one stopped, each event once', async () => {
    const [first, second] = [await network.serve(), await network.serve()];
    const subscription = await connect([first.url, second.url]).subscribe({ topic: 'records', service: 'topic/moved' });
    await record('topic/moved', 'a');
    const events: RecordAnswer[] = [];
    for await (const event of subscription) {
      if (event.kind === 'event' && events.push(event.data) === 4) break;
      if (events.length !== 1) continue;
      await first.close();
      await record('topic/moved', 'b', 'c', 'd');
    }
    expect(events.map(({ payload }) => payload)).toEqual(['a', 'b', 'c', 'd']);
  });

  // @mutation packages/client/src/subscription.ts
  // - this.#cursor ??= cursor;
  // + void cursor;
  test('that lost its node before the first event goes on from where it began', async () => {
    const [first, second] = [await network.serve(), await network.serve()];
    const subscription = await connect([first.url, second.url]).subscribe({ topic: 'records', service: 'topic/early' });
    await first.close();
    await record('topic/early', 'missed by nobody');
    expect(payloads(await take(subscription, 1))).toEqual(['missed by nobody']);
  });

  // @mutation packages/client/src/subscription-socket.ts
  // - if (this.#queue.length >= EVENTS_QUEUED_MAX ||
  // + if (this.#queue.length < 0 ||
  test('of a reader that does not read holds a bounded number of events, and loses none of the others', async () => {
    const { url } = await network.serve({ limits: { subscriptionLagMax: 10_000 } });
    const sockets: WebSocket[] = [];
    class CountedWebSocket extends WebSocket {
      constructor(address: URL) {
        super(address);
        sockets.push(this);
      }
    }
    vi.stubGlobal('WebSocket', CountedWebSocket);
    const subscription = await connect(url).subscribe({ topic: 'records', service: 'topic/many' });
    for (let from = 0; from < 3; from++) await record('topic/many', ...numbers(800).map((number) => from * 800 + number));
    // The queue is full when the first connection is given up; the rest comes over later ones.
    await vi.waitFor(() => expect(sockets[0]?.readyState).toBeGreaterThanOrEqual(WebSocket.CLOSING), { timeout: 20_000 });
    const events = await take(subscription, 2400);
    vi.unstubAllGlobals();
    expect(payloads(events)).toEqual(numbers(2400));
    expect(sockets.length).toBeGreaterThan(1);
  });

  test('says what was left out when it fell too far behind', async () => {
    const { url } = await network.serve({ limits: { subscriptionLagMax: 5 } });
    const subscription = await connect(url).subscribe({ topic: 'records', service: 'topic/missed' });
    await record('topic/missed', ...numbers(20));
    expect(await take(subscription, 1)).toEqual([{ kind: 'missed', from: '0', to: '20', cursor: '20' }]);
  });

  test('ends when it is closed, also by leaving the loop, and with the reason when its signal aborts', async () => {
    const request = { topic: 'records', service: 'topic/quiet' } as const;
    const closed = await client.subscribe(request);
    setTimeout(() => closed.close(), 20);
    expect(await take(closed, 1)).toEqual([]);
    const aborter = new AbortController();
    const aborted = await client.subscribe(request, { signal: aborter.signal });
    setTimeout(() => aborter.abort(new Error('enough')), 20);
    await expect(take(aborted, 1)).rejects.toThrow('enough');
    await expect(client.subscribe(request, { signal: aborter.signal })).rejects.toThrow('enough');
  });

  test('is refused for a cursor that is none', async () => {
    await expect(client.subscribe({ topic: 'records', service: 'topic/mine', cursor: 'x' })).rejects.toMatchObject({
      name: 'NacreRpcError',
      code: 'CURSOR_INVALID',
      retryable: false,
    });
  });
});
