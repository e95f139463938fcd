import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { codeOf, rawHttp } from './support/raw-http.ts';
import { call, post, type RpcAnswer, RpcNode, refusal } from './support/rpc-node.ts';

const JSON_TYPE = { 'content-type': 'application/json' };
const STATUS_CALL = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'node_status' });

let node: RpcNode;
let url: string;
let port: string;

beforeAll(async () => {
  node = await RpcNode.start({
    rpc: {
      allowedHosts: ['nacre.example'],
      allowedOrigins: ['https://dashboard.example'],
      limits: { bodyBytesMax: 64 * 1024, batchCallsMax: 5 },
    },
  });
  url = node.url;
  port = new URL(url).port;
});

afterAll(() => node?.stop());

async function postCode(body: string | Uint8Array<ArrayBuffer>): Promise<unknown> {
  const answer = (await (await post(url, body)).json()) as RpcAnswer;
  return answer.error?.data.code;
}

describe('web pages', () => {
  // @mutation packages/node/src/rpc/access.ts
  // - if (host === undefined || !this.#hosts.has(host.toLowerCase()))
  // + if (host === undefined)
  test.each(['evil.example', 'evil.example:8640', '127.0.0.1', '127.0.0.1:1', 'localhost.evil.example'])(
    'whose name was made to point here are refused: Host %s',
    async (host) => {
      const answer = await rawHttp(url, { headers: { ...JSON_TYPE, host }, body: STATUS_CALL });
      expect([answer.status, codeOf(answer)]).toEqual([403, 'HOST_FORBIDDEN']);
    },
  );

  test('the own names with the port, and those configured, are hosts of the node', async () => {
    for (const host of [`127.0.0.1:${port}`, `LOCALHOST:${port}`, `[::1]:${port}`, 'nacre.example']) {
      const { status } = await rawHttp(url, { headers: { ...JSON_TYPE, host }, body: STATUS_CALL });
      expect([host, status]).toEqual([host, 200]);
    }
  });

  test('the checks stand before everything', async () => {
    for (const [method, path] of [
      ['GET', '/healthz'],
      ['GET', '/readyz'],
      ['GET', '/metrics'],
      ['GET', '/ws'],
      ['GET', '/nowhere'],
      ['OPTIONS', '/'],
    ]) {
      const answer = await rawHttp(url, { method: method as string, path: path as string, headers: { host: 'evil.example' } });
      expect([method, path, answer.status]).toEqual([method, path, 403]);
    }
  });

  // @mutation packages/node/src/rpc/access.ts
  // - if (origin !== undefined && !this.#origins.has(origin.toLowerCase()))
  // + if (origin !== undefined && !this.#origins.has(origin.toLowerCase()) && origin === 'null')
  test.each(['https://evil.example', 'null', 'http://localhost', 'https://dashboard.example.evil.example'])(
    'of a foreign origin are refused: Origin %s',
    async (origin) => {
      const answer = await rawHttp(url, { headers: { ...JSON_TYPE, origin }, body: STATUS_CALL });
      expect([answer.status, codeOf(answer)]).toEqual([403, 'ORIGIN_FORBIDDEN']);
      expect(answer.headers['access-control-allow-origin']).toBeUndefined();
    },
  );

  test('of an allowed origin may ask and read', async () => {
    const origin = 'https://dashboard.example';
    const preflight = await rawHttp(url, { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'POST' } });
    expect(preflight.status).toBe(204);
    expect(preflight.headers).toMatchObject({
      'access-control-allow-origin': origin,
      'access-control-allow-methods': 'POST',
      'access-control-allow-headers': 'content-type',
    });
    const answer = await rawHttp(url, { headers: { ...JSON_TYPE, origin }, body: STATUS_CALL });
    expect(answer.status).toBe(200);
    expect(answer.headers).toMatchObject({ 'access-control-allow-origin': origin, vary: 'origin' });
  });

  // @mutation packages/node/src/rpc/rpc-server.ts
  // - http.addContentTypeParser('application/json', { parseAs: 'buffer' }
  // + http.addContentTypeParser('*', { parseAs: 'buffer' }
  test.each(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'application/jsonp', ''])(
    'cannot send forms: content type %j',
    async (contentType) => {
      const headers: Record<string, string> = contentType === '' ? {} : { 'content-type': contentType };
      const answer = await rawHttp(url, { headers, body: STATUS_CALL });
      expect([answer.status, codeOf(answer)]).toEqual([415, 'CONTENT_TYPE_UNSUPPORTED']);
    },
  );

  test('a charset beside the content type is fine', async () => {
    const headers = { 'content-type': 'Application/JSON; charset=utf-8' };
    expect((await rawHttp(url, { headers, body: STATUS_CALL })).status).toBe(200);
  });
});

