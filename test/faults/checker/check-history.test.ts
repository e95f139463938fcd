import { expect, test } from 'vitest';
import type { Call, NodeView, SeenRecord, SeenStatus, ViolationCode, WriteAnswer, WriteCall } from '../history.ts';
import { checkHistory } from './check-history.ts';

const SERVICE = 's';
const KEY = 'k';
const NODES = [0, 1, 2, 3] as const;
const VALID_UNTIL_MS = 1_000;

/** Three writes decided one after the other, each in a block of its own, and what every node shows of them. */
function chain(names: readonly string[] = ['a', 'b', 'c']): { records: SeenRecord[]; views: NodeView[] } {
  const records = names.map((name, index) => ({ index, txId: `tx-${name}`, height: index + 1, key: KEY, name }));
  const blocks = names.map((name) => ({ hash: `hash-${name}`, transactions: [`tx-${name}`] }));
  const statuses = new Map<string, SeenStatus>(
    names.map((name, index) => [`tx-${name}`, { status: 'committed', height: index + 1, index: 0 }]),
  );
  const views = NODES.map((node) => ({ node, blocks, records: new Map([[SERVICE, records]]), statuses, offences: 0 }));
  return { records, views };
}

function write(name: string, answer: WriteAnswer, { sentMs = 0, answeredMs = 10, node = 0, storeLife = 0 } = {}): WriteCall {
  return { client: node, node, storeLife, sentMs, answeredMs, kind: 'write', service: SERVICE, key: KEY, name, answer };
}

const committed = (name: string, height: number): WriteAnswer => ({
  kind: 'committed',
  txId: `tx-${name}`,
  validUntilMs: VALID_UNTIL_MS,
  height,
  index: 0,
});
const admitted = (name: string): WriteAnswer => ({ kind: 'admitted', txId: `tx-${name}`, validUntilMs: VALID_UNTIL_MS });
const unknown: WriteAnswer = { kind: 'unknown', why: 'fetch failed' };

const history = (): WriteCall[] => [
  write('a', committed('a', 1), { sentMs: 0, answeredMs: 10 }),
  write('b', admitted('b'), { sentMs: 20, answeredMs: 25, node: 1 }),
  write('c', committed('c', 3), { sentMs: 30, answeredMs: 40 }),
];

const common = { client: 0, node: 0, storeLife: 0 };
const list = (records: readonly SeenRecord[], { sentMs = 50, fromIndex = 0, node = 0, storeLife = 0 } = {}): Call => ({
  ...{ client: node, node, storeLife, sentMs, answeredMs: sentMs + 5, kind: 'list', service: SERVICE, fromIndex },
  answer: { records, isWhole: true },
});
const latest = (record: SeenRecord | null, height: number, sentMs = 50): Call => ({
  ...{ ...common, sentMs, answeredMs: sentMs + 5, kind: 'latest', service: SERVICE, key: KEY },
  answer: { record, height },
});
const status = (txId: string, answer: SeenStatus): Call => ({ ...common, sentMs: 60, answeredMs: 65, kind: 'status', txId, answer });

const changed = (view: NodeView, change: Partial<NodeView>): NodeView => ({ ...view, ...change });

function found(
  calls: readonly Call[],
  views: readonly NodeView[],
  excused = (_node: number, _storeLife: number): boolean => false,
): ViolationCode[] {
  return [...new Set(checkHistory(calls, views, excused).map(({ code }) => code))];
}

test('a history in which all is well has nothing to report', () => {
  const { records, views } = chain();
  const calls = [
    ...history(),
    list(records),
    latest(records[2] as SeenRecord, 3),
    status('tx-b', { status: 'committed', height: 2, index: 0 }),
  ];
  expect(found(calls, views)).toEqual([]);
});

// @mutation test/faults/checker/check-writes.ts
// - if (record === undefined) report('LOST',
// + if (record === null) report('LOST',
test('a committed write that is not there is lost', () => {
  const { views } = chain(['a', 'b']);
  expect(found(history(), views)).toContain('LOST');
});

