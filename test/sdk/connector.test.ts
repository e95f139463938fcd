import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  connect,
  createAccountKey,
  type DataSchema,
  type NacreClient,
  type NacreClientError,
  type RetrieveOptions,
  type ServiceItem,
  ServiceToConsensusConnector,
} from '@nacre/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SdkNetwork } from './support/sdk-network.ts';

interface Level {
  readonly ratio: number;
  readonly price: number;
  readonly market: string;
}

function objectOf(payload: unknown): Readonly<Record<string, unknown>> {
  if (typeof payload !== 'object' || payload === null) throw new TypeError('not an object');
  return payload as Readonly<Record<string, unknown>>;
}

/** The first version knew one market only. */
const LEVEL_1: DataSchema<Omit<Level, 'market'>> = {
  name: 'level',
  version: 1,
  parse: (payload) => {
    const { ratio, price } = objectOf(payload);
    if (typeof ratio !== 'number' || typeof price !== 'number') throw new TypeError('no ratio or price');
    return { ratio, price };
  },
};
const LEVEL_2: DataSchema<Level> = {
  name: 'level',
  version: 2,
  parse: (payload) => {
    const { market } = objectOf(payload);
    if (typeof market !== 'string') throw new TypeError('no market');
    return { ...LEVEL_1.parse(payload), market };
  },
  upgrades: { 1: (payload) => ({ ...LEVEL_1.parse(payload), market: 'BTC' }) },
};
const NOTE: DataSchema<string> = { name: 'note', version: 1, parse: String };
const ANY: DataSchema<unknown> = { name: 'level', version: 2, parse: (payload) => payload };

let network: SdkNetwork;
let client: NacreClient;
let own: ServiceToConsensusConnector;
const account = createAccountKey();

beforeAll(async () => {
  network = await SdkNetwork.start();
  client = connect((await network.serve()).url, { genesis: network.genesis });
  own = new ServiceToConsensusConnector(client, { account });
  const { address, publicKey } = account;
  await client.submitOperations(network.validator, [{ kind: 'account.create', publicKey }], { wait: 'committed' });
  for (const name of ['levels', 'damaged']) await createService(name);
  await own.submitData('levels', { ratio: 0.5, price: 100 }, { schema: LEVEL_1, key: 'BTC', wait: 'committed' });
  await own.submitData('levels', 'moved', { schema: NOTE, wait: 'committed' });
  const newer = [0.382, 0.618].map((ratio) => ({ ratio, price: 200, market: 'ETH' }));
  await own.submitBatch('levels', newer, { schema: LEVEL_2, key: 'ETH', wait: 'committed' });

  async function createService(name: string): Promise<void> {
    const schemas = [1, 2, 3].map((version) => ({ name: 'level', version }));
    const service = { name, owners: [address], writers: [address], shard: 0, retentionMs: 0 };
    const operation = { kind: 'service.create' as const, ...service, schemas: [...schemas, { name: 'note', version: 1 }] };
    await client.submitOperations(account, [operation], { wait: 'committed' });
  }
});

afterAll(() => network?.stop());

async function retrieved<Data>(
  service: string,
  options: RetrieveOptions<Data>,
  connector: ServiceToConsensusConnector = own,
): Promise<ServiceItem<Data>[]> {
  const items: ServiceItem<Data>[] = [];
  for await (const item of connector.retrieveServiceData(service, options)) items.push(item);
  return items;
}

describe('the data of a service', () => {
  // @mutation packages/client/src/data-schema.ts
  // - return Number(version) === schema.version ? schema.parse : schema.upgrades?.[Number(version)];
  // + return schema.parse;
  test('comes back typed, old versions upgraded beside new ones, other schemas left out', async () => {
    const items = await retrieved('levels', { schema: LEVEL_2 });
    expect(items.map(({ data }) => data)).toEqual([
      { ratio: 0.5, price: 100, market: 'BTC' },
      { ratio: 0.382, price: 200, market: 'ETH' },
      { ratio: 0.618, price: 200, market: 'ETH' },
    ]);
    expect(items.map(({ index, schema, proven }) => [index, schema, proven])).toEqual([
      [0, 'level@1', null],
      [2, 'level@2', null],
      [3, 'level@2', null],
    ]);
    expect((await retrieved('levels', { schema: NOTE })).map(({ data }) => data)).toEqual(['moved']);
  });

  test('comes by key, from either end, and proven', async () => {
    const options = { schema: LEVEL_2, key: 'ETH', order: 'descending', verify: true } as const;
    const items = await retrieved('levels', options);
    expect(items.map(({ data }) => data.ratio)).toEqual([0.618, 0.382]);
    expect(items.map(({ proven }) => proven)).toMatchObject([
      { kind: 'included', record: { index: 3, account: account.address } },
      { kind: 'included', record: { index: 2 } },
    ]);
    expect(await retrieved('levels', { schema: LEVEL_2, verify: true })).toHaveLength(3);
  });

  test('of a version that the schema cannot read ends the retrieval, unless somebody wants to be told', async () => {
    const future: DataSchema<unknown> = { ...ANY, version: 3 };
    await own.submitBatch('damaged', [{ ratio: 1 }], { schema: ANY, wait: 'committed' });
    await own.submitBatch('damaged', [{ ratio: 2 }], { schema: future, wait: 'committed' });
    await own.submitBatch('damaged', [{ ratio: 1, price: 2, market: 'ETH' }], { schema: ANY, wait: 'committed' });
    await expect(retrieved('damaged', { schema: LEVEL_2 })).rejects.toMatchObject({ code: 'PAYLOAD_INVALID', fields: { index: 0 } });
    await expect(retrieved('damaged', { schema: LEVEL_2, fromIndex: 1 })).rejects.toMatchObject({
      code: 'SCHEMA_VERSION_UNKNOWN',
      fields: { service: 'damaged', index: 1, schema: 'level@3' },
    });
    const told: NacreClientError[] = [];
    const items = await retrieved('damaged', { schema: LEVEL_2, onUnreadable: (error) => told.push(error) });
    expect(items.map(({ index }) => index)).toEqual([2]);
    expect(told.map(({ code, fields }) => [code, fields.index])).toEqual([
      ['PAYLOAD_INVALID', 0],
      ['SCHEMA_VERSION_UNKNOWN', 1],
    ]);
  });
});

