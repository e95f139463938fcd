import type { HealthAnswer } from '@nacre/client';
import type { Command } from 'commander';
import { homePaths } from '../../home.ts';
import { askLine } from '../../line-socket.ts';
import { table } from '../command-io.ts';
import { describeSync } from '../describe-sync.ts';
import type { CommandContext } from '../program.ts';

/** Longest wait for a node's answer on its admin socket, in ms. */
const ADMIN_ANSWER_MS = 5_000;

interface Status {
  readonly nodeId: string;
  readonly address: string | null;
  readonly chainId: string;
  readonly networkState: { readonly state: string; readonly reason: string | null };
  readonly chains: readonly {
    chain: number;
    height: number;
    blockHash: string;
    timeMs: number;
    catchingUp: boolean;
    sync: HealthAnswer['sync'];
    validator: boolean;
  }[];
  readonly store: Store;
  readonly peers: number;
}

interface Store {
  readonly firstHeight: number;
  readonly damagesFound: number;
  readonly damagesMended: number;
  readonly damagesWaiting: number;
  readonly setAside: number;
}

interface Peer {
  readonly peerId: string;
  readonly address: string | null;
  readonly multiaddr: string;
  readonly direction: string;
  readonly security: { readonly protocol: string; readonly group: string };
  readonly latencyMs: number | null;
}

/** `status`, `tx`, `block`, `peers`: what a node knows. */
export function addQueryCommands(program: Command, context: CommandContext): void {
  program
    .command('status')
    .description('state, height and peers of a node')
    .action(async () => {
      const status = (await context.call('node_status')) as Status;
      context.print(status, () => describeStatus(status));
    });
  program
    .command('tx')
    .description('where a transaction stands')
    .argument('<txId>', 'its id, 64 hexadecimal digits')
    .action(async (txId: string) => {
      const found = (await context.call('tx_get', { txId })) as Readonly<Record<string, unknown>>;
      context.print(found, () => fieldLines(found));
    });
  program
    .command('block')
    .description('a decided block')
    .argument('[which]', 'height, hash or "latest"', 'latest')
    .action(async (which: string) => {
      const block = await context.call('block_get', {
        chain: 0,
        ...(/^[0-9a-f]{64}$/.test(which) ? { hash: which } : { height: heightOf(which) }),
      });
      context.print(block, () => [JSON.stringify(block, null, 2)]);
    });
  addPeerCommands(program, context);
}

function addPeerCommands(program: Command, context: CommandContext): void {
  const peers = program.command('peers').description('the connected peers of a node, and who may connect');
  peers
    .command('list')
    .description('connected peers and how the links are protected')
    .action(async () => {
      const found = (await context.call('net_peers')) as { readonly peers: readonly Peer[] };
      context.print(found, () =>
        table([
          ['peer', 'validator', 'direction', 'security', 'latency', 'multiaddr'],
          ...found.peers.map(({ peerId, address, direction, security, latencyMs, multiaddr }) => [
            peerId,
            address ?? '-',
            direction,
            `${security.protocol} ${security.group}`,
            latencyMs === null ? '-' : `${latencyMs.toFixed(1)} ms`,
            multiaddr,
          ]),
        ]),
      );
    });
  for (const [name, description] of [
    ['ban', 'close the connections of a peer and refuse new ones, also after a restart'],
    ['allow', 'take a peer off the list of the banned'],
  ] as const) {
    peers
      .command(name)
      .description(description)
      .argument('<peer>', 'peer id or validator address')
      .requiredOption('--home <dir>', 'home of the node, which must be running')
      .action(async (peer: string, { home }: { home: string }) => {
        const { adminSocket } = homePaths(home);
        await askLine(adminSocket, `peers.${name}`, { peer }, ADMIN_ANSWER_MS);
        const banned = (await askLine(adminSocket, 'peers.list', {}, ADMIN_ANSWER_MS)) as string[];
        context.print({ banned }, () => (banned.length === 0 ? ['nobody is banned'] : ['banned:', ...banned]));
      });
  }
}

function describeStatus({ nodeId, address, chainId, networkState, chains, store, peers }: Status): string[] {
  const { state, reason } = networkState;
  return [
    `network   ${chainId}`,
    `node      ${nodeId}`,
    `validator ${address ?? '- (follower)'}`,
    `state     ${state}${reason === null ? '' : `: ${reason}`}`,
    ...chains.map(({ chain, height, blockHash, timeMs, catchingUp, sync }) => {
      return `chain ${chain}   height ${height}, block ${blockHash}, ${new Date(timeMs).toISOString()}${catchingUp ? `, ${describeSync(sync)}` : ''}`;
    }),
    ...storeLines(store),
    `peers     ${peers}`,
  ];
}

/** Nothing of a store that holds everything and in which nothing was found. */
function storeLines({ firstHeight, damagesFound, damagesMended, damagesWaiting, setAside }: Store): string[] {
  const facts = [
    ...(firstHeight === 1 ? [] : [`blocks from ${firstHeight} on`]),
    ...(damagesFound === 0 ? [] : [`${damagesFound} damaged values found, ${damagesMended} mended, ${damagesWaiting} waiting for a peer`]),
    ...(setAside === 0 ? [] : [`damaged stores set aside: ${setAside}`]),
  ];
  return facts.length === 0 ? [] : [`store     ${facts.join('; ')}`];
}

function fieldLines(fields: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(fields).map(([name, value]) => `${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`);
}

/** What is neither a height nor "latest" is for the node to refuse. */
function heightOf(text: string): number | string {
  return /^\d{1,16}$/.test(text) ? Number(text) : text;
}
