import type { Applied } from '@nacre/ledger';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { NetworkState, NodeBackend } from './backend.ts';

const NETWORK_STATES: readonly NetworkState['state'][] = ['NORMAL', 'PARTITIONED', 'RECOVERING'];
/** From the network's best to what an operator must notice. */
const BLOCK_INTERVAL_BUCKETS = [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30];
const CALL_SECONDS_BUCKETS = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5, 60];

/** What the RPC counts about itself. */
export class RpcMetrics {
  readonly #calls: Counter<'method' | 'outcome'>;
  readonly #seconds: Histogram<'method'>;
  readonly #refused: Counter<'code'>;
  #readSockets: () => { readonly sockets: number; readonly subscriptions: number } = () => ({ sockets: 0, subscriptions: 0 });

  constructor(registry: Registry) {
    const registers = [registry];
    this.#calls = new Counter({
      name: 'nacre_rpc_calls_total',
      help: 'Calls by method and outcome: ok or the error code',
      labelNames: ['method', 'outcome'],
      registers,
    });
    this.#seconds = new Histogram({
      name: 'nacre_rpc_call_seconds',
      help: 'Time to answer a call, waits included',
      labelNames: ['method'],
      buckets: CALL_SECONDS_BUCKETS,
      registers,
    });
    this.#refused = new Counter({
      name: 'nacre_rpc_requests_refused_total',
      help: 'HTTP requests refused before JSON-RPC, by error code',
      labelNames: ['code'],
      registers,
    });
    const readSockets = () => this.#readSockets();
    new Gauge({
      name: 'nacre_rpc_sockets',
      help: 'Open WebSockets',
      registers,
      collect() {
        this.set(readSockets().sockets);
      },
    });
    new Gauge({
      name: 'nacre_rpc_subscriptions',
      help: 'Subscriptions on all WebSockets',
      registers,
      collect() {
        this.set(readSockets().subscriptions);
      },
    });
  }

  /** @param method one of the known ones, or `unknown`: label values are bounded. @returns what to call with the outcome */
  began(method: string): (outcome: string) => void {
    const startedAt = performance.now();
    return (outcome) => {
      this.#calls.inc({ method, outcome });
      this.#seconds.observe({ method }, (performance.now() - startedAt) / 1000);
    };
  }

  refused(code: string): void {
    this.#refused.inc({ code });
  }

  /** Where to read how many sockets and subscriptions there are. */
  observeSockets(read: () => { readonly sockets: number; readonly subscriptions: number }): void {
    this.#readSockets = read;
  }
}

/** The node's metrics in Prometheus' text format. Where CometBFT has a metric of the same meaning it has the same name, after `nacre_`. */
export class NodeMetrics {
  /** For what other parts of the node measure. */
  readonly registry = new Registry();
  readonly rpc = new RpcMetrics(this.registry);
  readonly #stopListening: () => void;

  constructor(backend: NodeBackend) {
    const { registry } = this;
    collectDefaultMetrics({ register: registry });
    addConsensusMetrics(registry, backend);
    addNetworkMetrics(registry, backend);
    addHealthMetrics(registry, backend);
    this.#stopListening = observeBlocks(registry, backend);
  }

  get contentType(): string {
    return this.registry.contentType;
  }

  text(): Promise<string> {
    return this.registry.metrics();
  }

  close(): void {
    this.#stopListening();
  }
}

function addGauge(registry: Registry, name: string, help: string, read: () => number): void {
  new Gauge({
    name: `nacre_${name}`,
    help,
    registers: [registry],
    collect() {
      this.set(read());
    },
  });
}

function addConsensusMetrics(registry: Registry, backend: NodeBackend): void {
  const { ledger } = backend;
  const committee = () => ledger.committeeAt(ledger.tip.height + 1);
  addGauge(registry, 'consensus_height', 'Height of the latest decided block here', () => ledger.tip.height);
  addGauge(registry, 'consensus_rounds', 'Round of the height being decided', () => backend.status().round);
  addGauge(registry, 'consensus_validators', 'Validators of the committee', () => committee().size);
  addGauge(registry, 'consensus_validators_power', 'Weight of the committee', () => committee().totalWeight);
  addGauge(registry, 'consensus_missing_validators', 'Validators whose commit for the latest block is not in its certificate', () => {
    const { certificate, height } = ledger.tip;
    return certificate === null ? 0 : ledger.committeeAt(height).size - certificate.commits.length;
  });
  addGauge(registry, 'consensus_voting', '1 while this process may sign votes', () => Number(backend.status().voting));
  addGauge(registry, 'blocksync_syncing', '1 while blocks are fetched to catch up', () => Number(backend.status().mode === 'syncing'));
  addGauge(registry, 'statesync_syncing', '1 while a snapshot of the state is fetched', () => Number(backend.status().snapshot !== null));
  addGauge(registry, 'statesync_parts', 'Parts of that snapshot that are here', () => backend.status().snapshot?.parts ?? 0);
  addGauge(registry, 'statesync_parts_total', 'Parts that it has, as peers say', () => backend.status().snapshot?.partsTotal ?? 0);
  addGauge(registry, 'mempool_size', 'Pending transactions', () => backend.status().pending);
  addGauge(registry, 'mempool_size_bytes', 'Bytes of the pending transactions', () => backend.status().pendingBytes);
}

