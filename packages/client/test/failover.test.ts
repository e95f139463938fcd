import { connect, NacreRpcError } from '@nacre/client';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { text } from '../src/answer-shape.ts';
import { ANSWER_BYTES_MAX, CALL_ATTEMPTS_MAX } from '../src/client-limits.ts';
import { callWithFailover } from '../src/failover.ts';
import { httpCall } from '../src/http-call.ts';
import { NodePool } from '../src/node-pool.ts';
import { errorBody, FakeNode, resultBody } from './fake-node.ts';

const nodes: FakeNode[] = [];

async function fake(...answer: Parameters<typeof FakeNode.start>): Promise<FakeNode> {
  const node = await FakeNode.start(...answer);
  nodes.push(node);
  return node;
}

/** An address at which nobody listens. */
async function goneUrl(): Promise<string> {
  const node = await FakeNode.start(() => null);
  await node.stop();
  return node.url;
}

afterEach(async () => {
  vi.unstubAllGlobals();
  await Promise.all(nodes.splice(0).map((node) => node.stop()));
});

const submission = { txId: 'ab', status: 'admitted', validUntilMs: 1, chain: 0, height: null, index: null, networkState: null };
const call = { method: 'm', params: {}, shape: text };

describe('a call', () => {
  test('goes to another node when the first is gone, and stays with the one that answered', async () => {
    const good = await fake(() => resultBody('proof'));
    const client = connect([await goneUrl(), good.url]);
    expect(await client.proof({ service: 's', index: 0 })).toBe('proof');
    expect(await client.proof({ service: 's', index: 0 })).toBe('proof');
    expect(good.calls).toHaveLength(2);
  });

  // @mutation packages/client/src/failover.ts
  // - if (!isNodeTrouble(error)) {
  // + if (!isNodeTrouble(error) && !(error instanceof Error)) {
  test('that is refused for its own sake is not repeated', async () => {
    const strict = await fake(() => errorBody('RECORD_UNKNOWN', { index: 9 }));
    const other = await fake(() => resultBody('proof'));
    const asked = connect([strict.url, other.url]).proof({ service: 's', index: 9 });
    await expect(asked).rejects.toMatchObject({
      name: 'NacreRpcError',
      code: 'RECORD_UNKNOWN',
      retryable: true,
      hint: 'Do something.',
      fields: { index: 9, url: strict.url },
    });
    expect([strict.calls.length, other.calls.length]).toEqual([1, 0]);
  });

  test.each(['STOPPED', 'STORE_FAILED', 'INTERNAL_ERROR', 'RATE_LIMITED', 'TOO_MANY_WAITS', 'MEMPOOL_FULL', 'PROOF_BUSY'])(
    'that a node cannot carry out at present (%s) goes to another',
    async (code) => {
      const troubled = await fake(() => errorBody(code));
      const good = await fake(() => resultBody('proof'));
      expect(await connect([troubled.url, good.url]).proof({ service: 's', index: 0 })).toBe('proof');
    },
  );

  test.each([
    ['is not JSON', '<html>'],
    ['is not an object', '7'],
    ['says nothing', '{}'],
    ['has an error without data', '{"error":{"message":"no"}}'],
    ['has an error without a code', '{"error":{"message":"no","data":{}}}'],
    ['is of another type', resultBody(7)],
  ])('whose answer %s goes to another node', async (_, body) => {
    const odd = await fake(() => body);
    const good = await fake(() => resultBody('proof'));
    expect(await connect([odd.url, good.url]).proof({ service: 's', index: 0 })).toBe('proof');
  });

  // @mutation packages/client/src/failover.ts
  // - if (attempt >= CALL_ATTEMPTS_MAX || nextAtMs >= deadlineMs) throw error;
  // + if (attempt >= 2 * CALL_ATTEMPTS_MAX || nextAtMs >= deadlineMs) throw error;
  test('ends after a number of attempts, with the last error', async () => {
    const troubled = await Promise.all(Array.from({ length: 4 }, () => fake(() => errorBody('STOPPED'))));
    const asked = connect(troubled.map(({ url }) => url)).proof({ service: 's', index: 0 });
    await expect(asked).rejects.toMatchObject({ code: 'STOPPED' });
    expect(troubled.reduce((sum, { calls }) => sum + calls.length, 0)).toBe(CALL_ATTEMPTS_MAX);
  });

  // @mutation packages/client/src/http-call.ts
  // - if (bytes > ANSWER_BYTES_MAX) {
  // + if (bytes > 2 * ANSWER_BYTES_MAX) {
  test('reads no more than an answer may have', async () => {
    let chunks = 0;
    const chunk = new Uint8Array(1024 * 1024).fill(0x20);
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (++chunks > (2 * ANSWER_BYTES_MAX) / chunk.length) controller.close();
        else controller.enqueue(chunk);
      },
    });
    vi.stubGlobal('fetch', async () => new Response(body));
    await expect(httpCall('http://a', call, { timeoutMs: 10_000, signal: undefined })).rejects.toMatchObject({
      code: 'NETWORK_ANSWER_MALFORMED',
      fields: { problem: `more than ${ANSWER_BYTES_MAX} bytes` },
    });
    expect(chunks * chunk.length).toBeLessThan(1.1 * ANSWER_BYTES_MAX);
  });

  // @mutation packages/client/src/http-call.ts
  // - redirect: 'error',
  // + redirect: 'follow',
  test('is not carried on to where an answer points', async () => {
    const elsewhere = await fake(() => resultBody('elsewhere'));
    const pointing = await fake(() => ({ location: elsewhere.url }));
    await expect(httpCall(pointing.url, call, { timeoutMs: 1000, signal: undefined })).rejects.toMatchObject({
      code: 'NETWORK_UNREACHABLE',
    });
    expect(elsewhere.calls).toEqual([]);
  });

  test('ends at once when its signal aborts, with the reason, in the middle of an attempt and of a pause', async () => {
    const silent = await fake(() => null);
    for (const url of [silent.url, await goneUrl()]) {
      const aborter = new AbortController();
      const asked = connect(url).proof({ service: 's', index: 0 }, { signal: aborter.signal });
      setTimeout(() => aborter.abort(new Error('enough')), 30);
      await expect(asked).rejects.toThrow('enough');
    }
  });

  // @mutation packages/client/src/http-call.ts
  // - const limit = AbortSignal.timeout(Math.ceil(timeoutMs));
  // + const limit = AbortSignal.timeout(timeoutMs);
  test('may have a part of a millisecond left', async () => {
    const silent = await fake(() => null);
    await expect(httpCall(silent.url, call, { timeoutMs: 20.5, signal: undefined })).rejects.toMatchObject({ code: 'TIMEOUT' });
  });

  test('knows a node that is silent from one that is gone', async () => {
    const silent = await fake(() => null);
    await expect(httpCall(silent.url, call, { timeoutMs: 20, signal: undefined })).rejects.toMatchObject({ code: 'TIMEOUT' });
    await expect(httpCall(await goneUrl(), call, { timeoutMs: 1000, signal: undefined })).rejects.toMatchObject({
      code: 'NETWORK_UNREACHABLE',
    });
  });
});

