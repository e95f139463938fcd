import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { type FeedOptions, feedPrices } from '../src/testnet/price-feed.ts';
import type { DailyPrice } from '../src/testnet/prices.ts';
import { Progress } from '../src/testnet/progress.ts';

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

const prices: DailyPrice[] = Array.from({ length: 250 }, (_, day) => {
  const date = new Date(Date.UTC(2020, 0, 1 + day)).toISOString().slice(0, 10);
  return { date, open: 1, high: 2, low: 1, close: 2, volume: day };
});

interface Call {
  readonly method: string;
  readonly params: { requestId?: string; payloads?: DailyPrice[] };
}

type Answer = { result: unknown } | { error: { code: number; message: string; data: Record<string, unknown> } };

/** A node that keeps records in memory and honours request ids; `interfere` may answer instead. */
async function fakeNode(interfere: (call: Call, calls: readonly Call[]) => Answer | 'lose the answer' | undefined = () => undefined) {
  const records: DailyPrice[] = [];
  const requests = new Set<string>();
  const calls: Call[] = [];
  const server = createServer((request, response) => void answer(request, response));
  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const call = JSON.parse(String(Buffer.concat(chunks))) as Call;
    calls.push(call);
    const instead = interfere(call, calls);
    if (instead === 'lose the answer') {
      carryOut(call);
      response.destroy();
      return;
    }
    response.end(JSON.stringify({ jsonrpc: '2.0', id: 1, ...(instead ?? { result: carryOut(call) }) }));
  }
  function carryOut({ method, params }: Call): unknown {
    if (method === 'record_list')
      return { records: records.length === 0 ? [] : [{ index: records.length - 1, payload: records.at(-1) }], nextIndex: null };
    const { requestId = '', payloads = [] } = params;
    if (!requests.has(requestId)) records.push(...payloads);
    requests.add(requestId);
    return { status: 'committed' };
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  stops.push(() => server.close());
  return { records, calls, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

function feed(rpcUrl: string, changes: Partial<FeedOptions> = {}) {
  return feedPrices({
    rpcUrl,
    service: 'prices/test',
    prices,
    signal: new AbortController().signal,
    progress: () => undefined,
    ...changes,
  });
}

describe('price feed', () => {
  test('every row once and in order, and progress up to the last', async () => {
    const node = await fakeNode();
    const seen: number[] = [];
    expect(await feed(node.url, { progress: (rows) => seen.push(rows) })).toBe(true);
    expect(node.records).toEqual(prices);
    expect(seen).toEqual([0, 100, 200, 250]);
  });

  test('a second run feeds nothing', async () => {
    const node = await fakeNode();
    await feed(node.url);
    expect(await feed(node.url)).toBe(true);
    expect(node.records).toEqual(prices);
    expect(node.calls.filter(({ method }) => method === 'record_submit')).toHaveLength(3);
  });

  // @mutation packages/node/src/testnet/price-feed.ts
  // - requestId: `${name}/${attempt}`,
  // + requestId: `${name}/${attempt}/${Math.random()}`,
  test('an answer that got lost is asked for again under the same request id, and nothing is fed twice', async () => {
    let lost = 0;
    const node = await fakeNode(({ method }) => (method === 'record_submit' && lost++ === 1 ? 'lose the answer' : undefined));
    const problems: (string | null)[] = [];
    expect(await feed(node.url, { progress: (_, problem) => problems.push(problem) })).toBe(true);
    expect(problems.some((problem) => problem?.includes('no node answers'))).toBe(true);
    expect(node.records).toEqual(prices);
  });

  test('an expired batch is signed anew under the next request id', async () => {
    const node = await fakeNode(({ params }) => {
      if (params.requestId?.endsWith('/100/0') !== true) return undefined;
      return { error: { code: -32031, message: 'expired', data: { code: 'TRANSACTION_EXPIRED', retryable: false } } };
    });
    expect(await feed(node.url)).toBe(true);
    expect(node.records).toEqual(prices);
    expect(node.calls.some(({ params }) => params.requestId?.endsWith('/100/1'))).toBe(true);
  });

  test('a batch that is not decided in time is waited for', async () => {
    let pending = 2;
    const node = await fakeNode(({ method }) =>
      method === 'record_submit' && pending-- > 0 ? { result: { status: 'pending' } } : undefined,
    );
    expect(await feed(node.url)).toBe(true);
    expect(node.records).toEqual(prices);
  });

  // @mutation packages/node/src/testnet/price-feed.ts
  // - if (whole && prices[count - 1]?.date === last.payload.date) return count;
  // + if (whole) return count;
  test('a service that holds something else is left alone', async () => {
    const node = await fakeNode();
    node.records.push(...prices.slice(50, 150));
    await expect(feed(node.url)).rejects.toMatchObject({ code: 'FEED_DIVERGED', fields: { count: 100 } });
    node.records.splice(0, 100, ...prices.slice(0, 50));
    await expect(feed(node.url)).rejects.toMatchObject({ code: 'FEED_DIVERGED', fields: { count: 50 } });
  });

  test('a refusal that no waiting mends ends the feed', async () => {
    const error = {
      code: -32035,
      message: 'This node signs no records for clients.',
      data: { code: 'RECORDS_DISABLED', retryable: false },
    };
    const node = await fakeNode(({ method }) => (method === 'record_submit' ? { error } : undefined));
    await expect(feed(node.url)).rejects.toMatchObject({ code: 'RPC_REFUSED', fields: { nodeCode: 'RECORDS_DISABLED' } });
  });

  test('the signal ends it, even while nobody answers', async () => {
    const controller = new AbortController();
    const fed = feed('http://127.0.0.1:1', { signal: controller.signal, progress: () => controller.abort() });
    expect(await fed).toBe(false);
  });
});

describe('progress', () => {
  const lines: string[] = [];
  const stream = (isTTY: boolean) => {
    lines.length = 0;
    return { isTTY, write: (text: string) => lines.push(text) > 0 };
  };

  test('without a terminal: a line for each tenth, and each problem once', () => {
    const progress = new Progress(100, stream(false));
    for (let rows = 0; rows <= 100; rows++) progress.show(rows, rows === 55 || rows === 56 ? 'no answer' : null);
    progress.end();
    expect(lines.filter((line) => line.startsWith('recorded'))).toHaveLength(11);
    expect(lines.filter((line) => line.startsWith('waiting'))).toEqual(['waiting: no answer\n']);
  });

  test('on a terminal: one line that is drawn again, and left at the end', () => {
    const progress = new Progress(100, stream(true));
    progress.show(50, null);
    progress.show(60, 'no answer');
    progress.end();
    expect(lines[0]).toContain('[###############...............] 50 of 100 rows');
    expect(lines[1]).toContain('60 of 100 rows, waiting: no answer');
    expect(lines.at(-1)).toBe('\n');
  });
});
