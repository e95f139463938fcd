import { randomBytes } from 'node:crypto';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createVerifier } from '@nacre/crypto/native';
import { Ledger } from '@nacre/ledger';
import { LevelStore } from '@nacre/ledger/level';
import { encodeMessage } from '@nacre/replica';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { gossipRules } from '../src/gossip-rules.ts';
import { newKey, RpcNode, silentLog } from './support/rpc-node.ts';

describe('what gossip may carry beyond neighbours', () => {
  let node: RpcNode;
  /** Of another node of the same network, which knows the genesis only. */
  let behind: Ledger;
  let store: LevelStore;

  beforeAll(async () => {
    node = await RpcNode.start();
    const { genesis } = node;
    store = await LevelStore.open(await mkdtemp(join(tmpdir(), 'nacre-gossip-')), { formatVersion: 1, genesisHash: genesis.hash });
    behind = await Ledger.open({ genesis, store, verifier: createVerifier(genesis.scheme), log: silentLog });
  });
  afterAll(async () => {
    await node.stop();
    await store.close();
  });

  const rulesOf = (ledger: Ledger) => gossipRules({ ledger: () => ledger, verifier: createVerifier(node.genesis.scheme) });
  const decided = (height: number) => {
    const { ledger } = node.replica;
    const certificate = ledger.certificateAt(height);
    const block = ledger.blockAt(height);
    if (certificate === undefined || block === undefined) throw new Error(`no block ${height}`);
    return { kind: 'decided', certificate, block: block.bytes } as const;
  };
  const creation = () => node.transaction(node.validator, [{ kind: 'account.create', publicKey: newKey().signer.publicKey }]);

  // @mutation packages/node/src/gossip-rules.ts
  // - return kind === 'transactions' || kind === 'decided';
  // + return kind !== 'decided';
  test('transactions and decided blocks, nothing else, and no garbage', async () => {
    await node.newAccount();
    const { relayable } = rulesOf(node.replica.ledger);
    expect(relayable(encodeMessage({ kind: 'transactions', bodies: [] }))).toBe(true);
    expect(relayable(encodeMessage(decided(1)))).toBe(true);
    expect(relayable(encodeMessage({ kind: 'votes', votes: [] }))).toBe(false);
    expect(relayable(encodeMessage({ kind: 'instance', instance: new Uint8Array(16) }))).toBe(false);
    expect(relayable(new Uint8Array())).toBe(false);
    expect(relayable(randomBytes(100))).toBe(false);
  });

  test('a transaction that a block may hold goes on', async () => {
    const { bytes } = await creation();
    expect(await rulesOf(behind).judge(encodeMessage({ kind: 'transactions', bodies: [bytes] }))).toBe('accept');
  });

  // @mutation packages/node/src/gossip-rules.ts
  // - return verdicts.includes(false) ? 'reject' : 'accept';
  // + return 'accept';
  test('one false signature among the transactions, and whoever passed it on pays', async () => {
    const good = await creation();
    const bad = (await creation()).bytes.slice();
    bad[bad.length - 1] = (bad[bad.length - 1] as number) ^ 1;
    expect(await rulesOf(behind).judge(encodeMessage({ kind: 'transactions', bodies: [good.bytes, bad] }))).toBe('reject');
  });

  test('what is decided already, expired, or of an unknown account goes no further, and nobody pays', async () => {
    const { judge } = rulesOf(node.replica.ledger);
    const old = await node.decide(await creation());
    expect(await judge(encodeMessage({ kind: 'transactions', bodies: [old.bytes] }))).toBe('ignore');
    const stranger = await node.transaction(newKey(), [{ kind: 'account.create', publicKey: newKey().signer.publicKey }]);
    expect(await judge(encodeMessage({ kind: 'transactions', bodies: [stranger.bytes] }))).toBe('ignore');
    const late = await node.transaction(node.validator, [{ kind: 'account.create', publicKey: newKey().signer.publicKey }], Date.now() - 1);
    expect(await judge(encodeMessage({ kind: 'transactions', bodies: [late.bytes] }))).toBe('ignore');
  });

  // @mutation packages/node/src/gossip-rules.ts
  // - return verified.ok ? 'accept' : 'reject';
  // + return 'accept';
  test('a decided block is news to who is behind, and old to who is not; a false certificate costs', async () => {
    const message = decided(1);
    const { judge } = rulesOf(behind);
    expect(await judge(encodeMessage(message))).toBe('accept');
    expect(await rulesOf(node.replica.ledger).judge(encodeMessage(message))).toBe('ignore');
    const commits = message.certificate.commits.map(({ validator, signature }) => ({
      validator,
      signature: signature.map((byte) => byte ^ 1),
    }));
    expect(await judge(encodeMessage({ ...message, certificate: { ...message.certificate, commits } }))).toBe('reject');
  });

  // @mutation packages/node/src/gossip-rules.ts
  // - if (!decoded.ok || !bytesEqual(decoded.value.hash, blockHash)) return 'reject';
  // + if (!decoded.ok) return 'reject';
  test('a true certificate beside another block, or beside garbage, costs', async () => {
    await node.newAccount();
    const { judge } = rulesOf(behind);
    expect(await judge(encodeMessage({ ...decided(1), block: decided(2).block }))).toBe('reject');
    expect(await judge(encodeMessage({ ...decided(1), block: new Uint8Array(5) }))).toBe('reject');
  });

  test('malformed frames and transactions cost', async () => {
    const { judge } = rulesOf(behind);
    expect(await judge(encodeMessage({ kind: 'transactions', bodies: [new Uint8Array(7)] }))).toBe('reject');
    expect(await judge(encodeMessage({ kind: 'votes', votes: [] }))).toBe('reject');
    expect(await judge(new Uint8Array([1, 3, 9]))).toBe('reject');
  });
});
