import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { formatAddress } from '@nacre/crypto';
import { writeKeyFile } from '@nacre/crypto/native';
import { createGenesis, formatGenesis, JOURNAL_FILE, JOURNAL_IDENTITY_FILE, parseGenesis } from '@nacre/ledger';
import { describe, expect, test } from 'vitest';
import { configurationSchema } from '../src/configuration-schema.ts';
import { createHome, homePaths, newKey, openHome, readConfigurationText, readGenesis } from '../src/home.ts';
import { createTestnet, testnetNodes } from '../src/new-testnet.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';

const SCHEME = 'ml-dsa-44';
const NOW_MS = 1_700_000_000_000;

function genesisOf(publicKey: Uint8Array) {
  return createGenesis({
    network: 'test',
    timeMs: NOW_MS,
    scheme: SCHEME,
    validators: [{ publicKey, weight: 1 }],
    allowLargeWeights: true,
  });
}

async function validatorHome() {
  const directory = join(await temporaryDirectory(), 'home');
  const validator = newKey(SCHEME);
  const genesis = genesisOf(validator.publicKey);
  const keys = { validator, service: newKey(SCHEME) };
  const paths = await createHome({ directory, scheme: SCHEME, genesisText: formatGenesis(genesis), configuration: {}, ...keys });
  return { paths, genesis, ...keys };
}

const opening = { genesisPath: 'genesis.json', passphrase: undefined };

