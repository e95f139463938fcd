import { chmod, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type Address, assert, type Custody, ok, type Signer, type Store } from '@nacre/base';
import { addressOf, parseAddress, SEED_BYTES, type SignatureScheme } from '@nacre/crypto';
import { createSigner, nativePublicKeyFromSeed, readKeyFile, writeKeyFile } from '@nacre/crypto/native';
import { type Genesis, parseGenesis } from '@nacre/ledger';
import { FileDirectory } from '@nacre/ledger/level';
import { prepareValidatorHome, ValidatorKeys } from '@nacre/replica';
import type { ConfigurationFile } from './configuration-schema.ts';
import { NodeError } from './node-error.ts';
import { readPeerKey, writePeerKey } from './peer-key.ts';
import { systemRandom } from './system-ports.ts';

/** Where the parts of a node's home stand. */
export interface HomePaths {
  readonly directory: string;
  readonly configuration: string;
  readonly genesis: string;
  readonly validatorKey: string;
  /** Of a rotation under way; it takes the other one's place when that has cast its last vote. */
  readonly nextValidatorKey: string;
  /** Of a validator whose key was rotated: the address stays that of its first key. */
  readonly validatorAddress: string;
  readonly serviceKey: string;
  readonly peerKey: string;
  readonly journal: string;
  readonly store: string;
  readonly logs: string;
  readonly adminSocket: string;
  /** Where a signer of this home listens, unless it is told otherwise. */
  readonly signerSocket: string;
  readonly bannedPeers: string;
}

export function homePaths(directory: string): HomePaths {
  const home = resolve(directory);
  return {
    directory: home,
    configuration: join(home, 'config.json'),
    genesis: join(home, 'genesis.json'),
    validatorKey: join(home, 'validator-key.pem'),
    nextValidatorKey: join(home, 'validator-key-next.pem'),
    validatorAddress: join(home, 'validator-address'),
    serviceKey: join(home, 'service-key.pem'),
    peerKey: join(home, 'peer-key.pem'),
    journal: join(home, 'journal'),
    store: join(home, 'store'),
    logs: join(home, 'logs'),
    adminSocket: join(home, 'admin.sock'),
    signerSocket: join(home, 'signer.sock'),
    bannedPeers: join(home, 'banned-peers.json'),
  };
}

/** A key of the network's scheme, ready to sign. */
export interface HomeKey {
  readonly address: Address;
  readonly publicKey: Uint8Array;
  readonly signer: Signer;
  /** Where the key is in another process. */
  readonly custody?: Custody & { readonly trouble: string | null };
  /** Where a validator's key is in this process. */
  readonly keys?: ValidatorKeys;
}

/** A validator whose key is in its home. */
export interface ValidatorHomeKey extends HomeKey {
  readonly keys: ValidatorKeys;
}

export interface NewHome {
  readonly directory: string;
  readonly scheme: SignatureScheme;
  /** Text of the genesis file; null if it does not exist yet, because this key is to stand in it. */
  readonly genesisText: string | null;
  /** What differs from the defaults; the file spells out no more. */
  readonly configuration: ConfigurationFile;
  /**
   * With a validator's key come an identity and an empty vote journal; null for a follower. Without a seed: its key is in another process,
   * and only the journal is made.
   */
  readonly validator: (Omit<NewKey, 'seed'> & { readonly seed: Uint8Array | null }) | null;
  readonly service: NewKey;
  /** Encrypts the validator's key. */
  readonly passphrase?: string | undefined;
}

export interface NewKey {
  readonly seed: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly address: Address;
}

export function newKey(scheme: SignatureScheme): NewKey {
  const seed = systemRandom.bytes(SEED_BYTES);
  const publicKey = nativePublicKeyFromSeed(scheme, seed);
  return { seed, publicKey, address: addressOf(scheme, publicKey) };
}

/**
 * Makes the home of a new node, durably: keys, for a validator an identity and an empty vote journal together with its key, genesis and
 * configuration. All or nothing: what was begun is removed if a step fails.
 *
 * @throws {NodeError} `HOME_EXISTS` if the directory exists and is not empty, `FILE_INACCESSIBLE`; errors of keys and journal
 */
