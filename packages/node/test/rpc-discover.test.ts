import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { toHex } from '@nacre/base';
import { formatAddress } from '@nacre/crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { RPC_ERRORS } from '../src/rpc/errors.ts';
import { call, type OpenRpc, RpcNode, result } from './support/rpc-node.ts';
import { WebSocketClient } from './support/web-socket-client.ts';

let node: RpcNode;
let url: string;
let document: OpenRpc;

beforeAll(async () => {
  node = await RpcNode.start();
  url = node.url;
  document = await result(url, 'rpc.discover');
});

afterAll(() => node?.stop());

function methodNamed(name: string): OpenRpc['methods'][number] {
  const method = document.methods.find((each) => each.name === name);
  if (method === undefined) throw new Error(`the document has no ${name}`);
  return method;
}

/** A validator made of the JSON Schema that the document publishes, not of the one that it was generated from. */
const published = (schema: object) => z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0]);

describe('the OpenRPC document', () => {
  test('lists every method of this stage and none of a later one', () => {
    expect(document.openrpc).toBe('1.3.2');
    expect(document.methods.map(({ name }) => name).sort()).toEqual(
      [
        ...[
          'node_status',
          'node_health',
          'net_peers',
          'tx_submit',
          'tx_get',
          'record_submit',
          'record_list',
          'record_latest',
          'record_proof',
        ],
        ...[
          'light_update',
          'block_get',
          'validator_list',
          'validator_proposals',
          'validator_dry_run',
          'account_get',
          'evidence_list',
          'rpc.discover',
          'subscribe',
          'unsubscribe',
        ],
      ].sort(),
    );
  });

  test('describes the answers that the node gives', async () => {
    const { backend } = node;
    const submitted = await result(url, 'record_submit', { service: 'doc', key: 'k', payloads: [{ a: 1 }, [2]], wait: 'committed' });
    const { bytes, txId } = await node.transaction(node.validator, [{ kind: 'validator.recover', nonce: new Uint8Array(16) }]);
    node.peers = [
      {
        ...{ peerId: 'p', address: backend.address, multiaddr: '/ip4/127.0.0.1/tcp/1', direction: 'inbound', score: 0 },
        ...{ security: { protocol: 'tls', group: 'pinned' }, latencyMs: null, bytesIn: 0, bytesOut: 0 },
      },
    ];
    const accountId = node.replica.ledger.blockAt(1)?.bodyHashes[0] as Uint8Array;
    const calls: readonly (readonly [string, object])[] = [
      ['node_status', {}],
      ['node_health', {}],
      ['net_peers', {}],
      ['tx_submit', { tx: Buffer.from(bytes).toString('base64') }],
      ['tx_get', { txId: submitted.txId }],
      ['tx_get', { txId: toHex(node.replica.ledger.transactionId(accountId) as Uint8Array) }],
      ['tx_get', { txId: toHex(txId) }],
      ['tx_get', { txId: '00'.repeat(32) }],
      ['record_submit', { service: 'doc', payload: null }],
      ['record_list', { service: 'doc', key: 'k', fromIndex: 0, limit: 1, order: 'descending' }],
      ['record_latest', { service: 'doc', key: 'k' }],
      ['record_latest', { service: 'doc', key: 'none' }],
      ['record_proof', { service: 'doc', index: 0 }],
      ['record_proof', { service: 'doc', index: 0, fromHeight: 1 }],
      ['light_update', { fromHeight: 1 }],
      ['block_get', { height: 1 }],
      ['block_get', { height: 'latest' }],
      ['validator_list', {}],
      ['validator_proposals', {}],
      ['validator_dry_run', { change: { kind: 'parameters.change', name: 'epochMs', value: 5 } }],
      ['account_get', { address: backend.address === null ? '' : formatAddress(backend.address) }],
      ['evidence_list', {}],
      ['rpc.discover', {}],
    ];
    for (const [name, params] of calls) {
      const answer = await call(url, name, params);
      expect([name, answer.error]).toEqual([name, undefined]);
      const parsed = published(methodNamed(name).result.schema).safeParse(answer.result);
      expect([name, parsed.error?.issues]).toEqual([name, undefined]);
    }
    const client = await WebSocketClient.connect(url);
    const subscribed = await client.call('subscribe', { topic: 'blocks' });
    expect(published(methodNamed('subscribe').result.schema).safeParse(subscribed.result).success).toBe(true);
    const ended = await client.call('unsubscribe', { subscription: (subscribed.result as { subscription: string }).subscription });
    expect(published(methodNamed('unsubscribe').result.schema).safeParse(ended.result).success).toBe(true);
    await client.close();
  });

  test('names every parameter, and which are required', () => {
    const params = Object.fromEntries(methodNamed('tx_submit').params.map(({ name, required }) => [name, required]));
    expect(params).toEqual({ tx: true, wait: false, timeoutMs: false });
    for (const { name, params: all } of document.methods) {
      for (const { schema } of all)
        expect([name, published(schema).safeParse(Symbol('never')).success]).toEqual([name, isAnything(schema)]);
    }
  });

  function isAnything(schema: object): boolean {
    return !('type' in schema) && !('anyOf' in schema) && !('oneOf' in schema) && !('enum' in schema);
  }
});