describe('submitting', () => {
  // @mutation packages/client/src/service-to-consensus-connector.ts
  // - for (const item of items) read(schema.parse, item, schemaText(schema), { service });
  // + void service;
  test('refuses what is not what its schema says', async () => {
    const wrong = { ratio: 'half' } as unknown as Level;
    await expect(own.submitData('levels', wrong, { schema: LEVEL_2 })).rejects.toMatchObject({
      name: 'NacreClientError',
      code: 'PAYLOAD_INVALID',
      cause: expect.any(TypeError),
    });
  });

  test('refuses an own signature under a number that JSON cannot say', async () => {
    const data = { ratio: Number.NaN, price: 1, market: 'X' };
    await expect(own.submitData('levels', data, { schema: LEVEL_2 })).rejects.toMatchObject({ code: 'PAYLOAD_INVALID' });
  });

  test('without an account lets the node sign, once for each request id', async () => {
    const connector = new ServiceToConsensusConnector(client);
    const options = { schema: NOTE, key: 'k', requestId: 'one', wait: 'committed' } as const;
    const first = await connector.submitData('nodes-own', 'hello', options);
    expect(await connector.submitData('nodes-own', 'hello', options)).toEqual(first);
    expect(await retrieved('nodes-own', { schema: NOTE, verify: true }, connector)).toMatchObject([{ data: 'hello', key: 'k', index: 0 }]);
  });
});

describe('a node that', () => {
  /** Retrieves through a proxy that changes what `record_list` answers. */
  async function through(change: (records: Record<string, unknown>[]) => unknown[], options: Partial<RetrieveOptions<Level>>) {
    const { url } = await network.serve();
    const proxy = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const headers = { 'content-type': 'application/json' };
        void fetch(url, { method: 'POST', headers, body: Buffer.concat(chunks) })
          .then((answer) => answer.json())
          .then((answer) => {
            const { result } = answer as { result: { records?: Record<string, unknown>[] } };
            if (result.records !== undefined) result.records = change(result.records) as Record<string, unknown>[];
            response.end(JSON.stringify(answer));
          });
      });
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    const lied = connect(`http://127.0.0.1:${(proxy.address() as AddressInfo).port}`, { genesis: network.genesis });
    try {
      return await retrieved('levels', { schema: LEVEL_2, ...options }, new ServiceToConsensusConnector(lied));
    } finally {
      proxy.closeAllConnections();
      proxy.close();
    }
  }

  // @mutation packages/client/src/service-to-consensus-connector.ts
  // - if (gapless && listed.index !== expected) throw missing(service, expected, listed.index);
  // + if (listed.index < 0) throw missing(service, expected, listed.index);
  test('leaves records out is found out', async () => {
    const asked = through((records) => records.filter(({ index }) => index !== 2), {});
    await expect(asked).rejects.toMatchObject({ code: 'RECORDS_MISSING', fields: { expected: 2, index: 3 } });
  });

  // @mutation packages/client/src/service-to-consensus-connector.ts
  // - proven === null ? listed : provenRecord(proven)
  // + listed
  test('lists another payload is not believed where proofs are asked for', async () => {
    const forge = (records: Record<string, unknown>[]) =>
      records.map((record) => ({ ...record, payload: { ratio: 9, price: 9, market: 'X' } }));
    expect((await through(forge, {})).map(({ data }) => data.ratio)).toContain(9);
    expect((await through(forge, { verify: true })).map(({ data }) => data.ratio)).toEqual([0.5, 0.382, 0.618]);
  });

  // @mutation packages/client/src/service-to-consensus-connector.ts
  // - proven.record.key === key)) return proven;
  // + true)) return proven;
  test('lists records of another key is found out by their proofs', async () => {
    const asked = through((records) => records.map((record) => ({ ...record, index: 0 })), { key: 'ETH', verify: true });
    await expect(asked).rejects.toMatchObject({ code: 'PROOF_MISMATCH' });
  });
});
