import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Address, assert, type Clock, type Hash, type Log, type Random, type Signer, toHex } from '@nacre/base';
import { addressOf } from '@nacre/crypto';
import { nativeSigner, nativeVerifier } from '@nacre/crypto/native';
import { buildTransaction, createGenesis, type Genesis, NONCE_BYTES, type Operation, type Transaction } from '@nacre/ledger';
import { FileDirectory, LevelStore } from '@nacre/ledger/level';
import { prepareValidatorHome, Replica, type ReplicaConfiguration } from '@nacre/replica';
import { MemoryNetwork, type SeenFrame } from './memory-network.ts';

const SCHEME = 'ml-dsa-44';
const STORE_FORMAT = 1;
const VALIDATORS = 4;
/** Everything that is waited for here takes well under a second on an idle machine. */
const WAIT_MS = 30_000;
/** For hooks that start a cluster. */
export const SETUP_TIMEOUT_MS = 2 * WAIT_MS;
/** How long clients' transactions stay valid: longer than any test. */
const VALIDITY_MS = 600_000;

export const realRandom: Random = { bytes: (length) => new Uint8Array(randomBytes(length)) };

const realClock: Clock = {
  nowMs: () => Date.now(),
  schedule: (delayMs, action) => {
    const timer = setTimeout(action, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
};

export interface Key {
  readonly address: Address;
  readonly signer: Signer;
}

/** The ML-DSA-44 key of a one-byte name. */
export function testKey(name: number): Key {
  const signer = nativeSigner(SCHEME, new Uint8Array(32).fill(name));
  return { signer, address: addressOf(SCHEME, signer.publicKey) };
}

/** Polls until the condition holds. */
export async function until(what: string, holds: () => boolean, timeoutMs = WAIT_MS): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  while (!holds()) {
    assert(performance.now() < deadlineMs, `within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

interface Process {
  readonly replica: Replica;
  readonly store: LevelStore;
  readonly directory: FileDirectory;
}

export interface ClusterOptions {
  /** An existing folder for the homes. */
  readonly root: string;
  readonly configuration?: Partial<ReplicaConfiguration>;
  readonly observe?: (frame: SeenFrame) => void;
}

/**
 * Four validators as a machine would run them, but for the sockets: real clock, random ML-DSA-44 signatures, LevelDB and the
 * vote journal in one home each. Followers have numbers from 4 on.
 */
export class Cluster {
  readonly genesis: Genesis;
  readonly validators: readonly Key[];
  readonly network: MemoryNetwork;
  /** What replicas logged as errors. */
  readonly errors: string[] = [];
  readonly #options: ClusterOptions;
  readonly #processes = new Map<number, Process>();

  private constructor(options: ClusterOptions) {
    this.#options = options;
    this.validators = Array.from({ length: VALIDATORS }, (_, node) => testKey(node + 1));
    this.genesis = createGenesis({
      network: 'conformance',
      timeMs: Date.now() - 1000,
      scheme: SCHEME,
      validators: this.validators.map(({ signer }, node) => ({ name: `v${node}`, publicKey: signer.publicKey, weight: 1000 })),
    });
    this.network = new MemoryNetwork(options.observe);
  }

  /** Makes the homes and starts all four. */
  static async start(options: ClusterOptions): Promise<Cluster> {
    const cluster = new Cluster(options);
    for (const [node, { address }] of cluster.validators.entries()) {
      const { store, directory } = await cluster.#openDisk(node);
      await prepareValidatorHome({ validator: address }, { store, directory, random: realRandom });
      await store.close();
      await directory.close();
    }
    for (const node of cluster.validators.keys()) await cluster.start(node);
    return cluster;
  }

  home(node: number): string {
    return join(this.#options.root, `node${node}`);
  }

  storePath(node: number): string {
    return join(this.home(node), 'store');
  }

  /** @throws what opening the disk and the replica throws; then the home is free again */
  async start(node: number): Promise<Replica> {
    const disk = await this.#openDisk(node);
    const validator = this.validators[node] ?? null;
    try {
      const replica = await Replica.open(
        { genesis: this.genesis, validator, configuration: this.#options.configuration ?? {} },
        {
          clock: realClock,
          random: realRandom,
          ...disk,
          transport: this.network.attach(node, validator?.address),
          verifier: nativeVerifier(SCHEME),
          log: this.#log(node),
        },
      );
      this.#processes.set(node, { replica, ...disk });
      replica.start();
      replica.finished.catch(() => {}); // Whoever asked for the replica looks at its mode.
      return replica;
    } catch (error) {
      await disk.store.close();
      await disk.directory.close();
      throw error;
    }
  }

  /** Ends a process in the way that leaves its disk as it is at this moment. */
  async stop(node: number): Promise<void> {
    const process = this.#processes.get(node);
    if (process === undefined) return;
    this.#processes.delete(node);
    this.network.detach(node);
    await process.replica.stop().catch(() => {}); // It may have stopped by a failure, which whoever looks for it has seen.
    await process.store.close();
    await process.directory.close();
  }

  async stopAll(): Promise<void> {
    for (const node of [...this.#processes.keys()]) await this.stop(node);
  }

  replica(node: number): Replica {
    const process = this.#processes.get(node);
    assert(process !== undefined, `node ${node} does not run`);
    return process.replica;
  }

  get replicas(): Replica[] {
    return [...this.#processes.values()].map(({ replica }) => replica);
  }

  transaction(key: Key, operations: readonly Operation[]): Promise<Transaction> {
    return buildTransaction({
      genesis: this.genesis,
      account: key.address,
      operations,
      validUntilMs: Date.now() + VALIDITY_MS,
      nonce: realRandom.bytes(NONCE_BYTES),
      signer: key.signer,
    });
  }

  /** Signs and submits. @returns the id once the node has acknowledged it */
  async submit(node: number, key: Key, operations: readonly Operation[]): Promise<Hash> {
    const { bytes } = await this.transaction(key, operations);
    const admitted = await this.replica(node).submit(bytes);
    assert(admitted.ok, `node ${node} refuses: ${admitted.ok ? '' : JSON.stringify(admitted.error)}`);
    return admitted.value.txId;
  }

  /** Waits until every running replica says of every transaction that it is committed. */
  async committed(txIds: readonly Hash[]): Promise<void> {
    const waiting = new Set(txIds);
    await until(`${txIds.length} transactions are committed everywhere`, () => {
      for (const txId of waiting) {
        const statuses = this.replicas.map((replica) => replica.transactionStatus(txId));
        const bad = statuses.find(({ status }) => status === 'failed' || status === 'expired');
        assert(bad === undefined, `${toHex(txId)} was not committed: ${JSON.stringify(bad)}`);
        if (!statuses.every(({ status }) => status === 'committed')) return false;
        waiting.delete(txId);
      }
      return true;
    });
  }

  async #openDisk(node: number): Promise<{ readonly store: LevelStore; readonly directory: FileDirectory }> {
    await mkdir(this.home(node), { recursive: true });
    const store = await LevelStore.open(this.storePath(node), { formatVersion: STORE_FORMAT, genesisHash: this.genesis.hash });
    return { store, directory: new FileDirectory(this.home(node)) };
  }

  #log(node: number): Log {
    const ignore = (): void => {};
    return {
      debug: ignore,
      info: ignore,
      warn: ignore,
      error: (fields, event) => this.errors.push(`node ${node}: ${event} ${JSON.stringify(fields)}`),
    };
  }
}
