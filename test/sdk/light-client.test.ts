import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import {
  type Checkpoint,
  connect,
  createAccountKey,
  formatCheckpoint,
  type NacreClient,
  readCheckpoint,
  verifyRecordProof,
} from '@nacre/client';
import { createGenesis, genesisCheckpoint } from '@nacre/ledger';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { SdkNetwork } from './support/sdk-network.ts';

const DAY_MS = 24 * 3_600_000;
const FIRST = { service: 'light', index: 0 } as const;

let network: SdkNetwork;
let url: string;
let liar: Server | undefined;

beforeAll(async () => {
  network = await SdkNetwork.start();
  ({ url } = await network.serve());
  await connect(url).submitRecords({ service: 'light', payload: 'first' }, { wait: 'committed' });
});

afterEach(() => {
  liar?.close();
  liar = undefined;
});

afterAll(() => network?.stop());

async function oneMoreBlock(): Promise<void> {
  await connect(url).submitRecords({ service: 'light', payload: 'more' }, { wait: 'committed' });
}

/** A client of a node that answers as the function says, and otherwise as an honest one. */
async function misled(
  lie: (method: string, params: Readonly<Record<string, unknown>>) => object | null,
  more: object = {},
): Promise<NacreClient> {
  const server = createServer((request, response) => void serve(request, response));
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await text(request);
    const { method, params } = JSON.parse(body) as { method: string; params: Readonly<Record<string, unknown>> };
    const lied = lie(method, params);
    if (lied !== null) return void response.end(JSON.stringify({ jsonrpc: '2.0', id: 1, ...lied }));
    const honest = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    response.end(await honest.text());
  };
  liar = server;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, { genesis: network.genesis, ...more });
}

describe('a client', () => {
  test('begins at the genesis, and moves on with what it proves', async () => {
    const client = connect(url, { genesis: network.genesis });
    expect(client.checkpoint).toMatchObject({ height: 0, blockHash: network.genesis.hash });
    const { asOf } = await client.proveRecord(FIRST);
    expect(client.checkpoint).toMatchObject({ height: asOf.height, timeMs: asOf.timeMs });
    await oneMoreBlock();
    expect((await client.advance()).height).toBe(asOf.height + 1);
    expect((await client.proveRecord(FIRST)).asOf.height).toBe(asOf.height + 1);
    expect(client.checkpoint.height).toBe(asOf.height + 1);
  });

  // @mutation packages/client/src/light-client.ts
  // - if (checkpoint.height > this.#checkpoint.height) this.#checkpoint = checkpoint;
  // + this.#checkpoint = checkpoint;
  test('does not go back, whichever of its calls is answered last', async () => {
    const client = connect(url, { genesis: network.genesis });
    const proofs: string[] = [await client.proof(FIRST)];
    await oneMoreBlock();
    proofs.push(await client.proof(FIRST));
    const answers = proofs.toReversed();
    const late = await misled((method) => (method === 'record_proof' ? { result: answers.shift() } : null));
    const [first, second] = await Promise.all([late.proveRecord(FIRST), late.proveRecord(FIRST)]);
    expect(second.asOf.height).toBe(first.asOf.height - 1);
    expect(late.checkpoint.height).toBe(first.asOf.height);
  });

  test('goes on from the checkpoint that it kept, as the text of a file or as it was', async () => {
    const before = connect(url, { genesis: network.genesis });
    await before.advance();
    const file = formatCheckpoint(before.checkpoint);
    await oneMoreBlock();
    for (const checkpoint of [file, readCheckpoint(file), before.checkpoint]) {
      const client = connect(url, { genesis: network.genesis, checkpoint });
      expect(client.checkpoint.height).toBe(before.checkpoint.height);
      expect((await client.proveRecord(FIRST)).asOf.height).toBe(before.checkpoint.height + 1);
    }
  });

  test('is told what is wrong with a checkpoint', async () => {
    const { genesis } = network;
    const validators = [{ publicKey: createAccountKey().publicKey, weight: 1000 }];
    const other = createGenesis({ network: 'sdk', timeMs: Date.now(), scheme: 'ml-dsa-44', validators, allowLargeWeights: true });
    expect(() => connect(url, { genesis, checkpoint: 'checkpoint.json' })).toThrow(expect.objectContaining({ code: 'CHECKPOINT_INVALID' }));
    expect(() => connect(url, { genesis, checkpoint: genesisCheckpoint(other) })).toThrow(
      expect.objectContaining({ code: 'CHECKPOINT_INVALID', fields: { refusal: { code: 'CHECKPOINT_NETWORK' } } }),
    );
    expect(() => connect(url, { checkpoint: genesisCheckpoint(genesis) })).toThrow(expect.objectContaining({ code: 'GENESIS_MISSING' }));
    await expect(connect(url).advance()).rejects.toMatchObject({ code: 'GENESIS_MISSING' });
    const foreign = verifyRecordProof(genesis, await connect(url).proof(FIRST), FIRST, { checkpoint: genesisCheckpoint(other) });
    await expect(foreign).rejects.toMatchObject({ code: 'CHECKPOINT_INVALID' });
  });

  // @mutation packages/client/src/light-client.ts
  // - this.#trustPeriodMs = trustPeriodMs ?? (checkpoint === undefined ? undefined : TRUST_PERIOD_MS);
  // + this.#trustPeriodMs = trustPeriodMs;
  test('trusts a checkpoint for fourteen days unless it is told otherwise', async () => {
    const { genesis } = network;
    const aged = (days: number): Checkpoint => ({ ...genesisCheckpoint(genesis), timeMs: Date.now() - days * DAY_MS });
    expect((await connect(url, { genesis, checkpoint: aged(13) }).proveRecord(FIRST)).kind).toBe('included');
    const old = connect(url, { genesis, checkpoint: aged(15) });
    for (const refused of [() => old.proveRecord(FIRST), () => old.advance()])
      await expect(refused()).rejects.toMatchObject({ code: 'CHECKPOINT_EXPIRED' });
    expect((await connect(url, { genesis, checkpoint: aged(15), trustPeriodMs: 16 * DAY_MS }).advance()).height).toBeGreaterThan(0);
    expect((await connect(url, { genesis }).proveRecord(FIRST)).kind).toBe('included');
  });
});

