import { NacreRpcError } from './client-error.ts';
import { ANSWER_BYTES_MAX } from './client-limits.ts';

export type Params = Readonly<Record<string, unknown>>;

/**
 * Calls one method of one node over HTTP, once.
 *
 * @returns the result as it came
 * @throws {NacreRpcError} the node's own error, `NETWORK_UNREACHABLE`, `NETWORK_ANSWER_MALFORMED` or `TIMEOUT`; or the signal's reason
 */
export async function httpCall(
  url: string,
  { method, params }: { readonly method: string; readonly params: Params },
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal | undefined },
): Promise<unknown> {
  // Node.js takes whole milliseconds only, and what is left of a call's time is none.
  const limit = AbortSignal.timeout(Math.ceil(timeoutMs));
  let body: string;
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
      signal: signal === undefined ? limit : AbortSignal.any([limit, signal]),
      // What a node says is not to be had elsewhere, least of all where it would send a browser's user.
      redirect: 'error',
    });
    body = await readBody(response, url);
  } catch (cause) {
    signal?.throwIfAborted();
    if (cause instanceof NacreRpcError) throw cause;
    if (limit.aborted) throw timeoutError(`no answer to ${method} within ${Math.round(timeoutMs)} ms`, { url, method, timeoutMs });
    throw unreachableError(url, cause);
  }
  return resultOf(body, url);
}

/** Reads the answer's body up to its bound. */
async function readBody(response: Response, url: string): Promise<string> {
  const decoder = new TextDecoder();
  const reader: ReadableStreamDefaultReader<Uint8Array> | undefined = response.body?.getReader();
  let body = '';
  let bytes = 0;
  for (let chunk = await reader?.read(); chunk !== undefined && !chunk.done; chunk = await reader?.read()) {
    bytes += chunk.value.length;
    if (bytes > ANSWER_BYTES_MAX) {
      await reader?.cancel();
      throw malformedError(url, `more than ${ANSWER_BYTES_MAX} bytes`);
    }
    body += decoder.decode(chunk.value, { stream: true });
  }
  return body + decoder.decode();
}

function resultOf(body: string, url: string): unknown {
  let answer: unknown;
  try {
    answer = JSON.parse(body);
  } catch {
    throw malformedError(url, 'not JSON');
  }
  if (typeof answer !== 'object' || answer === null) throw malformedError(url, 'not a JSON-RPC answer');
  if ('error' in answer) throw errorFrom(answer.error, url);
  if ('result' in answer) return answer.result;
  throw malformedError(url, 'neither result nor error');
}

/** The error that a JSON-RPC answer carries. */
export function errorFrom(error: unknown, url: string): NacreRpcError {
  const { message, data } = (error ?? {}) as { readonly message?: unknown; readonly data?: unknown };
  if (typeof message !== 'string' || typeof data !== 'object' || data === null) return malformedError(url, 'an error without data');
  const { code, retryable, hint, ...fields } = data as Readonly<Record<string, unknown>>;
  if (typeof code !== 'string') return malformedError(url, 'an error without a code');
  return new NacreRpcError(code, message + firstIssue(fields.issues), {
    retryable: retryable === true,
    fields: { ...fields, url },
    ...(typeof hint === 'string' ? { hint } : {}),
  });
}

export function malformedError(url: string, problem: string): NacreRpcError {
  return new NacreRpcError('NETWORK_ANSWER_MALFORMED', `the answer of ${url} is not a node's: ${problem}`, {
    retryable: true,
    fields: { url, problem },
    hint: 'Check that the address is that of a node, and that its version fits.',
  });
}

export const REACH_HINT = 'Check the address and that the node runs; in a web page also that its rpc.allowedOrigins lists the page.';

export function unreachableError(url: string, cause: unknown): NacreRpcError {
  return new NacreRpcError('NETWORK_UNREACHABLE', `no node answers at ${url}`, {
    retryable: true,
    fields: { url },
    cause,
    hint: REACH_HINT,
  });
}

/** Which parameter is wrong and why, of those that the node lists, for the message. */
function firstIssue(issues: unknown): string {
  const [issue] = Array.isArray(issues) ? (issues as readonly unknown[]) : [];
  const { path, message } = (issue ?? {}) as { readonly path?: unknown; readonly message?: unknown };
  if (typeof message !== 'string') return '';
  return typeof path === 'string' && path !== '' ? ` ${path}: ${message}` : ` ${message}`;
}

const MAYBE_TAKEN = 'A transaction may have been taken nevertheless: look at its status before you sign another.';

export function timeoutError(message: string, fields: Readonly<Record<string, unknown>>, hint = MAYBE_TAKEN): NacreRpcError {
  return new NacreRpcError('TIMEOUT', message, { retryable: true, fields, hint });
}
