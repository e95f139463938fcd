import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  connect,
  createAccountKey,
  loadSeed,
  type NacreClient,
  NacreError,
  ServiceToConsensusConnector,
  verifyRecordProof,
} from '@nacre/client';
import { createGenesis, formatGenesis } from '@nacre/ledger';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { NOTE } from './support/outbox-child-options.ts';
import { SdkNetwork } from './support/sdk-network.ts';

let network: SdkNetwork;
let client: NacreClient;
let url: string;
let webSite: Server;

beforeAll(async () => {
  network = await SdkNetwork.start();
  ({ url } = await network.serve());
  client = connect(url, { genesis: network.genesis });
  await client.submitRecords({ service: 'mine', payload: 1 }, { wait: 'committed' });
  webSite = createServer((_, response) => response.end('<html>'));
  await new Promise<void>((resolve) => webSite.listen(0, '127.0.0.1', resolve));
});

afterAll(async () => {
  webSite?.close();
  await network?.stop();
});

const validators = [{ publicKey: createAccountKey().publicKey, weight: 1000 }];
const otherGenesis = createGenesis({ network: 'other', timeMs: 1, scheme: 'ml-dsa-44', validators, allowLargeWeights: true });
const anything = 'x' as never;
const question = { service: 'mine', index: 0 };
const text = (): string => formatGenesis(network.genesis);
const createAccount = [{ kind: 'account.create', publicKey: createAccountKey().publicKey }] as const;
const connector = (account = network.validator): ServiceToConsensusConnector => new ServiceToConsensusConnector(client, { account });

/** What somebody does, and what the error's code, message and hint must say about it. */
const MISTAKES: readonly [string, () => unknown, string, RegExp, RegExp][] = [
  ['an address without http', () => connect('127.0.0.1:8640'), 'URL_INVALID', /^127\.0\.0\.1:8640 is not/, /http:\/\/127/],
  ['localhost without http', () => connect('localhost:8640'), 'URL_INVALID', /^localhost:8640 is not/, /http:\/\/127/],
  ['an address that is not defined', () => connect([undefined as never]), 'URL_INVALID', /^undefined is not/, /http:\/\/127/],
  ['no addresses', () => connect(undefined as never), 'URL_INVALID', /no node/, /http:\/\/127/],
  ['where nobody listens', () => connect('http://127.0.0.1:1').status(), 'NETWORK_UNREACHABLE', /127\.0\.0\.1:1/, /that the node runs/],
  ['a web site', () => connect(siteUrl()).status(), 'NETWORK_ANSWER_MALFORMED', /is not a node's: not JSON/, /address is that of a node/],
  ['a path behind the address', () => connect(`${url}/rpc`).status(), 'PATH_UNKNOWN', /Nothing is here/, /POST \//],
  ['the path of the genesis', () => connect(url, { genesis: '.testnet/genesis.json' }), 'GENESIS_INVALID', /not JSON/, /not its path/],
  ['the parsed genesis', () => connect(url, { genesis: JSON.parse(text()) }), 'GENESIS_INVALID', /readGenesis/, /not the parsed JSON/],
  [
    'the genesis as text where it must be read',
    () => verifyRecordProof(text() as never, '', question),
    'GENESIS_INVALID',
    /readGenesis/,
    /text/,
  ],
  ['no genesis', () => connect(url).proveRecord(question), 'GENESIS_MISSING', /genesis/, /option genesis/],
  ['another genesis, to verify', () => foreign().proveRecord(question), 'PROOF_INVALID', /another network/, /genesis of the network/],
  [
    'another genesis, to sign',
    () => foreign().submitOperations(network.validator, createAccount),
    'WRONG_NETWORK',
    /another network/,
    /genesis/,
  ],
  ['no such record', () => client.proveRecord({ service: 'mine', index: 99 }), 'RECORD_UNKNOWN', /no record/, /Indexes/],
  ['no such service', () => client.proveRecord({ service: 'nope', index: 0 }), 'RECORD_UNKNOWN', /no record/, /Indexes/],
  ['a service in capitals', () => client.latest('Mine', 'k'), 'INVALID_PARAMS', /service: a name is up to 64 lower-case/, /parameter/i],
  ['an index as text', () => client.proof({ service: 'mine', index: anything }), 'INVALID_PARAMS', /index: .*number/, /parameter/i],
  ['neither index nor key', () => client.proof({ service: 'mine' } as never), 'INVALID_PARAMS', /either index or key/, /parameter/i],
  ['no such topic', () => client.subscribe({ topic: 'record' } as never), 'INVALID_PARAMS', /topic: .*"records"/, /parameter/i],
  ['no payload', () => client.submitRecords({ service: 'mine' }), 'PAYLOAD_INVALID', /no payload/, /RFC 8785/],
  ['a BigInt', () => client.submitRecords({ service: 'mine', payload: 1n }), 'PAYLOAD_INVALID', /no canonical JSON/, /BigInt/],
  ['an account that nobody made', () => write(createAccountKey()), 'UNKNOWN_ACCOUNT', /not known/, /validator create it/],
  ['a service of others', () => write(network.validator), 'NOT_A_WRITER', /may not write/, /writers/],
  ['a schema in capitals', () => write(network.validator, 'Note'), 'TRANSACTION_INVALID', /NAME_INVALID/, /refusal/],
  ['a cut seed', () => loadSeed(new Uint8Array(16)), 'SEED_LENGTH', /32 bytes, not 16/, /32 bytes/],
];

function siteUrl(): string {
  return `http://127.0.0.1:${(webSite.address() as AddressInfo).port}`;
}

function foreign(): NacreClient {
  return connect(url, { genesis: otherGenesis });
}

async function write(account = network.validator, name = 'note'): Promise<unknown> {
  return connector(account).submitData('mine', { number: 1 }, { schema: { ...NOTE, name } });
}

describe('whoever gives', () => {
  test.each(MISTAKES)('%s, is told so', async (_, mistake, code, message, hint) => {
    const error: unknown = await (async () => mistake())().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(NacreError);
    expect(error).toMatchObject({ code, message: expect.stringMatching(message), hint: expect.stringMatching(hint) });
  });
});

test('a subscription in a runtime without WebSocket says what is missing', async () => {
  vi.stubGlobal('WebSocket', undefined);
  await expect(client.subscribe({ topic: 'blocks' })).rejects.toMatchObject({
    code: 'WEBSOCKET_MISSING',
    hint: expect.stringMatching(/22/),
  });
  vi.unstubAllGlobals();
});