describe('while validators come and go', () => {
  const record = { service: 'changing', index: 0 } as const;
  let changing: SdkNetwork;
  let changingUrl: string;

  beforeAll(async () => {
    changing = await SdkNetwork.start({ epochMs: 1, epochBlocksMin: 2 });
    ({ url: changingUrl } = await changing.serve());
  });

  afterAll(() => changing?.stop());

  /** Records and so blocks, until another committee decides than the client knows. */
  async function followChange(client: NacreClient): Promise<void> {
    const { hash } = client.checkpoint.committee;
    for (let blocks = 0; Buffer.compare(hash, client.checkpoint.committee.hash) === 0; blocks++) {
      expect(blocks).toBeLessThan(10);
      await client.submitRecords({ service: 'changing', payload: blocks }, { wait: 'committed' });
      await client.advance();
    }
  }

  /** The only validator decides that it has another weight: the least that makes another committee. */
  async function reweigh(client: NacreClient, weight: number): Promise<void> {
    const { address } = changing.validator;
    await client.submitOperations(changing.validator, [{ kind: 'validator.weight', address, weight }], { wait: 'committed' });
    await followChange(client);
    expect(client.checkpoint.committee.totalWeight).toBe(weight);
  }

  test('a client follows, and proofs verify from before and from after', async () => {
    const { genesis } = changing;
    const client = connect(changingUrl, { genesis });
    await client.submitRecords({ service: 'changing', payload: 'in epoch 0' }, { wait: 'committed' });
    const begin = client.checkpoint;
    await reweigh(client, 1001);
    const between = formatCheckpoint(client.checkpoint);
    await reweigh(client, 1002);
    const proof = await client.proof(record);
    expect(await verifyRecordProof(genesis, proof, record)).toMatchObject({ kind: 'included', record: { index: 0 } });
    for (const checkpoint of [begin, readCheckpoint(between)]) {
      expect(await verifyRecordProof(genesis, proof, record, { checkpoint })).toMatchObject({ kind: 'included' });
      const shorter = await client.proof(record, { fromHeight: checkpoint.height });
      expect(await verifyRecordProof(genesis, shorter, record, { checkpoint })).toMatchObject({ kind: 'included' });
      expect((await connect(changingUrl, { genesis, checkpoint }).proveRecord(record)).kind).toBe('included');
    }
    const bytes = Buffer.from(proof, 'base64');
    for (let at = 5; at < bytes.length; at += 307) {
      const changed = new Uint8Array(bytes);
      changed[at] = (changed[at] as number) ^ 1;
      await expect(verifyRecordProof(genesis, changed, record)).rejects.toMatchObject({ code: 'PROOF_INVALID' });
    }
  });
});

describe('a node', () => {
  test('that is behind is left for another', async () => {
    const { genesis } = network;
    const client = connect(url, { genesis });
    await client.advance();
    const behind = await misled((method) =>
      method === 'record_proof'
        ? { error: { code: -32026, message: 'Behind.', data: { code: 'CHECKPOINT_AHEAD', retryable: true, hint: '.' } } }
        : null,
    );
    await expect(behind.proveRecord(FIRST)).rejects.toMatchObject({ code: 'CHECKPOINT_AHEAD', attempts: 6 });
  });

  test('that has too many changes for one proof is asked for updates first', async () => {
    const asked: unknown[] = [];
    const client = await misled((method, { fromHeight }) => {
      asked.push([method, fromHeight]);
      const tooLong = { code: -32027, message: 'Too long.', data: { code: 'PROOF_TOO_LONG', retryable: false, hint: '.' } };
      return method === 'record_proof' && fromHeight === 0 ? { error: tooLong } : null;
    });
    const { kind, asOf } = await client.proveRecord(FIRST);
    expect(kind).toBe('included');
    expect(asked).toEqual([
      ['record_proof', 0],
      ['light_update', 0],
      ['record_proof', asOf.height],
    ]);
  });

  // @mutation packages/client/src/client.ts
  // - if (light.checkpoint === from) throw
  // + if (light === null) throw
  test('that promises more and gives nothing does not hold a client for ever', async () => {
    const empty = await connect(url, { genesis: network.genesis }).advance();
    expect(empty.height).toBeGreaterThan(0);
    // Version, two offsets, no link and no head.
    const update = Buffer.from([1, 9, 0, 0, 0, 9, 0, 0, 0]).toString('base64');
    let answers = 0;
    const client = await misled((method) => (method === 'light_update' && answers++ < 50 ? { result: { update, complete: false } } : null));
    await expect(client.advance()).rejects.toMatchObject({ code: 'NETWORK_ANSWER_MALFORMED' });
  });

  // @mutation packages/client/src/light-client.ts
  // - if (!advanced.ok) throw refusedProof(advanced.error);
  // + if (!advanced.ok) return;
  test('that lies in an update is not believed', async () => {
    for (const update of ['', 'not base64!', 'AAAA', 'A'.repeat(12 * 1024 * 1024)]) {
      const client = await misled((method) => (method === 'light_update' ? { result: { update, complete: true } } : null));
      await expect(client.advance()).rejects.toMatchObject({ code: 'PROOF_INVALID' });
      expect(client.checkpoint.height).toBe(0);
      liar?.close();
    }
  });
});
