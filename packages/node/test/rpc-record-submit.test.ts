import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, FINAL_STATUS_WAITS_MAX, REQUEST_ID_KEEP_MS, SignerError, type Timer, toHex } from '@nacre/base';
import { LevelStore } from '@nacre/ledger/level';
import type { SubmissionStatus } from '@nacre/replica';
import { afterEach, describe, expect, test } from 'vitest';
import { FinalStatuses } from '../src/final-statuses.ts';
import { RequestIds } from '../src/records/request-ids.ts';
import { call, newKey, RpcNode, type RpcNodeOptions, refusal, result } from './support/rpc-node.ts';

const nodes: RpcNode[] = [];

async function start(options?: RpcNodeOptions): Promise<RpcNode> {
  const node = await RpcNode.start(options);
  nodes.push(node);
  return node;
}

afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.stop()));
});

const once = { service: 'once', payload: { n: 1 }, requestId: 'order-7' };

describe('a request id', () => {
  // @mutation packages/node/src/records/record-submitter.ts
  // - if (admitted.ok) requestIds.added();
  // + if (admitted.ok) throw new Error('lost');
  // @mutation packages/node/src/records/record-submitter.ts
  // - requestIds.operations(service, requestId, { fingerprint, txId, validUntilMs })
  // + []
  test('gives the same transaction, also after a restart', async () => {
    const node = await start();
    const first = await result(node.url, 'record_submit', { ...once, wait: 'committed' });
    const second = await result(node.url, 'record_submit', { ...once, wait: 'committed' });
    expect(second).toEqual(first);
    await node.restart();
    const third = await result(node.url, 'record_submit', once);
    expect(third).toEqual(first);
    expect((await result(node.url, 'record_list', { service: 'once' })).records).toHaveLength(1);
  });

  test('of a submission under way gives the same one', async () => {
    const node = await start();
    const answers = await Promise.all(Array.from({ length: 5 }, () => result(node.url, 'record_submit', { ...once, wait: 'committed' })));
    expect(new Set(answers.map(({ txId }) => txId)).size).toBe(1);
    expect((await result(node.url, 'record_list', { service: 'once' })).records).toHaveLength(1);
  });

  // @mutation packages/node/src/records/record-submitter.ts
  // - if (!bytesEqual(earlier.fingerprint, fingerprint))
  // + if (earlier.fingerprint.length !== fingerprint.length)
  test('for anything else is refused', async () => {
    const node = await start();
    await result(node.url, 'record_submit', { ...once, wait: 'committed' });
    const others = [{ payload: { n: 2 } }, { key: 'k' }, { schema: 'json@2' }, { payload: undefined, payloads: [{ n: 1 }, { n: 1 }] }];
    for (const other of others) {
      expect(await refusal(node.url, 'record_submit', { ...once, ...other })).toMatchObject({
        code: 'REQUEST_ID_REUSED',
        retryable: false,
        requestId: 'order-7',
      });
    }
    const [first, second] = await Promise.all(
      [1, 2].map((n) => call(node.url, 'record_submit', { service: 'once', payload: n, requestId: 'race', wait: 'committed' })),
    );
    expect(new Set([first?.error?.data.code, second?.error?.data.code])).toEqual(new Set(['REQUEST_ID_REUSED', undefined]));
  });

  test('means the same JSON however it is written, and another thing in another service', async () => {
    const node = await start();
    const first = await result(node.url, 'record_submit', { ...once, payload: { a: 1, b: 2 }, wait: 'committed' });
    const second = await result(node.url, 'record_submit', { ...once, payload: { b: 2, a: 1 }, wait: 'committed' });
    const elsewhere = await result(node.url, 'record_submit', { ...once, service: 'elsewhere', wait: 'committed' });
    expect(second.txId).toBe(first.txId);
    expect(elsewhere.txId).not.toBe(first.txId);
  });

  test('of what was not admitted can be used again', async () => {
    const node = await start();
    const large = { ...once, payload: 'x'.repeat(70_000) };
    expect(await refusal(node.url, 'record_submit', large)).toMatchObject({ code: 'RECORD_TOO_LARGE' });
    expect((await call(node.url, 'record_submit', once)).error).toBeUndefined();
  });

  // @mutation packages/node/src/records/request-ids.ts
  // - const range = requestsBefore(this.#clock.nowMs() - REQUEST_ID_KEEP_MS);
  // + const range = requestsBefore(this.#clock.nowMs());
  test('is kept for seven days and then forgotten', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'nacre-request-ids-'));
    const store = await LevelStore.open(directory, { formatVersion: 1, genesisHash: new Uint8Array(32) });
    const clock = new StillClock();
    const entry = { fingerprint: new Uint8Array(32).fill(1), txId: new Uint8Array(32).fill(2), validUntilMs: 3 };
    const early = await RequestIds.open(store, clock);
    await store.write(early.operations('a', 'early', entry), { sync: true });
    early.added();
    await early.close();

    clock.ms += REQUEST_ID_KEEP_MS - 1;
    const kept = await RequestIds.open(store, clock);
    expect(kept.find('a', 'early')).toEqual(entry);
    expect(kept.find('b', 'early')).toBeUndefined();
    await store.write(kept.operations('a', 'late', entry), { sync: true });
    kept.added();

    clock.ms += 2;
    clock.fire();
    await expect.poll(() => kept.find('a', 'early')).toBeUndefined();
    expect(kept.find('a', 'late')).toEqual(entry);
    await kept.close();
    await store.close();
    await rm(directory, { recursive: true });
  });
});

