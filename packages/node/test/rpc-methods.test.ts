import { fromHex, toHex } from '@nacre/base';
import { formatAddress } from '@nacre/crypto';
import { createVerifier } from '@nacre/crypto/native';
import { advanceCheckpoint, genesisCheckpoint, type Operation, verifyProof } from '@nacre/ledger';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { KeyHolder } from '../src/records/service-registrar.ts';
import { call, RpcNode, refusal, result } from './support/rpc-node.ts';

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'));

const serviceOf = (owner: KeyHolder, name: string): Operation => ({
  kind: 'service.create',
  name,
  owners: [owner.address],
  writers: [owner.address],
  schemas: [{ name: 'note', version: 1 }],
  shard: 0,
  retentionMs: 0,
});

const append = (service: string, payload: string, mediaType = 'application/json', key = ''): Operation => ({
  kind: 'record.append',
  service,
  schema: 'note',
  schemaVersion: 1,
  mediaType,
  records: [{ key, payload: new TextEncoder().encode(payload) }],
});

let node: RpcNode;
let url: string;

beforeAll(async () => {
  node = await RpcNode.start();
  url = node.url;
});

afterAll(() => node?.stop());

describe('transactions', () => {
  test('a transaction is admitted, then committed, and tells where it stands', async () => {
    const account = await node.newAccount();
    const { bytes, txId } = await node.transaction(account, [serviceOf(account, 'tx/one')]);
    const admitted = await result(url, 'tx_submit', { tx: base64(bytes) });
    expect(admitted).toMatchObject({ txId: toHex(txId), chain: 0 });
    const appended = await node.transaction(account, [append('tx/one', '{"n":1}')]);
    await expect.poll(async () => (await result(url, 'tx_get', { txId: toHex(txId) })).status).toBe('committed');
    const committed = await result(url, 'tx_submit', { tx: base64(appended.bytes), wait: 'committed' });
    expect(committed).toMatchObject({ status: 'committed', chain: 0, index: 0 });
    const seen = await result(url, 'tx_get', { txId: committed.txId });
    expect(seen).toMatchObject({ status: 'committed', height: committed.height, index: 0, chain: 0 });
    expect(seen.transaction).toMatchObject({
      account: formatAddress(account.address),
      operations: [{ kind: 'record.append', service: 'tx/one', schema: 'note@1', records: [{ key: null, payload: { n: 1 } }] }],
      tx: base64(appended.bytes),
    });
  });

  test('a failed transaction is an error with its reason, and can be asked for', async () => {
    const account = await node.newAccount();
    const [first, second] = await Promise.all([
      node.transaction(account, [serviceOf(account, 'tx/failed')]),
      node.transaction(account, [serviceOf(account, 'tx/failed')]),
    ]);
    const answers = await Promise.all([first, second].map(({ bytes }) => call(url, 'tx_submit', { tx: base64(bytes), wait: 'committed' })));
    const failed = answers.find(({ error }) => error !== undefined);
    // The second may have met the first in the block, or already in the state.
    expect(['TRANSACTION_FAILED', 'SERVICE_EXISTS']).toContain(failed?.error?.data.code);
    if (failed?.error?.data.code === 'TRANSACTION_FAILED') {
      expect(failed.error.data.reason).toEqual({ code: 'SERVICE_EXISTS', operation: 0 });
      const seen = await result(url, 'tx_get', { txId: failed.error.data.txId });
      expect(seen).toMatchObject({ status: 'failed', reason: { code: 'SERVICE_EXISTS', operation: 0 } });
    }
  });

  test('what is not admitted says why', async () => {
    const account = await node.newAccount();
    const good = await node.transaction(account, [append('nowhere', '1')]);
    expect(await refusal(url, 'tx_submit', { tx: base64(good.bytes) })).toMatchObject({ code: 'UNKNOWN_SERVICE', retryable: true });
    expect(await refusal(url, 'tx_submit', { tx: base64(Uint8Array.of(1, 2, 3)) })).toMatchObject({ code: 'MALFORMED', retryable: false });
    const late = await node.transaction(account, [append('nowhere', '1')], Date.now() - 60_000);
    expect(await refusal(url, 'tx_submit', { tx: base64(late.bytes) })).toMatchObject({ code: 'EXPIRED' });
    const forged = Uint8Array.from((await node.transaction(account, [serviceOf(account, 'tx/forged')])).bytes);
    forged[forged.length - 10] = (forged[forged.length - 10] as number) ^ 1;
    expect(await refusal(url, 'tx_submit', { tx: base64(forged) })).toMatchObject({
      code: 'SIGNATURE_INVALID',
      account: formatAddress(account.address),
    });
    const stranger = await node.transaction({ ...account, address: new Uint8Array(32) }, [append('nowhere', '1')]);
    expect(await refusal(url, 'tx_submit', { tx: base64(stranger.bytes) })).toMatchObject({
      code: 'UNKNOWN_ACCOUNT',
      account: formatAddress(new Uint8Array(32)),
    });
  });

  test('a decided transaction is not admitted again', async () => {
    const account = await node.newAccount();
    const decided = await node.decide(await node.transaction(account, [serviceOf(account, 'tx/again')]));
    expect(await refusal(url, 'tx_submit', { tx: base64(decided.bytes) })).toMatchObject({ code: 'DUPLICATE', txId: toHex(decided.txId) });
  });

  test('an unknown transaction is unknown', async () => {
    const txId = 'ab'.repeat(32);
    expect(await result(url, 'tx_get', { txId })).toEqual({ status: 'unknown', txId, chain: 0 });
  });
});