export async function createHome(options: NewHome): Promise<HomePaths> {
  const paths = homePaths(options.directory);
  await claimDirectory(paths.directory);
  try {
    await fillHome(options, paths);
    return paths;
  } catch (error) {
    await rm(paths.directory, { recursive: true, force: true });
    throw error;
  }
}

async function claimDirectory(directory: string): Promise<void> {
  const entries = await attempt('make', directory, async () => {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    return readdir(directory);
  });
  if (entries.length === 0) return chmod(directory, 0o700);
  throw new NodeError('HOME_EXISTS', `${directory} is not empty`, {
    fields: { directory },
    hint: 'Nothing of it was touched. Give another directory, or start the node that lives there.',
  });
}

async function fillHome({ scheme, validator, service, ...options }: NewHome, paths: HomePaths): Promise<void> {
  for (const directory of [paths.logs, paths.store]) await mkdir(directory, { mode: 0o700 });
  await writeKeyFile(paths.serviceKey, { scheme, seed: service.seed });
  await writePeerKey(paths.peerKey);
  if (validator !== null) {
    if (validator.seed !== null) await writeKeyFile(paths.validatorKey, { scheme, seed: validator.seed, passphrase: options.passphrase });
    await mkdir(paths.journal, { mode: 0o700 });
    const directory = new FileDirectory(paths.journal);
    await prepareValidatorHome({ validator: validator.address }, { directory, store: NO_STORE, random: systemRandom });
    await directory.close();
  }
  if (options.genesisText !== null) await writeDurably(paths.genesis, options.genesisText);
  // Last: without it the directory is no home yet.
  await writeDurably(paths.configuration, `${JSON.stringify(options.configuration, null, 2)}\n`);
}

/** A new home has an empty store, and which network it will belong to may be unknown still. */
const NO_STORE: Store = {
  get: () => undefined,
  scan: () => Promise.resolve([]),
  write: () => Promise.reject(new Error('a new home writes nothing to its store')),
  view: () => NO_STORE,
  close: () => Promise.resolve(),
};

/** Everything of a home but what the configuration decides. */
export interface OpenedHome {
  readonly paths: HomePaths;
  readonly genesis: Genesis;
  /** Null for a follower, and while a signer in another process has not said whose key it holds. */
  readonly validator: ValidatorHomeKey | null;
  readonly service: HomeKey;
  readonly peerSeed: Uint8Array;
}

/** @throws {NodeError} `HOME_INCOMPLETE` */
export async function readConfigurationText(paths: HomePaths): Promise<string> {
  const text = await readIfThere(paths.configuration);
  if (text !== undefined) return text;
  throw new NodeError('HOME_INCOMPLETE', `${paths.directory} is no home of a node: it has no config.json`, {
    fields: { directory: paths.directory },
    hint: 'Make one with `nacre init`, `nacre join` or `nacre testnet init`.',
  });
}

/**
 * Reads genesis and keys.
 *
 * @param genesisPath as configured
 * @param passphrase of the validator's key, if it has one
 * @throws {NodeError} `HOME_INCOMPLETE`, `GENESIS_INVALID`, `KEY_FOREIGN`, `SIGNER_UNUSABLE`, `FILE_INACCESSIBLE`, `FILE_MALFORMED`; {KeyError}
 */
export async function openHome(paths: HomePaths, { genesisPath, passphrase, signer }: OpenOptions): Promise<OpenedHome> {
  const genesis = await readGenesis(resolve(paths.directory, genesisPath));
  const validator = await openValidatorKeys(paths, genesis, passphrase);
  if (validator !== null && signer !== undefined) {
    throw new NodeError('SIGNER_UNUSABLE', `${paths.directory} holds a validator's key, and its configuration names a signer`, {
      fields: { path: paths.validatorKey, reason: 'KEY_IN_HOME' },
      hint: 'The key belongs in the home of the signer alone. Take `signer` out of the configuration, or make a home with `nacre init --signer`.',
    });
  }
  const service = await readKey(paths.serviceKey, genesis, undefined);
  return { paths, genesis, validator, service, peerSeed: await readPeerKey(paths.peerKey) };
}

export interface OpenOptions {
  readonly genesisPath: string;
  readonly passphrase: string | undefined;
  /** As configured: then the home holds no validator's key. */
  readonly signer?: { readonly socket: string } | undefined;
}

