import { setTimeout as sleep } from 'node:timers/promises';
import { type RawRecord, SERVICES, seenRecord, seenStatus } from './client.ts';
import type { Call, NodeView, SeenRecord, SeenStatus } from './history.ts';
import type { LabNode } from './lab-node.ts';
import { callNode, callNodeOften, type RpcCall } from './rpc.ts';

const POLL_MS = 200;
const ANSWER_MS = 5_000;
/** Blocks come with certificates of several kilobytes. */
const BATCH = 20;
const PAGE = 500;

/** Why the nodes cannot be compared yet. */
class NotYet extends Error {}

interface Wanted {
  /** Transactions whose status is asked for. */
  readonly txIds: readonly string[];
  /** Those that have to be final at a node. */
  readonly promised: ReadonlyMap<number, ReadonlySet<string>>;
}

/**
 * Waits until every node is in sync, has answered for everything, and calls final what it acknowledged; then reads all of it from each.
 *
 * @param excused see `checkHistory`: such promises are not waited for
 * @returns what the nodes show up to one height, or why they have not come to rest in time
 */
export async function readFinalViews(
  nodes: readonly LabNode[],
  {
    calls,
    excused,
    timeoutMs,
  }: { readonly calls: readonly Call[]; readonly excused: (node: number, storeLife: number) => boolean; readonly timeoutMs: number },
): Promise<{ readonly views: readonly NodeView[] } | { readonly problem: string }> {
  const wanted = wantedOf(calls, excused);
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    try {
      // Heights after promises: whatever ended with a block is below the height that is asked for.
      await Promise.all(nodes.map((node) => checkPromises(node, wanted)));
      const heights = await Promise.all(nodes.map(heightOf));
      const height = Math.max(...heights);
      const behind = nodes.find((_, index) => (heights[index] as number) < height);
      if (behind !== undefined) throw new NotYet(`node ${behind.index} is not at height ${height} yet`);
      return { views: await Promise.all(nodes.map((node) => viewOf(node, height, wanted))) };
    } catch (error) {
      if (!(error instanceof NotYet)) throw error;
      if (performance.now() > deadline) return { problem: error.message };
      await sleep(POLL_MS);
    }
  }
}

function wantedOf(calls: readonly Call[], excused: (node: number, storeLife: number) => boolean): Wanted {
  const txIds = new Set<string>();
  const promised = new Map<number, Set<string>>();
  for (const { node, storeLife, ...call } of calls) {
    if (call.kind === 'status') txIds.add(call.txId);
    if (call.kind !== 'write' || !('txId' in call.answer)) continue;
    txIds.add(call.answer.txId);
    const atNode = promised.get(node) ?? new Set();
    promised.set(node, atNode);
    if (!excused(node, storeLife)) atNode.add(call.answer.txId);
  }
  return { txIds: [...txIds], promised };
}

async function heightOf(node: LabNode): Promise<number> {
  const { chains, networkState } = (await ask(node, 'node_status', {})) as {
    readonly chains: readonly { readonly height: number }[];
    readonly networkState: { readonly state: string; readonly reason: string | null };
  };
  if (networkState.state !== 'NORMAL') throw new NotYet(`node ${node.index} is ${networkState.state}: ${networkState.reason}`);
  return chains[0]?.height ?? 0;
}

async function checkPromises(node: LabNode, { promised }: Wanted): Promise<void> {
  const txIds = [...(promised.get(node.index) ?? [])];
  const statuses = await askOften<SeenStatus>(
    node,
    txIds.map((txId) => ({ method: 'tx_get', params: { txId } })),
  );
  const open = txIds.filter((_, index) => statuses[index]?.status === 'admitted');
  if (open.length > 0) throw new NotYet(`at node ${node.index} ${open.length} acknowledged transactions are not final, first ${open[0]}`);
}

async function viewOf(node: LabNode, height: number, { txIds }: Wanted): Promise<NodeView> {
  const heights = Array.from({ length: height }, (_, index) => index + 1);
  const blocks = await askOften<{ readonly hash: string; readonly transactions: readonly string[] }>(
    node,
    heights.map((each) => ({ method: 'block_get', params: { chain: 0, height: each } })),
  );
  const records = new Map<string, SeenRecord[]>();
  for (const service of SERVICES)
    records.set(
      service,
      (await recordsOf(node, service)).filter((record) => record.height <= height),
    );
  const statuses = await askOften<SeenStatus>(
    node,
    txIds.map((txId) => ({ method: 'tx_get', params: { txId } })),
  );
  const { offences } = (await ask(node, 'evidence_list', {})) as { readonly offences: readonly unknown[] };
  return {
    node: node.index,
    blocks: blocks.map(({ hash, transactions }) => ({ hash, transactions })),
    records,
    statuses: new Map(txIds.map((txId, index) => [txId, seenStatus(statuses[index] as SeenStatus)])),
    offences: offences.length,
  };
}

async function recordsOf(node: LabNode, service: string): Promise<SeenRecord[]> {
  const records: SeenRecord[] = [];
  for (let fromIndex: number | null = 0; fromIndex !== null; ) {
    const page = (await ask(node, 'record_list', { service, fromIndex, limit: PAGE })) as {
      readonly records: readonly RawRecord[];
      readonly nextIndex: number | null;
    };
    records.push(...page.records.map(seenRecord));
    fromIndex = page.nextIndex;
  }
  return records;
}

async function ask(node: LabNode, method: string, params: Readonly<Record<string, unknown>>): Promise<unknown> {
  const answer = await callNode(node.url, { method, params }, ANSWER_MS);
  if (answer.ok) return answer.result;
  throw new NotYet(`node ${node.index} does not answer ${method}: ${answer.code ?? ''} ${answer.message}`);
}

async function askOften<Result>(node: LabNode, calls: readonly RpcCall[]): Promise<Result[]> {
  const results: Result[] = [];
  for (let from = 0; from < calls.length; from += BATCH) {
    const batch = calls.slice(from, from + BATCH);
    for (const [index, answer] of (await callNodeOften(node.url, batch, ANSWER_MS)).entries()) {
      if (!answer.ok)
        throw new NotYet(`node ${node.index} does not answer ${JSON.stringify(batch[index])}: ${answer.code ?? ''} ${answer.message}`);
      results.push(answer.result as Result);
    }
  }
  return results;
}