describe('record_submit', () => {
  // @mutation packages/client/src/client.ts
  // - { ...options, sameNode: true }
  // + { ...options, sameNode: false }
  test('is repeated with its request id, and at the same node only', async () => {
    const troubled = await fake((_, index) => (index === 0 ? errorBody('STORE_FAILED') : resultBody(submission)));
    const other = await fake(() => resultBody(submission));
    expect(await connect([troubled.url, other.url]).submitRecords({ service: 's', payload: 1 })).toEqual(submission);
    expect(other.calls).toEqual([]);
    const ids = troubled.calls.map(({ params }) => params.requestId);
    expect(ids).toHaveLength(2);
    expect(new Set(ids).size).toBe(1);
  });

  test('has another request id each time', async () => {
    const node = await fake(() => resultBody(submission));
    const client = connect(node.url);
    await client.submitRecords({ service: 's', payload: 1 });
    await client.submitRecords({ service: 's', payload: 1 });
    expect(new Set(node.calls.map(({ params }) => params.requestId)).size).toBe(2);
  });
});

describe('submitTransaction', () => {
  const duplicate = errorBody('DUPLICATE', { txId: 'ab', retryable: false });
  const failed = { txId: 'ab', chain: 0, status: 'failed', height: 3, index: 0, transaction: null, reason: { code: 'X', operation: 0 } };
  const expired = { txId: 'ab', chain: 0, status: 'expired', height: 3, timeMs: 5 };

  test.each([
    ['failed', failed, 'TRANSACTION_FAILED'],
    ['expired', expired, 'TRANSACTION_EXPIRED'],
  ])('says of what was decided before that it %s', async (_, status, code) => {
    const node = await fake(({ method }) => (method === 'tx_submit' ? duplicate : resultBody(status)));
    await expect(connect(node.url).submitTransaction(new Uint8Array(1))).rejects.toMatchObject({ code, retryable: false });
  });
});