describe('homes', () => {
  test('a validator’s home opens with the keys, the genesis and the journal that it was made with', async () => {
    const { paths, genesis, validator, service } = await validatorHome();
    const opened = await openHome(paths, opening);
    expect(opened.genesis.hash).toEqual(genesis.hash);
    expect(opened.validator?.address).toEqual(validator.address);
    expect(opened.service.address).toEqual(service.address);
    expect(opened.peerSeed).toHaveLength(32);
    expect(await readdir(paths.journal)).toEqual(expect.arrayContaining([JOURNAL_FILE, JOURNAL_IDENTITY_FILE]));
    expect(await readConfigurationText(paths)).toBe('{}\n');
  });

  test('nobody else can read the home or its keys', async () => {
    const { paths } = await validatorHome();
    const modes = await Promise.all(
      [paths.directory, paths.validatorKey, paths.serviceKey, paths.peerKey].map(async (path) =>
        ((await stat(path)).mode & 0o777).toString(8),
      ),
    );
    expect(modes).toEqual(['700', '600', '600', '600']);
  });

  // @mutation packages/node/src/home.ts
  // - if (entries.length === 0) return chmod(directory, 0o700);
  // + if (entries.length >= 0) return chmod(directory, 0o700);
  test('what is in a directory already is not touched', async () => {
    const directory = await temporaryDirectory();
    await writeFile(join(directory, 'mine'), 'x');
    const keys = { validator: newKey(SCHEME), service: newKey(SCHEME) };
    const made = createHome({ directory, scheme: SCHEME, genesisText: null, configuration: {}, ...keys });
    await expect(made).rejects.toMatchObject({ code: 'HOME_EXISTS' });
    expect(await readdir(directory)).toEqual(['mine']);
  });

  test('a home that cannot be finished leaves nothing behind', async () => {
    const directory = join(await temporaryDirectory(), 'home');
    const keys = { validator: newKey(SCHEME), service: newKey(SCHEME), passphrase: '' };
    const made = createHome({ directory, scheme: SCHEME, genesisText: null, configuration: {}, ...keys });
    await expect(made).rejects.toMatchObject({ code: 'KEY_PASSPHRASE_EMPTY' });
    await expect(stat(directory)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('a passphrase protects the validator’s key', async () => {
    const directory = join(await temporaryDirectory(), 'home');
    const validator = newKey(SCHEME);
    const genesisText = formatGenesis(genesisOf(validator.publicKey));
    const keys = { validator, service: newKey(SCHEME), passphrase: 'open sesame' };
    const paths = await createHome({ directory, scheme: SCHEME, genesisText, configuration: {}, ...keys });
    await expect(openHome(paths, opening)).rejects.toMatchObject({ code: 'KEY_PASSPHRASE_MISSING' });
    const opened = await openHome(paths, { ...opening, passphrase: 'open sesame' });
    expect(opened.validator?.address).toEqual(validator.address);
  });

  test('a home without a validator’s key is a follower’s', async () => {
    const directory = join(await temporaryDirectory(), 'home');
    const genesisText = formatGenesis(genesisOf(newKey(SCHEME).publicKey));
    const paths = await createHome({ directory, scheme: SCHEME, genesisText, configuration: {}, validator: null, service: newKey(SCHEME) });
    expect((await openHome(paths, opening)).validator).toBeNull();
  });

  // @mutation packages/node/src/home.ts
  // - if (validator !== null && signer !== undefined) {
  // + if (false) {
  test('a home whose configuration names a signer holds no key of a validator', async () => {
    const { paths } = await validatorHome();
    const named = { ...opening, signer: { socket: 'signer.sock' } };
    await expect(openHome(paths, named)).rejects.toMatchObject({ code: 'SIGNER_UNUSABLE', fields: { reason: 'KEY_IN_HOME' } });
  });

  test('a validator’s key that the genesis does not name is opened: the chain says from which epoch on it counts', async () => {
    const { paths } = await validatorHome();
    await writeFile(paths.genesis, formatGenesis(genesisOf(newKey(SCHEME).publicKey)));
    expect((await openHome(paths, opening)).validator).not.toBeNull();
  });

  // @mutation packages/node/src/home.ts
  // - return { address: address.value, publicKey: signers[0].publicKey, signer: keys, keys };
  // + return { address: addressOf(genesis.scheme, signers[0].publicKey), publicKey: signers[0].publicKey, signer: keys, keys };
  test('a home whose key has been rotated still has the address of the first one', async () => {
    const { paths } = await validatorHome();
    const first = (await openHome(paths, opening)).validator;
    const address = first?.address ?? expect.unreachable();
    await writeFile(paths.validatorAddress, `${formatAddress(address)}\n`);
    const next = newKey(SCHEME);
    await writeKeyFile(paths.nextValidatorKey, { scheme: SCHEME, seed: next.seed });
    const both = (await openHome(paths, opening)).validator?.keys.signers;
    expect(both?.map(({ publicKey }) => publicKey)).toEqual([first?.publicKey, next.publicKey]);
    await rename(paths.nextValidatorKey, paths.validatorKey);
    expect((await openHome(paths, opening)).validator).toMatchObject({ address, publicKey: next.publicKey });
    await writeFile(paths.validatorAddress, 'nobody\n');
    await expect(openHome(paths, opening)).rejects.toMatchObject({ code: 'FILE_MALFORMED' });
  });

  test('a directory without configuration is no home, a home without genesis is not complete', async () => {
    const { paths } = await validatorHome();
    await rm(paths.genesis);
    await expect(openHome(paths, opening)).rejects.toMatchObject({ code: 'HOME_INCOMPLETE' });
    await expect(readConfigurationText(homePaths(await temporaryDirectory()))).rejects.toMatchObject({ code: 'HOME_INCOMPLETE' });
  });

  test('a damaged genesis is refused with the reason', async () => {
    const path = join(await temporaryDirectory(), 'genesis.json');
    await writeFile(path, '{"version":1}');
    await expect(readGenesis(path)).rejects.toMatchObject({ code: 'GENESIS_INVALID', fields: { refusal: { code: 'GENESIS_MALFORMED' } } });
  });

  test.each(['', 'no key', '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n'])(
    'a peer key file that holds %j is refused',
    async (text) => {
      const { paths } = await validatorHome();
      await writeFile(paths.peerKey, text);
      await expect(openHome(paths, opening)).rejects.toMatchObject({ code: 'FILE_MALFORMED' });
    },
  );
});

describe('new testnets', () => {
  test('every node has a home, the same genesis and its own ports, and knows all the others', async () => {
    const directory = join(await temporaryDirectory(), 'net');
    const { genesis, nodes } = await createTestnet({ directory, nodes: 4, basePort: 20_000 }, NOW_MS);
    const text = await readFile(join(directory, 'genesis.json'), 'utf8');
    const parsed = parseGenesis(text);
    expect(parsed.ok && parsed.value.hash).toEqual(genesis.hash);
    expect(genesis.allowLargeWeights).toBe(false);
    for (const [index, node] of nodes.entries()) {
      const paths = homePaths(node.home);
      const opened = await openHome(paths, opening);
      expect(opened.validator?.address).toEqual(genesis.validators[index]?.address);
      const configuration = configurationSchema.parse(JSON.parse(await readConfigurationText(paths)));
      expect(configuration.rpc).toEqual({ host: '127.0.0.1', port: 20_000 + index });
      expect(configuration.listen).toEqual([`/ip4/127.0.0.1/tcp/${21_000 + index}`]);
      expect(configuration.bootstrap).toHaveLength(3);
      expect(configuration.bootstrap).not.toContain(configuration.listen[0]);
      expect(configuration.records.submit).toBe(true);
      expect(configuration.records.writers).not.toContain(formatAddress(opened.service.address));
    }
  });

  test('three validators or fewer need large weights', async () => {
    const directory = join(await temporaryDirectory(), 'net');
    expect((await createTestnet({ directory, nodes: 1 }, NOW_MS)).genesis.allowLargeWeights).toBe(true);
  });

  test('a testnet is not made over another', async () => {
    const directory = join(await temporaryDirectory(), 'net');
    await mkdir(join(directory, 'node1', 'logs'), { recursive: true });
    await expect(createTestnet({ directory, nodes: 2 }, NOW_MS)).rejects.toMatchObject({ code: 'HOME_EXISTS' });
    expect(await readdir(directory)).toEqual(['node1']);
  });

  // @mutation packages/node/src/new-testnet.ts
  // - return [24, 16, 8, 0].map((shift) => (number >>> shift) & 255).join('.');
  // + return [24, 16, 8, 0].map((shift) => (number >> shift) & 127).join('.');
  test('from a starting IP on, each node has an address of its own and the default ports', () => {
    const nodes = testnetNodes({ directory: '/x', nodes: 3, startingIp: '192.168.0.255' });
    expect(nodes.map(({ host, rpcPort, p2pPort }) => [host, rpcPort, p2pPort])).toEqual([
      ['192.168.0.255', 8640, 9640],
      ['192.168.1.0', 8640, 9640],
      ['192.168.1.1', 8640, 9640],
    ]);
  });

  test('nodes on other addresses than loopback sign no records for whoever reaches them', async () => {
    const directory = join(await temporaryDirectory(), 'net');
    const { nodes } = await createTestnet({ directory, nodes: 1, startingIp: '10.0.0.1' }, NOW_MS);
    const configuration: unknown = JSON.parse(await readConfigurationText(homePaths(nodes[0]?.home ?? '')));
    expect(configuration).toMatchObject({ records: { submit: false }, rpc: { host: '10.0.0.1', port: 8640 } });
  });

  test.each([
    { nodes: 0 },
    { nodes: 101 },
    { nodes: 4, basePort: 80 },
    { nodes: 4, basePort: 64_533 },
    { nodes: 1, startingIp: '10.0.0' },
    { nodes: 2, startingIp: '255.255.255.255' },
  ])('%j is out of range', (options) => {
    expect(() => testnetNodes({ directory: '/x', ...options })).toThrow(expect.objectContaining({ code: 'ARGUMENT_INVALID' }));
  });
});
