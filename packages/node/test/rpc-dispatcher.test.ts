import { NacreError } from '@nacre/base';
import { Registry } from 'prom-client';
import { beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { RpcMetrics } from '../src/metrics.ts';
import { Dispatcher } from '../src/rpc/dispatcher.ts';
import { RpcError } from '../src/rpc/errors.ts';
import type { Feed } from '../src/rpc/feeds.ts';
import { defineMethod, type Method } from '../src/rpc/method.ts';
import { SubscriptionHost } from '../src/rpc/subscriptions.ts';
import { type RpcAnswer, silentLog } from './support/rpc-node.ts';

const PAGE = 'x'.repeat(5 * 1024 * 1024);

function method(name: string, handle: () => unknown): Method {
  return defineMethod({ name, summary: '', params: z.strictObject({}), result: z.unknown(), errors: [], handle });
}

describe('a call', () => {
  let logged: Readonly<Record<string, unknown>>[];
  let dispatcher: Dispatcher;
  const context = { signal: new AbortController().signal, subscriptions: null };

  beforeEach(() => {
    logged = [];
    const methods = [
      method('page', () => PAGE),
      method('bug', () => {
        throw new TypeError('secret of the node');
      }),
      method('disk', () => {
        throw new NacreError('STORE_DAMAGED', 'secret path');
      }),
      method('refused', () => {
        throw new RpcError('KEY_INVALID');
      }),
    ];
    const log = { ...silentLog, error: (fields: Readonly<Record<string, unknown>>) => void logged.push(fields) };
    dispatcher = new Dispatcher({ methods, batchCallsMax: 10 }, { metrics: new RpcMetrics(new Registry()), log });
  });

  async function answer(message: unknown): Promise<unknown> {
    const text = await dispatcher.answer(new TextEncoder().encode(JSON.stringify(message)), context, async () => {});
    return text === null ? null : JSON.parse(text);
  }

  // @mutation packages/node/src/rpc/dispatcher.ts
  // - return new RpcError('INTERNAL_ERROR', { reason: code });
  // + return new RpcError('INTERNAL_ERROR', { reason: String(error) });
  test('that meets a bug or a broken disk tells the caller a code, and the log the rest', async () => {
    const bug = (await answer({ jsonrpc: '2.0', id: 1, method: 'bug' })) as RpcAnswer;
    expect(bug.error).toMatchObject({ code: -32603, data: { code: 'INTERNAL_ERROR', reason: 'UNEXPECTED', retryable: true } });
    const disk = (await answer({ jsonrpc: '2.0', id: 2, method: 'disk' })) as RpcAnswer;
    expect(disk.error?.data).toMatchObject({ code: 'INTERNAL_ERROR', reason: 'STORE_DAMAGED' });
    expect(JSON.stringify([bug, disk])).not.toContain('secret');
    expect(JSON.stringify(logged)).toContain('secret of the node');
    expect(logged).toHaveLength(2);
  });

  test('that is refused is not logged: whoever calls must not be able to fill the disk', async () => {
    await answer({ jsonrpc: '2.0', id: 1, method: 'refused' });
    await answer({ jsonrpc: '2.0', id: 1, method: 'nothing' });
    await answer('garbage');
    expect(logged).toEqual([]);
  });

  test('of a batch beyond what its answers may weigh is answered as too large, unless nobody waits for it', async () => {
    const page = { jsonrpc: '2.0', method: 'page' };
    const answers = (await answer([{ ...page, id: 1 }, { ...page, id: 2 }, { ...page, id: 3 }, page, 'garbage'])) as RpcAnswer[];
    expect(answers.map(({ id, error }) => [id, error?.data.code])).toEqual([
      [1, undefined],
      [2, undefined],
      [3, 'ANSWER_TOO_LARGE'],
      [null, 'INVALID_REQUEST'],
    ]);
  });

  test('without an id gets no answer, whatever becomes of it', async () => {
    for (const name of ['page', 'bug', 'nothing']) expect(await answer({ jsonrpc: '2.0', method: name })).toBeNull();
  });
});

describe('events', () => {
  test('that cannot be read end the socket with the reason, once', async () => {
    const failures: unknown[] = [];
    const sent: string[] = [];
    const broken: Feed = {
      cursor: '0',
      lag: () => 1,
      next: async () => {
        throw new Error('the store failed');
      },
      skip: () => {},
    };
    const socket = { send: async (text: string) => void sent.push(text), fail: (error: unknown) => void failures.push(error) };
    const host = new SubscriptionHost({ subscriptionsMax: 1, lagMax: 10 }, socket);
    host.add('blocks', () => broken);
    host.activate();
    await expect.poll(() => failures).toHaveLength(1);
    expect(sent).toEqual([]);
    host.close();
    host.wake();
    expect(failures).toHaveLength(1);
  });
});