describe('bodies', () => {
  test.each(['', '{', '{"jsonrpc":"2.0",}', 'hello', '{"a":1}{"b":2}'])('that are not JSON: %j', async (body) => {
    const answer = await rawHttp(url, { headers: JSON_TYPE, body });
    expect([answer.status, codeOf(answer)]).toEqual([200, 'PARSE_ERROR']);
  });

  test('that are not UTF-8 are not read as something else', async () => {
    const broken = Uint8Array.from(new TextEncoder().encode(STATUS_CALL.replace('node_status', 'node_statuX')));
    broken[STATUS_CALL.indexOf('s"')] = 0xff;
    expect(await postCode(broken)).toBe('PARSE_ERROR');
  });

  // @mutation packages/node/src/rpc/rpc-server.ts
  // - bodyLimit: bodyBytesMax,
  // + bodyLimit: 2 * bodyBytesMax,
  test('that are too large are refused', async () => {
    const answer = await rawHttp(url, { headers: JSON_TYPE, body: JSON.stringify('x'.repeat(64 * 1024)) });
    expect([answer.status, codeOf(answer)]).toEqual([413, 'BODY_TOO_LARGE']);
  });

  test.each([
    ['a text', '"x"', 'INVALID_REQUEST'],
    ['null', 'null', 'INVALID_REQUEST'],
    ['without a version', '{"id":1,"method":"node_status"}', 'INVALID_REQUEST'],
    ['of another version', '{"jsonrpc":"1.0","id":1,"method":"node_status"}', 'INVALID_REQUEST'],
    ['without a method', '{"jsonrpc":"2.0","id":1}', 'INVALID_REQUEST'],
    ['with a number for a method', '{"jsonrpc":"2.0","id":1,"method":7}', 'INVALID_REQUEST'],
    ['with an object for an id', '{"jsonrpc":"2.0","id":{},"method":"node_status"}', 'INVALID_REQUEST'],
    ['with an id of any length', `{"jsonrpc":"2.0","id":"${'i'.repeat(257)}","method":"node_status"}`, 'INVALID_REQUEST'],
    ['with members of its own', '{"jsonrpc":"2.0","id":1,"method":"node_status","auth":"x"}', 'INVALID_REQUEST'],
    ['an empty batch', '[]', 'INVALID_REQUEST'],
    ['for an unknown method', '{"jsonrpc":"2.0","id":1,"method":"node_reboot"}', 'METHOD_NOT_FOUND'],
    ['for a method of a later version', '{"jsonrpc":"2.0","id":1,"method":"shard_list"}', 'METHOD_NOT_FOUND'],
    ['for a name that objects have', '{"jsonrpc":"2.0","id":1,"method":"constructor"}', 'METHOD_NOT_FOUND'],
    ['for what needs a WebSocket', '{"jsonrpc":"2.0","id":1,"method":"subscribe","params":{"topic":"blocks"}}', 'METHOD_NOT_FOUND'],
  ])('that are no request: %s', async (_what, body, code) => {
    expect(await postCode(body)).toBe(code);
  });

  test('of any bytes get an answer', async () => {
    const anything = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.json().map((text) => new TextEncoder().encode(text)),
    );
    await fc.assert(
      fc.asyncProperty(anything, async (bytes) => {
        const answer = await rawHttp(url, { headers: JSON_TYPE, body: bytes });
        expect(answer.status).toBe(200);
        expect(answer.body).toContain('"error"');
      }),
      { numRuns: 100 },
    );
  });

  test('of any parameters get an answer', async () => {
    const methods = [
      'tx_submit',
      'tx_get',
      'record_submit',
      'record_list',
      'record_latest',
      'record_proof',
      'light_update',
      'block_get',
      'validator_list',
      'validator_dry_run',
      'account_get',
      'evidence_list',
    ];
    const names = [
      'tx',
      'txId',
      'service',
      'key',
      'schema',
      'payloads',
      'requestId',
      'wait',
      'timeoutMs',
      'index',
      'height',
      'hash',
      'chain',
      'limit',
      'change',
      'address',
      'from',
      'x',
    ];
    const params = fc.oneof(fc.dictionary(fc.constantFrom(...names), fc.jsonValue()), fc.jsonValue());
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...methods), params, async (method, given) => {
        const { error } = await call(url, method, given);
        expect(error?.data.code).not.toBe('INTERNAL_ERROR');
      }),
      { numRuns: 300 },
    );
  });
});

