import type { Call, NodeView, Report, SeenRecord, WriteCall } from '../history.ts';

/** All attempts of a client to write one thing. */
interface Write {
  readonly service: string;
  readonly key: string;
  readonly name: string;
  readonly attempts: WriteCall[];
}

/**
 * Committed writes are there exactly once and where the answer said, all others at most once; nothing is there that nobody wrote or that was
 * refused; and what was sent when another one was known to be committed comes after it. What was only admitted: see {@link checkStatuses}.
 *
 * @param truth what one node shows, after all were found to show the same
 */
export function checkWrites(calls: readonly Call[], truth: NodeView, report: Report): void {
  const writes = new Map<string, Write>();
  for (const call of calls) {
    if (call.kind !== 'write') continue;
    const { service, key, name } = call;
    const write = writes.get(name) ?? { service, key, name, attempts: [] };
    write.attempts.push(call);
    writes.set(name, write);
  }
  const found = new Map<string, SeenRecord>();
  for (const [service, records] of truth.records) {
    for (const record of records) {
      const earlier = found.get(record.name);
      if (earlier !== undefined) report('DOUBLED', `${record.name} is record ${earlier.index} and record ${record.index} of ${service}`);
      found.set(record.name, record);
      const write = writes.get(record.name);
      if (write === undefined) report('INVENTED', `nobody wrote ${record.name}, record ${record.index} of ${service}`);
      else if (write.service !== service || write.key !== record.key)
        report('INVENTED', `${record.name} was written to ${write.service} under ${write.key}, and is in ${service} under ${record.key}`);
    }
    checkOrder(records, writes, report);
  }
  for (const write of writes.values()) checkWrite(write, { record: found.get(write.name), truth }, report);
}

function checkWrite(
  { name, attempts }: Write,
  { record, truth }: { readonly record: SeenRecord | undefined; readonly truth: NodeView },
  report: Report,
): void {
  for (const { answer, node } of attempts) {
    if (answer.kind === 'committed') {
      if (record === undefined) report('LOST', `node ${node} committed ${name} in block ${answer.height}, and it is not there`);
      else if (record.txId !== answer.txId || truth.blocks[answer.height - 1]?.transactions[answer.index] !== answer.txId)
        report('STATUS', `node ${node} committed ${name} at ${answer.height}/${answer.index}, where it is not`);
    } else if (record !== undefined && (answer.kind === 'failed' || answer.kind === 'expired')) {
      report('STATUS', `node ${node} said that ${name} had ${answer.kind}, and it is record ${record.index}`);
    }
  }
  if (record !== undefined && attempts.every(({ answer }) => answer.kind === 'refused'))
    report('INVENTED', `${name} was refused (${attempts.map(({ node }) => node).join(', ')}), and it is record ${record.index}`);
}

/** Whatever comes later in the log had not been committed yet when an earlier one was sent. */
function checkOrder(records: readonly SeenRecord[], writes: ReadonlyMap<string, Write>, report: Report): void {
  let earliest: { readonly name: string; readonly committedMs: number } | null = null;
  for (const { name } of records.toReversed()) {
    const attempts = writes.get(name)?.attempts ?? [];
    const sentMs = Math.min(...attempts.map((attempt) => attempt.sentMs));
    if (earliest !== null && earliest.committedMs < sentMs)
      report(
        'ORDER',
        `${name} was sent at ${sentMs} ms, after ${earliest.name} had been committed at ${earliest.committedMs} ms, and stands before it`,
      );
    const committedMs = Math.min(...attempts.filter(({ answer }) => answer.kind === 'committed').map(({ answeredMs }) => answeredMs));
    if (committedMs < (earliest?.committedMs ?? Infinity)) earliest = { name, committedMs };
  }
}
