import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { toHex } from '@nacre/base';
import { connect, createAccountKey } from '@nacre/client';
import { formatGenesis } from '@nacre/ledger';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { InstalledSdk } from './support/installed-sdk.ts';
import { SdkNetwork } from './support/sdk-network.ts';

const root = join(import.meta.dirname, '../..');
/** Builds, packs and installs from the registry. */
const INSTALL_TIMEOUT_MS = 180_000;

const VERIFY = `
import { readFileSync } from 'node:fs';
import { NacreClientError, readGenesis, verifyRecordProof } from '@nacre/client';

const genesis = readGenesis(readFileSync('genesis.json', 'utf8'));
const proof = new Uint8Array(Buffer.from(readFileSync('proof', 'utf8'), 'base64'));
const question = { service: 'installed', index: 0 };
const { kind, record } = await verifyRecordProof(genesis, proof, question);
let flipped = 0;
for (let at = 0; at < proof.length; at += 61) {
  const changed = proof.slice();
  changed[at] ^= 1 << at % 8;
  const error = await verifyRecordProof(genesis, changed, question).catch((error) => error);
  if (!(error instanceof NacreClientError) || error.code !== 'PROOF_INVALID') throw new Error('byte ' + at + ': ' + error);
  flipped++;
}
console.log(JSON.stringify({ kind, payload: new TextDecoder().decode(record.payload), flipped: flipped > 20 }));
`;

/** All that needs no OpenSSL of its own: calls, an outbox, and events where there is a WebSocket. */
const CALLS = `
import { connect, loadSeed, Outbox } from '@nacre/client';
import { FileOutboxStore } from '@nacre/client/outbox-file';
import { readFileSync } from 'node:fs';

const [url, seed] = process.argv.slice(2);
const client = connect(url, { genesis: readFileSync('genesis.json', 'utf8') });
const account = loadSeed(new Uint8Array(Buffer.from(seed, 'hex')));
const outbox = await Outbox.open({ account, onFinal: ({ status }) => console.log(status) }, { client, store: await FileOutboxStore.open('outbox') });
await outbox.submit([{ kind: 'service.create', name: process.version, owners: [account.address], writers: [], schemas: [{ name: 'note', version: 1 }], shard: 0, retentionMs: 0 }]);
await outbox.drained();
await outbox.close();
for await (const { payload } of client.records({ service: 'installed' })) console.log(payload);
const subscription = await client.subscribe({ topic: 'blocks', cursor: '1' }).catch(({ code }) => code);
if (typeof WebSocket === 'undefined') console.log(subscription === 'WEBSOCKET_MISSING' ? 'as can be' : subscription);
else for await (const { kind } of subscription) { console.log(kind === 'event' ? 'as can be' : kind); break; }
`;

const CONSUMER = `
import { connect, type DataSchema, type Genesis, type Operation, Outbox, type Proven, readGenesis, ServiceToConsensusConnector } from '@nacre/client';
import { FileOutboxStore } from '@nacre/client/outbox-file';
import { type KeyFile, readKeyFile } from '@nacre/client/key-file';

export const key: Promise<KeyFile> = readKeyFile('key.pem');
interface Level { readonly price: number }
const LEVEL: DataSchema<Level> = { name: 'level', version: 1, parse: (payload) => payload as Level };
const genesis: Genesis = readGenesis('');
const client = connect('http://127.0.0.1:8640', { genesis });
export const operations: Operation[] = [{ kind: 'service.create', name: 's', owners: [], writers: [], schemas: [], shard: 0, retentionMs: 0 }];
export async function main(): Promise<number> {
  const proven: Proven = await client.proveRecord({ service: 's', index: 7 });
  for await (const { data } of new ServiceToConsensusConnector(client).retrieveServiceData('s', { schema: LEVEL })) return data.price + proven.asOf.height;
  const store = await FileOutboxStore.open('outbox');
  const outbox = await Outbox.open({ account: await import('@nacre/client').then((all) => all.createAccountKey()), onFinal: () => {} }, { client, store });
  return outbox.items().length;
}
`;
const WRONG_CONSUMER = `
import { connect } from '@nacre/client';
const height: string = (await connect('http://127.0.0.1:8640').latest('s', 'k')).height;
export const misspelt = connect('http://127.0.0.1:8640').lastest('s', height);
`;

let sdk: InstalledSdk;
let network: SdkNetwork;
let url: string;
const account = createAccountKey();

