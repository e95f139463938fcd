import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fail, type Log, type Transport } from '@nacre/base';
import { addressOf, SEED_BYTES } from '@nacre/crypto';
import { createSigner, createVerifier } from '@nacre/crypto/native';
import {
  buildTransaction,
  type ChainParameters,
  createGenesis,
  type Genesis,
  NONCE_BYTES,
  type Operation,
  type Transaction,
} from '@nacre/ledger';
import { FileDirectory, LevelStore } from '@nacre/ledger/level';
import { prepareValidatorHome, Replica } from '@nacre/replica';
import type { z } from 'zod';
import type { NetworkState, PeerInfo } from '../../src/backend.ts';
import { NodeMetrics } from '../../src/metrics.ts';
import type { KeyHolder } from '../../src/records/service-registrar.ts';
import { ReplicaBackend } from '../../src/replica-backend.ts';
import type { SubmissionJson } from '../../src/rpc/methods/submission.ts';
import type { CertificateJson, HeaderJson, RecordJson, TransactionJson } from '../../src/rpc/present.ts';
import { type RpcOptions, type RunningRpc, startRpc } from '../../src/rpc/rpc-server.ts';
import { systemClock, systemRandom } from '../../src/system-ports.ts';

const SCHEME = 'ml-dsa-44';
/** Longer than any test: blocks come with transactions only. */
const IDLE_INTERVAL_MS = 3_600_000;

const noPeers: Transport = {
  start() {},
  peers: () => [],
  send() {},
  broadcast() {},
  request: async () => fail({ code: 'DISCONNECTED' }),
  penalize() {},
};

export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };

export function newKey(): KeyHolder {
  const signer = createSigner(SCHEME, systemRandom.bytes(SEED_BYTES));
  return { signer, address: addressOf(SCHEME, signer.publicKey) };
}

export interface RpcNodeOptions {
  readonly rpc?: Partial<RpcOptions>;
  readonly parameters?: Partial<ChainParameters>;
  /** Whether `record_submit` is allowed. */
  readonly records?: boolean;
  readonly writers?: readonly Uint8Array[];
  /** Without it the node is a follower, which never decides alone. */
  readonly validating?: boolean;
  /** Weight of a second validator that never runs: with 1000, nothing can be decided. */
  readonly absentWeight?: number;
}

/** A network of one validator, with its RPC on a free port: real keys, real LevelDB, no peers. */
export class RpcNode {
  readonly validator = newKey();
  readonly serviceKey = newKey();
  readonly genesis: Genesis;
  networkState: NetworkState = { state: 'NORMAL', reason: null };
  peers: readonly PeerInfo[] = [];
  readonly #options: RpcNodeOptions;
  #home = '';
  #store!: LevelStore;
  replica!: Replica;
  backend!: ReplicaBackend;
  /** Undefined where it could not be started. */
  rpc: RunningRpc | undefined;

  private constructor(options: RpcNodeOptions) {
    this.#options = options;
    const only = { name: 'only', publicKey: this.validator.signer.publicKey, weight: 1000 };
    const absent = { name: 'absent', publicKey: newKey().signer.publicKey, weight: options.absentWeight ?? 0 };
    this.genesis = createGenesis({
      network: 'test',
      timeMs: Date.now() - 1000,
      scheme: SCHEME,
      validators: absent.weight === 0 ? [only] : [only, absent],
      allowLargeWeights: true,
      ...(options.parameters === undefined ? {} : { parameters: options.parameters }),
    });
  }

