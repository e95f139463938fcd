import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Log } from '@nacre/base';
import { callRpc } from '../../src/cli/rpc-client.ts';
import { readConfiguration } from '../../src/configuration.ts';
import type { NodeConfiguration } from '../../src/configuration-schema.ts';
import { type HomePaths, homePaths, openHome, readConfigurationText } from '../../src/home.ts';
import { startLastingNode } from '../../src/lasting-node.ts';
import { createTestnet, type TestnetNode } from '../../src/new-testnet.ts';
import type { RunningNode } from '../../src/node.ts';
import { storesSetAside } from '../../src/set-aside.ts';
import { freeBasePort } from './free-base-port.ts';
import { until } from './running-testnet.ts';

/** Of the records that one call of `record` writes: together more than what goes to the value log. */
const RECORDS = 60;
const RECORD_BYTES = 1000;

interface Status {
  readonly networkState: { readonly state: string; readonly reason: string | null };
  readonly chains: readonly { readonly height: number }[];
}

/** What a node and node 0 hold of the latest block, and who was caught voting twice. */
export interface Agreement {
  readonly sameBlock: boolean;
  readonly offences: unknown;
}

export const AGREED: Agreement = { sameBlock: true, offences: [] };

/** Four validators in this process, on real sockets and disks, that outlive damage as `nacre start` does. */
export class FourNodes {
  /** What the nodes have logged at warning and above, and told their operator. */
  readonly said: string[] = [];
  readonly #directory: string;
  readonly #nodes: readonly TestnetNode[];
  readonly #running: (RunningNode | undefined)[] = [];

  private constructor(directory: string, nodes: readonly TestnetNode[]) {
    this.#directory = directory;
    this.#nodes = nodes;
  }

  static async start(): Promise<FourNodes> {
    const directory = await mkdtemp(join(tmpdir(), 'nacre-four-'));
    const { nodes } = await createTestnet({ directory: join(directory, 'net'), nodes: 4, basePort: await freeBasePort() }, Date.now());
    const four = new FourNodes(directory, nodes);
    await Promise.all(nodes.map((_, index) => four.startNode(index)));
    await four.record();
    return four;
  }

  async remove(): Promise<void> {
    await Promise.all(this.#running.map(async (node) => node?.stop()));
    await rm(this.#directory, { recursive: true, force: true });
  }

  paths(node: number): HomePaths {
    return homePaths(this.#nodes[node]?.home ?? '');
  }

  async startNode(node: number, more: Partial<NodeConfiguration> = {}): Promise<void> {
    const paths = this.paths(node);
    const file = { path: paths.configuration, text: await readConfigurationText(paths) };
    const configuration = { ...readConfiguration({ file, environment: {}, flags: {} }), ...more };
    const home = await openHome(paths, { genesisPath: configuration.genesis, passphrase: undefined });
    const note = (level: string) => (fields: object, message: string) =>
      void this.said.push(`${level} ${message} ${JSON.stringify(fields)}`);
    const log: Log = { debug() {}, info() {}, warn: note('warn'), error: note('error') };
    this.#running[node] = await startLastingNode(home, configuration, { log, say: (line) => void this.said.push(line) });
  }

  async stopNode(node: number): Promise<void> {
    await this.#running[node]?.stop();
    this.#running[node] = undefined;
  }

  async call(node: number, method: string, params: Record<string, unknown> = {}): Promise<Readonly<Record<string, unknown>>> {
    return callRpc(this.#running[node]?.rpcUrl ?? '', method, params, { waitMs: 30_000 });
  }

  /** One of a node's metrics, or null while it cannot be asked. */
  async metric(node: number, name: string): Promise<number | null> {
    const text = await fetch(`${this.#running[node]?.rpcUrl}/metrics`).then(
      (response) => response.text(),
      () => '',
    );
    const value = new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1];
    return value === undefined ? null : Number(value);
  }

  /** Has node 0 record something, and waits until the network has decided it. */
  async record(): Promise<void> {
    const payloads = Array.from({ length: RECORDS }, (_, i) => ({ i, text: 'x'.repeat(RECORD_BYTES) }));
    await until('records are decided', async () => {
      const params = { service: 'notes', payloads, wait: 'committed', timeoutMs: 20_000 };
      const submitted = await this.call(0, 'record_submit', params).catch(() => null);
      return submitted?.status === 'committed';
    });
  }

  /** Removes the damaged stores that nodes have kept, of which a fourth within an hour would end them. */
  async forgetSetAside(): Promise<void> {
    for (const node of this.#nodes.keys()) {
      for (const { path } of await storesSetAside(this.paths(node).store)) await rm(path, { recursive: true });
    }
  }

  async status(node: number): Promise<Status | null> {
    return (await this.call(node, 'node_status').catch(() => null)) as Status | null;
  }

  /** Waits until a node takes part again and has what node 0 has decided; to be compared with {@link AGREED}. */
  async agree(node: number): Promise<Agreement> {
    const decided = (await this.status(0))?.chains[0]?.height ?? 0;
    await until(`node ${node} is back`, async () => {
      const status = await this.status(node);
      return status?.networkState.state === 'NORMAL' && (status.chains[0]?.height ?? 0) >= decided;
    });
    const [own, other] = await Promise.all([node, 0].map((one) => this.call(one, 'block_get', { chain: 0, height: decided })));
    return { sameBlock: own?.hash === other?.hash, offences: (await this.call(0, 'evidence_list')).offences };
  }
}
