import type { NodeView, Report, SeenRecord } from '../history.ts';

/** All nodes have the same blocks, with the same transactions in the same order, and show the same records, none of a block that is not there. */
export function checkAgreement(views: readonly NodeView[], report: Report): void {
  const [first, ...others] = views;
  if (first === undefined) return report('PROGRESS', 'no node shows anything');
  for (const other of others) {
    compareBlocks(first, other, report);
    for (const service of new Set([...first.records.keys(), ...other.records.keys()])) {
      const lines = [first, other].map(({ records }) => (records.get(service) ?? []).map(lineOf));
      const differs = lines[0]?.findIndex((line, index) => line !== lines[1]?.[index]) ?? -1;
      const at = differs >= 0 ? differs : lines[0]?.length === lines[1]?.length ? null : Math.min(...lines.map(({ length }) => length));
      if (at === null) continue;
      report(
        'AGREEMENT',
        `record ${at} of ${service} is ${lines[0]?.[at]} at node ${first.node} and ${lines[1]?.[at]} at node ${other.node}`,
      );
    }
  }
  for (const { offences, node } of views) if (offences > 0) report('ACCUSED', `node ${node} holds ${offences} proven double signatures`);
  checkPlaces(first, report);
}

function compareBlocks(one: NodeView, other: NodeView, report: Report): void {
  const heights = Math.max(one.blocks.length, other.blocks.length);
  for (let height = 1; height <= heights; height++) {
    const [here, there] = [one, other].map(({ blocks }) => JSON.stringify(blocks[height - 1]));
    if (here === there) continue;
    report('AGREEMENT', `block ${height} is ${here} at node ${one.node} and ${there} at node ${other.node}`);
    return;
  }
}

/** Each record is of a transaction of its block; no transaction is in two blocks. */
function checkPlaces({ blocks, records }: NodeView, report: Report): void {
  const heights = new Map<string, number>();
  for (const [index, { transactions }] of blocks.entries()) {
    for (const txId of transactions) {
      const before = heights.get(txId);
      if (before !== undefined) report('DOUBLED', `transaction ${txId} is in block ${before} and in block ${index + 1}`);
      heights.set(txId, index + 1);
    }
  }
  for (const [service, list] of records) {
    for (const record of list) {
      if (heights.get(record.txId) === record.height) continue;
      report('AGREEMENT', `record ${lineOf(record)} of ${service} is of a transaction in block ${heights.get(record.txId) ?? 'none'}`);
    }
    const misplaced = list.find(({ index }, at) => index !== at);
    if (misplaced !== undefined) report('AGREEMENT', `record ${lineOf(misplaced)} of ${service} is out of its place`);
  }
}

function lineOf({ index, height, key, name, txId }: SeenRecord): string {
  return `${index}: ${name} under ${key} by ${txId.slice(0, 16)} at ${height}`;
}
