import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect, createAccountKey, type NacreClient, type ProofQuestion, verifyRecordProof } from '@nacre/client';
import { createGenesis } from '@nacre/ledger';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { SdkNetwork } from './support/sdk-network.ts';

/** What, what was asked, what is answered. */
const OTHER_SERVICES: readonly [string, ProofQuestion, ProofQuestion][] = [
  ['another service, by index', { service: 'mine', index: 0 }, { service: 'other', index: 0 }],
  ['another service, by key', { service: 'mine', key: 'a' }, { service: 'other', key: 'a' }],
  ['another service that has nothing there', { service: 'mine', key: 'a' }, { service: 'none', key: 'a' }],
];

let network: SdkNetwork;
let client: NacreClient;
let liar: Server | undefined;

beforeAll(async () => {
  network = await SdkNetwork.start();
  const { url } = await network.serve();
  client = connect(url, { genesis: network.genesis });
  for (const service of ['mine', 'other'])
    for (const key of ['a', 'b']) await client.submitRecords({ service, key, payload: key }, { wait: 'committed' });
});

afterEach(() => {
  liar?.close();
  liar = undefined;
});

afterAll(() => network?.stop());

/** A client of a node that gives true proofs, of something else than it is asked. */
async function misled(answer: ProofQuestion): Promise<NacreClient> {
  const result = await client.proof(answer);
  const server = createServer((_, response) => response.end(JSON.stringify({ jsonrpc: '2.0', id: 1, result })));
  liar = server;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, { genesis: network.genesis });
}

describe('a proof that holds, but for', () => {
  // @mutation packages/client/src/verify-record-proof.ts
  // - if (proven.service !== question.service) return false;
  // + if (proven.service === '') return false;
  test.each(OTHER_SERVICES)('%s, is refused', async (_, asked, answered) => {
    await expect((await misled(answered)).proveRecord(asked)).rejects.toMatchObject({ code: 'PROOF_MISMATCH' });
  });

  // @mutation packages/client/src/verify-record-proof.ts
  // - return proven.kind === 'included' && proven.record.index === question.index;
  // + return proven.kind === 'included';
  test('another index, is refused', async () => {
    const asked = (await misled({ service: 'mine', index: 1 })).proveRecord({ service: 'mine', index: 0 });
    await expect(asked).rejects.toMatchObject({ code: 'PROOF_MISMATCH' });
  });

  // @mutation packages/client/src/verify-record-proof.ts
  // - return proven.kind !== 'included' && proven.key === question.key;
  // + return proven.kind !== 'included';
  test.each(['b', 'nothing'])('another key (%s), is refused', async (key) => {
    const asked = (await misled({ service: 'mine', key })).proveRecord({ service: 'mine', key: 'a' });
    await expect(asked).rejects.toMatchObject({ code: 'PROOF_MISMATCH' });
  });

  // @mutation packages/client/src/verify-record-proof.ts
  // - return proven.kind !== 'included' && proven.key === question.key;
  // + return proven.kind === 'included' || proven.key === question.key;
  test('that the record once was there, is not one that it is the latest', async () => {
    const asked = (await misled({ service: 'mine', index: 0 })).proveRecord({ service: 'mine', key: 'a' });
    await expect(asked).rejects.toMatchObject({ code: 'PROOF_MISMATCH' });
  });

  // @mutation packages/client/src/verify-record-proof.ts
  // - return proven.kind === 'included' && proven.record.index === question.index;
  // + return proven.kind !== 'absent' && proven.record.index === question.index;
  test('that it is the latest, is not one for its index', async () => {
    const asked = (await misled({ service: 'mine', key: 'a' })).proveRecord({ service: 'mine', index: 0 });
    await expect(asked).rejects.toMatchObject({ code: 'PROOF_MISMATCH' });
  });
});

describe('a proof', () => {
  const question = { service: 'mine', index: 0 };

  test('is verified as base64 and as bytes, without a node', async () => {
    const proof = await client.proof(question);
    const proven = await verifyRecordProof(network.genesis, proof, question);
    expect(await verifyRecordProof(network.genesis, new Uint8Array(Buffer.from(proof, 'base64')), question)).toEqual(proven);
    expect(proven).toMatchObject({ kind: 'included', record: { index: 0, key: 'a', height: expect.any(Number) } });
  });

  // @mutation packages/client/src/verify-record-proof.ts
  // - if (!verified.ok) throw refusedProof(verified.error);
  // + if (!verified.ok) return { kind: 'included', service: 'mine', record: { index: 0 } } as never;
  test('with a changed byte is refused, be it in the claim or in a signature', async () => {
    const proof = Buffer.from(await client.proof(question), 'base64');
    for (let at = 0; at < proof.length; at += 97) {
      const changed = new Uint8Array(proof);
      changed[at] = (changed[at] as number) ^ 1;
      await expect(verifyRecordProof(network.genesis, changed, question)).rejects.toMatchObject({ code: 'PROOF_INVALID' });
    }
  });

  test('that is not base64, or far too long, is refused', async () => {
    for (const proof of ['', '***', 'A'.repeat(64 * 1024 * 1024)])
      await expect(verifyRecordProof(network.genesis, proof, question)).rejects.toMatchObject({ code: 'PROOF_INVALID' });
  });

  test('means nothing to another network', async () => {
    const validators = [{ publicKey: createAccountKey().publicKey, weight: 1000 }];
    const other = createGenesis({ network: 'sdk', timeMs: Date.now(), scheme: 'ml-dsa-44', validators, allowLargeWeights: true });
    await expect(verifyRecordProof(other, await client.proof(question), question)).rejects.toMatchObject({
      code: 'PROOF_INVALID',
      fields: { refusal: { code: 'PROOF_NETWORK' } },
    });
  });
});
