import { type Hash, type Refusal, type Result, RPC_WAIT_TIMEOUT_MS_MAX, toHex } from '@nacre/base';
import type { SubmissionStatus } from '@nacre/replica';
import { z } from 'zod';
import type { NodeBackend } from '../../backend.ts';
import { RpcError, type RpcErrorCode } from '../errors.ts';
import { NetworkStateJson, networkStateJson } from '../health-json.ts';
import { chainNumber, count, hashText, timeMs } from '../schemas.ts';

const TIMEOUT_MS_DEFAULT = 10_000;

/** What both ways to submit take besides what is submitted. */
export const waitParams = {
  wait: z.enum(['admitted', 'committed']).default('admitted').describe('What to wait for: durable on this node, or decided by the network'),
  timeoutMs: z.int().min(1).max(RPC_WAIT_TIMEOUT_MS_MAX).default(TIMEOUT_MS_DEFAULT),
};

export const SubmissionJson = z.strictObject({
  txId: hashText,
  status: z.enum(['admitted', 'committed', 'pending']).describe('pending: the wait ran out, which is no error'),
  validUntilMs: timeMs.describe('After this time the transaction is decided or never will be'),
  chain: chainNumber,
  height: count.nullable().describe('Of the block that holds it; null before'),
  index: count.nullable().describe('Within the block; null before'),
  networkState: NetworkStateJson.nullable().describe('With pending: what the node can do at present, and why it may have to wait'),
});

/** How a submission can end besides the refusals of what is submitted. */
export const SUBMISSION_ERRORS = [
  'TRANSACTION_FAILED',
  'TRANSACTION_EXPIRED',
  'TRANSACTION_UNKNOWN',
  'TOO_MANY_WAITS',
  'MEMPOOL_FULL',
  'ACCOUNT_FULL',
  'STORE_FAILED',
  'STOPPED',
] as const satisfies readonly RpcErrorCode[];

type Submit = () => Promise<Result<{ readonly txId: Hash; readonly validUntilMs: number }, Refusal>>;

/** Submits, and waits if asked to. */
export async function submitAndWait(
  submit: Submit,
  options: { readonly wait: 'admitted' | 'committed'; readonly timeoutMs: number; readonly signal: AbortSignal },
  backend: NodeBackend,
): Promise<z.input<typeof SubmissionJson>> {
  const startedAt = performance.now();
  const reserved = options.wait === 'committed' ? backend.reserveWait() : undefined;
  if (reserved === null) throw new RpcError('TOO_MANY_WAITS');
  try {
    const submitted = await submit();
    if (!submitted.ok) throw RpcError.fromRefusal(submitted.error);
    const timeoutMs = Math.max(0, options.timeoutMs - (performance.now() - startedAt));
    const status =
      (await reserved?.until(submitted.value, { timeoutMs, signal: options.signal })) ?? backend.transactionStatus(submitted.value.txId);
    return answer(submitted.value, status, { wait: options.wait, backend });
  } finally {
    reserved?.release();
  }
}

function answer(
  transaction: { readonly txId: Hash; readonly validUntilMs: number },
  status: SubmissionStatus,
  { wait, backend }: { readonly wait: 'admitted' | 'committed'; readonly backend: NodeBackend },
): z.input<typeof SubmissionJson> {
  const txId = toHex(transaction.txId);
  const { validUntilMs } = transaction;
  const { chain } = backend.genesis.context;
  switch (status.status) {
    case 'committed':
      return { txId, status: 'committed', validUntilMs, chain, height: status.height, index: status.index, networkState: null };
    case 'admitted': {
      const undecided = { txId, validUntilMs, chain, height: null, index: null };
      if (wait === 'admitted') return { ...undecided, status: 'admitted', networkState: null };
      return { ...undecided, status: 'pending', networkState: networkStateJson(backend.networkState()) };
    }
    case 'failed':
      throw new RpcError('TRANSACTION_FAILED', { txId, chain, height: status.height, index: status.index, reason: status.reason });
    case 'expired':
      throw new RpcError('TRANSACTION_EXPIRED', { txId, chain, validUntilMs, height: status.height, timeMs: status.timeMs });
    case 'unknown':
      throw new RpcError('TRANSACTION_UNKNOWN', { txId, chain });
  }
}
