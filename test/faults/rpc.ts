export type RpcAnswer =
  | { readonly ok: true; readonly result: Readonly<Record<string, unknown>> | string }
  /** `code` of the node's error, or {@link NOBODY_THERE}; null: there was no answer, or none that can be read. */
  | { readonly ok: false; readonly code: string | null; readonly message: string; readonly data: Readonly<Record<string, unknown>> };

/** Nobody listened, so that nothing was sent. */
export const NOBODY_THERE = 'ECONNREFUSED';

export interface RpcCall {
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
}

interface RawAnswer {
  readonly id?: number;
  readonly result?: Readonly<Record<string, unknown>> | string;
  readonly error?: { readonly message?: string; readonly data?: Readonly<Record<string, unknown>> };
}

/** Calls one method of a node and never throws. After `timeoutMs` the client hangs up. */
export async function callNode(url: string, { method, params }: RpcCall, timeoutMs: number): Promise<RpcAnswer> {
  try {
    return read((await post(url, { jsonrpc: '2.0', id: 0, method, params }, timeoutMs)) as RawAnswer);
  } catch (error) {
    return unreachable(error);
  }
}

/** The same for several calls in one request. */
export async function callNodeOften(url: string, calls: readonly RpcCall[], timeoutMs: number): Promise<RpcAnswer[]> {
  const batch = calls.map(({ method, params }, id) => ({ jsonrpc: '2.0', id, method, params }));
  try {
    const answers = (await post(url, batch, timeoutMs)) as readonly RawAnswer[];
    const byId = new Map(answers.map((answer) => [answer.id, answer]));
    return calls.map((_, id) => read(byId.get(id) ?? {}));
  } catch (error) {
    return calls.map(() => unreachable(error));
  }
}

async function post(url: string, body: unknown, timeoutMs: number): Promise<unknown> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(timeoutMs),
  });
  return response.json();
}

function read({ result, error }: RawAnswer): RpcAnswer {
  if (result !== undefined) return { ok: true, result };
  const { code, ...data } = error?.data ?? {};
  return { ok: false, code: typeof code === 'string' ? code : null, message: error?.message ?? 'unreadable answer', data };
}

function unreachable(error: unknown): RpcAnswer {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const code = cause instanceof Error && 'code' in cause && cause.code === NOBODY_THERE ? NOBODY_THERE : null;
  return { ok: false, code, message: cause instanceof Error ? cause.message : String(cause), data: {} };
}
