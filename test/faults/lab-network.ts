import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';

/** Where `ip netns` keeps names. A directory of the system's, over which a private one is mounted. */
const NAMES = '/run/netns';
const RPC_PORT = 8640;
/** Address of node 0 among the nodes; that of node i is i higher. */
export const STARTING_IP = '10.78.0.10';

/**
 * One network namespace per node, joined by bridges in the namespace of this process, which has to be one that nobody else is in: everything
 * made here ends with it. Each node has a second link to this process alone, for its RPC, so that clients stay on a side that is cut off.
 */
export class LabNetwork {
  readonly #nodes: number;

  constructor(nodes: number) {
    this.#nodes = nodes;
  }

  /** @throws if a command fails; its output says why */
  build(): void {
    mkdirSync(NAMES, { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', 'nacre-faults', NAMES]);
    const all = Array.from({ length: this.#nodes }, (_, node) => node);
    ip([`link set lo up`, ...all.flatMap((bridge) => [`link add b${bridge} type bridge`, `link set b${bridge} up`])]);
    for (const node of all) {
      execFileSync('ip', ['netns', 'add', namespaceOf(node)]);
      ip([
        `link add p${node} type veth peer name eth0 netns ${namespaceOf(node)}`,
        `link set p${node} master b0 up`,
        `link add c${node} type veth peer name control netns ${namespaceOf(node)}`,
        `addr add 10.79.${node}.1/30 dev c${node}`,
        `link set c${node} up`,
      ]);
      const lines = [
        'link set lo up',
        `addr add 10.78.0.${10 + node}/24 dev eth0`,
        'link set eth0 up',
        `addr add ${controlAddress(node)}/30 dev control`,
        'link set control up',
      ];
      ip(lines, namespaceOf(node));
    }
  }

  /** Moves each group to a bridge of its own: packets between groups vanish, connections are not told. */
  split(groups: readonly (readonly number[])[]): void {
    ip(groups.flatMap((group, bridge) => group.map((node) => `link set p${node} master b${bridge}`)));
  }

  join(): void {
    this.split([Array.from({ length: this.#nodes }, (_, node) => node)]);
  }
}

/** The arguments of `ip` that run a command where a node is; they come before it. */
export function execInside(node: number): readonly string[] {
  return ['netns', 'exec', namespaceOf(node)];
}

export function rpcAddress(node: number): { readonly host: string; readonly port: number; readonly url: string } {
  const host = controlAddress(node);
  return { host, port: RPC_PORT, url: `http://${host}:${RPC_PORT}/` };
}

function namespaceOf(node: number): string {
  return `n${node}`;
}

function controlAddress(node: number): string {
  return `10.79.${node}.2`;
}

function ip(lines: readonly string[], namespace?: string): void {
  const where = namespace === undefined ? [] : ['-n', namespace];
  execFileSync('ip', [...where, '-batch', '-'], { input: `${lines.join('\n')}\n`, stdio: ['pipe', 'pipe', 'pipe'] });
}
