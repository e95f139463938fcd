import { type Address, type Hash, utf8 } from '@nacre/base';
import type { ChainContext, Committee } from '@nacre/consensus';
import { formatAddress, type SignatureScheme, taggedHash } from '@nacre/crypto';
import canonicalize from 'canonicalize';
import { base64Encode } from './base64.ts';
import type { ChainParameters } from './parameters.ts';

const GENESIS_TAG = 'nacre/1/genesis';

export const GENESIS_VERSION = 1;

export interface GenesisValidator {
  /** For people; the protocol knows addresses only. */
  readonly name: string | undefined;
  readonly address: Address;
  readonly publicKey: Uint8Array;
  readonly weight: number;
}

/** What a network begins with, and all that a proof's verifier has to trust. Made by `parseGenesis` or `createGenesis` only. */
export interface Genesis {
  readonly network: string;
  /** Blocks are later than this, ms since 1970. */
  readonly timeMs: number;
  readonly scheme: SignatureScheme;
  /** Whether a validator may weigh a third or more: such a network stops, or lies, with that validator. */
  readonly allowLargeWeights: boolean;
  /** In the order of the file. */
  readonly validators: readonly GenesisValidator[];
  readonly parameters: ChainParameters;
  readonly hash: Hash;
  /** The first committee of chain 0. */
  readonly committee: Committee;
  /** What signatures on chain 0 name. */
  readonly context: ChainContext;
}

/** The fields that the hash covers. Addresses follow from the keys, so a file may give or leave them. */
export type GenesisContent = Pick<Genesis, 'network' | 'timeMs' | 'scheme' | 'allowLargeWeights' | 'parameters'> & {
  readonly validators: readonly Omit<GenesisValidator, 'address'>[];
};

/**
 * The network's identity: the tagged hash of the file's canonical JSON (RFC 8785) without the addresses.
 * All parameters stand in it, so a default that changes with a version of this program changes no network.
 */
export function genesisHash(content: GenesisContent): Hash {
  const validators = content.validators.map(({ name, publicKey, weight }) => fileValidator({ name, publicKey, weight }));
  return taggedHash(GENESIS_TAG, utf8(canonicalize(fileObject(content, validators)) as string));
}

/** The genesis file's text, addresses included, as `parseGenesis` reads it. */
export function formatGenesis(genesis: Genesis): string {
  const validators = genesis.validators.map((validator) => ({ ...fileValidator(validator), address: formatAddress(validator.address) }));
  return `${JSON.stringify(fileObject(genesis, validators), null, 2)}\n`;
}

function fileObject(content: GenesisContent, validators: readonly object[]): object {
  return {
    version: GENESIS_VERSION,
    network: content.network,
    genesisTimeMs: content.timeMs,
    signatureScheme: content.scheme,
    ...(content.allowLargeWeights ? { allowLargeWeights: true } : {}),
    validators,
    parameters: content.parameters,
  };
}

function fileValidator({ name, publicKey, weight }: Omit<GenesisValidator, 'address'>): object {
  return { ...(name === undefined ? {} : { name }), publicKey: base64Encode(publicKey), weight };
}
