import { NacreError } from '@nacre/base';
import { NacreRpcError } from '@nacre/client';

export type RpcFailureCode =
  /** Nothing answers at the address, or not in time. */
  | 'RPC_UNREACHABLE'
  /** The node answered with an error; `fields.nodeCode` is its code, beside the fields that it gave. */
  | 'RPC_REFUSED';

export class RpcFailure extends NacreError<RpcFailureCode> {
  override readonly name = 'RpcFailure';
}

/** Waits this long for an answer, beyond what the call itself asks to wait, in ms. */
const ANSWER_MS = 10_000;

/**
 * Calls one method of a node.
 *
 * @param limits `waitMs`: how long the node itself was asked to wait; `signal` ends the call, as if nobody answered
 * @returns the result, as the node gave it
 * @throws {RpcFailure}
 */
export async function callRpc(
  url: string,
  method: string,
  params: Readonly<Record<string, unknown>>,
  { waitMs = 0, signal }: { readonly waitMs?: number; readonly signal?: AbortSignal } = {},
): Promise<Readonly<Record<string, unknown>>> {
  let answer: { result?: Readonly<Record<string, unknown>>; error?: { message: string; data?: { code?: string; hint?: string } } };
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
      signal: AbortSignal.any([AbortSignal.timeout(ANSWER_MS + waitMs), ...(signal === undefined ? [] : [signal])]),
    });
    answer = (await response.json()) as typeof answer;
  } catch (cause) {
    throw new RpcFailure('RPC_UNREACHABLE', `no node answers at ${url}: ${reasonOf(cause)}`, {
      cause,
      fields: { url },
      hint: 'Start one with `npm run testnet`, or name another with --rpc URL.',
    });
  }
  const { result, error } = answer;
  if (result !== undefined) return result;
  const { code: nodeCode, hint, ...data } = error?.data ?? {};
  throw new RpcFailure('RPC_REFUSED', `${method}: ${error?.message ?? 'unreadable answer'}`, {
    fields: { ...data, url, method, nodeCode },
    ...(hint === undefined ? {} : { hint }),
  });
}

/** What the client of a command threw: errors of nodes as those of `callRpc`, everything else as it is. */
export function asRpcFailure(error: unknown): unknown {
  if (!(error instanceof NacreRpcError)) return error;
  const { code, message, fields, hint } = error;
  const kind = code === 'NETWORK_UNREACHABLE' || code === 'TIMEOUT' ? 'RPC_UNREACHABLE' : 'RPC_REFUSED';
  return new RpcFailure(kind, message, { cause: error, fields: { ...fields, nodeCode: code }, ...(hint === undefined ? {} : { hint }) });
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message || String(error.cause) : error.message;
}
