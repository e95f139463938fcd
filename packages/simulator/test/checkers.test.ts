import { fail, ok, toHex, utf8 } from '@nacre/base';
import { taggedHash } from '@nacre/crypto';
import { beforeEach, expect, test } from 'vitest';
import { ChainChecker, type SeenBlock } from '../src/chain-checker.ts';
import { ClientHistory } from '../src/client-history.ts';
import { type Statement, StatementChecker } from '../src/statement-checker.ts';
import type { ViolationCode } from '../src/violation.ts';

const hash = (name: string): Uint8Array => taggedHash('nacre/1/test', utf8(name));
const block = (height: number, name = `${height}`): SeenBlock => ({
  height,
  timeMs: height,
  blockHash: hash(`block ${name}`),
  stateRoot: hash(`state ${name}`),
});

let codes: ViolationCode[] = [];
const report = (code: ViolationCode): number => codes.push(code);
beforeEach(() => {
  codes = [];
});

test('one chain passes, also where a replica restarts further back', () => {
  const chain = new ChainChecker(report);
  for (const node of [0, 1]) for (const height of [1, 2, 3]) chain.decided(node, block(height), [hash(`tx ${height}`)]);
  chain.stands(0, block(1));
  chain.decided(0, block(2), [hash('tx 2')]);
  expect(codes).toEqual([]);
  expect(chain.height).toBe(3);
});

test('a snapshot leaves out blocks, up to one that others have decided, and what they hold may be unknown then', () => {
  const chain = new ChainChecker(report);
  for (const height of [1, 2, 3, 4]) chain.decided(0, block(height), [hash(`tx ${height}`)]);
  chain.decided(1, block(1), [hash('tx 1')]);
  expect(chain.decided(1, block(4), [hash('tx 4')], 4)).toBe(true);
  expect([chain.leaptTo(0), chain.leaptTo(1), codes]).toEqual([0, 3, []]);
  const known = (node: number, name: string, validUntilMs = 100): boolean => !chain.mayHaveForgotten(node, toHex(hash(name)), validUntilMs);
  expect([known(0, 'tx 3'), known(1, 'tx 3'), known(1, 'tx 4')]).toEqual([true, false, true]);
  // In no block: forgotten if it could not come any more, and only then.
  expect([known(1, 'tx', 2), known(1, 'tx', 3)]).toEqual([false, true]);
});

// @mutation packages/simulator/src/chain-checker.ts
// - if (hasLeapt) this.#heights.set(node, firstHeight - 1);
// + this.#heights.set(node, firstHeight);
test('who is looked at between two blocks may be about to tell of the last one', () => {
  const chain = new ChainChecker(report);
  for (const height of [1, 2, 3, 4]) chain.decided(0, block(height), []);
  expect([chain.has(0, 1), chain.has(1, 4)]).toEqual([false, true]);
  chain.decided(0, block(5), []);
  chain.decided(1, block(4), [], 4);
  expect([chain.leaptTo(1), codes]).toEqual([3, []]);
});

test('a process that begins with the state of a snapshot has leapt, one that begins anew with all blocks has not', () => {
  const chain = new ChainChecker(report);
  for (const height of [1, 2, 3]) chain.decided(0, block(height), []);
  expect(chain.stands(1, block(3), 4)).toBe(true);
  expect([chain.stands(1, block(3), 4), chain.leaptTo(1)]).toEqual([false, 3]);
  chain.stands(1, block(0));
  expect(chain.leaptTo(1)).toBe(0);
  chain.decided(0, block(4), [], 3);
  expect([chain.leaptTo(0), codes]).toEqual([0, []]);
});

// @mutation packages/simulator/src/chain-checker.ts
// - if (this.#blocks[base] === undefined)
// + if (base < 0)
test('a state that nobody has decided is not to be taken up', () => {
  const chain = new ChainChecker(report);
  chain.decided(0, block(1), []);
  chain.decided(1, block(3), [], 3);
  expect(codes).toEqual(['ORDER']);
});

// @mutation packages/simulator/src/chain-checker.ts
// - } else if (first.blockHash !== seen.blockHash) {
// + } else if (false) {
test('two blocks at one height are a fork', () => {
  const chain = new ChainChecker(report);
  chain.decided(0, block(1), []);
  chain.decided(1, { ...block(1), blockHash: hash('other') }, []);
  expect(codes).toEqual(['AGREEMENT']);
});