// @mutation test/faults/checker/check-statuses.ts
// - } else if (node === call.node && status !== 'expired' && !excused(node, call.storeLife)) {
// + } else if (node === call.node && status === 'admitted' && !excused(node, call.storeLife)) {
test('an acknowledged write that its node has forgotten is lost', () => {
  const { views } = chain(['a']);
  const calls = [write('a', committed('a', 1)), write('b', admitted('b'), { node: 1 })];
  expect(found(calls, views)).toEqual(['LOST']);
});

// @mutation test/faults/checker/check-statuses.ts
// - if (chain.has(txId)) {
// + if (chain.size === 0) {
test('an acknowledged write is forgiven to a node whose store was damaged afterwards, but not once it is decided', () => {
  const without = chain(['a']).views;
  const excused = (node: number, storeLife: number): boolean => node === 1 && storeLife === 0;
  const acknowledged = write('b', admitted('b'), { node: 1 });
  expect(found([acknowledged], without, excused)).not.toContain('LOST');
  expect(found([write('b', admitted('b'), { node: 1, storeLife: 1 })], without, excused)).toContain('LOST');
  const { views } = chain(['b']);
  const forgetful = views.map((view) => (view.node === 1 ? changed(view, { statuses: new Map([['tx-b', { status: 'unknown' }]]) }) : view));
  expect(found([acknowledged], forgetful, excused)).toEqual(['STATUS']);
});

// @mutation test/faults/checker/check-writes.ts
// - if (earlier !== undefined) report('DOUBLED',
// + if (earlier === record) report('DOUBLED',
test('one write in two transactions is doubled', () => {
  const { views, records } = chain(['a', 'b']);
  const twice = [records[0] as SeenRecord, { ...(records[1] as SeenRecord), name: 'a' }];
  const doubled = views.map((view) => changed(view, { records: new Map([[SERVICE, twice]]) }));
  expect(found([write('a', unknown)], doubled)).toEqual(['DOUBLED']);
});

// @mutation test/faults/checker/check-agreement.ts
// - if (before !== undefined) report('DOUBLED',
// + if (before === 0) report('DOUBLED',
test('one transaction in two blocks is doubled', () => {
  const { views } = chain(['a', 'b']);
  const blocks = [...(views[0] as NodeView).blocks, { hash: 'again', transactions: ['tx-a'] }];
  expect(
    found(
      [write('a', unknown), write('b', unknown)],
      views.map((view) => changed(view, { blocks })),
    ),
  ).toContain('DOUBLED');
});

// @mutation test/faults/checker/check-writes.ts
// - if (earliest !== null && earliest.committedMs < sentMs)
// + if (earliest !== null && sentMs < earliest.committedMs)
test('what was sent after a commit does not stand before it', () => {
  const { views } = chain(['c', 'a']);
  const [a, , c] = [write('a', committed('a', 2), { answeredMs: 10 }), null, write('c', committed('c', 1), { sentMs: 30, answeredMs: 40 })];
  expect(found([a, c], views)).toEqual(['ORDER']);
});

test('writes under way at the same time may stand in any order', () => {
  const { views } = chain(['c', 'a']);
  const calls = [write('a', committed('a', 2), { answeredMs: 40 }), write('c', committed('c', 1), { sentMs: 30, answeredMs: 50 })];
  expect(found(calls, views)).toEqual([]);
});

// @mutation test/faults/checker/check-writes.ts
// - if (write === undefined) report('INVENTED',
// + if (write === null) report('INVENTED',
test('a record that nobody wrote is invented', () => {
  const { views } = chain(['a', 'x']);
  expect(found([write('a', committed('a', 1))], views)).toEqual(['INVENTED']);
});

// @mutation test/faults/checker/check-writes.ts
// - if (record !== undefined && attempts.every(({ answer }) => answer.kind === 'refused'))
// + if (record !== undefined && attempts.length === 0)
test('a write that was refused is not there, unless another attempt at it was not answered', () => {
  const { views } = chain(['a']);
  const refused = write('a', { kind: 'refused', code: 'MEMPOOL_FULL' });
  expect(found([refused], views)).toEqual(['INVENTED']);
  expect(found([write('a', unknown), refused], views)).toEqual([]);
});