describe('parameters', () => {
  test.each([
    ['tx_submit', {}, 'tx'],
    ['tx_submit', { tx: 5 }, 'tx'],
    ['tx_submit', { tx: 'a' }, 'tx'],
    ['tx_submit', { tx: 'QQ=' }, 'tx'],
    ['tx_submit', { tx: 'QR==' }, 'tx'],
    ['tx_submit', { tx: '', wait: 'forever' }, 'wait'],
    ['tx_submit', { tx: '', timeoutMs: 60_001 }, 'timeoutMs'],
    ['tx_submit', { tx: '', timeoutMs: 0 }, 'timeoutMs'],
    ['tx_get', { txId: 'AB'.repeat(32) }, 'txId'],
    ['tx_get', { txId: 'ab'.repeat(31) }, 'txId'],
    ['record_submit', { service: 'Upper', payload: 1 }, 'service'],
    ['record_submit', { service: 'a' }, ''],
    ['record_submit', { service: 'a', payload: 1, payloads: [1] }, ''],
    ['record_submit', { service: 'a', payloads: [] }, 'payloads'],
    ['record_submit', { service: 'a', payload: 1, schema: 'json' }, 'schema'],
    ['record_submit', { service: 'a', payload: 1, schema: 'json@0' }, 'schema'],
    ['record_submit', { service: 'a', payload: 1, schema: `json@${2 ** 32}` }, 'schema'],
    ['record_submit', { service: 'a', payload: 1, requestId: 'r'.repeat(129) }, 'requestId'],
    ['record_list', { service: 'a', limit: 1001 }, 'limit'],
    ['record_list', { service: 'a', fromIndex: -1 }, 'fromIndex'],
    ['record_list', { service: 'a', fromIndex: 1.5 }, 'fromIndex'],
    ['record_list', { service: 'a', order: 'sideways' }, 'order'],
    ['record_latest', { service: 'a', key: '' }, 'key'],
    ['block_get', { height: 1, hash: 'ab'.repeat(32) }, ''],
    ['block_get', { height: 'newest' }, 'height'],
    ['validator_list', { chain: -1 }, 'chain'],
  ])('%s refuses %j', async (method, params, path) => {
    const { code, issues } = await refusal(url, method, params);
    expect(code).toBe('INVALID_PARAMS');
    expect(issues).toEqual(expect.arrayContaining([expect.objectContaining({ path })]));
  });

  test('that no method has are refused, and so are parameters by position', async () => {
    for (const method of ['node_status', 'net_peers', 'rpc.discover']) {
      expect(await refusal(url, method, { verbose: true })).toMatchObject({ code: 'INVALID_PARAMS' });
      expect(await refusal(url, method, [1])).toMatchObject({ code: 'INVALID_PARAMS' });
      expect((await call(url, method, [])).error).toBeUndefined();
    }
  });
});

describe('batches', () => {
  const batch = async (...calls: readonly object[]): Promise<readonly RpcAnswer[]> => {
    const response = await post(url, JSON.stringify(calls.map((each) => ({ jsonrpc: '2.0', ...each }))));
    return (await response.json()) as RpcAnswer[];
  };

  test('are answered in order, each call by itself, notifications not at all', async () => {
    const answers = await batch(
      { id: 'a', method: 'node_status' },
      { method: 'node_status' },
      { id: 2, method: 'nothing' },
      { id: null, method: 'net_peers' },
    );
    expect(answers.map(({ id, error }) => [id, error?.data.code])).toEqual([
      ['a', undefined],
      [2, 'METHOD_NOT_FOUND'],
      [null, undefined],
    ]);
  });

  // @mutation packages/node/src/rpc/dispatcher.ts
  // - if (message.length > this.#batchCallsMax) {
  // + if (message.length > 2 * this.#batchCallsMax) {
  test('that are too large are not begun', async () => {
    const response = await post(url, JSON.stringify(Array.from({ length: 6 }, (_, id) => ({ jsonrpc: '2.0', id, method: 'node_status' }))));
    const answer = (await response.json()) as RpcAnswer;
    expect(answer).toMatchObject({ id: null, error: { data: { code: 'BATCH_TOO_LARGE', calls: 6, callsMax: 5 } } });
  });

  test('of notifications alone get no body', async () => {
    const response = await post(url, JSON.stringify([{ jsonrpc: '2.0', method: 'node_status' }]));
    expect([response.status, await response.text()]).toEqual([204, '']);
  });

  test('calls that wait do not wait for one another', async () => {
    const submit = (id: number) => ({ id, method: 'record_submit', params: { service: 'batch/waits', payload: id, wait: 'committed' } });
    const answers = await batch(submit(1), submit(2), submit(3));
    expect(answers.map(({ error }) => error)).toEqual([undefined, undefined, undefined]);
  });

  // @mutation packages/node/src/rpc/dispatcher.ts
  // - if (bytes > RPC_BATCH_ANSWER_BYTES_MAX) {
  // + if (bytes > 10 * RPC_BATCH_ANSWER_BYTES_MAX) {
  test('whose answers grow too large end with an error for the rest', async () => {
    const payloads = Array.from({ length: 9 }, () => 'x'.repeat(6000));
    for (let i = 0; i < 80; i++) await node.backend.submitRecords(large(payloads), 10_000);
    await expect.poll(() => node.backend.status().pending).toBe(0);
    const list = (id: number) => ({ id, method: 'record_list', params: { service: 'batch/large', limit: 1000 } });
    const answers = await batch(list(1), list(2), list(3), list(4), list(5));
    expect(answers.map(({ id }) => id)).toEqual([1, 2, 3, 4, 5]);
    expect(answers.map(({ error }) => error?.data.code)).toEqual([
      undefined,
      undefined,
      'ANSWER_TOO_LARGE',
      'ANSWER_TOO_LARGE',
      'ANSWER_TOO_LARGE',
    ]);
  });

  function large(texts: readonly string[]) {
    const payloads = texts.map((text) => new TextEncoder().encode(JSON.stringify(text)));
    return { service: 'batch/large', key: '', schema: { name: 'json', version: 1 }, payloads, requestId: null };
  }
});

