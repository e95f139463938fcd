import { type Hash, toHex, utf8 } from '@nacre/base';
import { taggedHash } from '@nacre/crypto';
import { LedgerError, type ServiceRecord } from '@nacre/ledger';
import type { SubmissionStatus } from '@nacre/replica';
import { beforeEach, expect, test } from 'vitest';
import { ChainChecker } from '../src/chain-checker.ts';
import { ClientHistory } from '../src/client-history.ts';
import type { ClusterReplica } from '../src/cluster-replica.ts';
import { checkFinalState, checkSettled, type FinalState, isSettled } from '../src/final-checker.ts';
import type { ViolationCode } from '../src/violation.ts';

const hash = (name: string): Hash => taggedHash('nacre/1/test', utf8(name));
const TIP_MS = 1_000;
const tx = hash('tx');
const committed: SubmissionStatus = { status: 'committed', height: 1, index: 0 };
const expired: SubmissionStatus = { status: 'expired', height: 1, timeMs: TIP_MS };

interface Told {
  readonly status?: SubmissionStatus;
  readonly tip?: string;
  /** Texts of records, in pages. */
  readonly pages?: readonly (readonly string[])[];
  /** So many of them have been pruned; the rest stands in blocks of the numbers of their pages. */
  readonly prunedPages?: number;
}

function unasked(): never {
  throw new Error('a stand-in is not asked this');
}

function replica({ status = committed, tip = 'tip', pages = [[]], prunedPages = 0 }: Told): ClusterReplica {
  return {
    start: () => {},
    stop: async () => {},
    finished: Promise.resolve(),
    status: () => ({ doubt: null, peers: 0, snapshot: null }),
    sync: { state: { kind: 'idle' }, onChange: () => () => {} },
    reach: { sides: [] },
    storeDamaged: () => {},
    onDecided: () => () => {},
    submit: () => new Promise(() => {}),
    transactionStatus: () => status,
    ledger: {
      firstHeight: prunedPages === 0 ? 1 : prunedPages,
      tip: { height: 1, blockHash: hash(tip), timeMs: TIP_MS, stateRoot: hash('state'), header: null, certificate: null },
      account: () => undefined,
      blockAt: () => undefined,
      loadBlock: () => undefined,
      propose: () => unasked(),
      epochOf: () => undefined,
      nextEpoch: () => unasked(),
      committeeAt: () => unasked(),
      get validatorSet(): never {
        return unasked();
      },
      prove: async () => ({ ok: false, error: { code: 'PLANTED' } }),
      records: async ({ fromIndex = pages.length - 1 }) => {
        if (fromIndex < prunedPages)
          throw LedgerError.pruned({ service: 'levels', index: fromIndex, nextIndex: prunedPages, firstHeight: prunedPages });
        return {
          records: (pages[fromIndex] ?? []).map(
            (payload) => ({ index: fromIndex, height: fromIndex, payload: utf8(payload) }) as ServiceRecord,
          ),
          nextIndex: fromIndex === 0 ? null : fromIndex - 1,
        };
      },
    },
  };
}

let codes: ViolationCode[] = [];
const report = (code: ViolationCode): number => codes.push(code);
beforeEach(() => {
  codes = [];
});

/** A transaction, acknowledged by node 0, that the chain holds or does not. */
function stateOf(told: readonly Told[], options: { inChain?: boolean; validUntilMs?: number } = {}): FinalState {
  const { inChain = true, validUntilMs = inChain ? TIP_MS : TIP_MS - 1 } = options;
  const chain = new ChainChecker(report);
  chain.decided(0, { height: 1, blockHash: hash('tip'), stateRoot: hash('state'), timeMs: TIP_MS }, inChain ? [tx] : []);
  const history = new ClientHistory();
  const call = history.asked({ id: tx, validUntilMs, node: 0, generation: 0, nowMs: 1 });
  history.answered(call, { ok: true, value: { txId: tx, validUntilMs } });
  return { replicas: told.map(replica), generations: told.map(() => 0), chain, history, services: ['levels'], calmHeight: 1 };
}

async function codesOf(...args: Parameters<typeof stateOf>): Promise<ViolationCode[]> {
  await checkFinalState(stateOf(...args), report);
  return codes;
}

