import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect } from '@nacre/client';
import { writeKeyFile } from '@nacre/client/key-file';
import { formatGenesis } from '@nacre/ledger';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { InstalledSdk, type Ran } from './support/installed-sdk.ts';
import { readmeExamples } from './support/readme-examples.ts';
import { SdkNetwork } from './support/sdk-network.ts';

const examples = readmeExamples();
let network: SdkNetwork;
let sdk: InstalledSdk;

beforeAll(async () => {
  network = await SdkNetwork.start();
  const urls = [(await network.serve()).url, (await network.serve()).url];
  const client = connect(urls);
  const payloads = Array.from({ length: 8 }, (_, day) => ({ close: 1400 + day }));
  await client.submitRecords({ service: 'prices/sp500', key: 'daily', schema: 'ohlcv@1', payloads }, { wait: 'committed' });
  sdk = await InstalledSdk.install();
  await mkdir(join(sdk.directory, '.testnet/node0'), { recursive: true });
  await writeKeyFile(join(sdk.directory, '.testnet/node0/validator-key.pem'), network.validator);
  await writeFile(join(sdk.directory, '.testnet/genesis.json'), formatGenesis(network.genesis));
  await writeFile(join(sdk.directory, 'proof'), `${await client.proof({ service: 'prices/sp500', index: 7 })}\n`);
  for (const [name, text] of examples) {
    await sdk.write({
      [name]: text.replaceAll('http://127.0.0.1:8640', urls[0] as string).replaceAll('http://127.0.0.1:8641', urls[1] as string),
    });
  }
}, 180_000);

afterAll(async () => {
  await network?.stop();
  await sdk?.remove();
});

const printed = (...lines: readonly (string | RegExp)[]): object => ({
  code: 0,
  stderr: '',
  stdout: expect.stringMatching(
    new RegExp(
      `^${lines.map((line) => (typeof line === 'string' ? line.replaceAll(/[.*+?^$()[\]{}|]/g, '\\$&') : line.source)).join('\n')}\n$`,
    ),
  ),
});

/** What each example prints; those that need no Node.js of this repository are run by the machine's too. */
const PRINTED: readonly [name: string, node: 'machine' | 'repository', output: object][] = [
  ['verify.mjs', 'machine', printed(/\d+ \{"close":1407\}/)],
  ['verify.mjs', 'repository', printed(/\d+ \{"close":1407\}/)],
  [
    'read.mts',
    'repository',
    printed(/sdk NORMAL at height \d+/, '7 daily { close: 1407 }', '6 daily { close: 1406 }', '5 daily { close: 1405 }'),
  ],
  [
    'levels.mts',
    'repository',
    printed(
      /0: 0.618 at 61800, decided in block \d+, proven/,
      /latest as of height \d+/,
      'BTC written as level@1',
      'ETH written as level@2',
    ),
  ],
  ['outbox.mjs', 'repository', printed('order-\\d committed ', 'order-\\d committed ')],
  ['remember.mjs', 'machine', printed(/verified up to height \d+ decided by 1 validators/)],
  ['listen.mjs', 'repository', printed("{ text: 'hello' } go on later from 1")],
];

describe('in the README of the SDK', () => {
  test.each(PRINTED)('%s works as it stands (Node.js of the %s)', async (name, node, output) => {
    const ran: Ran = await sdk.node(name, node);
    expect(ran).toEqual(output);
  });

  test('the types of the examples are right', async () => {
    expect(await sdk.typecheck(['levels.mts', 'read.mts'], 'nodenext', ['node'])).toBe('');
  });

  test('every program is run by a test', () => {
    const inBrowser = ['page.js'];
    expect([...examples.keys()].sort()).toEqual([...new Set(PRINTED.map(([name]) => name)), ...inBrowser].sort());
  });
});