describe('records', () => {
  test('records are submitted, listed, found by key and proven, with nothing set up before', async () => {
    const submitted = await result(url, 'record_submit', {
      service: 'notes/a',
      key: 'k',
      payload: { b: 2, a: [1, null] },
      wait: 'committed',
    });
    expect(submitted).toMatchObject({ status: 'committed', chain: 0 });
    const batch = await result(url, 'record_submit', { service: 'notes/a', payloads: ['x', 7, false, null], wait: 'committed' });
    const { records, nextIndex } = await result(url, 'record_list', { service: 'notes/a' });
    const record = { index: 0, txId: submitted.txId, chain: 0, height: submitted.height, service: 'notes/a', key: 'k', schema: 'json@1' };
    expect(records[0]).toEqual({ ...record, payload: { a: [1, null], b: 2 } });
    expect(records.map(({ payload }) => payload).slice(1)).toEqual(['x', 7, false, null]);
    expect(records[1]).toMatchObject({ key: null, txId: batch.txId });
    expect(nextIndex).toBeNull();

    const latest = await result(url, 'record_latest', { service: 'notes/a', key: 'k' });
    expect(latest.record).toEqual(records[0]);
    expect(latest.height).toBeGreaterThanOrEqual(batch.height as number);
    expect(latest.ageMs).toBeGreaterThanOrEqual(0);
    expect(await result(url, 'record_latest', { service: 'notes/a', key: 'other' })).toMatchObject({ record: null });

    const verifier = createVerifier('ml-dsa-44');
    const proofs = { included: { index: 3 }, latest: { key: 'k' }, absent: { key: 'other' } };
    for (const [kind, wanted] of Object.entries(proofs)) {
      const proof = await result(url, 'record_proof', { service: 'notes/a', ...wanted });
      const verified = await verifyProof(node.genesis, bytesOf(proof), verifier);
      expect(verified.ok && verified.value.kind).toBe(kind);
    }
  });

  test('a checkpoint is taken on by what the node knows, and not beyond it', async () => {
    const verifier = createVerifier('ml-dsa-44');
    const { update, complete } = await result(url, 'light_update', {});
    const { genesis } = node;
    const advanced = await advanceCheckpoint(genesisCheckpoint(genesis), bytesOf(update), { genesis, verifier });
    const { height, blockHash } = node.replica.ledger.tip;
    expect([complete, advanced]).toMatchObject([true, { ok: true, value: { height, blockHash } }]);
    const beyond = { fromHeight: height + 1 };
    for (const [method, params] of [
      ['light_update', beyond],
      ['record_proof', { service: 'notes/a', index: 0, ...beyond }],
    ] as const)
      expect(await refusal(url, method, params)).toMatchObject({ code: 'CHECKPOINT_AHEAD', tipHeight: height, retryable: true });
  });

  test('pages follow one another in both directions', async () => {
    await result(url, 'record_submit', { service: 'notes/pages', payloads: [0, 1, 2, 3, 4], wait: 'committed' });
    const read = async (params: object) => {
      const { records, nextIndex } = await result(url, 'record_list', { service: 'notes/pages', limit: 2, ...params });
      return [records.map(({ payload }) => payload), nextIndex];
    };
    expect(await read({})).toEqual([[0, 1], 2]);
    expect(await read({ fromIndex: 4 })).toEqual([[4], null]);
    expect(await read({ order: 'descending' })).toEqual([[4, 3], 2]);
    expect(await read({ order: 'descending', fromIndex: 1 })).toEqual([[1, 0], null]);
    expect(await result(url, 'record_list', { service: 'no/such' })).toEqual({ records: [], nextIndex: null });
  });

  test('a new schema version is added to the service and stands beside the old one', async () => {
    await result(url, 'record_submit', { service: 'notes/versions', schema: 'price@1', payload: 1, wait: 'committed' });
    await result(url, 'record_submit', { service: 'notes/versions', schema: 'price@2', payload: { p: 1 }, wait: 'committed' });
    const { records } = await result(url, 'record_list', { service: 'notes/versions' });
    expect(records.map(({ schema }) => schema)).toEqual(['price@1', 'price@2']);
  });

  test('first uses at once make account, service and schemas once', async () => {
    const submit = (schema: string, payload: number) =>
      result(url, 'record_submit', { service: 'notes/race', schema, payload, wait: 'committed' });
    await Promise.all([submit('a@1', 1), submit('a@1', 2), submit('b@1', 3), submit('c@1', 4)]);
    const { records } = await result(url, 'record_list', { service: 'notes/race' });
    expect(new Set(records.map(({ payload }) => payload))).toEqual(new Set([1, 2, 3, 4]));
  });

  test('a record of another media type shows its bytes, and what only claims to be JSON does too', async () => {
    const account = await node.newAccount();
    await node.decide(await node.transaction(account, [serviceOf(account, 'notes/bytes')]));
    await node.decide(await node.transaction(account, [append('notes/bytes', 'a,b', 'text/csv', 'row')]));
    const { records } = await result(url, 'record_list', { service: 'notes/bytes', key: 'row' });
    expect(records[0]?.payload).toEqual({ mediaType: 'text/csv', base64: base64(new TextEncoder().encode('a,b')) });
  });

  test("another's service cannot be written to", async () => {
    const account = await node.newAccount();
    await node.decide(await node.transaction(account, [serviceOf(account, 'notes/foreign')]));
    expect(await refusal(url, 'record_submit', { service: 'notes/foreign', payload: 1 })).toMatchObject({
      code: 'NOT_A_WRITER',
      retryable: false,
    });
  });

  // @mutation packages/node/src/records/record-submitter.ts
  // - if (!transaction.ok) return transaction;
  // + if (!transaction.ok) await this.#registrar.ensure(service, schema, timeoutMs); if (!transaction.ok) return transaction;
  test('what no node takes leaves no service behind', async () => {
    const payload = 'x'.repeat(70 * 1024);
    expect(await refusal(url, 'record_submit', { service: 'notes/large', payload })).toMatchObject({ code: 'RECORD_TOO_LARGE', record: 0 });
    expect(await refusal(url, 'record_proof', { service: 'notes/large', index: 0 })).toMatchObject({
      code: 'RECORD_UNKNOWN',
      recordCount: 0,
    });
    expect(node.replica.ledger.service('notes/large')).toBeUndefined();
    expect(await refusal(url, 'record_submit', { service: 'notes/large', payload: '\ud800' })).toMatchObject({ code: 'PAYLOAD_INVALID' });
  });

  test('a proof needs a record or a key', async () => {
    expect(await refusal(url, 'record_proof', { service: 'notes/a', index: 10_000 })).toMatchObject({ code: 'RECORD_UNKNOWN' });
    expect(await refusal(url, 'record_proof', { service: 'notes/a', key: '' })).toMatchObject({ code: 'KEY_INVALID' });
    expect(await refusal(url, 'record_proof', { service: 'notes/a' })).toMatchObject({ code: 'INVALID_PARAMS' });
    expect(await refusal(url, 'record_proof', { service: 'notes/a', index: 0, key: 'k' })).toMatchObject({ code: 'INVALID_PARAMS' });
  });
});

