import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { codeOf, rawHttp } from './support/raw-http.ts';
import { type RpcAnswer, RpcNode } from './support/rpc-node.ts';
import { WebSocketClient } from './support/web-socket-client.ts';

describe('the WebSocket', () => {
  const BODY_BYTES_MAX = 64 * 1024;
  let node: RpcNode;
  let url: string;

  beforeAll(async () => {
    node = await RpcNode.start({ rpc: { limits: { bodyBytesMax: BODY_BYTES_MAX } } });
    url = node.url;
  });

  afterAll(() => node?.stop());

  test('answers calls and batches like HTTP does', async () => {
    const client = await WebSocketClient.connect(url);
    expect(await client.call('node_status')).toMatchObject({ result: { chainId: 'test' } });
    expect((await client.call('nothing')).error?.data.code).toBe('METHOD_NOT_FOUND');
    const { result: answers } = await client.batch(
      '[{"jsonrpc":"2.0","id":1,"method":"net_peers"},{"jsonrpc":"2.0","id":2,"method":"node_status"}]',
    );
    expect((answers as RpcAnswer[]).map(({ id }) => id)).toEqual([1, 2]);
    await client.close();
  });

  test('is refused to foreign pages and hosts', async () => {
    const upgrade = {
      connection: 'upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
    };
    const origin = await rawHttp(url, { method: 'GET', path: '/ws', headers: { ...upgrade, origin: 'https://evil.example' } });
    expect([origin.status, codeOf(origin)]).toEqual([403, 'ORIGIN_FORBIDDEN']);
    const host = await rawHttp(url, { method: 'GET', path: '/ws', headers: { ...upgrade, host: 'evil.example' } });
    expect([host.status, codeOf(host)]).toEqual([403, 'HOST_FORBIDDEN']);
  });

  // @mutation packages/node/src/rpc/rpc-server.ts
  // - await http.register(webSocket, { options: { maxPayload: bodyBytesMax } });
  // + await http.register(webSocket, { options: { maxPayload: 2 * bodyBytesMax } });
  test('closes on a message that is too large', async () => {
    const client = await WebSocketClient.connect(url);
    const { closed } = client;
    client.send(JSON.stringify('x'.repeat(BODY_BYTES_MAX)));
    expect(await closed).toEqual({ code: 1009 });
  });

  // @mutation packages/node/src/rpc/rpc-server.ts
  // - if (this.#sessions.size >= socketsMax || ofAddress >= socketsPerAddressMax) {
  // + if (this.#sessions.size > socketsMax || ofAddress > socketsPerAddressMax) {
  test('is refused when there are too many', async () => {
    const few = await RpcNode.start({ rpc: { limits: { socketsPerAddressMax: 2 } } });
    try {
      const open = [await WebSocketClient.connect(few.url), await WebSocketClient.connect(few.url)];
      await expect(WebSocketClient.connect(few.url)).rejects.toThrow('no WebSocket');
      await open[0]?.close();
      await expect
        .poll(() =>
          WebSocketClient.connect(few.url).then(
            () => 'open',
            () => 'refused',
          ),
        )
        .toBe('open');
    } finally {
      await few.stop();
    }
  });

  // @mutation packages/node/src/rpc/rpc-server.ts
  // - for (const check of checks) await checkRate(check, request);
  // + for (const check of checks.slice(0, 1)) await checkRate(check, request);
  test('has a rate of its own', async () => {
    const limited = await RpcNode.start({ rpc: { limits: { socketCallsPerSecondMax: 10 } } });
    try {
      const client = await WebSocketClient.connect(limited.url);
      // So many that some are refused even where all of them take seconds.
      const answers = await Promise.all(Array.from({ length: 200 }, () => client.call('node_status')));
      const refused = answers.filter(({ error }) => error?.data.code === 'RATE_LIMITED');
      expect(refused.length).toBeGreaterThanOrEqual(5);
      expect(refused[0]?.error?.data).toMatchObject({ retryable: true, callsPerSecondMax: 10 });
    } finally {
      await limited.stop();
    }
  });

  test('ends with the node, and whoever waits is told how far it came', async () => {
    const ending = await RpcNode.start({ validating: false });
    const client = await WebSocketClient.connect(ending.url);
    const { closed } = client;
    await client.subscribe({ topic: 'blocks' });
    await ending.stop();
    expect(await closed).toEqual({ code: 1001 });
  });

  test('of a client that is gone keeps nothing', async () => {
    const client = await WebSocketClient.connect(url);
    await client.subscribe({ topic: 'blocks' });
    await client.close();
    await expect.poll(async () => (await fetch(`${url}/metrics`)).text()).toContain('nacre_rpc_sockets 0\n');
  });
});