// @mutation test/faults/checker/check-agreement.ts
// - if (here === there) continue;
// + if (height > 0) continue;
test('two blocks at one height are no agreement, and neither is a node that has one block less', () => {
  const { views } = chain();
  const forked = views.map((view) =>
    view.node === 2 ? changed(view, { blocks: view.blocks.map((block, at) => (at === 1 ? { ...block, hash: 'other' } : block)) }) : view,
  );
  expect(found(history(), forked)).toContain('AGREEMENT');
  const behind = views.map((view) => (view.node === 2 ? changed(view, { blocks: view.blocks.slice(0, 2) }) : view));
  expect(found(history(), behind)).toContain('AGREEMENT');
});

// @mutation test/faults/checker/check-agreement.ts
// - if (at === null) continue;
// + if (at === null || at >= 0) continue;
test('two orders of the same records are no agreement', () => {
  const { views, records } = chain();
  const [a, b, c] = records as [SeenRecord, SeenRecord, SeenRecord];
  const reordered = [a, { ...c, index: 1 }, { ...b, index: 2 }];
  const differing = views.map((view) => (view.node === 3 ? changed(view, { records: new Map([[SERVICE, reordered]]) }) : view));
  expect(found(history(), differing)).toContain('AGREEMENT');
});

// @mutation test/faults/checker/check-agreement.ts
// - if (heights.get(record.txId) === record.height) continue;
// + if (record.height > 0) continue;
test('a record is of a transaction of its block', () => {
  const { views, records } = chain(['a']);
  const moved = new Map([[SERVICE, records.map((record) => ({ ...record, txId: 'tx-of-nobody' }))]]);
  expect(
    found(
      [write('a', unknown)],
      views.map((view) => changed(view, { records: moved })),
    ),
  ).toContain('AGREEMENT');
});

// @mutation test/faults/checker/check-reads.ts
// - if (there !== undefined && isSame(record, there) && record.index === fromIndex + offset) continue;
// + if (record.index === fromIndex + offset) continue;
test('a page shows what is in the log at the end, and nothing else', () => {
  const { records, views } = chain();
  const [a, b] = records as [SeenRecord, SeenRecord];
  expect(found([...history(), list([a, { ...b, name: 'x' }, records[2] as SeenRecord])], views)).toEqual(['READ']);
});

// @mutation test/faults/checker/check-reads.ts
// - const missed = all.find((each) => each.index > (record?.index ?? -1) && each.height <= height);
// + const missed = all.find((each) => each.index > (record?.index ?? -1) && each.height < height);
test('the latest record as of a height is the latest one up to it', () => {
  const { records, views } = chain();
  expect(found([...history(), latest(records[1] as SeenRecord, 2, 22)], views)).toEqual([]);
  expect(found([...history(), latest(records[0] as SeenRecord, 2, 22)], views)).toEqual(['READ']);
});

// @mutation test/faults/checker/check-reads.ts
// - if (!glimpse.isExact || most === null || glimpse.amount >= most.amount) continue;
// + if (!glimpse.isExact || most === null || glimpse.amount >= 0) continue;
test('no client sees less at a node than it has seen there', () => {
  const { records, views } = chain();
  const shorter = records.slice(0, 2);
  expect(found([...history(), list(records, { node: 3 }), list(shorter, { node: 3, sentMs: 70 })], views)).toEqual(['BACKWARD']);
  // At another node, before the answer of the first, or in a store that had to be begun anew, it may.
  expect(found([...history(), list(records, { node: 3 }), list(shorter, { node: 2, sentMs: 70 })], views)).toEqual([]);
  expect(found([...history(), list(records, { node: 3 }), list(shorter, { node: 3, sentMs: 54 })], views)).toEqual([]);
  expect(found([...history(), list(records, { node: 3 }), list(shorter, { node: 3, sentMs: 70, storeLife: 1 })], views)).toEqual([]);
});

// @mutation test/faults/checker/check-reads.ts
// - note(call, `records of ${call.service}`, index + 1, false);
// + note(call, `records of ${call.service}`, 0, false);
test('whoever was told that a write is committed reads it at that node', () => {
  const { records, views } = chain();
  expect(found([...history(), list(records.slice(0, 2))], views)).toEqual(['BACKWARD']);
});