describe('blocks and validators', () => {
  test('a block is found by height, by hash and as the latest', async () => {
    const { height, txId } = await result(url, 'record_submit', { service: 'notes/blocks', payload: 1, wait: 'committed' });
    const block = await result(url, 'block_get', { height });
    expect(block.header).toMatchObject({
      height,
      chain: 0,
      genesisHash: toHex(node.genesis.hash),
      proposer: formatAddress(node.validator.address),
    });
    expect(block.transactions).toEqual([txId]);
    expect(block.certificate).toMatchObject({
      height,
      blockHash: block.hash,
      commits: [{ validator: formatAddress(node.validator.address) }],
    });
    expect(await result(url, 'block_get', { hash: block.hash })).toEqual(block);
    expect((await result(url, 'block_get', { height: 'latest' })).header.height).toBeGreaterThanOrEqual(height as number);
    expect(toHex(node.replica.ledger.blockAt(height as number)?.hash as Uint8Array)).toBe(block.hash);
    expect(fromHex(block.header.stateRoot)).toHaveLength(32);
  });

  test('a block that is not decided here is not shown', async () => {
    const latestHeight = node.replica.ledger.tip.height;
    expect(await refusal(url, 'block_get', { height: latestHeight + 1000 })).toMatchObject({
      code: 'BLOCK_UNKNOWN',
      latestHeight,
      retryable: true,
    });
    expect(await refusal(url, 'block_get', { hash: 'cd'.repeat(32) })).toMatchObject({ code: 'BLOCK_UNKNOWN' });
    expect(await refusal(url, 'block_get', { chain: 3, height: 1 })).toMatchObject({ code: 'CHAIN_UNKNOWN', chain: 3 });
    expect(await refusal(url, 'block_get', {})).toMatchObject({ code: 'INVALID_PARAMS' });
    expect(await refusal(url, 'block_get', { height: 0 })).toMatchObject({ code: 'INVALID_PARAMS' });
  });

  test('the committee is listed with its weights and what it has signed', async () => {
    const { validators, totalWeight } = await result(url, 'validator_list');
    expect(totalWeight).toBe(1000);
    const address = formatAddress(node.validator.address);
    expect(validators).toMatchObject([
      { address, name: 'only', weight: 1000, nextWeight: 1000, shard: null, performance: 1, quarantined: false },
    ]);
    expect((await result(url, 'validator_list', { height: 1 })).height).toBe(1);
    expect(await refusal(url, 'validator_list', { height: 1_000_000 })).toMatchObject({ code: 'BLOCK_UNKNOWN' });
  });
});

