import { rm } from 'node:fs/promises';
import { isIPv4 } from 'node:net';
import { join, resolve } from 'node:path';
import { COMMITTEE_SIZE_MAX } from '@nacre/base';
import { formatAddress } from '@nacre/crypto';
import { type ChainParameters, createGenesis, formatGenesis, type Genesis } from '@nacre/ledger';
import type { ConfigurationFile } from './configuration-schema.ts';
import { createHome, type NewKey, newKey, writeDurably } from './home.ts';
import { NodeError } from './node-error.ts';

export const RPC_PORT = 8640;
export const P2P_PORT = 9640;
/** From a node's RPC port to its p2p port. */
const P2P_OFFSET = P2P_PORT - RPC_PORT;
const WEIGHT = 1000;
const SCHEME = 'ml-dsa-44';

export interface NewTestnet {
  readonly directory: string;
  readonly nodes: number;
  /** Of node 0's RPC; node i has `basePort + i`, and its p2p port 1,000 higher. */
  readonly basePort?: number;
  /** Node i listens on this address plus i instead, with the default ports. */
  readonly startingIp?: string;
  /** Genesis parameters other than the defaults. */
  readonly parameters?: Partial<ChainParameters>;
}

export interface TestnetNode {
  readonly index: number;
  readonly home: string;
  readonly host: string;
  readonly rpcPort: number;
  readonly p2pPort: number;
}

/**
 * Where the nodes of a testnet live and listen.
 *
 * @throws {NodeError} `ARGUMENT_INVALID`
 */
export function testnetNodes({ directory, nodes, basePort = RPC_PORT, startingIp }: NewTestnet): TestnetNode[] {
  if (!Number.isInteger(nodes) || nodes < 1 || nodes > COMMITTEE_SIZE_MAX) throw outOfRange('nodes', nodes, 1, COMMITTEE_SIZE_MAX);
  const basePortMax = 65_535 - P2P_OFFSET - nodes + 1;
  if (!Number.isInteger(basePort) || basePort < 1024 || basePort > basePortMax) throw outOfRange('base port', basePort, 1024, basePortMax);
  const ports = startingIp === undefined ? (index: number) => basePort + index : () => basePort;
  return Array.from({ length: nodes }, (_, index) => ({
    index,
    home: join(resolve(directory), `node${index}`),
    host: startingIp === undefined ? '127.0.0.1' : addressAfter(startingIp, index),
    rpcPort: ports(index),
    p2pPort: ports(index) + P2P_OFFSET,
  }));
}

/**
 * Makes the genesis file and one home per validator in an empty or missing directory.
 *
 * @throws {NodeError} `ARGUMENT_INVALID`, and what {@link createHome} throws
 */
export async function createTestnet(options: NewTestnet, nowMs: number): Promise<{ genesis: Genesis; nodes: TestnetNode[] }> {
  const nodes = testnetNodes(options);
  const directory = resolve(options.directory);
  const genesisPath = join(directory, 'genesis.json');
  const keys = nodes.map(() => ({ validator: newKey(SCHEME), service: newKey(SCHEME) }));
  const genesis = createGenesis({
    network: `testnet-${nowMs.toString(36)}`,
    timeMs: nowMs,
    scheme: SCHEME,
    // With three or fewer, each weighs a third or more: a toy, but one that people start with.
    allowLargeWeights: nodes.length <= 3,
    ...(options.parameters === undefined ? {} : { parameters: options.parameters }),
    validators: keys.map(({ validator: { publicKey } }, index) => ({ name: `node${index}`, publicKey, weight: WEIGHT })),
  });
  const genesisText = formatGenesis(genesis);
  const made: string[] = [];
  try {
    for (const [index, { home }] of nodes.entries()) {
      const { validator, service } = keys[index] as { validator: NewKey; service: NewKey };
      const writers = keys.filter((_, other) => other !== index).map((other) => formatAddress(other.service.address));
      const configuration = configurationOf(index, nodes, writers);
      await createHome({ directory: home, scheme: SCHEME, genesisText, configuration, validator, service });
      made.push(home);
    }
    // Last: who finds it finds a complete testnet. It holds nothing secret.
    await writeDurably(genesisPath, genesisText);
  } catch (error) {
    for (const home of made) await rm(home, { recursive: true, force: true });
    throw error;
  }
  return { genesis, nodes };
}

function configurationOf(index: number, nodes: readonly TestnetNode[], writers: string[]): ConfigurationFile {
  const { host, rpcPort, p2pPort } = nodes[index] as TestnetNode;
  const others = nodes.filter((node) => node.index !== index);
  return {
    listen: [`/ip4/${host}/tcp/${p2pPort}`],
    bootstrap: others.map((other) => `/ip4/${other.host}/tcp/${other.p2pPort}`),
    rpc: { host, port: rpcPort },
    // Whoever reaches the RPC may then write under the node's own key: fine on this machine, not on a network.
    records: { submit: host.startsWith('127.'), writers },
  };
}

function addressAfter(startingIp: string, index: number): string {
  if (!isIPv4(startingIp)) {
    throw new NodeError('ARGUMENT_INVALID', `${startingIp} is no IPv4 address`, { fields: { argument: 'starting-ip', value: startingIp } });
  }
  const number = startingIp.split('.').reduce((sum, part) => 256 * sum + Number(part), 0) + index;
  if (number >= 2 ** 32) throw outOfRange('starting IP', startingIp, '0.0.0.0', '255.255.255.255 less the number of nodes');
  return [24, 16, 8, 0].map((shift) => (number >>> shift) & 255).join('.');
}

function outOfRange(what: string, value: number | string, min: number | string, max: number | string): NodeError {
  return new NodeError('ARGUMENT_INVALID', `${what} ${value} is out of range: ${min} to ${max}`, {
    fields: { argument: what, value, min, max },
  });
}
