import { toHex } from '@nacre/base';
import { formatAddress } from '@nacre/crypto';
import { LedgerError } from '@nacre/ledger';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { RpcNode, result } from './support/rpc-node.ts';
import { SlowWebSocket } from './support/slow-web-socket.ts';
import { type Notification, WebSocketClient } from './support/web-socket-client.ts';

let node: RpcNode;
let url: string;
const clients: WebSocketClient[] = [];

beforeAll(async () => {
  node = await RpcNode.start({ rpc: { limits: { subscriptionsMax: 4, subscriptionLagMax: 20 } } });
  url = node.url;
});

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
});

afterAll(() => node?.stop());

async function connected(): Promise<WebSocketClient> {
  const client = await WebSocketClient.connect(url);
  clients.push(client);
  return client;
}

async function record(service: string, ...payloads: readonly unknown[]): Promise<{ readonly height: number; readonly txId: string }> {
  const { height, txId } = await result(url, 'record_submit', { service, payloads, wait: 'committed' });
  return { height: height as number, txId };
}

const eventsOf = (client: WebSocketClient, subscription: string): Notification['params'][] =>
  client.heard.filter(({ method, params }) => method === 'event' && params.subscription === subscription).map(({ params }) => params);

describe('a subscription', () => {
  test('to blocks tells of each one, with what a reader needs to go on', async () => {
    const client = await connected();
    const { subscription, cursor } = await client.subscribe({ topic: 'blocks' });
    expect(cursor).toBe(String(node.replica.ledger.tip.height + 1));
    const { height } = await record('topic/blocks', 1);
    await expect.poll(() => eventsOf(client, subscription).at(-1)?.cursor).toBe(String(height + 1));
    const heights = eventsOf(client, subscription).map(({ data }) => data.height);
    expect(heights).toEqual(heights.map((_, i) => Number(cursor) + i));
    const block = node.replica.ledger.blockAt(height);
    expect(eventsOf(client, subscription).at(-1)?.data).toEqual({
      chain: 0,
      height,
      hash: toHex(block?.hash as Uint8Array),
      timeMs: block?.header.timeMs,
      proposer: formatAddress(node.validator.address),
      transactionCount: 1,
    });
  });

  // @mutation packages/node/src/rpc/subscriptions.ts
  // - if (events === 'pruned') {
  // + if (events.length > 1000) {
  test('that asks for what is not on this node any more is told so, and goes on with the first that is', async () => {
    await record('topic/pruned', 1, 2);
    const { ledger } = node.replica;
    const firstHeight = ledger.tip.height;
    vi.spyOn(ledger, 'firstHeight', 'get').mockReturnValue(firstHeight);
    const refused = LedgerError.pruned({ service: 'topic/pruned', index: 0, nextIndex: 1, firstHeight });
    vi.spyOn(ledger, 'records').mockRejectedValueOnce(refused);
    const client = await connected();
    const missed = (id: string) => client.heard.filter(({ method, params }) => method === 'missed' && params.subscription === id);
    const [block, transaction, later] = [String(firstHeight), `${firstHeight}.0`, '1'];
    const cases = [
      [{ topic: 'blocks', cursor: '1' }, block],
      [{ topic: 'transactions', cursor: '1.0' }, transaction],
      [{ topic: 'records', service: 'topic/pruned', cursor: '0' }, later],
    ] as const;
    for (const [request, first] of cases) {
      const { subscription } = await client.subscribe(request);
      await expect.poll(() => eventsOf(client, subscription).length).toBeGreaterThan(0);
      expect(missed(subscription)).toMatchObject([{ params: { from: request.cursor, to: first } }]);
    }
    vi.restoreAllMocks();
  });

  // @mutation packages/node/src/rpc/rpc-server.ts
  // - this.#backend.healthLog.onEvent(wakeAll),
  // +
  test('to health tells of changed states; its cursor holds for this process, and at another one all that is kept is told', async () => {
    const client = await connected();
    const { subscription } = await client.subscribe({ topic: 'health' });
    const before = eventsOf(client, subscription).length;
    node.networkState = { state: 'PARTITIONED', reason: 'a test says so' };
    await expect
      .poll(() => eventsOf(client, subscription).at(-1)?.data)
      .toMatchObject({
        kind: 'state',
        networkState: { state: 'PARTITIONED', reason: 'a test says so' },
      });
    node.networkState = { state: 'NORMAL', reason: null };
    await expect
      .poll(() => eventsOf(client, subscription).at(-1)?.data)
      .toMatchObject({
        kind: 'state',
        networkState: { state: 'NORMAL' },
      });
    const events = eventsOf(client, subscription).slice(before);
    const again = await client.subscribe({ topic: 'health', cursor: events.at(-2)?.cursor as string });
    await expect.poll(() => eventsOf(client, again.subscription)).toHaveLength(1);
    expect(eventsOf(client, again.subscription)[0]).toMatchObject({ data: events.at(-1)?.data, cursor: events.at(-1)?.cursor });
    const elsewhere = await client.subscribe({ topic: 'health', cursor: '1.7' });
    await expect.poll(() => eventsOf(client, elsewhere.subscription).length).toBeGreaterThanOrEqual(2);
    expect(eventsOf(client, elsewhere.subscription)[0]?.data).toMatchObject({ sequence: 0 });
  });

  test('to transactions tells how each one ended', async () => {
    await record('topic/transactions', 0);
    const client = await connected();
    const { subscription } = await client.subscribe({ topic: 'transactions' });
    const { height, txId } = await record('topic/transactions', 1);
    await expect.poll(() => eventsOf(client, subscription)).toHaveLength(1);
    expect(eventsOf(client, subscription)[0]).toMatchObject({
      data: { chain: 0, txId, status: 'committed', height, index: 0 },
      cursor: `${height}.1`,
    });
  });

  test('to records hears of its own service only', async () => {
    const client = await connected();
    const { subscription, cursor } = await client.subscribe({ topic: 'records', service: 'topic/mine' });
    expect(cursor).toBe('0');
    await record('topic/other', 'other');
    await record('topic/mine', 'a', 'b');
    await expect.poll(() => eventsOf(client, subscription)).toHaveLength(2);
    expect(eventsOf(client, subscription).map(({ data, cursor: next }) => [data.payload, data.index, next])).toEqual([
      ['a', 0, '1'],
      ['b', 1, '2'],
    ]);
  });

  test('resumed with a cursor leaves nothing out and repeats nothing', async () => {
    await record('resume/a', 0, 1);
    const first = await connected();
    const records = await first.subscribe({ topic: 'records', service: 'resume/a', cursor: '0' });
    const transactions = await first.subscribe({ topic: 'transactions' });
    await record('resume/a', 2);
    await expect.poll(() => eventsOf(first, records.subscription)).toHaveLength(3);
    await expect.poll(() => eventsOf(first, transactions.subscription)).toHaveLength(1);
    const recordCursor = eventsOf(first, records.subscription)[1]?.cursor;
    const transactionCursor = eventsOf(first, transactions.subscription)[0]?.cursor;
    await first.close();
    clients.splice(0);

    const ids = [await record('resume/a', 3), await record('resume/a', 4)].map(({ txId }) => txId);
    const second = await connected();
    const again = await second.subscribe({ topic: 'records', service: 'resume/a', cursor: recordCursor });
    const transactionsAgain = await second.subscribe({ topic: 'transactions', cursor: transactionCursor });
    await expect.poll(() => eventsOf(second, again.subscription)).toHaveLength(3);
    expect(eventsOf(second, again.subscription).map(({ data }) => data.payload)).toEqual([2, 3, 4]);
    await expect.poll(() => eventsOf(second, transactionsAgain.subscription).map(({ data }) => data.txId)).toEqual(ids);
  });

  test('resumed from the beginning gets everything there ever was, however much', async () => {
    const client = await connected();
    const { subscription } = await client.subscribe({ topic: 'blocks', cursor: '0' });
    const { height } = await record('resume/all', 1);
    await expect.poll(() => eventsOf(client, subscription).length).toBeGreaterThanOrEqual(height);
    expect(
      eventsOf(client, subscription)
        .map(({ data }) => data.height)
        .slice(0, height),
    ).toEqual(Array.from({ length: height }, (_, i) => i + 1));
    const { subscription: all } = await client.subscribe({ topic: 'transactions', cursor: '0.0' });
    const decided = Array.from({ length: height }, (_, i) => node.replica.ledger.blockAt(i + 1)?.bodyHashes.length ?? 0);
    const total = decided.reduce((sum, each) => sum + each, 0);
    await expect.poll(() => eventsOf(client, all).length).toBeGreaterThanOrEqual(total);
    expect(client.heard.filter(({ method }) => method === 'missed')).toEqual([]);
  });

  test('resumed at a node that has restarted reads what was decided before', async () => {
    await record('resume/restart', 1);
    await node.restart();
    url = node.url;
    const client = await connected();
    const { height } = node.replica.ledger.tip;
    const blocks = await client.subscribe({ topic: 'blocks', cursor: '1' });
    const transactions = await client.subscribe({ topic: 'transactions', cursor: '1.0' });
    await expect.poll(() => eventsOf(client, blocks.subscription)).toHaveLength(height);
    for (const { data } of eventsOf(client, blocks.subscription)) {
      const block = node.replica.ledger.blockAt(data.height as number);
      expect(data).toMatchObject({ hash: toHex(block?.hash as Uint8Array), transactionCount: block?.bodyHashes.length });
    }
    const last = node.replica.ledger.blockAt(height)?.bodyHashes.at(-1) as Uint8Array;
    const txId = toHex(node.replica.ledger.transactionId(last) as Uint8Array);
    await expect.poll(() => eventsOf(client, transactions.subscription).at(-1)?.data.txId).toBe(txId);
  });

  test('with a cursor of a node that is ahead waits for it', async () => {
    const client = await connected();
    const ahead = node.replica.ledger.tip.height + 3;
    const { subscription } = await client.subscribe({ topic: 'blocks', cursor: String(ahead) });
    for (let i = 0; node.replica.ledger.tip.height < ahead; i++) await record('topic/ahead', i);
    await expect.poll(() => eventsOf(client, subscription)[0]?.data.height).toBe(ahead);
  });

  test('ends when asked to, and not for others', async () => {
    const client = await connected();
    const one = await client.subscribe({ topic: 'records', service: 'end/a' });
    const two = await client.subscribe({ topic: 'records', service: 'end/a' });
    expect(await client.call('unsubscribe', { subscription: one.subscription })).toMatchObject({ result: true });
    await record('end/a', 1);
    await expect.poll(() => eventsOf(client, two.subscription)).toHaveLength(1);
    expect(eventsOf(client, one.subscription)).toEqual([]);
    const again = await client.call('unsubscribe', { subscription: one.subscription });
    expect(again.error?.data.code).toBe('SUBSCRIPTION_UNKNOWN');
  });

  test.each([
    [{ topic: 'blocks', cursor: 'x' }, 'CURSOR_INVALID'],
    [{ topic: 'blocks', cursor: '1.0' }, 'CURSOR_INVALID'],
    [{ topic: 'blocks', cursor: '-1' }, 'CURSOR_INVALID'],
    [{ topic: 'blocks', cursor: '99999999999999999999' }, 'CURSOR_INVALID'],
    [{ topic: 'transactions', cursor: '7' }, 'CURSOR_INVALID'],
    [{ topic: 'records', service: 'a', cursor: '' }, 'CURSOR_INVALID'],
    [{ topic: 'blocks', cursor: '1'.repeat(41) }, 'INVALID_PARAMS'],
    [{ topic: 'records' }, 'INVALID_PARAMS'],
    [{ topic: 'blocks', service: 'a' }, 'INVALID_PARAMS'],
    [{ topic: 'evidence' }, 'INVALID_PARAMS'],
    [{ topic: 'health', cursor: '7' }, 'CURSOR_INVALID'],
  ])('to %j is refused', async (params, code) => {
    const client = await connected();
    expect((await client.call('subscribe', params)).error?.data.code).toBe(code);
  });

  // @mutation packages/node/src/rpc/subscriptions.ts
  // - if (this.#subscriptions.size >= subscriptionsMax)
  // + if (this.#subscriptions.size > subscriptionsMax)
  test('beyond those that one WebSocket may have is refused', async () => {
    const client = await connected();
    for (let i = 0; i < 4; i++) await client.subscribe({ topic: 'blocks' });
    expect((await client.call('subscribe', { topic: 'blocks' })).error?.data).toMatchObject({
      code: 'TOO_MANY_SUBSCRIPTIONS',
      subscriptionsMax: 4,
    });
  });

  test('that a client reads slowly holds up nobody, and the client hears what it missed when it reads again', async () => {
    const slow = await SlowWebSocket.connect(url);
    const quick = await connected();
    const service = 'slow/records';
    slow.send(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'subscribe', params: { topic: 'records', service } }));
    await expect.poll(() => slow.messages).toHaveLength(1);
    slow.stopReading();
    const { subscription } = await quick.subscribe({ topic: 'records', service });
    // More than what the kernel's buffers take on both sides.
    const schema = { name: 'json', version: 1 };
    const payloads = Array.from({ length: 15 }, () => new TextEncoder().encode(JSON.stringify('x'.repeat(60_000))));
    const transactions = 25;
    for (let i = 0; i < transactions; i++) {
      const submitted = await node.backend.submitRecords({ service, key: '', schema, payloads, requestId: null }, 10_000);
      expect(submitted.ok).toBe(true);
      await expect.poll(() => eventsOf(quick, subscription), { interval: 5 }).toHaveLength(15 * (i + 1));
    }
    slow.read();
    const notifications = (): Notification[] => slow.messages.slice(1).map((text) => JSON.parse(text) as Notification);
    await expect.poll(() => notifications().at(-1)?.params.cursor).toBe(String(15 * transactions));
    slow.close();
    const heard = notifications();
    const missed = heard.filter(({ method }) => method === 'missed');
    expect(missed.length).toBeGreaterThanOrEqual(1);
    // What was heard and what was missed follow one another without a gap.
    let next = 0;
    for (const { method, params } of heard) {
      if (method === 'missed') expect(Number(params.from)).toBe(next);
      else expect(params.data.index).toBe(next);
      next = Number(params.cursor);
    }
    expect(quick.heard.filter(({ method }) => method === 'missed')).toEqual([]);
  });
});
