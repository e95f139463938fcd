import { connect, createAccountKey, type NacreClient } from '@nacre/client';
import { formatGenesis } from '@nacre/ledger';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SdkNetwork } from './support/sdk-network.ts';

let network: SdkNetwork;
let url: string;
let client: NacreClient;

beforeAll(async () => {
  network = await SdkNetwork.start();
  ({ url } = await network.serve());
  client = connect(url, { genesis: formatGenesis(network.genesis) });
});

afterAll(() => network?.stop());

async function indexes(query: Parameters<NacreClient['records']>[0]): Promise<number[]> {
  const found: number[] = [];
  for await (const { index } of client.records(query)) found.push(index);
  return found;
}

describe('records', () => {
  beforeAll(async () => {
    await client.submitRecords({ service: 'pages', payloads: [0, 1, 2, 3, 4] }, { wait: 'committed' });
    await client.submitRecords({ service: 'pages', key: 'k', payload: { last: true } }, { wait: 'committed' });
  });

  // @mutation packages/client/src/client.ts
  // - next = page.nextIndex;
  // + next = null;
  test('are listed over all pages, from either end and by key', async () => {
    expect(await indexes({ service: 'pages', pageSize: 2 })).toEqual([0, 1, 2, 3, 4, 5]);
    expect(await indexes({ service: 'pages', pageSize: 4, order: 'descending' })).toEqual([5, 4, 3, 2, 1, 0]);
    expect(await indexes({ service: 'pages', fromIndex: 3 })).toEqual([3, 4, 5]);
    expect(await indexes({ service: 'pages', key: 'k' })).toEqual([5]);
    expect(await indexes({ service: 'nobodys' })).toEqual([]);
  });

  test('can be asked for by key', async () => {
    expect((await client.latest('pages', 'k')).record).toMatchObject({ index: 5, key: 'k', schema: 'json@1', payload: { last: true } });
    expect((await client.latest('pages', 'none')).record).toBeNull();
  });
});

test('a node says of itself, its blocks and its validators what the client types say', async () => {
  const { height } = await client.submitRecords({ service: 'facts', payload: 1 }, { wait: 'committed' });
  const status = await client.status();
  expect(status.networkState.state).toBe('NORMAL');
  expect(status.chains[0]?.height).toBe(height);
  const latest = await client.block({ height: 'latest' });
  expect(await client.block({ hash: latest.hash })).toEqual(latest);
  expect(latest.header.height).toBe(height);
  expect((await client.validators()).validators).toMatchObject([{ address: network.validator.addressText, weight: 1000 }]);
  const { nodes, sync } = await client.health();
  expect(nodes).toMatchObject([{ address: network.validator.addressText, weight: 1000, self: true, heard: true }]);
  expect(sync.state).toBe('idle');
});

describe('an own account', () => {
  test('signs for a service of its own, and its transaction is known to the end', async () => {
    const account = createAccountKey();
    const { address, publicKey } = account;
    await client.submitOperations(network.validator, [{ kind: 'account.create', publicKey }], { wait: 'committed' });
    const schemas = [{ name: 'note', version: 1 }];
    const service = { name: 'mine', owners: [address], writers: [address], schemas, shard: 0, retentionMs: 0 };
    const { txId } = await client.submitOperations(account, [{ kind: 'service.create', ...service }]);
    expect(await client.waitFor(txId)).toMatchObject({ status: 'committed', txId });
    await expect(client.submitOperations(account, [{ kind: 'service.create', ...service }])).rejects.toMatchObject({
      name: 'NacreRpcError',
      code: 'SERVICE_EXISTS',
      retryable: false,
    });
  });

  // @mutation packages/client/src/client.ts
  // - if (error instanceof NacreRpcError && error.code === 'DUPLICATE')
  // + if (error instanceof NacreRpcError && error.code === 'EXPIRED')
  test('may hand in the same bytes again, also after they are decided', async () => {
    const { publicKey } = createAccountKey();
    const first = await client.submitOperations(network.validator, [{ kind: 'account.create', publicKey }], { wait: 'committed' });
    const answer = await client.transaction(first.txId);
    const tx = answer.status === 'committed' ? answer.transaction?.tx : undefined;
    expect(await client.submitTransaction(new Uint8Array(Buffer.from(tx ?? '', 'base64')))).toEqual(first);
  });
});

// @mutation packages/client/src/client.ts
// - { requestId: crypto.randomUUID(), ...submission }
// + { ...submission, requestId: crypto.randomUUID() }
test('a request id makes one submission of two', async () => {
  const submission = { service: 'once', payload: 1, requestId: 'order-7' };
  const first = await client.submitRecords(submission, { wait: 'committed' });
  expect(await client.submitRecords(submission, { wait: 'committed' })).toEqual(first);
  const other = { ...submission, requestId: 'order-8' };
  expect(await client.submitRecords(other, { wait: 'committed' })).not.toEqual(first);
});

// @mutation packages/client/src/client.ts
// - for (const payload of submission.payloads ?? [submission.payload]) canonicalPayload(payload, submission.service);
// + void canonicalPayload;
test('a number that JSON cannot say is refused, not recorded as null', async () => {
  await expect(client.submitRecords({ service: 'once', payload: { n: Number.NaN } })).rejects.toMatchObject({ code: 'PAYLOAD_INVALID' });
});

describe('proveRecord', () => {
  test('shows a record in its log, the latest of a key, and that there is none', async () => {
    await client.submitRecords({ service: 'proven', key: 'k', payloads: [1, 2] }, { wait: 'committed' });
    expect(await client.proveRecord({ service: 'proven', index: 0 })).toMatchObject({ kind: 'included', record: { index: 0 } });
    expect(await client.proveRecord({ service: 'proven', key: 'k' })).toMatchObject({ kind: 'latest', record: { index: 1 } });
    expect(await client.proveRecord({ service: 'proven', key: 'none' })).toMatchObject({ kind: 'absent', key: 'none' });
  });

  test('needs the genesis', async () => {
    await expect(connect(url).proveRecord({ service: 'proven', index: 0 })).rejects.toMatchObject({ code: 'GENESIS_MISSING' });
  });
});