  static async start(options: RpcNodeOptions = {}): Promise<RpcNode> {
    const node = new RpcNode(options);
    node.#home = await mkdtemp(join(tmpdir(), 'nacre-rpc-'));
    await mkdir(join(node.#home, 'journal'));
    try {
      await node.#open(true);
    } catch (error) {
      await node.stop();
      throw error;
    }
    return node;
  }

  async restart(): Promise<void> {
    await this.#close();
    await this.#open(false);
  }

  async stop(): Promise<void> {
    await this.#close();
    await rm(this.#home, { recursive: true, force: true });
  }

  get url(): string {
    return this.rpc?.url ?? '';
  }

  async transaction(holder: KeyHolder, operations: readonly Operation[], validUntilMs = Date.now() + 60_000): Promise<Transaction> {
    const { genesis } = this;
    return buildTransaction({
      genesis,
      account: holder.address,
      operations,
      validUntilMs,
      nonce: randomBytes(NONCE_BYTES),
      signer: holder.signer,
    });
  }

  /** Decides one transaction: creates an account. */
  async newAccount(): Promise<KeyHolder> {
    const holder = newKey();
    const { txId } = await this.decide(
      await this.transaction(this.validator, [{ kind: 'account.create', publicKey: holder.signer.publicKey }]),
    );
    if (this.backend.transactionStatus(txId).status !== 'committed') throw new Error('the account was not created');
    return holder;
  }

  async decide(transaction: Transaction): Promise<Transaction> {
    const wait = this.backend.reserveWait();
    const admitted = await this.backend.submit(transaction.bytes);
    if (!admitted.ok || wait === null) throw new Error(`not admitted: ${JSON.stringify(admitted)}`);
    await wait.until(admitted.value, { timeoutMs: 10_000, signal: new AbortController().signal });
    wait.release();
    return transaction;
  }

  async #open(first: boolean): Promise<void> {
    const { genesis, validator, serviceKey } = this;
    const { records = true, writers = [], validating = true } = this.#options;
    this.#store = await LevelStore.open(join(this.#home, 'store'), { formatVersion: 1, genesisHash: genesis.hash });
    const directory = new FileDirectory(join(this.#home, 'journal'));
    const ports = { store: this.#store, directory, random: systemRandom };
    if (first && validating) await prepareValidatorHome({ validator: validator.address }, ports);
    const identity = validating ? validator : null;
    this.replica = await Replica.open(
      { genesis, validator: identity, configuration: { idleIntervalMs: IDLE_INTERVAL_MS } },
      { ...ports, clock: systemClock, transport: noPeers, verifier: createVerifier(SCHEME), log: silentLog },
    );
    this.backend = await ReplicaBackend.open(
      { nodeId: 'test-peer', version: '0.1.0', validator: identity, records: records ? { account: serviceKey, writers } : null },
      {
        replica: this.replica,
        store: this.#store,
        clock: systemClock,
        random: systemRandom,
        peers: () => this.peers,
        networkState: () => this.networkState,
        setAside: 0,
      },
    );
    this.replica.start();
    const metrics = new NodeMetrics(this.backend);
    this.rpc = await startRpc({ host: '127.0.0.1', port: 0, ...this.#options.rpc }, { backend: this.backend, metrics, log: silentLog });
  }

  async #close(): Promise<void> {
    await this.rpc?.close();
    await this.backend.close();
    await this.replica.stop();
    await this.#store.close();
  }
}

export interface RpcAnswer {
  readonly jsonrpc: '2.0';
  readonly id: unknown;
  readonly result?: unknown;
  readonly error?: { readonly code: number; readonly message: string; readonly data: Readonly<Record<string, unknown>> };
}

/** What the methods answer with, as far as tests look into it. */
interface Results {
  readonly node_status: { readonly networkState: NetworkState };
  readonly node_health: { readonly sides: readonly object[] };
  readonly net_peers: object;
  readonly tx_submit: z.input<typeof SubmissionJson>;
  readonly tx_get: { readonly status: string; readonly transaction: z.input<typeof TransactionJson> | null };
  readonly record_submit: z.input<typeof SubmissionJson>;
  readonly record_list: { readonly records: readonly z.input<typeof RecordJson>[]; readonly nextIndex: number | null };
  readonly record_latest: { readonly record: z.input<typeof RecordJson> | null; readonly height: number; readonly ageMs: number };
  readonly record_proof: string;
  readonly light_update: { readonly update: string; readonly complete: boolean };
  readonly block_get: {
    readonly hash: string;
    readonly header: z.input<typeof HeaderJson>;
    readonly transactions: readonly string[];
    readonly certificate: z.input<typeof CertificateJson> | null;
  };
  readonly validator_list: {
    readonly height: number;
    readonly epoch: number;
    readonly totalWeight: number;
    readonly validators: readonly { readonly address: string; readonly weight: number; readonly explanation: string }[];
  };
  readonly validator_proposals: {
    readonly neededWeight: number;
    readonly proposals: readonly { readonly id: string; readonly approved: { readonly actsAtEpoch: number } | null }[];
  };
  readonly validator_dry_run: { readonly actsAtEpoch: number; readonly before: object; readonly after: object };
  readonly account_get: { readonly account: { readonly publicKey: string } | null };
  readonly evidence_list: { readonly offences: readonly object[]; readonly nextFrom: number | null };
  readonly 'rpc.discover': OpenRpc;
}

export interface OpenRpc {
  readonly openrpc: string;
  readonly methods: readonly {
    readonly name: string;
    readonly params: readonly { readonly name: string; readonly required: boolean; readonly schema: object }[];
    readonly result: { readonly name: string; readonly schema: object };
    readonly errors: readonly { readonly code: number; readonly message: string }[];
  }[];
}

/** Sends a body as it is. */
export async function post(
  url: string,
  body: string | Uint8Array<ArrayBuffer>,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  return fetch(url, { method: 'POST', body, headers: { 'content-type': 'application/json', ...headers } });
}

export async function call(url: string, method: string, params?: unknown): Promise<RpcAnswer> {
  const response = await post(url, JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }));
  return (await response.json()) as RpcAnswer;
}

/** @returns the result; fails the test if there is none */
export async function result<Name extends keyof Results>(url: string, method: Name, params?: unknown): Promise<Results[Name]> {
  const answer = await call(url, method, params);
  if (answer.error !== undefined) throw new Error(`${method}: ${JSON.stringify(answer.error)}`);
  return answer.result as Results[Name];
}

/** @returns the error's `data` */
export async function refusal(url: string, method: string, params?: unknown): Promise<Readonly<Record<string, unknown>>> {
  const { error } = await call(url, method, params);
  if (error === undefined) throw new Error(`${method} was expected to fail`);
  return error.data;
}
