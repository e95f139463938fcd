import { toHex } from '@nacre/base';
import { LedgerError, type ServiceRecord } from '@nacre/ledger';
import type { SubmissionStatus } from '@nacre/replica';
import type { ChainChecker } from './chain-checker.ts';
import type { Acknowledgement, ClientCall, ClientHistory } from './client-history.ts';
import type { ClusterReplica } from './cluster-replica.ts';
import type { Report } from './violation.ts';

/** Records asked for at once. */
const RECORDS_PAGE = 100;
export interface FinalState {
  /** In the order of the nodes, each of the process that runs now; null for Byzantine nodes, whose word counts for nothing. */
  readonly replicas: readonly (ClusterReplica | null)[];
  /** Which of its processes a node runs now. */
  readonly generations: readonly number[];
  readonly chain: ChainChecker;
  readonly history: ClientHistory;
  /** Services whose records are compared. */
  readonly services: readonly string[];
  /** The highest block when the faults ended. */
  readonly calmHeight: number;
}

/** Blocks that every replica has to decide after the faults have ended, where the chain does not come to rest. */
const CALM_HEIGHTS = 3;

type Tip = ClusterReplica['ledger']['tip'];

function honest(replicas: FinalState['replicas']): ClusterReplica[] {
  return replicas.filter((replica) => replica !== null);
}

const isFinal = ({ status }: SubmissionStatus): boolean => status === 'committed' || status === 'failed' || status === 'expired';

/** Whether the node that acknowledged it says how it ended, or has a right not to know. */
function isEnded({ replicas, chain }: FinalState, { node, id, txId, validUntilMs }: Acknowledgement): boolean {
  const told = (replicas[node] as ClusterReplica).transactionStatus(id);
  return isFinal(told) || (told.status === 'unknown' && chain.mayHaveForgotten(node, txId, validUntilMs));
}

/**
 * Whether every call is answered, every acknowledged transaction is final where it was acknowledged, and every replica is at
 * one block; or, on a chain that never rests, well beyond where the faults left it.
 */
export function isSettled(state: FinalState): boolean {
  const { replicas, history, calmHeight } = state;
  if (openCalls(state).length > 0) return false;
  const tips = honest(replicas).map(({ ledger }) => ledger.tip);
  const isAtRest = tips.every(({ blockHash }) => toHex(blockHash) === toHex((tips[0] as Tip).blockHash));
  if (!isAtRest && tips.some(({ height }) => height < calmHeight + CALM_HEIGHTS)) return false;
  return history.acknowledgements.every((acknowledgement) => isEnded(state, acknowledgement));
}

/** Says why a run did not settle in time. */
export function checkSettled(state: FinalState, report: Report): void {
  const [call] = openCalls(state);
  if (call === undefined) report('PROGRESS', describeUnsettled(state));
  else report('UNANSWERED', `node ${call.node} has not answered the submission of ${call.txId} at ${Math.round(call.sentAtMs)} ms`);
}

/** Compares what the replicas tell with one another, with the chain, and with what clients were told. */
export async function checkFinalState(state: FinalState, report: Report): Promise<void> {
  checkAcknowledgements(state, report);
  checkStatuses(state, report);
  await checkRecords(state, report);
}

/** Calls without an answer to processes that still run. */
function openCalls({ history, generations }: FinalState): ClientCall[] {
  return history.calls.filter(({ answer, node, generation }) => answer === null && generations[node] === generation);
}

/** What is not settled yet, for the report of a run that did not get there. */
function describeUnsettled(state: FinalState): string {
  const { replicas, history } = state;
  const tips = replicas
    .map((replica, node) =>
      replica === null ? '' : `${node} at ${replica.ledger.tip.height} ${toHex(replica.ledger.tip.blockHash).slice(0, 8)}`,
    )
    .filter((text) => text !== '')
    .join(', ');
  const open = history.acknowledgements.filter((acknowledgement) => !isEnded(state, acknowledgement));
  const names = open.slice(0, 3).map(({ node, txId }) => `${txId.slice(0, 16)} at node ${node}`);
  return `${tips}; ${open.length} acknowledged transactions are not final${names.length > 0 ? `: ${names.join(', ')}` : ''}`;
}

/** Nothing that a client was promised is lost: where it was acknowledged, each transaction has an end. */
function checkAcknowledgements({ replicas, chain, history }: FinalState, report: Report): void {
  for (const { node, id, txId, validUntilMs } of history.acknowledgements) {
    const { status } = (replicas[node] as ClusterReplica).transactionStatus(id);
    if (status === 'unknown' && !chain.mayHaveForgotten(node, txId, validUntilMs))
      report('LOST', `node ${node} acknowledged ${txId} and does not know it`);
  }
}

