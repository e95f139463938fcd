import { formatAddress } from '@nacre/crypto';
import type { Genesis, GenesisValidator } from '@nacre/ledger';
import { readBannedPeers, writeBannedPeers } from '../banned-peers.ts';
import { homePaths } from '../home.ts';
import { askLine } from '../line-socket.ts';
import type { TestnetNode } from '../new-testnet.ts';
import { NodeError } from '../node-error.ts';
import type { TestnetFiles } from './testnet-files.ts';

const ADMIN_ANSWER_MS = 5_000;

/**
 * Reads sides such as `0,1|2,3`.
 *
 * @throws {NodeError} `ARGUMENT_INVALID` unless there are two sides or more and each node stands on one at most
 */
export function parseSides(text: string, nodes: number): number[][] {
  const sides = text
    .split('|')
    .map((side) => side.split(',').map((index) => (/^\d{1,3}$/.test(index.trim()) ? Number(index) : Number.NaN)));
  const all = sides.flat();
  const known = all.every((index) => index >= 0 && index < nodes);
  if (sides.length >= 2 && known && new Set(all).size === all.length) return sides;
  throw new NodeError('ARGUMENT_INVALID', `${JSON.stringify(text)} does not name two sides or more of nodes 0 to ${nodes - 1}`, {
    fields: { argument: 'sides', value: text },
    hint: "For example: scripts/testnet partition '0,1|2,3'. The quotes keep the shell from reading the bar.",
  });
}

/** Cuts every connection between the sides, in both directions; nodes on no side keep all of theirs. */
export async function partition(sides: readonly (readonly number[])[], files: TestnetFiles, genesis: Genesis): Promise<void> {
  const changes = sides.flatMap((side) => {
    const others = sides.filter((other) => other !== side).flat();
    return side.map((node) => ({ node, peers: others }));
  });
  // A node that is frozen would be left out, and half a cut is worse than none.
  await Promise.all(changes.map(({ node }) => unlessStopped(askLine(adminSocketOf(files, node), 'peers.list', {}, ADMIN_ANSWER_MS))));
  await Promise.all(changes.map(({ node, peers }) => change('ban', { node, peers }, files, genesis)));
}

/** Lets every node connect to every other again. */
export async function heal(files: TestnetFiles, genesis: Genesis): Promise<void> {
  const indexes = files.nodes.map(({ index }) => index);
  await Promise.all(indexes.map((node) => change('allow', { node, peers: indexes.filter((peer) => peer !== node) }, files, genesis)));
}

async function change(
  kind: 'ban' | 'allow',
  { node, peers }: { readonly node: number; readonly peers: readonly number[] },
  files: TestnetFiles,
  genesis: Genesis,
): Promise<void> {
  const { bannedPeers } = homePaths((files.nodes[node] as TestnetNode).home);
  const addresses = peers.map((peer) => formatAddress((genesis.validators[peer] as GenesisValidator).address));
  const asked = async () => {
    for (const peer of addresses) await askLine(adminSocketOf(files, node), `peers.${kind}`, { peer }, ADMIN_ANSWER_MS);
  };
  if (await unlessStopped(asked())) return;
  // A node that does not run reads the list when it starts.
  const others = (await readBannedPeers(bannedPeers)).filter((peer) => !addresses.includes(peer));
  await writeBannedPeers(bannedPeers, kind === 'ban' ? [...others, ...addresses] : others);
}

function adminSocketOf(files: TestnetFiles, node: number): string {
  return homePaths((files.nodes[node] as TestnetNode).home).adminSocket;
}

/** @returns whether the node was there to be asked */
async function unlessStopped(asked: Promise<unknown>): Promise<boolean> {
  try {
    await asked;
    return true;
  } catch (error) {
    if (error instanceof NodeError && isNotRunning(error.cause)) return false;
    throw error;
  }
}

function isNotRunning(cause: unknown): boolean {
  return cause instanceof Error && 'code' in cause && (cause.code === 'ENOENT' || cause.code === 'ECONNREFUSED');
}