describe('the way in', () => {
  test('unknown paths and methods of HTTP say what there is', async () => {
    for (const [method, path] of [
      ['GET', '/'],
      ['GET', '/ws'],
      ['PUT', '/'],
      ['POST', '/rpc'],
    ]) {
      const answer = await rawHttp(url, { method: method as string, path: path as string, headers: JSON_TYPE });
      expect([method, path, answer.status]).toEqual([method, path, 404]);
    }
    expect(codeOf(await rawHttp(url, { method: 'GET', path: '/nowhere' }))).toBe('PATH_UNKNOWN');
  });

  // @mutation packages/node/src/rpc/rpc-server.ts
  // - if (!rate.isAllowed && rate.isExceeded) throw
  // + if (!rate.isAllowed && rate.isBanned) throw
  test('calls above the rate are refused, those in batches too, and pass again later', async () => {
    const limited = await RpcNode.start({ rpc: { limits: { addressCallsPerSecondMax: 20 } } });
    try {
      const calls = JSON.stringify(Array.from({ length: 15 }, (_, id) => ({ jsonrpc: '2.0', id, method: 'node_status' })));
      const first = (await (await post(limited.url, calls)).json()) as RpcAnswer[];
      const second = (await (await post(limited.url, calls)).json()) as RpcAnswer[];
      const codes = [...first, ...second].map(({ error }) => error?.data.code);
      expect(codes.filter((code) => code === 'RATE_LIMITED').length).toBeGreaterThanOrEqual(5);
      const refused = await rawHttp(limited.url, { headers: JSON_TYPE, body: STATUS_CALL });
      if (refused.status !== 200) {
        expect([refused.status, codeOf(refused), refused.headers['retry-after']]).toEqual([429, 'RATE_LIMITED', '1']);
      }
      await expect.poll(async () => (await post(limited.url, STATUS_CALL)).status, { interval: 200 }).toBe(200);
    } finally {
      await limited.stop();
    }
  });

  test('a request that names no host is refused', async () => {
    const { hostname } = new URL(url);
    const answer = await new Promise<string>((resolve) => {
      const socket = connect(Number(port), hostname, () =>
        socket.write('POST / HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: 0\r\n\r\n'),
      );
      socket.once('data', (data) => resolve(data.toString('utf8')));
    });
    expect(answer).toMatch(/^HTTP\/1\.[01] 40[03] /);
    expect(answer).not.toContain('"result"');
  });

  test('an IPv6 address is one like any other', async () => {
    const six = await RpcNode.start({ rpc: { host: '::1' } });
    try {
      expect(six.url).toMatch(/^http:\/\/\[::1\]:\d+$/);
      expect((await call(six.url, 'node_status')).error).toBeUndefined();
    } finally {
      await six.stop();
    }
  });

  test('a busy port is named, and who has it', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => other.once('listening', resolve));
    const { port: busy } = other.address() as AddressInfo;
    const started = RpcNode.start({ rpc: { port: busy } });
    await expect(started).rejects.toMatchObject({
      code: 'PORT_IN_USE',
      fields: { port: busy, host: '127.0.0.1', ...(process.platform === 'linux' ? { pid: process.pid } : {}) },
    });
    other.close();
  });

  test('an address that is not of this machine is refused with the reason', async () => {
    await expect(RpcNode.start({ rpc: { host: '203.0.113.1' } })).rejects.toMatchObject({
      code: 'LISTEN_FAILED',
      fields: { host: '203.0.113.1', reason: 'EADDRNOTAVAIL' },
    });
  });
});