describe('the errors', () => {
  test('have each a number of their own, in the range for servers or of the specification', () => {
    const numbers = Object.values(RPC_ERRORS).map(({ number }) => number);
    expect(new Set(numbers).size).toBe(numbers.length);
    for (const number of numbers) expect((number >= -32099 && number <= -32000) || (number >= -32700 && number <= -32600)).toBe(true);
    for (const { hint, message } of Object.values(RPC_ERRORS)) expect(hint.endsWith('.') && message.endsWith('.')).toBe(true);
  });

  test('have a row for everything that ledger and replica refuse a client', () => {
    const sources = [
      ...[
        'admission',
        'block-execution',
        'execute-operation',
        'make-proof',
        'operation-rules',
        'operation-wire',
        'quota',
        'transaction',
      ].map((name) => `ledger/src/${name}.ts`),
      ...['mempool', 'transaction-desk'].map((name) => `replica/src/${name}.ts`),
      ...['record-submitter', 'service-registrar'].map((name) => `node/src/records/${name}.ts`),
    ];
    for (const source of sources) {
      const text = readFileSync(join(import.meta.dirname, '../..', source), 'utf8');
      const codes = [...text.matchAll(/(?:code: |return )'([A-Z_]+)'/g)].map(([, code]) => code as string);
      expect([source, codes.filter((code) => !Object.hasOwn(RPC_ERRORS, code))]).toEqual([source, []]);
    }
  });
});

describe('the metrics', () => {
  test('are readable by Prometheus and tell what has happened', async () => {
    await result(url, 'record_submit', { service: 'metrics', payload: 1, wait: 'committed' });
    await call(url, 'no_such_method');
    const response = await fetch(`${url}/metrics`);
    expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
    const samples = parseMetrics(await response.text());
    expect(samples.get('nacre_consensus_height')).toBe(node.replica.ledger.tip.height);
    expect(samples.get('nacre_consensus_validators')).toBe(1);
    expect(samples.get('nacre_consensus_validators_power')).toBe(1000);
    expect(samples.get('nacre_consensus_missing_validators')).toBe(0);
    expect(samples.get('nacre_consensus_voting')).toBe(1);
    expect(samples.get('nacre_consensus_num_txs')).toBe(1);
    expect(samples.get('nacre_consensus_transactions_total{outcome="committed"}')).toBeGreaterThan(0);
    expect(samples.get('nacre_consensus_block_interval_seconds_count')).toBeGreaterThan(0);
    expect(samples.get('nacre_mempool_size')).toBe(0);
    expect(samples.get('nacre_mempool_size_bytes')).toBe(0);
    expect(samples.get('nacre_blocksync_syncing')).toBe(0);
    expect(samples.get('nacre_network_state{state="NORMAL"}')).toBe(1);
    expect(samples.get('nacre_network_state{state="PARTITIONED"}')).toBe(0);
    expect(samples.get('nacre_rpc_calls_total{method="record_submit",outcome="ok"}')).toBeGreaterThan(0);
    expect(samples.get('nacre_rpc_calls_total{method="unknown",outcome="METHOD_NOT_FOUND"}')).toBe(1);
    expect(samples.get('nacre_p2p_peer_receive_bytes_total{peer_id="p"}')).toBe(0);
    expect(samples.has('process_cpu_seconds_total')).toBe(true);
  });
});

/** The text exposition format 0.0.4: every line is a comment or `name{labels} value`. */
function parseMetrics(text: string): Map<string, number> {
  const samples = new Map<string, number>();
  for (const line of text.split('\n')) {
    if (line === '' || /^# (HELP|TYPE) [a-zA-Z_:][a-zA-Z0-9_:]* /.test(line)) continue;
    const sample = /^([a-zA-Z_:][a-zA-Z0-9_:]*(?:\{[^}]*\})?) (-?[0-9.e+-]+|NaN|\+Inf)$/.exec(line);
    expect([line, sample !== null]).toEqual([line, true]);
    samples.set(sample?.[1] ?? '', Number(sample?.[2]));
  }
  return samples;
}