describe('waitFor', () => {
  const unknown = { txId: 'ab', chain: 0, status: 'unknown' };

  test('asks until the transaction is final', async () => {
    const committed = { txId: 'ab', chain: 0, status: 'committed', height: 3, index: 0, transaction: null };
    const node = await fake((_, index) => resultBody(index < 2 ? unknown : committed));
    expect(await connect(node.url).waitFor('ab')).toEqual(committed);
    expect(node.calls).toHaveLength(3);
  });

  test('ends with TIMEOUT when it is not final in time', async () => {
    const node = await fake(() => resultBody(unknown));
    await expect(connect(node.url).waitFor('ab', { timeoutMs: 1 })).rejects.toMatchObject({ code: 'TIMEOUT' });
  });
});

// @mutation packages/client/src/client.ts
// - if (next !== null && (next - from) * step <= 0)
// + if (next === undefined)
test('a node that sends a reader in circles is not followed', async () => {
  const node = await fake((_, index) => resultBody({ records: [], nextIndex: index % 2 }));
  const read = async (): Promise<void> => {
    for await (const _ of connect(node.url).records({ service: 's', fromIndex: 0 }));
  };
  await expect(read()).rejects.toMatchObject({ code: 'NETWORK_ANSWER_MALFORMED' });
});

describe('the pool', () => {
  test('refuses what is no address of a node, none, and too many', () => {
    const many = Array.from({ length: 65 }, (_, port) => `http://127.0.0.1:${port + 1}`);
    for (const urls of [[], ['127.0.0.1:8640'], ['ws://127.0.0.1'], ['http://a', ''], many])
      expect(() => connect(urls)).toThrow(expect.objectContaining({ code: 'URL_INVALID' }));
  });

  // @mutation packages/client/src/node-pool.ts
  // - if (node.availableAtMs <= nowMs) return node;
  // + if (node.availableAtMs <= Infinity) return node;
  test('leaves a node that failed alone for a while, and comes back to it when there is no other', () => {
    const pool = new NodePool(['http://a', 'http://b']);
    const first = pool.first();
    pool.failed(first);
    const second = pool.first();
    expect(second).not.toBe(first);
    expect(first.availableAtMs).toBeGreaterThan(performance.now());
    pool.failed(second, 60_000);
    expect(pool.first()).toBe(first);
    expect(pool.pick(new Set(pool.nodes))).toBeUndefined();
    pool.succeeded(second);
    expect(pool.first()).toBe(second);
  });

  test('waits as long as a node asks, but not past the end of the call', async () => {
    const node = await fake((_, index) => (index === 0 ? errorBody('RATE_LIMITED', { retryAfterMs: 20 }) : resultBody('proof')));
    const pool = new NodePool([node.url]);
    expect(await callWithFailover(pool, call)).toBe('proof');
    const never = await fake(() => errorBody('RATE_LIMITED', { retryAfterMs: 1e12 }));
    await expect(callWithFailover(new NodePool([never.url]), call)).rejects.toBeInstanceOf(NacreRpcError);
    expect(never.calls).toHaveLength(1);
  });
});
