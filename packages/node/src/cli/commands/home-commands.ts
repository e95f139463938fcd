import { resolve } from 'node:path';
import { COMMITTEE_SIZE_MAX, type LogFields } from '@nacre/base';
import { addressOf, formatAddress, isSignatureScheme, SCHEMES, type SignatureScheme } from '@nacre/crypto';
import { createSigner, readKeyFile, writeKeyFile } from '@nacre/crypto/native';
import { type ChainParameters, formatGenesis } from '@nacre/ledger';
import { type Command, Option } from 'commander';
import { type CheckedStore, checkStore } from '../../check-store.ts';
import { readConfiguration, unknownVariables } from '../../configuration.ts';
import { createHome, homePaths, newKey, openHome, readConfigurationText, readGenesis } from '../../home.ts';
import { proveKey } from '../../key-possession.ts';
import { createTestnet } from '../../new-testnet.ts';
import { NodeError } from '../../node-error.ts';
import { systemClock } from '../../system-ports.ts';
import { EXIT } from '../exit-status.ts';
import { parameterOption } from '../parameter-option.ts';
import type { CommandContext } from '../program.ts';
import { rotateValidatorKey } from '../rotate-validator-key.ts';
import { openOperatorHome } from '../sign-and-submit.ts';
import { wholeNumber } from '../whole-number.ts';

const DEFAULT_SCHEME = 'ml-dsa-44';

/** `init`, `testnet init`, `keys …`, `config validate`, `check`: what stands on disk, without running anything. */
export function addHomeCommands(program: Command, context: CommandContext): void {
  const passphrase = (): string | undefined => context.io.environment.NACRE_PASSPHRASE;
  program
    .command('init')
    .description('make the home of a validator: key, identity and empty vote journal together')
    .requiredOption('--home <dir>', 'directory to make')
    .option('--genesis <file>', 'genesis file that the key was promised a place in; else copy it into the home later')
    .option('--signer <socket>', 'socket of a running `nacre signer` that holds the key: the home gets none')
    .addOption(schemeOption())
    .action(async ({ home, genesis, scheme, signer }: { home: string; genesis?: string; scheme: SignatureScheme; signer?: string }) => {
      if (signer !== undefined) return initForSigner({ home, genesis, signer });
      const network = genesis === undefined ? null : await readGenesis(genesis);
      const keys = { validator: newKey(network?.scheme ?? scheme), service: newKey(network?.scheme ?? scheme) };
      const options = { directory: home, scheme: network?.scheme ?? scheme, configuration: {}, passphrase: passphrase(), ...keys };
      const paths = await createHome({ ...options, genesisText: network === null ? null : formatGenesis(network) });
      const address = formatAddress(keys.validator.address);
      const publicKey = Buffer.from(keys.validator.publicKey).toString('base64');
      context.print({ home: paths.directory, address, publicKey }, () => [
        `made ${paths.directory}`,
        `address    ${address}`,
        `public key ${publicKey}`,
        ...(network === null ? [`Copy the network's genesis.json, which must name this key, to ${paths.genesis}.`] : []),
        'Back up validator-key.pem; never copy the journal or run two processes from copies of one home.',
      ]);
    });
  async function initForSigner({
    home,
    genesis: file,
    signer,
  }: {
    home: string;
    genesis: string | undefined;
    signer: string;
  }): Promise<void> {
    if (file === undefined) {
      throw new NodeError('ARGUMENT_INVALID', 'a signer answers only for its network: give --genesis', { fields: { argument: 'genesis' } });
    }
    const genesis = await readGenesis(file);
    const socket = resolve(signer);
    const log = { debug: () => undefined, info: () => undefined, warn: tell, error: tell };
    // Loaded here: the wire formats take a moment, which the other commands are spared.
    const { connectSigner } = await import('../../signer/connect-signer.ts');
    const { validator, close } = await connectSigner({ paths: homePaths(home), genesis }, socket, {
      log,
      signal: new AbortController().signal,
    });
    close();
    const address = formatAddress(validator.address);
    const { directory } = await createHome({
      directory: home,
      scheme: genesis.scheme,
      genesisText: formatGenesis(genesis),
      configuration: { signer: { socket } },
      validator: { ...validator, seed: null },
      service: newKey(genesis.scheme),
    });
    context.print({ home: directory, address, signer: socket }, () => [
      `made ${directory}`,
      `address    ${address}`,
      `signer     ${socket}`,
      'The home holds no validator key. Add listen, bootstrap and rpc to its config.json as the network needs them.',
    ]);
  }

  function tell(fields: LogFields, event: string): void {
    context.io.stderr(`${event}: ${String(fields.why)}\n`);
  }

  addTestnetInit(program, context);
  addKeyCommands(program, context, passphrase);
  program
    .command('config')
    .description('configuration of a node')
    .command('validate')
    .description('check configuration, genesis and keys of a home; nothing is started')
    .requiredOption('--home <dir>', 'home of the node')
    .action(async ({ home }: { home: string }) => {
      const paths = homePaths(home);
      const file = { path: paths.configuration, text: await readConfigurationText(paths) };
      const configuration = readConfiguration({ file, environment: context.io.environment, flags: {} });
      const { genesis: genesisPath, signer } = configuration;
      await openHome(paths, { genesisPath, signer, passphrase: passphrase() });
      const ignored = unknownVariables(context.io.environment);
      if (ignored.length > 0) context.io.stderr(`ignored, because no setting has the name: ${ignored.join(', ')}\n`);
      context.print({ valid: true, configuration }, () => [
        `${paths.configuration} is valid; in effect:`,
        JSON.stringify(configuration, null, 2),
      ]);
    });
  program
    .command('check')
    .description('verify the store of a stopped node: hashes, certificates, state, bodies, and that its blocks lead to its state')
    .requiredOption('--home <dir>', 'home of the node')
    .option('--no-execute', 'do not execute the blocks again, which takes about as much time and room as fetching them')
    .action(async ({ home, execute }: { home: string; execute: boolean }) => {
      const paths = homePaths(home);
      const file = { path: paths.configuration, text: await readConfigurationText(paths) };
      const configuration = readConfiguration({ file, environment: context.io.environment, flags: {} });
      const { genesis } = await openHome(paths, { genesisPath: configuration.genesis, passphrase: passphrase() });
      const progress = (line: string): void => context.io.stderr(`${line}\n`);
      const checked = await checkStore({ path: paths.store, genesis, execute, progress });
      context.print(checked, () => checkLines(checked));
      if (checked.problems.length > 0) context.exitWith(EXIT.invalid);
    });
}

