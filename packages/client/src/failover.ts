import { readShape, type Shape } from './answer-shape.ts';
import { NacreRpcError } from './client-error.ts';
import { ATTEMPT_TIMEOUT_MS, CALL_ATTEMPTS_MAX, CALL_TIMEOUT_MS } from './client-limits.ts';
import { httpCall, malformedError, type Params } from './http-call.ts';
import type { KnownNode, NodePool } from './node-pool.ts';
import { pause } from './pause.ts';

/** Errors that say something about the node and nothing about the call: another node, or the same one soon, may carry it out. */
const NODE_TROUBLE: ReadonlySet<string> = new Set([
  'NETWORK_UNREACHABLE',
  'NETWORK_ANSWER_MALFORMED',
  'TIMEOUT',
  'INTERNAL_ERROR',
  'STOPPED',
  'STORE_FAILED',
  'RATE_LIMITED',
  'TOO_MANY_WAITS',
  'TOO_MANY_SOCKETS',
  'MEMPOOL_FULL',
  'NO_CERTIFICATE',
  'PROOF_BUSY',
  'CHECKPOINT_AHEAD',
]);

export function isNodeTrouble(error: unknown): error is NacreRpcError {
  return error instanceof NacreRpcError && NODE_TROUBLE.has(error.code);
}

/** How long the node asked to be left alone, in ms. */
export function retryAfterMs({ fields }: NacreRpcError): number {
  const { retryAfterMs: asked } = fields;
  return typeof asked === 'number' ? Math.min(asked, CALL_TIMEOUT_MS) : 0;
}

export interface Call<Answer> {
  readonly method: string;
  readonly params: Params;
  readonly shape: Shape<Answer>;
  /** How long the node was asked to wait, in ms. */
  readonly waitMs?: number;
  readonly signal?: AbortSignal | undefined;
  /** For what only one node can tell from a repetition. */
  readonly sameNode?: boolean;
}

/**
 * Calls a method until a node carries it out: at the node that answered last, then at the others, then after a pause again.
 * The method must be one that does no harm when it is carried out twice.
 *
 * @throws {NacreRpcError} the last one, after `CALL_ATTEMPTS_MAX` attempts or `CALL_TIMEOUT_MS`; or the signal's reason
 */
export async function callWithFailover<Answer>(pool: NodePool, call: Call<Answer>): Promise<Answer> {
  const { waitMs = 0, signal } = call;
  const deadlineMs = performance.now() + CALL_TIMEOUT_MS + waitMs;
  const only = call.sameNode === true ? pool.first() : undefined;
  const tried = new Set<KnownNode>();
  for (let attempt = 1; ; attempt++) {
    const node = only ?? pool.pick(tried) ?? pool.first();
    if (tried.has(node)) tried.clear();
    const delayMs = node.availableAtMs - performance.now();
    if (delayMs > 0) await pause(delayMs, signal);
    tried.add(node);
    try {
      const timeoutMs = Math.max(1, Math.min(ATTEMPT_TIMEOUT_MS + waitMs, deadlineMs - performance.now()));
      const answer = await attemptCall(node.url, call, timeoutMs);
      pool.succeeded(node);
      return answer;
    } catch (error) {
      if (error instanceof NacreRpcError) error.attempts = attempt;
      if (!isNodeTrouble(error)) {
        // Whoever refuses a call with reasons is well; an aborted one says nothing of the node.
        if (error instanceof NacreRpcError) pool.succeeded(node);
        throw error;
      }
      pool.failed(node, retryAfterMs(error));
      const nextAtMs = Math.max(performance.now(), (only ?? pool.first()).availableAtMs);
      if (attempt >= CALL_ATTEMPTS_MAX || nextAtMs >= deadlineMs) throw error;
    }
  }
}

async function attemptCall<Answer>(url: string, { method, params, shape, signal }: Call<Answer>, timeoutMs: number): Promise<Answer> {
  const read = readShape(shape, await httpCall(url, { method, params }, { timeoutMs, signal }));
  if (!read.ok) throw malformedError(url, read.error);
  return read.value;
}