test('replicas that agree pass, also about what expired at one of them and was never heard of by the other', async () => {
  expect(await codesOf([{}, {}])).toEqual([]);
  expect(await codesOf([{ status: expired }, { status: { status: 'unknown' } }], { inChain: false })).toEqual([]);
});

test('an acknowledged transaction that its node does not know is lost', async () => {
  expect(await codesOf([{ status: { status: 'unknown' } }, {}], { inChain: false })).toContain('LOST');
});

test('two ends of one transaction are seen', async () => {
  const failed: SubmissionStatus = { status: 'failed', height: 1, index: 0, reason: { code: 'NOT_A_WRITER', operation: 0 } };
  expect(await codesOf([{}, { status: failed }])).toEqual(['STATUS']);
});

test('an end at another height than the chain has it is seen', async () => {
  expect(await codesOf([{}, { status: { ...committed, height: 2 } }])).toEqual(['STATUS']);
});

test('a transaction of the chain that a replica does not know, or calls expired, is seen', async () => {
  expect(await codesOf([{}, { status: { status: 'unknown' } }])).toEqual(['STATUS']);
  expect(await codesOf([{}, { status: expired }])).toEqual(['STATUS', 'STATUS', 'STATUS']);
});

test('an expiry before its time is seen', async () => {
  expect(await codesOf([{ status: expired }], { inChain: false, validUntilMs: TIP_MS })).toEqual(['STATUS']);
});

test('an expiry that no decided block stands for is seen', async () => {
  expect(await codesOf([{ status: { ...expired, timeMs: TIP_MS + 1 } }], { inChain: false })).toEqual(['STATUS']);
  expect(await codesOf([{ status: { ...expired, height: 2 } }], { inChain: false })).toEqual(['STATUS', 'STATUS']);
});

test('a block that holds a transaction past its time is seen', async () => {
  expect(await codesOf([{}, {}], { validUntilMs: TIP_MS - 1 })).toEqual(['STATUS']);
});

test('records are compared over all pages', async () => {
  expect(await codesOf([{ pages: [['a'], ['b']] }, { pages: [['a'], ['b']] }])).toEqual([]);
  expect(await codesOf([{ pages: [['a'], ['b']] }, { pages: [['a'], ['c']] }])).toEqual(['RECORDS']);
});

test('who has pruned shows the rest, and all of it', async () => {
  const pages = [['a'], ['b'], ['c']];
  expect(await codesOf([{ pages }, { pages, prunedPages: 1 }])).toEqual([]);
  expect(await codesOf([{ pages }, { pages: [['a'], ['b'], ['d']], prunedPages: 1 }])).toEqual(['RECORDS']);
  codes = [];
  expect(await codesOf([{ pages }, { pages: [['a'], ['b'], []], prunedPages: 1 }])).toEqual(['RECORDS']);
});

test('a run is settled when all tips are equal, all promises are kept and all calls to living processes answered', () => {
  expect(isSettled(stateOf([{}, {}]))).toBe(true);
  expect(isSettled(stateOf([{}, { tip: 'behind' }]))).toBe(false);
  expect(isSettled(stateOf([{ status: { status: 'admitted' } }, {}]))).toBe(false);
  const open = stateOf([{}, {}]);
  open.history.asked({ id: tx, validUntilMs: 1, node: 1, generation: 0, nowMs: 1 });
  expect(isSettled(open)).toBe(false);
  expect(isSettled({ ...open, generations: [0, 1] })).toBe(true);
});

test('a run that does not settle says why', () => {
  const details: string[] = [];
  const told = (code: ViolationCode, detail: string): number => details.push(`${code} ${detail}`);
  checkSettled(stateOf([{ status: { status: 'admitted' } }, { tip: 'behind' }]), told);
  const open = stateOf([{}, {}]);
  open.history.asked({ id: tx, validUntilMs: 1, node: 1, generation: 0, nowMs: 1 });
  checkSettled(open, told);
  expect(details[0]).toMatch(/^PROGRESS 0 at 1 [0-9a-f]{8}, 1 at 1 [0-9a-f]{8}; 1 acknowledged transactions are not final: /);
  expect(details[1]).toBe(`UNANSWERED node 1 has not answered the submission of ${toHex(tx)} at 1 ms`);
});
