import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { ChainParameters } from '@nacre/ledger';
import { z } from 'zod';
import { writeDurably } from '../home.ts';
import { createTestnet, RPC_PORT, type TestnetNode, testnetNodes } from '../new-testnet.ts';
import { systemClock } from '../system-ports.ts';
import { TestnetError } from './testnet-error.ts';

const stateSchema = z.strictObject({ nodes: z.int().min(1).max(100), basePort: z.int().min(1024).max(65_535) });

/** The local testnet's directory: `genesis.json`, `node0` and so on, and how it was made. */
export interface TestnetFiles {
  readonly directory: string;
  readonly genesis: string;
  /** Where the supervisor takes commands. */
  readonly socket: string;
  /** Output of a detached supervisor. */
  readonly log: string;
  readonly nodes: readonly TestnetNode[];
}

const NODES_DEFAULT = 4;

export interface TestnetOptions {
  readonly nodes?: number | undefined;
  readonly basePort?: number | undefined;
  /** Genesis parameters of a new one other than the defaults. */
  readonly parameters?: Partial<ChainParameters> | undefined;
}

/**
 * Opens the testnet in a directory, or makes it.
 *
 * @throws {TestnetError} `TESTNET_DIFFERENT` if there is one with other options; errors of homes
 */
export async function openOrCreateTestnet(directory: string, options: TestnetOptions): Promise<TestnetFiles> {
  const found = await readState(directory);
  if (found === null) {
    const made = { nodes: options.nodes ?? NODES_DEFAULT, basePort: options.basePort ?? RPC_PORT };
    await createTestnet({ directory, ...made, parameters: options.parameters ?? {} }, systemClock.nowMs());
    await writeDurably(join(directory, 'testnet.json'), `${JSON.stringify(made)}\n`);
    return filesOf(directory, made);
  }
  for (const name of ['nodes', 'basePort'] as const) {
    if (options[name] === undefined || options[name] === found[name]) continue;
    throw new TestnetError('TESTNET_DIFFERENT', `the testnet in ${directory} was made with ${name} ${found[name]}, not ${options[name]}`, {
      fields: { directory, option: name, found: found[name], wanted: options[name] },
      hint: 'Leave the option out, or remove the testnet and its records with `scripts/testnet reset`.',
    });
  }
  return filesOf(directory, found);
}

/** @throws {TestnetError} `TESTNET_MISSING` */
export async function openTestnet(directory: string): Promise<TestnetFiles> {
  const found = await readState(directory);
  if (found !== null) return filesOf(directory, found);
  throw new TestnetError('TESTNET_MISSING', `there is no testnet in ${directory}`, {
    fields: { directory },
    hint: 'Make and start one with `scripts/testnet up`.',
  });
}

function filesOf(directory: string, state: z.infer<typeof stateSchema>): TestnetFiles {
  const root = resolve(directory);
  return {
    directory: root,
    genesis: join(root, 'genesis.json'),
    socket: join(root, 'supervisor.sock'),
    log: join(root, 'supervisor.log'),
    nodes: testnetNodes({ directory: root, ...state }),
  };
}

async function readState(directory: string): Promise<z.infer<typeof stateSchema> | null> {
  const path = join(directory, 'testnet.json');
  try {
    return stateSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new TestnetError('TESTNET_DIFFERENT', `${path} is unreadable`, {
      cause,
      fields: { path },
      hint: 'Begin anew with `scripts/testnet reset`, which removes all records of the testnet.',
    });
  }
}