function checkLines({ height, firstHeight, executed, problems }: CheckedStore): string[] {
  if (problems.length > 0) return [...problems, 'Start the node: it fetches from its peers what is damaged, or all of it.'];
  const how = executed === height ? 'executing them again leads to the state that is here' : 'they were not executed again';
  return [`blocks ${firstHeight} to ${height} are what was decided, and everything beside them is whole; ${how}`];
}

interface TestnetInitOptions {
  readonly nodes: number;
  readonly shards: number;
  readonly output: string;
  readonly startingIp?: string;
  readonly basePort?: number;
  readonly parameter: Partial<ChainParameters>;
}

function addTestnetInit(program: Command, context: CommandContext): void {
  program
    .command('testnet')
    .description('test networks')
    .command('init')
    .description('make a genesis file and one validator home per node')
    .requiredOption('--nodes <count>', 'validators', wholeNumber(1, COMMITTEE_SIZE_MAX))
    .option('--shards <count>', 'shards beside chain 0', wholeNumber(0, COMMITTEE_SIZE_MAX), 0)
    .requiredOption('--output <dir>', 'directory to make them in')
    .option('--starting-ip <ip>', 'node i listens on this IPv4 address plus i, on the default ports')
    .option('--base-port <port>', 'RPC port of node 0; node i has this plus i, and p2p 1,000 higher', wholeNumber(1024, 65_535))
    .option('--parameter <name=value...>', 'genesis parameters other than the defaults, such as epochMs=60000', parameterOption, {})
    .action(async ({ output, parameter, ...options }: TestnetInitOptions) => {
      if (options.shards > 0) {
        throw new NodeError('SHARDS_UNSUPPORTED', 'this version runs chain 0 only, which holds all services', {
          fields: { shards: options.shards },
          hint: 'Leave --shards out.',
        });
      }
      const { genesis, nodes } = await createTestnet({ directory: output, parameters: parameter, ...options }, systemClock.nowMs());
      if (genesis.allowLargeWeights)
        context.io.stderr('With fewer than 4 validators each one can stop the network: for trying out only.\n');
      context.print({ network: genesis.network, nodes }, () => [
        `network ${genesis.network}`,
        ...nodes.map(({ home, host, rpcPort }) => `nacre start --home ${home}    # RPC http://${host}:${rpcPort}`),
      ]);
    });
}