// @mutation test/faults/checker/check-reads.ts
// - note(call, 'height', answer.height, true);
// + note(call, 'height', answer.height, false);
test('the height of a node does not go back', () => {
  const { records, views } = chain();
  const [a, b] = records as [SeenRecord, SeenRecord];
  const calls = [write('a', unknown), write('b', unknown), write('c', unknown)];
  expect(found([...calls, latest(b, 2, 20), latest(b, 1, 30)], views)).toEqual(['BACKWARD']);
  expect(found([...calls, latest(a, 1, 20), latest(b, 2, 30)], views)).toEqual([]);
});

// @mutation test/faults/checker/check-statuses.ts
// - if (place !== `${status.height}/${status.index}`) return
// + if (place === undefined) return
test('a status names the place where the chain holds the transaction', () => {
  const { views } = chain();
  expect(found([...history(), status('tx-b', { status: 'committed', height: 1, index: 0 })], views)).toEqual(['STATUS']);
});

// @mutation test/faults/checker/check-statuses.ts
// - if (place !== undefined) return
// + if (place === '') return
test('what was said to have expired is never decided', () => {
  const { views } = chain();
  expect(found([...history(), status('tx-b', { status: 'expired', height: 2, timeMs: VALID_UNTIL_MS + 1 })], views)).toEqual(['STATUS']);
});

// @mutation test/faults/checker/check-statuses.ts
// - if (validUntilMs !== undefined && status.timeMs <= validUntilMs)
// + if (validUntilMs !== undefined && status.timeMs < validUntilMs)
test('nothing expires before a block is past its time', () => {
  const { views } = chain(['a']);
  const expired = (timeMs: number): NodeView[] =>
    views.map((view) => changed(view, { statuses: new Map([...view.statuses, ['tx-b', { status: 'expired', height: 1, timeMs }]]) }));
  const calls = [write('a', committed('a', 1)), write('b', admitted('b'))];
  expect(found(calls, expired(VALID_UNTIL_MS))).toEqual(['STATUS']);
  expect(found(calls, expired(VALID_UNTIL_MS + 1))).toEqual([]);
});

// @mutation test/faults/checker/check-statuses.ts
// - if (isRecorded !== (status.status === 'committed'))
// + if (isRecorded && status.status === 'failed')
test('committed means that the record is there, and failed that it is not', () => {
  const { views } = chain(['a']);
  const bare = views.map((view) => changed(view, { records: new Map() }));
  expect(found([status('tx-a', { status: 'committed', height: 1, index: 0 })], bare)).toEqual(['STATUS']);
  const calls = [write('a', unknown), status('tx-a', { status: 'failed', height: 1, index: 0 })];
  expect(found(calls, views)).toEqual(['STATUS']);
});

// @mutation test/faults/checker/check-writes.ts
// - else if (record.txId !== answer.txId || truth.blocks[answer.height - 1]?.transactions[answer.index] !== answer.txId)
// + else if (record.txId !== answer.txId)
test('a commit names the block that holds it', () => {
  const { views } = chain();
  expect(found([...history().slice(0, 2), write('c', committed('c', 2), { sentMs: 30, answeredMs: 40 })], views)).toEqual(['STATUS']);
});

// @mutation test/faults/checker/check-writes.ts
// - } else if (record !== undefined && (answer.kind === 'failed' || answer.kind === 'expired')) {
// + } else if (record !== undefined && answer.kind === 'failed') {
test('a write that was said to have expired is not there', () => {
  const { views } = chain(['a']);
  expect(found([write('a', { kind: 'expired', txId: 'tx-a' })], views)).toContain('STATUS');
});

// @mutation test/faults/checker/check-agreement.ts
// - if (offences > 0) report(
// + if (offences > 1) report(
test('a double signature that was proven of an honest validator is reported', () => {
  const { views } = chain();
  expect(
    found(
      history(),
      views.map((view) => changed(view, { offences: view.node === 1 ? 1 : 0 })),
    ),
  ).toEqual(['ACCUSED']);
});
