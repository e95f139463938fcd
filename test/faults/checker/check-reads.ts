import type { Call, LatestCall, ListCall, NodeView, Report, SeenRecord } from '../history.ts';

/** What a client knows that a node has shown: records of a service, the latest place of a key, a height. */
interface Glimpse {
  readonly what: string;
  readonly sentMs: number;
  readonly answeredMs: number;
  /** At least so much. */
  readonly amount: number;
  /** Whether it was all that there was; a floor says nothing about what came later. */
  readonly isExact: boolean;
}

/** Reads show what is in the log, leave out nothing below their height, and at one node never less than before, what was committed there included. */
export function checkReads(calls: readonly Call[], truth: NodeView, report: Report): void {
  const glimpses = new Map<string, Glimpse[]>();
  const note = ({ node, storeLife, sentMs, answeredMs }: Call, what: string, amount: number, isExact: boolean): void => {
    const place = `${what} at node ${node}, store ${storeLife}`;
    const seen = glimpses.get(place) ?? [];
    seen.push({ what: place, sentMs, answeredMs, amount, isExact });
    glimpses.set(place, seen);
  };
  const indexOf = new Map(
    [...truth.records].flatMap(([service, records]) => records.map(({ name, index }) => [`${service} ${name}`, index] as const)),
  );
  for (const call of calls) {
    if (call.kind === 'list' && call.answer !== null) {
      const { service, fromIndex, answer } = call;
      checkList(call, truth, report);
      // A page from beyond the end shows nothing, and so not how many there are.
      const isExact = answer.isWhole && (answer.records.length > 0 || fromIndex === 0);
      note(call, `records of ${service}`, answer.records.length > 0 ? fromIndex + answer.records.length : 0, isExact);
    } else if (call.kind === 'latest' && call.answer !== null) {
      const { service, key, answer } = call;
      checkLatest(call, truth, report);
      note(call, 'height', answer.height, true);
      note(call, `latest of ${key} in ${service}`, answer.record === null ? -1 : answer.record.index, true);
    } else if (call.kind === 'write' && call.answer.kind === 'committed') {
      const index = indexOf.get(`${call.service} ${call.name}`);
      note(call, 'height', call.answer.height, false);
      if (index === undefined) continue;
      note(call, `records of ${call.service}`, index + 1, false);
      note(call, `latest of ${call.key} in ${call.service}`, index, false);
    }
  }
  for (const seen of glimpses.values()) checkForward(seen, report);
}

function checkList({ node, service, fromIndex, answer }: ListCall, truth: NodeView, report: Report): void {
  for (const [offset, record] of (answer?.records ?? []).entries()) {
    const there = truth.records.get(service)?.[fromIndex + offset];
    if (there !== undefined && isSame(record, there) && record.index === fromIndex + offset) continue;
    report(
      'READ',
      `node ${node} showed ${record.name} as record ${record.index} of ${service}; record ${fromIndex + offset} is ${there?.name ?? 'none'}`,
    );
    return;
  }
}

function checkLatest({ node, service, key, answer }: LatestCall, truth: NodeView, report: Report): void {
  if (answer === null) return;
  const { record, height } = answer;
  const all = (truth.records.get(service) ?? []).filter((each) => each.key === key);
  const shown = `node ${node} showed ${record?.name ?? 'nothing'} as the latest of ${key} in ${service} at height ${height}`;
  if (record !== null && !all.some((each) => isSame(each, record))) report('READ', `${shown}, which is not there`);
  // It may be newer than the height says, but nothing below that height may be missing.
  const missed = all.find((each) => each.index > (record?.index ?? -1) && each.height <= height);
  if (missed !== undefined) report('READ', `${shown}; ${missed.name} of height ${missed.height} came after it`);
}

/** Whoever asks after an answer has come sees at least as much as that one showed. */
function checkForward(seen: Glimpse[], report: Report): void {
  const byAnswer = [...seen].sort((a, b) => a.answeredMs - b.answeredMs);
  const bySending = [...seen].sort((a, b) => a.sentMs - b.sentMs);
  let most: Glimpse | null = null;
  let next = 0;
  for (const glimpse of bySending) {
    for (let answered = byAnswer[next]; answered !== undefined && answered.answeredMs <= glimpse.sentMs; answered = byAnswer[++next]) {
      if (most === null || answered.amount > most.amount) most = answered;
    }
    if (!glimpse.isExact || most === null || glimpse.amount >= most.amount) continue;
    report('BACKWARD', `${glimpse.what}: ${most.amount} at ${most.answeredMs} ms, and ${glimpse.amount} asked for at ${glimpse.sentMs} ms`);
    return;
  }
}

function isSame(one: SeenRecord, other: SeenRecord): boolean {
  return (
    one.index === other.index && one.txId === other.txId && one.height === other.height && one.key === other.key && one.name === other.name
  );
}
