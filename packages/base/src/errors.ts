/** What a value that describes a refusal carries: a stable code, and fields that say which and how much. */
export type Refusal<Code extends string = string> = { readonly code: Code } & Readonly<Record<string, unknown>>;

/** The outcome of something that a peer, a user or a disk can make fail. */
export type Result<Value, Failure = Refusal> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly error: Failure };

export function ok<Value>(value: Value): { readonly ok: true; readonly value: Value } {
  return { ok: true, value };
}

export function fail<Failure>(error: Failure): { readonly ok: false; readonly error: Failure } {
  return { ok: false, error };
}

export interface NacreErrorOptions {
  readonly fields?: Readonly<Record<string, unknown>>;
  /** What the reader can do about it, in one sentence. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/**
 * Base of every typed error: a stable `code` for programs, a message and a `hint` for people, `fields` for both.
 * Packages derive one class each (`LedgerError`, `KeyError`, …) whose codes are a union of string literals.
 */
export class NacreError<Code extends string = string> extends Error {
  override readonly name: string = 'NacreError';
  readonly code: Code;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly hint: string | undefined;

  constructor(code: Code, message: string, options: NacreErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.fields = options.fields ?? {};
    this.hint = options.hint;
  }
}