test('one block with two states is a fork', () => {
  const chain = new ChainChecker(report);
  chain.decided(0, block(1), []);
  chain.decided(1, { ...block(1), stateRoot: hash('other') }, []);
  expect(codes).toEqual(['AGREEMENT']);
});

test('a restarted replica that holds another block than it had decided is a fork', () => {
  const chain = new ChainChecker(report);
  chain.decided(0, block(1), []);
  chain.stands(0, { ...block(1), blockHash: hash('other') });
  expect(codes).toEqual(['AGREEMENT']);
});

test('heights come one after another in each life', () => {
  const chain = new ChainChecker(report);
  chain.decided(0, block(1), []);
  chain.decided(0, block(3), []);
  chain.decided(0, block(3), []);
  expect(codes).toEqual(['ORDER', 'ORDER']);
});

test('a transaction in two blocks is applied twice, in one block seen by many it is not', () => {
  const chain = new ChainChecker(report);
  for (const node of [0, 1]) chain.decided(node, block(1), [hash('tx')]);
  expect(codes).toEqual([]);
  chain.decided(0, block(2), [hash('tx')]);
  expect(codes).toEqual(['APPLIED_TWICE']);
});

const vote: Statement = { validator: 0, kind: 'prepare', height: 5, round: 1, blockHash: hash('a'), validRound: -1 };

// @mutation packages/simulator/src/statement-checker.ts
// - } else if (first !== content && this.#isHonest(validator, height)) {
// + } else if (first !== content && kind !== 'prepare') {
test('different contents at one place are an equivocation, block against nothing included', () => {
  const statements = new StatementChecker(report);
  statements.see(vote);
  statements.see(vote);
  statements.see({ ...vote, blockHash: null });
  statements.see({ ...vote, blockHash: hash('b') });
  expect(codes).toEqual(['EQUIVOCATION', 'EQUIVOCATION']);
});

test('other places are other places', () => {
  const statements = new StatementChecker(report);
  statements.see(vote);
  const other = { blockHash: hash('b') };
  for (const place of [{ validator: 1 }, { kind: 'commit' as const }, { kind: 'proposal' as const }, { height: 6 }, { round: 2 }]) {
    statements.see({ ...vote, ...other, ...place });
  }
  expect(codes).toEqual([]);
});

test('two proposals that differ in the valid round only are an equivocation; re-proposals are counted once', () => {
  const statements = new StatementChecker(report);
  const proposal: Statement = { ...vote, kind: 'proposal', validRound: 0 };
  statements.see(proposal);
  statements.see(proposal);
  expect(statements.reProposals).toBe(1);
  statements.see({ ...proposal, validRound: -1 });
  expect(codes).toEqual(['EQUIVOCATION']);
});

test('the history keeps what clients asked and were told', () => {
  const history = new ClientHistory();
  const asked = { id: hash('tx'), validUntilMs: 9, node: 1, generation: 0, nowMs: 5 };
  const first = history.asked(asked);
  const second = history.asked({ ...asked, node: 2 });
  history.answered(first, ok({ txId: hash('tx'), validUntilMs: 9 }));
  history.answered(second, fail({ code: 'DUPLICATE' }));
  expect(history.calls.map(({ answer }) => answer?.kind)).toEqual(['admitted', 'refused']);
  expect(history.acknowledgements).toMatchObject([{ node: 1, validUntilMs: 9 }]);
  expect(history.transactions.size).toBe(1);
  expect([...history.refusals]).toEqual([['DUPLICATE', 1]]);
});

// @mutation packages/simulator/src/statement-checker.ts
// - } else if (first !== content && this.#isHonest(validator, height)) {
// + } else if (first !== content) {
test('of a Byzantine key two statements at one place are expected', () => {
  const statements = new StatementChecker(report, (validator) => validator !== 3);
  const said = { kind: 'prepare', height: 1, round: 0, validRound: -1 } as const;
  for (const validator of [2, 3]) for (const blockHash of [hash('a'), hash('b')]) statements.see({ ...said, validator, blockHash });
  expect(codes).toEqual(['EQUIVOCATION']);
});