describe('the node', () => {
  const sync = { state: 'idle', fromHeight: null, height: null, toHeight: null, blocksPerSecond: null, remainingMs: null, reason: null };

  test('tells who it is and how far it has come', async () => {
    const status = await result(url, 'node_status');
    const { height, blockHash, timeMs } = node.replica.ledger.tip;
    expect(status).toEqual({
      nodeId: 'test-peer',
      address: formatAddress(node.validator.address),
      chainId: 'test',
      genesisHash: toHex(node.genesis.hash),
      version: '0.1.0',
      networkState: { state: 'NORMAL', reason: null },
      chains: [{ chain: 0, height, blockHash: toHex(blockHash), timeMs, catchingUp: false, sync, validator: true }],
      store: { firstHeight: 1, scrub: null, damagesFound: 0, damagesMended: 0, damagesWaiting: 0, setAside: 0 },
      peers: 0,
    });
  });

  test('tells whom it hears, which sides there are, and how far it has caught up', async () => {
    await expect.poll(async () => (await result(url, 'node_health')).sides.length).toBe(1);
    const address = formatAddress(node.validator.address);
    expect(await result(url, 'node_health')).toEqual({
      networkState: { state: 'NORMAL', reason: null },
      height: node.replica.ledger.tip.height,
      totalWeight: 1000,
      neededWeight: 667,
      nodes: [{ address, name: 'only', weight: 1000, self: true, heard: true }],
      sides: [{ validators: [address], weight: 1000, mayDecide: true, own: true, reached: true }],
      partitions: [],
      sync,
    });
  });

  test('tells of its peers', async () => {
    const peer = {
      multiaddr: '/ip4/127.0.0.1/tcp/1',
      direction: 'outbound',
      score: -1.5,
      latencyMs: 0.4,
      bytesIn: 10,
      bytesOut: 20,
    } as const;
    const security = { protocol: 'tls', group: 'X25519MLKEM768' };
    node.peers = [
      { ...peer, peerId: 'a', address: node.validator.address, security },
      { ...peer, peerId: 'b', address: null, security, latencyMs: null },
    ];
    expect(await result(url, 'net_peers')).toEqual({
      peers: [
        { ...peer, peerId: 'a', address: formatAddress(node.validator.address), security },
        { ...peer, peerId: 'b', address: null, security, latencyMs: null },
      ],
    });
    node.peers = [];
  });

  test('says by /readyz whether it can be of use, and by /healthz that it lives', async () => {
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    node.networkState = { state: 'PARTITIONED', reason: 'two of four validators are reachable' };
    const response = await fetch(`${url}/readyz`);
    node.networkState = { state: 'NORMAL', reason: null };
    expect(response.status).toBe(503);
    expect(await response.json()).toEqual({ ready: false, state: 'PARTITIONED', reason: 'two of four validators are reachable' });
  });
});