class StillClock implements Clock {
  ms = 1_700_000_000_000;
  #action: (() => void) | null = null;
  nowMs(): number {
    return this.ms;
  }
  schedule(_delayMs: number, action: () => void): Timer {
    this.#action = action;
    return { cancel: () => {} };
  }
  fire(): void {
    this.#action?.();
  }
}

describe('record_submit', () => {
  test('is refused where the node does not allow it', async () => {
    const node = await start({ records: false });
    expect(await refusal(node.url, 'record_submit', once)).toMatchObject({ code: 'RECORDS_DISABLED', retryable: false });
  });

  test('on a follower without an account says that it needs a sponsor', async () => {
    const node = await start({ validating: false });
    expect(await refusal(node.url, 'record_submit', once)).toMatchObject({ code: 'SPONSOR_MISSING' });
    expect(await result(node.url, 'node_status')).toMatchObject({ address: null, chains: [{ validator: false }] });
  });

  // @mutation packages/node/src/records/record-submitter.ts
  // - if (error instanceof SignerError) return fail({ ...error.fields, code: error.code });
  // +
  test('whose sponsor’s key is in a process that is away says so', async () => {
    const node = await start({});
    const { signer } = node.validator;
    const away = async () => {
      throw new SignerError('SIGNER_AWAY', 'away', { fields: { why: 'nobody listens' } });
    };
    Object.assign(node.validator, { signer: { publicKey: signer.publicKey, sign: away } });
    expect(await refusal(node.url, 'record_submit', once)).toMatchObject({ code: 'SIGNER_AWAY', retryable: true, why: 'nobody listens' });
  });

  test('makes services that the other nodes can write to', async () => {
    const others = [newKey().address, newKey().address];
    const node = await start({ writers: others, parameters: { serviceOwnersMax: 2 } });
    await result(node.url, 'record_submit', { ...once, wait: 'committed' });
    const service = node.replica.ledger.service('once');
    expect(service?.writers).toHaveLength(3);
    expect(service?.writers).toEqual(expect.arrayContaining([...others, node.serviceKey.address]));
    expect(service?.owners).toHaveLength(2);
    expect(service?.owners).toEqual(expect.arrayContaining([node.serviceKey.address]));
  });

  test('takes a whole batch or nothing', async () => {
    const node = await start({ parameters: { recordsPerTransactionMax: 3 } });
    expect(await refusal(node.url, 'record_submit', { service: 'batch', payloads: [1, 2, 3, 4] })).toMatchObject({
      code: 'RECORDS_TOO_MANY',
      max: 3,
    });
    await result(node.url, 'record_submit', { service: 'batch', key: 'k', payloads: [1, 2, 3], wait: 'committed' });
    expect((await result(node.url, 'record_latest', { service: 'batch', key: 'k' })).record).toMatchObject({ index: 2, payload: 3 });
  });

  test('a service that runs out of schemas says so', async () => {
    const node = await start({ parameters: { serviceSchemasMax: 1 } });
    await result(node.url, 'record_submit', { ...once, wait: 'committed' });
    expect(await refusal(node.url, 'record_submit', { service: 'once', payload: 1, schema: 'json@2' })).toMatchObject({
      code: 'SCHEMAS_TOO_MANY',
    });
  });

  test('a sponsor whose quota is used up is told', async () => {
    const node = await start({ parameters: { servicesPerValidatorMax: 1 } });
    await result(node.url, 'record_submit', { ...once, wait: 'committed' });
    expect(await refusal(node.url, 'record_submit', { service: 'two', payload: 1 })).toMatchObject({ code: 'SERVICE_QUOTA_EXCEEDED' });
  });

  test('on a network that cannot decide ends in time, and nothing is signed twice for it', async () => {
    const node = await start({ absentWeight: 1000 });
    for (let i = 0; i < 3; i++) {
      expect(await refusal(node.url, 'record_submit', { ...once, timeoutMs: 50 })).toMatchObject({
        code: 'SERVICE_PENDING',
        retryable: true,
      });
    }
    expect(node.backend.status().pending).toBe(1);
    await node.replica.stop();
    expect(await refusal(node.url, 'record_submit', { service: 'other', payload: 1, timeoutMs: 50 })).toMatchObject({
      code: 'SERVICE_PENDING',
    });
  });

  test('on a node that stops says so', async () => {
    const node = await start();
    await result(node.url, 'record_submit', { ...once, wait: 'committed' });
    await node.replica.stop();
    expect(await refusal(node.url, 'record_submit', { service: 'once', payload: 2 })).toMatchObject({ code: 'STOPPED', retryable: true });
  });
});