/** All replicas tell the same end of each transaction, and the chain agrees. */
function checkStatuses({ replicas, chain, history }: FinalState, report: Report): void {
  for (const [txId, { id, validUntilMs }] of history.transactions) {
    const height = chain.heightOf(txId);
    const includedMs = height === undefined ? undefined : chain.timeMsOf(height);
    if (includedMs !== undefined && includedMs > validUntilMs)
      report('STATUS', `block ${height} of ${includedMs} holds ${txId} past its time ${validUntilMs}`);
    const outcomes = new Set<string>();
    for (const [node, replica] of replicas.entries()) {
      if (replica === null) continue;
      const found = replica.transactionStatus(id);
      if (found.status === 'committed' || found.status === 'failed') {
        outcomes.add(found.status === 'failed' ? `failed ${JSON.stringify(found.reason)}` : found.status);
        if (found.height !== height)
          report('STATUS', `node ${node} has ${txId} ${found.status} at ${found.height}, the chain at ${height}`);
      } else if (
        height !== undefined &&
        height <= replica.ledger.tip.height &&
        !(found.status === 'unknown' && height <= chain.leaptTo(node))
      ) {
        report('STATUS', `node ${node} has ${txId} as ${found.status}, the chain holds it at ${height}`);
      }
      if (found.status === 'expired' && (found.timeMs <= validUntilMs || found.timeMs !== chain.timeMsOf(found.height))) {
        report('STATUS', `node ${node} has ${txId} expired at ${found.height} of ${found.timeMs}, its time is ${validUntilMs}`);
      }
    }
    if (outcomes.size > 1) report('STATUS', `replicas differ about ${txId}: ${[...outcomes].join(' and ')}`);
  }
}

interface Shown {
  readonly node: number;
  /** Records by their index, the newest first. */
  readonly lines: ReadonlyMap<number, string>;
  /** Height of the first block of which the node has to show the records. */
  readonly firstHeight: number;
}

/** Equal chains show equal records, as far as each node has their blocks; a longer one shows more. */
async function checkRecords({ replicas, services }: FinalState, report: Report): Promise<void> {
  const followed = [...replicas.entries()].flatMap(([node, replica]) => (replica === null ? [] : [{ node, replica }]));
  for (const service of services) {
    const before = followed.map(({ replica }) => replica.ledger.tip.height);
    const seen = await Promise.all(followed.map(({ node, replica }) => recordsOf(node, replica, service)));
    const resting = followed.every(({ replica }, i) => replica.ledger.tip.height === before[i] && before[i] === before[0]);
    const [fullest] = seen.toSorted((a, b) => b.lines.size - a.lines.size);
    for (const one of seen) {
      if (fullest === undefined || isPartOf(one, fullest, resting)) continue;
      report('RECORDS', `nodes ${fullest.node} and ${one.node} show different records of ${service}`);
    }
  }
}

function isPartOf({ lines, firstHeight }: Shown, fullest: Shown, resting: boolean): boolean {
  for (const [index, line] of lines) {
    const other = fullest.lines.get(index);
    if (other !== line && (other !== undefined || resting)) return false;
  }
  const due = [...fullest.lines].filter(([, line]) => (JSON.parse(line) as ServiceRecord).height >= firstHeight);
  return !resting || due.every(([index]) => lines.has(index));
}

async function recordsOf(node: number, { ledger }: ClusterReplica, service: string): Promise<Shown> {
  const lines = new Map<number, string>();
  // From the newest on: whoever prunes ends where its blocks end.
  for (let fromIndex: number | undefined; ; ) {
    const page = await ledger
      .records({ service, limit: RECORDS_PAGE, order: 'descending', ...(fromIndex === undefined ? {} : { fromIndex }) })
      .catch((error: unknown) => {
        if (error instanceof LedgerError && error.code === 'RECORD_PRUNED') return null;
        throw error;
      });
    for (const record of page?.records ?? [])
      lines.set(
        record.index,
        JSON.stringify(record, (_, value: unknown) => (value instanceof Uint8Array ? toHex(value) : value)),
      );
    if (page === null || page.nextIndex === null) return { node, lines, firstHeight: ledger.firstHeight };
    fromIndex = page.nextIndex;
  }
}
