import type { Call, NodeView, Report, SeenStatus } from '../history.ts';

/** A node's store was damaged after this life of it: what only that node knew may be gone. */
export type Excused = (node: number, storeLife: number) => boolean;

interface Said {
  readonly node: number;
  readonly status: SeenStatus;
}

/**
 * What a node ever said to be final is true and stays so, at every node; whoever acknowledged a transaction knows it.
 *
 * @param views what each node says at the end
 */
export function checkStatuses(
  calls: readonly Call[],
  { views, excused }: { readonly views: readonly NodeView[]; readonly excused: Excused },
  report: Report,
): void {
  const [truth] = views;
  if (truth === undefined) return;
  const said = new Map<string, Said[]>();
  const hear = (txId: string, each: Said): void => {
    const all = said.get(txId) ?? [];
    all.push(each);
    said.set(txId, all);
  };
  const validUntilMs = new Map<string, number>();
  for (const call of calls) {
    const { node } = call;
    if (call.kind === 'status' && call.answer !== null) hear(call.txId, { node, status: call.answer });
    if (call.kind === 'write' && 'validUntilMs' in call.answer) validUntilMs.set(call.answer.txId, call.answer.validUntilMs);
  }
  for (const { node, statuses } of views) for (const [txId, status] of statuses) hear(txId, { node, status });
  const places = new Map<string, string>();
  for (const [index, { transactions }] of truth.blocks.entries()) {
    for (const [at, txId] of transactions.entries()) places.set(txId, `${index + 1}/${at}`);
  }
  const recorded = new Set([...truth.records.values()].flatMap((records) => records.map(({ txId }) => txId)));
  for (const [txId, all] of said) {
    for (const { node, status } of all) {
      const problem = whyFalse(status, {
        place: places.get(txId),
        isRecorded: recorded.has(txId),
        validUntilMs: validUntilMs.get(txId),
        heights: truth.blocks.length,
      });
      if (problem !== null) report('STATUS', `node ${node} said that ${txId} is ${JSON.stringify(status)}: ${problem}`);
    }
  }
  checkKnown(calls, { views, excused }, report);
}

interface Facts {
  /** Height and index within the block; undefined where no block holds it. */
  readonly place: string | undefined;
  readonly isRecorded: boolean;
  readonly validUntilMs: number | undefined;
  /** Blocks that are known. */
  readonly heights: number;
}

function whyFalse(status: SeenStatus, { place, isRecorded, validUntilMs, heights }: Facts): string | null {
  switch (status.status) {
    case 'admitted':
    case 'unknown':
      return null;
    case 'committed':
    case 'failed': {
      // Of what was decided since nobody was asked.
      if (status.height > heights) return null;
      if (place !== `${status.height}/${status.index}`) return `the chain holds it at ${place ?? 'no height'}`;
      if (isRecorded !== (status.status === 'committed')) return isRecorded ? 'its record is there' : 'its record is not there';
      return null;
    }
    case 'expired':
      if (place !== undefined) return `the chain holds it at ${place}`;
      if (validUntilMs !== undefined && status.timeMs <= validUntilMs) return `its time was ${validUntilMs}`;
      return null;
  }
}

/** At the end each acknowledged transaction is final where it was acknowledged, and wherever the chain is that holds it. */
function checkKnown(
  calls: readonly Call[],
  { views, excused }: { readonly views: readonly NodeView[]; readonly excused: Excused },
  report: Report,
): void {
  const chain = new Set(views[0]?.blocks.flatMap(({ transactions }) => transactions));
  for (const call of calls) {
    if (call.kind !== 'write' || (call.answer.kind !== 'admitted' && call.answer.kind !== 'committed')) continue;
    const { txId } = call.answer;
    for (const { node, statuses } of views) {
      const status = statuses.get(txId)?.status ?? 'unknown';
      if (chain.has(txId)) {
        if (status !== 'committed' && status !== 'failed')
          report('STATUS', `node ${node} has ${txId} of ${call.name} as ${status}, and the chain holds it`);
      } else if (node === call.node && status !== 'expired' && !excused(node, call.storeLife)) {
        report('LOST', `node ${node} acknowledged ${txId} of ${call.name}, which is ${status} there and in no block`);
      }
    }
  }
}
