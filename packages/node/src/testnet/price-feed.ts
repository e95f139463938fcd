import { createHash } from 'node:crypto';
import { NacreError } from '@nacre/base';
import { callRpc, RpcFailure } from '../cli/rpc-client.ts';
import type { DailyPrice } from './prices.ts';

/** Rows in one transaction. Part of the request ids: another number would feed a half-fed service twice. */
const BATCH_ROWS = 100;
const SCHEMA = 'ohlcv@1';
/** Under it the service keeps the latest row. */
const KEY = 'daily';
/** Longest wait for one batch before the same request is made again, in ms. */
const COMMIT_MS = 20_000;
/** Pause before a node that does not answer is asked again, in ms. */
const RETRY_MS = 1_000;

class FeedError extends NacreError<'FEED_DIVERGED'> {
  override readonly name = 'FeedError';
}

export interface FeedOptions {
  readonly rpcUrl: string;
  readonly service: string;
  readonly prices: readonly DailyPrice[];
  readonly signal: AbortSignal;
  /** Told how many rows are decided, and why nothing moves if nothing does. */
  readonly progress: (rows: number, waitingFor: string | null) => void;
}

/**
 * Records prices, oldest first, in batches that each wait for the one before to be decided. May be interrupted anywhere: what is recorded is
 * counted on the next start, and a batch under way goes out again under its request id, which the node carries out once.
 *
 * @returns whether all rows are recorded; false if the signal came first
 * @throws {FeedError} `FEED_DIVERGED` if the service holds something else; {RpcFailure} if the node refuses for good
 */
export async function feedPrices(options: FeedOptions): Promise<boolean> {
  const { prices, signal, progress } = options;
  const source = createHash('sha256').update(JSON.stringify(prices)).digest('hex').slice(0, 16);
  let rows = await persist(options, 0, () => countRecorded(options));
  while (rows !== null && rows < prices.length && !signal.aborted) {
    progress(rows, null);
    const from = rows;
    const batch = prices.slice(from, from + BATCH_ROWS);
    rows = await persist(options, from, async () =>
      (await submit(options, batch, `feed/${source}/${from}`)) ? from + batch.length : from,
    );
  }
  if (rows === null || signal.aborted) return false;
  progress(rows, null);
  return true;
}

/** Rows that are in the service already, from the first on. */
async function countRecorded({ rpcUrl, service, prices, signal }: FeedOptions): Promise<number> {
  const page = await callRpc(rpcUrl, 'record_list', { service, order: 'descending', limit: 1 }, { signal });
  const [last] = page.records as { index: number; payload: { date?: string } }[];
  if (last === undefined) return 0;
  const count = last.index + 1;
  const whole = count === prices.length || count % BATCH_ROWS === 0;
  if (whole && prices[count - 1]?.date === last.payload.date) return count;
  throw new FeedError('FEED_DIVERGED', `service ${service} holds ${count} records, and not the first ${count} rows of this file`, {
    fields: { service, count, lastDate: last.payload.date },
    hint: 'Start with --no-feed, or begin anew with `scripts/testnet reset`.',
  });
}

/** @returns whether the batch is decided; false if that took too long, and then the same call may be made again */
async function submit({ rpcUrl, service, signal }: FeedOptions, payloads: readonly DailyPrice[], name: string): Promise<boolean> {
  for (let attempt = 0; ; attempt++) {
    const params = {
      service,
      key: KEY,
      schema: SCHEMA,
      payloads,
      requestId: `${name}/${attempt}`,
      wait: 'committed',
      timeoutMs: COMMIT_MS,
    };
    try {
      const { status } = await callRpc(rpcUrl, 'record_submit', params, { waitMs: COMMIT_MS, signal });
      return status === 'committed';
    } catch (error) {
      // Expired is final, so the next attempt's transaction cannot be a second one.
      if (!(error instanceof RpcFailure) || error.fields.nodeCode !== 'TRANSACTION_EXPIRED') throw error;
    }
  }
}

/** Runs `action` until it succeeds, fails for good, or the signal comes; then null. */
async function persist<Value>({ signal, progress }: FeedOptions, rows: number, action: () => Promise<Value>): Promise<Value | null> {
  while (!signal.aborted) {
    try {
      return await action();
    } catch (error) {
      if (!(error instanceof RpcFailure)) throw error;
      if (error.code === 'RPC_REFUSED' && error.fields.retryable !== true) throw error;
      if (signal.aborted) break;
      progress(rows, error.message);
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
  return null;
}