beforeAll(async () => {
  sdk = await InstalledSdk.install();
  network = await SdkNetwork.start();
  ({ url } = await network.serve());
  const client = connect(url, { genesis: network.genesis });
  await client.submitOperations(network.validator, [{ kind: 'account.create', publicKey: account.publicKey }], { wait: 'committed' });
  await client.submitRecords({ service: 'installed', payload: 'provable' }, { wait: 'committed' });
  await sdk.write({
    'genesis.json': formatGenesis(network.genesis),
    proof: await client.proof({ service: 'installed', index: 0 }),
    'verify.mjs': VERIFY,
    'calls.mjs': CALLS,
    'consumer.ts': CONSUMER,
    'wrong.ts': WRONG_CONSUMER,
  });
}, INSTALL_TIMEOUT_MS);

afterAll(async () => {
  await network?.stop();
  await sdk?.remove();
});

describe('the tarball', () => {
  test('has the licence, the README and what exports name, and no sources or tests', () => {
    for (const path of sdk.packed)
      expect(path).toMatch(/^(package\.json|README\.md|LICENSE|dist\/.+\.js|dist\/types\/.+\.d\.ts|dist\/LICENSES\.txt)$/);
    expect(readFileSync(join(sdk.package, 'LICENSE'), 'utf8')).toBe(readFileSync(join(root, 'LICENSE'), 'utf8'));
    const { exports } = JSON.parse(readFileSync(join(sdk.package, 'package.json'), 'utf8')) as { exports: Record<string, unknown> };
    const targets =
      JSON.stringify(exports)
        .match(/"\.\/[^"]+\.(js|ts|json)"/g)
        ?.map((target) => target.slice(3, -1)) ?? [];
    expect(targets).toContain('dist/node/outbox-file.js');
    for (const target of targets) expect({ target, exists: existsSync(join(sdk.package, target)) }).toEqual({ target, exists: true });
  });

  test('needs nothing but itself', () => {
    const manifest: unknown = JSON.parse(readFileSync(join(sdk.package, 'package.json'), 'utf8'));
    expect(manifest).not.toHaveProperty('dependencies');
    for (const path of sdk.packed.filter((name) => /\.(js|ts)$/.test(name))) {
      const text = readFileSync(join(sdk.package, path), 'utf8');
      const imported = [...text.matchAll(/(?:\bfrom|\bimport)\s*\(?["']([^."'][^"']*)["']/g)].map(([, name]) => name as string);
      expect({ path, imported: imported.filter((name) => !name.startsWith('node:')) }).toEqual({ path, imported: [] });
    }
  });
});

describe('installed into an empty folder', () => {
  test.each(['machine', 'repository'] as const)(
    'it verifies a proof with the genesis alone, and refuses it with a byte flipped (Node.js of the %s)',
    async (node) => {
      expect(await sdk.node('verify.mjs', node)).toEqual({
        code: 0,
        stdout: '{"kind":"included","payload":"\\"provable\\"","flipped":true}\n',
        stderr: '',
      });
    },
  );

  test.each(['machine', 'repository'] as const)('it calls nodes, keeps an outbox and signs (Node.js of the %s)', async (node) => {
    expect(await sdk.node('calls.mjs', node, [url, toHex(account.seed)])).toEqual({
      code: 0,
      stdout: 'committed\nprovable\nas can be\n',
      stderr: '',
    });
  });

  test.each(['nodenext', 'bundler'] as const)(
    'it is typed, also for those who check declarations and have no others (%s)',
    async (resolution) => {
      expect(await sdk.typecheck(['consumer.ts'], resolution)).toBe('');
      const wrong = await sdk.typecheck(['wrong.ts'], resolution);
      expect(wrong).toMatch(/wrong\.ts\(3,7\): error TS2322/);
      expect(wrong).toMatch(/wrong\.ts\(4,\d+\): error TS2551/);
    },
  );

  test('a bundler for browsers takes the one file that they can run, and is refused what only Node.js has', async () => {
    const bundle = async (contents: string): Promise<string[]> => {
      const stdin = { contents, resolveDir: sdk.directory };
      const { metafile } = await build({
        stdin,
        bundle: true,
        write: false,
        format: 'esm',
        platform: 'browser',
        metafile: true,
        logLevel: 'silent',
      });
      return Object.keys(metafile.inputs).filter((path) => path.includes('node_modules'));
    };
    const taken = await bundle("import { connect } from '@nacre/client'; connect('http://127.0.0.1:8640');");
    expect(taken).toEqual([expect.stringMatching(/@nacre\/client\/dist\/browser\/nacre-client\.js$/)]);
    await expect(bundle("import '@nacre/client/outbox-file';")).rejects.toThrow('@nacre/client/outbox-file');
  });
});
