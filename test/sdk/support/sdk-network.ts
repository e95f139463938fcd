import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, fail, type Log, type Transport } from '@nacre/base';
import { type AccountKey, createAccountKey } from '@nacre/client';
import { nativeVerifier } from '@nacre/crypto/native';
import { type ChainParameters, createGenesis, type Genesis } from '@nacre/ledger';
import { FileDirectory, LevelStore } from '@nacre/ledger/level';
import { NodeMetrics, ReplicaBackend, type RpcOptions, type RunningRpc, startRpc } from '@nacre/node';
import { prepareValidatorHome, Replica } from '@nacre/replica';
import { realRandom } from '../../support/cluster.ts';

const SCHEME = 'ml-dsa-44';
/** Longer than any test: blocks come with transactions only. */
const IDLE_INTERVAL_MS = 3_600_000;

const clock: Clock = {
  nowMs: () => Date.now(),
  schedule: (delayMs, action) => {
    const timer = setTimeout(action, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
};
const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };
const noPeers: Transport = {
  start() {},
  peers: () => [],
  send() {},
  broadcast() {},
  request: async () => fail({ code: 'DISCONNECTED' }),
  penalize() {},
};

/**
 * A network of one validator with as many real RPC servers as a test wants: to a client they are nodes that agree. Real keys,
 * real LevelDB, no peers.
 */
export class SdkNetwork {
  readonly validator: AccountKey = createAccountKey(SCHEME);
  readonly genesis: Genesis;
  readonly #servers = new Set<RunningRpc>();
  readonly #home: string;
  #store!: LevelStore;
  #replica!: Replica;
  #backend!: ReplicaBackend;

  private constructor(home: string, parameters: Partial<ChainParameters>) {
    this.#home = home;
    const { publicKey } = this.validator;
    this.genesis = createGenesis({
      network: 'sdk',
      timeMs: Date.now() - 1000,
      scheme: SCHEME,
      validators: [{ publicKey, weight: 1000 }],
      allowLargeWeights: true,
      parameters,
    });
  }

  static async start(parameters: Partial<ChainParameters> = {}): Promise<SdkNetwork> {
    const network = new SdkNetwork(await mkdtemp(join(tmpdir(), 'nacre-sdk-')), parameters);
    await network.#open();
    return network;
  }

  /** One more node for clients. */
  async serve(options: Partial<RpcOptions> = {}): Promise<RunningRpc> {
    const backend = this.#backend;
    const metrics = new NodeMetrics(backend);
    const server = await startRpc({ host: '127.0.0.1', port: 0, ...options }, { backend, metrics, log: silentLog });
    this.#servers.add(server);
    return server;
  }

  async stop(): Promise<void> {
    for (const server of this.#servers) await server.close();
    await this.#backend.close();
    await this.#replica.stop();
    await this.#store.close();
    await rm(this.#home, { recursive: true });
  }

  async #open(): Promise<void> {
    const { genesis, validator } = this;
    await mkdir(join(this.#home, 'journal'));
    this.#store = await LevelStore.open(join(this.#home, 'store'), { formatVersion: 1, genesisHash: genesis.hash });
    const ports = { store: this.#store, directory: new FileDirectory(join(this.#home, 'journal')), random: realRandom };
    await prepareValidatorHome({ validator: validator.address }, ports);
    this.#replica = await Replica.open(
      { genesis, validator, configuration: { idleIntervalMs: IDLE_INTERVAL_MS } },
      { ...ports, clock, transport: noPeers, verifier: nativeVerifier(SCHEME), log: silentLog },
    );
    this.#backend = await ReplicaBackend.open(
      { nodeId: 'sdk', version: '0.1.0', validator, records: { account: createAccountKey(SCHEME), writers: [] } },
      {
        replica: this.#replica,
        store: this.#store,
        clock,
        random: realRandom,
        peers: () => [],
        setAside: 0,
        networkState: () => ({ state: 'NORMAL', reason: null }),
      },
    );
    this.#replica.start();
  }
}