describe('waiting', () => {
  const admitted: SubmissionStatus = { status: 'admitted' };
  const transaction = { txId: new Uint8Array(32).fill(7), validUntilMs: 1000 };
  const patience = { timeoutMs: 60_000, signal: new AbortController().signal };

  test('for a transaction that is not decided in time gives pending, which is no error', async () => {
    const node = await start({ absentWeight: 1000 });
    const { bytes, txId } = await node.transaction(node.validator, [{ kind: 'account.create', publicKey: newKey().signer.publicKey }]);
    const tx = Buffer.from(bytes).toString('base64');
    const pending = await result(node.url, 'tx_submit', { tx, wait: 'committed', timeoutMs: 50 });
    expect(pending).toMatchObject({ status: 'pending', height: null, index: null });
    expect(await result(node.url, 'tx_submit', { tx })).toMatchObject({ status: 'admitted' });
    const seen = await result(node.url, 'tx_get', { txId: toHex(txId) });
    expect(seen).toMatchObject({ status: 'admitted', transaction: { tx, operations: [{ kind: 'account.create' }] } });
  });

  // @mutation packages/node/src/rpc/rpc-server.ts
  // - if (!reply.raw.writableFinished) ended.abort();
  // + if (reply.raw.writableFinished) ended.abort();
  test('ends when the client hangs up', async () => {
    const node = await start({ absentWeight: 1000 });
    const { bytes } = await node.transaction(node.validator, [{ kind: 'account.create', publicKey: newKey().signer.publicKey }]);
    const params = { tx: Buffer.from(bytes).toString('base64'), wait: 'committed', timeoutMs: 60_000 };
    const hangUp = new AbortController();
    const asked = fetch(node.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tx_submit', params }),
      signal: hangUp.signal,
    });
    await expect.poll(() => node.backend.status().pending).toBe(1);
    hangUp.abort();
    await expect(asked).rejects.toThrow('aborted');
    const answered = 'nacre_rpc_calls_total{method="tx_submit",outcome="ok"} 1';
    await expect.poll(async () => (await fetch(`${node.url}/metrics`)).text()).toContain(answered);
  });

  // @mutation packages/node/src/rpc/rpc-server.ts
  // - for (const ended of this.#answering) ended.abort();
  // + for (const ended of this.#answering) void ended;
  test('ends with an answer when the node stops', async () => {
    const node = await RpcNode.start({ absentWeight: 1000 });
    const { bytes } = await node.transaction(node.validator, [{ kind: 'account.create', publicKey: newKey().signer.publicKey }]);
    const tx = Buffer.from(bytes).toString('base64');
    const waiting = result(node.url, 'tx_submit', { tx, wait: 'committed', timeoutMs: 60_000 });
    await expect.poll(() => node.backend.status().pending).toBe(1);
    const [answer] = await Promise.all([waiting, node.stop()]);
    expect(answer).toMatchObject({ status: 'pending' });
  });

  test('ends with the block that decides, or that is past the time', async () => {
    let status: SubmissionStatus = admitted;
    const finals = new FinalStatuses(() => status);
    const wait = finals.reserve();
    const committed = wait?.until(transaction, patience);
    status = { status: 'committed', height: 5, index: 0 };
    finals.decided({ height: 4, blockHash: new Uint8Array(32), timeMs: 900, statuses: [] });
    finals.decided({ height: 5, blockHash: new Uint8Array(32), timeMs: 950, statuses: [{ txId: transaction.txId, status: 'committed' }] });
    expect(await committed).toEqual(status);

    status = admitted;
    const expired = wait?.until(transaction, patience);
    status = { status: 'expired', height: 6, timeMs: 1001 };
    finals.decided({ height: 6, blockHash: new Uint8Array(32), timeMs: 1001, statuses: [] });
    expect(await expired).toEqual(status);
  });

  test('ends when the time is over, when nobody waits any more, and when the node stops', async () => {
    const finals = new FinalStatuses(() => admitted);
    const wait = finals.reserve();
    expect(await wait?.until(transaction, { ...patience, timeoutMs: 5 })).toEqual(admitted);
    const abort = new AbortController();
    const aborted = wait?.until(transaction, { ...patience, signal: abort.signal });
    abort.abort();
    expect(await aborted).toEqual(admitted);
    const one = wait?.until(transaction, patience);
    const two = wait?.until(transaction, patience);
    finals.end();
    expect([await one, await two]).toEqual([admitted, admitted]);
  });

  // @mutation packages/node/src/final-statuses.ts
  // - if (this.#reserved >= FINAL_STATUS_WAITS_MAX) return null;
  // + if (this.#reserved > FINAL_STATUS_WAITS_MAX) return null;
  test('has a bound, and a place that is given back can be taken again, once', () => {
    const finals = new FinalStatuses(() => admitted);
    const waits = Array.from({ length: FINAL_STATUS_WAITS_MAX }, () => finals.reserve());
    expect(waits).not.toContain(null);
    expect(finals.reserve()).toBeNull();
    waits[0]?.release();
    waits[0]?.release();
    expect(finals.reserve()).not.toBeNull();
    expect(finals.reserve()).toBeNull();
  });

  test('beyond the bound is refused before anything is submitted', async () => {
    const node = await start();
    await result(node.url, 'record_submit', { ...once, wait: 'committed' });
    const taken = Array.from({ length: FINAL_STATUS_WAITS_MAX }, () => node.backend.reserveWait());
    const refused = await refusal(node.url, 'record_submit', { service: 'once', payload: 2, wait: 'committed' });
    expect(refused).toMatchObject({ code: 'TOO_MANY_WAITS', retryable: true });
    expect(await refusal(node.url, 'record_submit', { service: 'new', payload: 2 })).toMatchObject({ code: 'TOO_MANY_WAITS' });
    expect((await call(node.url, 'record_submit', { service: 'once', payload: 3 })).error).toBeUndefined();
    for (const wait of taken) wait?.release();
    expect(await result(node.url, 'record_submit', { service: 'once', payload: 4, wait: 'committed' })).toMatchObject({
      status: 'committed',
    });
    const { records } = await result(node.url, 'record_list', { service: 'once' });
    expect(records.map(({ payload }) => payload)).toEqual([{ n: 1 }, 3, 4]);
  });
});
