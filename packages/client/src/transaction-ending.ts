import { readShape, type Shape } from './answer-shape.ts';
import { STATUS, TRANSACTION_STATUS, type TransactionAnswer } from './answers.ts';
import { NacreRpcError } from './client-error.ts';
import { ATTEMPT_TIMEOUT_MS } from './client-limits.ts';
import { httpCall, malformedError, type Params } from './http-call.ts';

export type FinalAnswer = Extract<TransactionAnswer, { readonly status: 'committed' | 'failed' | 'expired' }>;

interface Asked {
  readonly txId: string;
  readonly validUntilMs: number;
  readonly chain: number;
  /** Hex. What a node of another network does not know, says nothing. */
  readonly genesisHash: string;
}

/**
 * How a transaction ended, as all nodes that answer know it. That it is in a block outweighs whoever says that it never will be.
 *
 * @returns null while a block may still hold it, or when nobody knows
 */
export async function transactionEnding(
  urls: readonly string[],
  asked: Asked,
  signal: AbortSignal | undefined,
): Promise<FinalAnswer | null> {
  const answers = await Promise.all(
    urls.map((url) =>
      endingAt(url, asked, signal).catch((error: unknown) => {
        if (error instanceof NacreRpcError) return null;
        throw error;
      }),
    ),
  );
  const known = answers.filter((answer) => answer !== null);
  return known.find(({ status }) => status !== 'expired') ?? known[0] ?? null;
}

async function endingAt(url: string, asked: Asked, signal: AbortSignal | undefined): Promise<FinalAnswer | null> {
  const { txId, validUntilMs, chain, genesisHash } = asked;
  const ask = async <Answer>(method: string, params: Params, shape: Shape<Answer>): Promise<Answer> => {
    const read = readShape(shape, await httpCall(url, { method, params }, { timeoutMs: ATTEMPT_TIMEOUT_MS, signal }));
    if (!read.ok) throw malformedError(url, read.error);
    return read.value;
  };
  // The tip first: whatever the node says of the transaction afterwards, it says with at least these blocks in view.
  const status = await ask('node_status', {}, STATUS);
  const tip = status.chains.find((each) => each.chain === chain);
  if (status.genesisHash !== genesisHash || tip === undefined) return null;
  const answer = await ask('tx_get', { txId }, TRANSACTION_STATUS);
  if (answer.txId !== txId) return null;
  if (answer.status === 'admitted') return null;
  if (answer.status !== 'unknown') return answer;
  // Block times rise. Past its time and in no block up to here, it will be in none.
  const { height, timeMs } = tip;
  return timeMs > validUntilMs ? { status: 'expired', txId, chain, height, timeMs } : null;
}

/** The error that says how a transaction ended without effect. */
export function endingError({ status, ...fields }: Exclude<FinalAnswer, { readonly status: 'committed' }>): NacreRpcError {
  const code = status === 'failed' ? 'TRANSACTION_FAILED' : 'TRANSACTION_EXPIRED';
  return new NacreRpcError(code, `the transaction ${status}`, { retryable: false, fields, hint: 'Sign a new one if it is still wanted.' });
}
