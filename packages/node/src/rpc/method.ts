import type { z } from 'zod';
import { RpcError, type RpcErrorCode } from './errors.ts';
import type { SubscriptionHost } from './subscriptions.ts';

/** What a call knows of where it came from. */
export interface CallContext {
  /** Aborts when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
  /** Null over HTTP. */
  readonly subscriptions: SubscriptionHost | null;
}

interface Definition<Params extends z.ZodObject, Result extends z.ZodType> {
  readonly name: string;
  readonly summary: string;
  /** By name; unknown ones are refused. */
  readonly params: Params;
  readonly result: Result;
  /** Codes that the call itself can end with. */
  readonly errors: readonly RpcErrorCode[];
  /** Whether the method may wait: then the calls of a batch after it do not wait for it. */
  readonly waits?: boolean;
  /** Whether it needs a WebSocket. */
  readonly webSocketOnly?: boolean;
  /** @throws {RpcError} for what the caller has to know */
  readonly handle: (params: z.output<Params>, context: CallContext) => z.input<Result> | Promise<z.input<Result>>;
}

/** A method of the RPC, with schemas that validate what comes in and describe what goes out. */
export interface Method {
  readonly name: string;
  readonly summary: string;
  readonly params: z.ZodObject;
  readonly result: z.ZodType;
  readonly errors: readonly RpcErrorCode[];
  readonly waits: boolean;
  readonly webSocketOnly: boolean;
  /** @throws {RpcError} `INVALID_PARAMS`, and what the method says */
  call(params: unknown, context: CallContext): Promise<unknown>;
}

/** Issues named in one `INVALID_PARAMS`, and characters of each: it may repeat names that the caller chose. */
const ISSUES_MAX = 8;
const ISSUE_LENGTH_MAX = 200;

export function defineMethod<Params extends z.ZodObject, Result extends z.ZodType>(definition: Definition<Params, Result>): Method {
  const { waits = false, webSocketOnly = false, params, handle } = definition;
  return {
    ...definition,
    waits,
    webSocketOnly,
    call: async (given, context) => {
      const parsed = params.safeParse(given);
      if (parsed.success) return handle(parsed.data, context);
      const issues = parsed.error.issues
        .slice(0, ISSUES_MAX)
        .map(({ path, message }) => ({ path: path.join('.'), message: message.slice(0, ISSUE_LENGTH_MAX) }));
      throw new RpcError('INVALID_PARAMS', { issues });
    },
  };
}