function addNetworkMetrics(registry: Registry, backend: NodeBackend): void {
  const registers = [registry];
  addGauge(registry, 'p2p_peers', 'Connected peers', () => backend.status().peers);
  const perPeer = (name: string, help: string, read: (peer: ReturnType<NodeBackend['peers']>[number]) => number): void => {
    new Counter({
      name: `nacre_${name}`,
      help,
      labelNames: ['peer_id'],
      registers,
      collect() {
        this.reset();
        for (const peer of backend.peers()) this.inc({ peer_id: peer.peerId }, read(peer));
      },
    });
  };
  perPeer('p2p_peer_receive_bytes_total', 'Bytes received from each connected peer', ({ bytesIn }) => bytesIn);
  perPeer('p2p_peer_send_bytes_total', 'Bytes sent to each connected peer', ({ bytesOut }) => bytesOut);
  new Gauge({
    name: 'nacre_network_state',
    help: '1 for the state the node is in',
    labelNames: ['state'],
    registers,
    collect() {
      const { state } = backend.networkState();
      for (const each of NETWORK_STATES) this.set({ state: each }, Number(each === state));
    },
  });
}

function addHealthMetrics(registry: Registry, backend: NodeBackend): void {
  const ownSide = () => backend.health().sides.find(({ own }) => own);
  const progress = () => {
    const { sync } = backend.health();
    return sync.kind === 'catching-up' ? sync : null;
  };
  addGauge(
    registry,
    'partition_sides',
    'Sides of the committee: 1 where nobody is cut off, 0 shortly after the start',
    () => backend.health().sides.length,
  );
  addGauge(registry, 'partition_own_weight', 'Weight of the side that this node stands on', () => ownSide()?.weight ?? 0);
  addGauge(registry, 'partition_may_decide', '1 while the own side has the weight to decide', () => Number(ownSide()?.mayDecide ?? false));
  addGauge(registry, 'partition_since_seconds', 'Unix time at which the present partition was named; 0 without one', () => {
    const last = backend.health().history.at(-1);
    return last === undefined || last.untilMs !== null ? 0 : last.sinceMs / 1000;
  });
  addGauge(registry, 'sync_target_height', 'Height to which blocks are being fetched; 0 while none are', () => progress()?.toHeight ?? 0);
  addGauge(
    registry,
    'sync_blocks_per_second',
    'Mean rate of the sync under way; 0 while there is none',
    () => progress()?.blocksPerSecond ?? 0,
  );
  addGauge(registry, 'sync_remaining_seconds', 'Time that the sync under way still takes at that rate; 0 while there is none', () => {
    return (progress()?.remainingMs ?? 0) / 1000;
  });
}

/** Counts what each block brings. @returns how to stop it */
function observeBlocks(registry: Registry, backend: NodeBackend): () => void {
  const registers = [registry];
  const interval = new Histogram({
    name: 'nacre_consensus_block_interval_seconds',
    help: 'Block time between one block and the next',
    buckets: BLOCK_INTERVAL_BUCKETS,
    registers,
  });
  const transactions = new Gauge({ name: 'nacre_consensus_num_txs', help: 'Transactions of the latest block', registers });
  const decided = new Counter({
    name: 'nacre_consensus_transactions_total',
    help: 'Transactions decided since the node started, by outcome',
    labelNames: ['outcome'],
    registers,
  });
  let previousMs: number | null = null;
  return backend.onDecided(({ timeMs, statuses }: Applied) => {
    if (previousMs !== null) interval.observe((timeMs - previousMs) / 1000);
    previousMs = timeMs;
    transactions.set(statuses.length);
    const failed = statuses.filter(({ status }) => status === 'failed').length;
    decided.inc({ outcome: 'committed' }, statuses.length - failed);
    decided.inc({ outcome: 'failed' }, failed);
  });
}
