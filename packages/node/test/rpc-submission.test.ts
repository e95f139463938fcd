import { ok } from '@nacre/base';
import type { SubmissionStatus } from '@nacre/replica';
import { describe, expect, test } from 'vitest';
import type { NodeBackend } from '../src/backend.ts';
import { RpcError } from '../src/rpc/errors.ts';
import { submitAndWait } from '../src/rpc/methods/submission.ts';

const txId = new Uint8Array(32).fill(0xab);
const validUntilMs = 1_700_000_000_000;
const submit = async () => ok({ txId, validUntilMs });

function backendWith(status: SubmissionStatus): NodeBackend {
  const wait = { until: async () => status, release: () => {} };
  const genesis = { context: { chain: 0 } };
  const networkState = () => ({ state: 'PARTITIONED', reason: 'reaches weight 1 of 4' });
  return { genesis, transactionStatus: () => status, reserveWait: () => wait, networkState } as unknown as NodeBackend;
}

describe('what was submitted', () => {
  const signal = new AbortController().signal;
  const place = { height: 9, index: 2 };

  test.each(['admitted', 'committed'] as const)('and is decided tells its place, having waited for %s', async (wait) => {
    const answer = await submitAndWait(submit, { wait, timeoutMs: 1000, signal }, backendWith({ status: 'committed', ...place }));
    expect(answer).toEqual({ txId: 'ab'.repeat(32), status: 'committed', validUntilMs, chain: 0, ...place, networkState: null });
  });

  // @mutation packages/node/src/rpc/methods/submission.ts
  // - return { ...undecided, status: 'pending', networkState: networkStateJson(backend.networkState()) };
  // + return { ...undecided, status: 'pending', networkState: null };
  test('and is not decided yet is pending for who waited, with the reason why it may be, and admitted for who did not', async () => {
    const answers = await Promise.all(
      (['admitted', 'committed'] as const).map(async (wait) => {
        const { status, networkState } = await submitAndWait(
          submit,
          { wait, timeoutMs: 1000, signal },
          backendWith({ status: 'admitted' }),
        );
        return { status, networkState };
      }),
    );
    expect(answers).toEqual([
      { status: 'admitted', networkState: null },
      { status: 'pending', networkState: { state: 'PARTITIONED', reason: 'reaches weight 1 of 4' } },
    ]);
  });

  test.each([
    [
      { status: 'failed', ...place, reason: { code: 'NOT_A_WRITER', operation: 1 } },
      'TRANSACTION_FAILED',
      { ...place, reason: { code: 'NOT_A_WRITER', operation: 1 } },
    ],
    [
      { status: 'expired', height: 9, timeMs: validUntilMs + 1 },
      'TRANSACTION_EXPIRED',
      { height: 9, timeMs: validUntilMs + 1, validUntilMs },
    ],
    [{ status: 'unknown' }, 'TRANSACTION_UNKNOWN', {}],
  ] as const)('and will have no effect is an error: %j', async (status, code, fields) => {
    const outcome: unknown = await submitAndWait(submit, { wait: 'committed', timeoutMs: 1000, signal }, backendWith(status)).catch(
      (error: unknown) => error,
    );
    expect(outcome).toBeInstanceOf(RpcError);
    expect((outcome as RpcError).toObject().data).toMatchObject({ code, txId: 'ab'.repeat(32), chain: 0, retryable: false, ...fields });
  });
});

describe('an error', () => {
  test('that stands in no row is told as it is', () => {
    const { code, data } = RpcError.fromRefusal({ code: 'NEW_RULE', limit: 5, hash: Uint8Array.of(1, 255) }).toObject();
    expect(code).toBe(-32000);
    expect(data).toMatchObject({ code: 'REFUSED', reason: 'NEW_RULE', limit: 5, hash: '01ff', retryable: false });
  });
});