/**
 * The keys of a home's validator, which need not be one of the network's yet: the chain says from which epoch on it is.
 *
 * @returns null where there is none
 */
async function openValidatorKeys(paths: HomePaths, genesis: Genesis, passphrase: string | undefined): Promise<ValidatorHomeKey | null> {
  if ((await readIfThere(paths.validatorKey)) === undefined) return null;
  const read = async (): Promise<[Signer, ...Signer[]]> => {
    const current = await readKey(paths.validatorKey, genesis, passphrase);
    if ((await readIfThere(paths.nextValidatorKey)) === undefined) return [current.signer];
    return [current.signer, (await readKey(paths.nextValidatorKey, genesis, passphrase)).signer];
  };
  const signers = await read();
  const written = (await readIfThere(paths.validatorAddress))?.trim();
  const address = written === undefined ? ok(addressOf(genesis.scheme, signers[0].publicKey)) : parseAddress(written);
  if (!address.ok) {
    throw new NodeError('FILE_MALFORMED', `${paths.validatorAddress} holds no address`, { fields: { path: paths.validatorAddress } });
  }
  const retire = () => replaceDurably(paths.nextValidatorKey, paths.validatorKey);
  const keys = new ValidatorKeys({ address: address.value, signers }, { read, retire });
  return { address: address.value, publicKey: signers[0].publicKey, signer: keys, keys };
}

/** @throws {NodeError} `HOME_INCOMPLETE` if there is no such file, `GENESIS_INVALID` */
export async function readGenesis(path: string): Promise<Genesis> {
  const text = await readIfThere(path);
  if (text === undefined) {
    throw new NodeError('HOME_INCOMPLETE', `there is no genesis file ${path}`, {
      fields: { path },
      hint: 'Copy the network’s genesis.json there, or name it with the key "genesis" of config.json.',
    });
  }
  const parsed = parseGenesis(text);
  if (parsed.ok) return parsed.value;
  const { code, ...rest } = parsed.error;
  throw new NodeError('GENESIS_INVALID', `the genesis file ${path} is not valid: ${code} ${JSON.stringify(rest)}`, {
    fields: { path, refusal: parsed.error },
    hint: 'Get the file again from another operator of the network; every byte that matters is part of the network’s identity.',
  });
}

async function readKey(path: string, { scheme, network }: Genesis, passphrase: string | undefined): Promise<HomeKey> {
  const key = await readKeyFile(path, { passphrase });
  if (key.scheme !== scheme) {
    throw new NodeError('KEY_FOREIGN', `the key ${path} is for ${key.scheme}, the network ${network} signs with ${scheme}`, {
      fields: { path, scheme: key.scheme, expected: scheme },
    });
  }
  const signer = createSigner(scheme, key.seed);
  return { signer, publicKey: signer.publicKey, address: addressOf(scheme, signer.publicKey) };
}

async function readIfThere(path: string): Promise<string | undefined> {
  return attempt('read', path, async () => {
    try {
      return await readFile(path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  });
}

/** Writes a new file, readable by its owner only, and syncs it and its directory. */
export async function writeDurably(path: string, text: string): Promise<void> {
  await attempt('write', path, async () => {
    for (const [target, flags] of [[path, 'wx'] as const, [resolve(path, '..'), 'r'] as const]) {
      const file = await open(target, flags, 0o600);
      try {
        if (flags === 'wx') await file.writeFile(text);
        await file.sync();
      } finally {
        await file.close();
      }
    }
  });
}

/** Moves a file into the place of another, which is gone then, and syncs their directory. */
async function replaceDurably(from: string, to: string): Promise<void> {
  await attempt('replace', to, async () => {
    await rename(from, to);
    const directory = await open(resolve(to, '..'), 'r');
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  });
}

async function attempt<Value>(action: string, path: string, run: () => Promise<Value>): Promise<Value> {
  try {
    return await run();
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    assert(code !== undefined, `only the file system fails here: ${String(cause)}`);
    throw new NodeError('FILE_INACCESSIBLE', `cannot ${action} ${path}: ${code}`, {
      cause,
      fields: { path, errno: code },
      hint: 'Check that its directory exists, the permissions of both, and the space on the disk.',
    });
  }
}