function addKeyCommands(program: Command, context: CommandContext, passphrase: () => string | undefined): void {
  const keys = program.command('keys').description('key files; NACRE_PASSPHRASE encrypts and decrypts them');
  keys
    .command('new')
    .description('make a key file')
    .argument('<file>', 'where; never overwritten')
    .addOption(schemeOption())
    .action(async (file: string, { scheme }: { scheme: SignatureScheme }) => {
      const { seed } = newKey(scheme);
      await writeKeyFile(file, { scheme, seed, passphrase: passphrase() });
      await show(file);
    });
  keys
    .command('show')
    .description('address and public key of a key file; never the secret')
    .argument('<file>', 'key file')
    .action((file: string) => show(file));
  keys
    .command('list')
    .description('keys of a home')
    .requiredOption('--home <dir>', 'home of a node')
    .action(async ({ home }: { home: string }) => {
      const paths = homePaths(home);
      const found: ({ use: string } & Awaited<ReturnType<typeof describeKey>>)[] = [];
      for (const [use, path] of [['validator', paths.validatorKey] as const, ['service', paths.serviceKey] as const]) {
        const key = await describeKey(path, use === 'validator' ? passphrase() : undefined).catch((error: unknown) => {
          // A follower has no validator's key.
          if (error instanceof Error && 'code' in error && error.code === 'KEY_FILE_MISSING') return null;
          throw error;
        });
        if (key !== null) found.push({ use, ...key });
      }
      context.print({ keys: found }, () => found.map(({ use, address, path }) => `${use.padEnd(9)}  ${address}  ${path}`));
    });

  keys
    .command('prove')
    .description("show that a home's key wants to be a validator: hand the output to whoever proposes it (nacre validators propose join)")
    .requiredOption('--home <dir>', 'home of the validator-to-be')
    .action(async ({ home }: { home: string }) => {
      const { genesis, validator } = await openOperatorHome(home, context);
      const proven = await proveKey(genesis, validator);
      // A file for others, with or without --json.
      context.print(proven, () => [JSON.stringify(proven, null, 2)]);
    });
  keys
    .command('rotate')
    .description(
      "replace a validator's key: the new one signs transactions at once and votes two epochs later; the node then erases the old one",
    )
    .requiredOption('--home <dir>', 'home of the validator, whose node may go on running')
    .action(async ({ home }: { home: string }) => {
      const rotated = await rotateValidatorKey(home, context);
      context.print(rotated, () => [
        `new key    ${rotated.key}`,
        rotated.status === 'committed' ? `in block   ${rotated.height}` : `status     ${rotated.status}: see nacre tx ${rotated.txId}`,
        `votes      ${rotated.votesFromEpoch === null ? 'none: it is no validator as yet' : `with the new key from epoch ${rotated.votesFromEpoch} on`}`,
        'Back up the new key now, and keep the old one until its last epoch is over: the node then puts the new one in its place.',
      ]);
    });

  async function show(file: string): Promise<void> {
    const key = await describeKey(file, passphrase());
    context.print(key, () => [`address    ${key.address}`, `scheme     ${key.scheme}`, `public key ${key.publicKey}`]);
  }
}

async function describeKey(path: string, passphrase: string | undefined) {
  const { scheme, seed } = await readKeyFile(path, { passphrase });
  const { publicKey } = createSigner(scheme, seed);
  return { path, scheme, address: formatAddress(addressOf(scheme, publicKey)), publicKey: Buffer.from(publicKey).toString('base64') };
}

function schemeOption(): Option {
  return new Option('--scheme <name>', 'signature scheme, FIPS 204')
    .choices(Object.keys(SCHEMES).filter(isSignatureScheme))
    .default(DEFAULT_SCHEME);
}
