import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { LabNetwork, rpcAddress, STARTING_IP } from './lab-network.ts';
import { LabNode } from './lab-node.ts';
import { callNode } from './rpc.ts';
import type { Schedule } from './schedule.ts';

/** The command line of a node, as a program and its first arguments. */
export const NACRE: readonly [string, string] = [
  process.execPath,
  fileURLToPath(new URL('../../packages/node/src/main.ts', import.meta.url)),
];
const BREAK_PROGRAM = new URL('./break-program.ts', import.meta.url).href;
const POLL_MS = 50;
const PROBE_MS_MAX = 2_000;
/** An idle chain moves more often than by default: what waits for a block's time is final sooner. */
const IDLE_INTERVAL_MS = 2_000;
/** Exit status of a node whose disk failed or is full. */
const STATUS_STORAGE = 8;

/** Ends of nodes for no reason that was made, after which they are left alone: one that cannot start would be started for ever. */
const UNEXPLAINED_MAX = 4;

/** What an operator saw and did. */
export interface OperatorLog {
  /** Nodes that ended because their disk was full. */
  endedFull: number;
  /** Nodes that ended for no reason that was made. */
  readonly unexplained: string[];
}

/** The nodes of one run, their network, and whoever starts a node again that has ended. */
export class Lab {
  readonly network: LabNetwork;
  readonly nodes: readonly LabNode[];
  readonly genesisPath: string;
  readonly operator: OperatorLog = { endedFull: 0, unexplained: [] };
  readonly #net: string;
  readonly #schedule: Schedule;

  constructor(schedule: Schedule, directory: string) {
    this.#schedule = schedule;
    this.#net = join(directory, 'net');
    this.genesisPath = join(this.#net, 'genesis.json');
    this.network = new LabNetwork(schedule.nodes);
    this.nodes = Array.from(
      { length: schedule.nodes },
      (_, index) =>
        new LabNode({
          index,
          home: join(this.#net, `node${index}`),
          directory,
          nacre: programOf(schedule.variant),
          hasFakeClock: schedule.faults.some((fault) => fault.kind === 'clock' && fault.nodes.includes(index)),
          ended: (node, status) => this.#onEnded(node, status),
        }),
    );
  }

  /** Makes namespaces, disks and homes, and starts every node. @returns once all can decide */
  async start(timeoutMs: number): Promise<void> {
    this.network.build();
    for (const node of this.nodes) node.mount();
    const { nodes, validityWindowMs } = this.#schedule;
    const options = ['--nodes', String(nodes), '--output', this.#net, '--starting-ip', STARTING_IP];
    const parameters = ['--parameter', `validityWindowMs=${validityWindowMs}`];
    execFileSync(NACRE[0], [NACRE[1], 'testnet', 'init', ...options, ...parameters], { stdio: ['ignore', 'ignore', 'pipe'] });
    for (const { index, home } of this.nodes) configure(home, index);
    for (const node of this.nodes) node.start();
    const deadline = performance.now() + timeoutMs;
    for (const node of this.nodes) {
      while (!(await isReady(node.url))) {
        if (performance.now() > deadline) throw new Error(`node ${node.index} was not ready within ${timeoutMs} ms: ${node.lastOutput()}`);
        await sleep(POLL_MS);
      }
    }
  }

  /** Whether a node's store was damaged or replaced after this life of it. */
  wasDamagedAfter(node: number, storeLife: number): boolean {
    return (this.nodes[node]?.storeLife ?? 0) > storeLife;
  }

  #onEnded(index: number, status: number | null): void {
    const node = this.nodes[index] as LabNode;
    if (status === STATUS_STORAGE && node.sawFullDisk) {
      this.operator.endedFull++;
      // Else it is started again by whoever gives it space.
      if (!node.isFull) node.start();
      return;
    }
    // Damage is for the node to mend: it is no reason to end.
    this.operator.unexplained.push(`node ${index} ended by itself with status ${status}: ${node.lastOutput()}`);
    if (this.operator.unexplained.length > UNEXPLAINED_MAX) return;
    node.start();
  }
}

/** The program as a command, or with one line of it changed. */
function programOf(variant: string | null): readonly string[] {
  if (variant === null) return NACRE;
  const [runtime, program] = NACRE;
  return ['env', `FAULTS_VARIANT=${variant}`, runtime, '--import', BREAK_PROGRAM, program];
}

function configure(home: string, node: number): void {
  const path = join(home, 'config.json');
  const configuration = JSON.parse(readFileSync(path, 'utf8')) as { records: object };
  const { host, port } = rpcAddress(node);
  const own = { rpc: { host, port }, records: { ...configuration.records, submit: true }, consensus: { idleIntervalMs: IDLE_INTERVAL_MS } };
  writeFileSync(path, JSON.stringify({ ...configuration, ...own }));
}

async function isReady(url: string): Promise<boolean> {
  const status = await callNode(url, { method: 'node_status', params: {} }, PROBE_MS_MAX);
  return status.ok && typeof status.result !== 'string' && (status.result.networkState as { state?: string }).state === 'NORMAL';
}
