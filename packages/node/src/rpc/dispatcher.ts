import { fromUtf8, type Log, NacreError, RPC_BATCH_ANSWER_BYTES_MAX } from '@nacre/base';
import type { RpcMetrics } from '../metrics.ts';
import { RpcError } from './errors.ts';
import type { CallContext, Method } from './method.ts';

/** Characters of a request's id. Beyond: not a request. */
const ID_LENGTH_MAX = 256;
const REQUEST_MEMBERS: readonly string[] = ['jsonrpc', 'id', 'method', 'params'];

type Id = string | number | null;

interface Request {
  /** Undefined for a notification, which gets no answer. */
  readonly id: Id | undefined;
  readonly method: string;
  readonly params: unknown;
}

export interface DispatcherOptions {
  readonly methods: readonly Method[];
  readonly batchCallsMax: number;
}

/** Asked before each call. @throws {RpcError} `RATE_LIMITED` */
export type Admit = () => Promise<void>;

/** JSON-RPC 2.0: requests and batches in, their answers out. @see https://www.jsonrpc.org/specification */
export class Dispatcher {
  readonly #methods: ReadonlyMap<string, Method>;
  readonly #batchCallsMax: number;
  readonly #metrics: RpcMetrics;
  readonly #log: Log;

  constructor({ methods, batchCallsMax }: DispatcherOptions, { metrics, log }: { readonly metrics: RpcMetrics; readonly log: Log }) {
    this.#methods = new Map(methods.map((method) => [method.name, method]));
    this.#batchCallsMax = batchCallsMax;
    this.#metrics = metrics;
    this.#log = log;
  }

  /** @returns the answer's text, or null if none is due. Never rejects. */
  async answer(body: Uint8Array, context: CallContext, admit: Admit): Promise<string | null> {
    let message: unknown;
    try {
      message = parse(body);
    } catch (error) {
      return this.#errorText(null, error);
    }
    if (!Array.isArray(message)) return this.#answerOne(message, context, admit);
    if (message.length === 0) return this.#errorText(null, new RpcError('INVALID_REQUEST', { reason: 'the batch is empty' }));
    if (message.length > this.#batchCallsMax) {
      return this.#errorText(null, new RpcError('BATCH_TOO_LARGE', { calls: message.length, callsMax: this.#batchCallsMax }));
    }
    return this.#answerBatch(message, context, admit);
  }

  /** In order, except that nothing waits for the calls that themselves wait for a block. */
  async #answerBatch(messages: readonly unknown[], context: CallContext, admit: Admit): Promise<string | null> {
    let bytes = 0;
    const answers: Promise<string | null>[] = [];
    for (const message of messages) {
      if (bytes > RPC_BATCH_ANSWER_BYTES_MAX) {
        answers.push(Promise.resolve(this.#tooLarge(message)));
        continue;
      }
      const answer = this.#answerOne(message, context, admit).then((text) => {
        bytes += text?.length ?? 0;
        return text;
      });
      answers.push(answer);
      if (!this.#waits(message)) await answer;
    }
    const texts = (await Promise.all(answers)).filter((text) => text !== null);
    return texts.length === 0 ? null : `[${texts.join(',')}]`;
  }

  #tooLarge(message: unknown): string | null {
    try {
      const { id } = readRequest(message);
      return id === undefined ? null : this.#errorText(id, new RpcError('ANSWER_TOO_LARGE'));
    } catch (error) {
      return this.#errorText(null, error);
    }
  }

  #waits(message: unknown): boolean {
    const name = typeof message === 'object' && message !== null && 'method' in message ? message.method : undefined;
    return typeof name === 'string' && this.#methods.get(name)?.waits === true;
  }

  async #answerOne(message: unknown, context: CallContext, admit: Admit): Promise<string | null> {
    let request: Request;
    try {
      request = readRequest(message);
    } catch (error) {
      return this.#errorText(null, error);
    }
    const { id } = request;
    const method = this.#methods.get(request.method);
    const end = this.#metrics.began(method?.name ?? 'unknown');
    try {
      await admit();
      if (method === undefined || (method.webSocketOnly && context.subscriptions === null)) throw new RpcError('METHOD_NOT_FOUND');
      const result = await method.call(namedParams(request.params), context);
      end('ok');
      return id === undefined ? null : JSON.stringify({ jsonrpc: '2.0', id, result });
    } catch (error) {
      const rpcError = this.#rpcError(error);
      end(rpcError.code);
      return id === undefined ? null : this.#errorText(id, rpcError);
    }
  }

  #errorText(id: Id, error: unknown): string {
    return JSON.stringify({ jsonrpc: '2.0', id, error: this.#rpcError(error).toObject() });
  }

  /** What is not meant for the caller goes to the log alone. */
  #rpcError(error: unknown): RpcError {
    if (error instanceof RpcError) return error;
    const code = error instanceof NacreError ? String(error.code) : 'UNEXPECTED';
    this.#log.error({ code, error: error instanceof Error ? (error.stack ?? error.message) : String(error) }, 'an RPC call failed');
    return new RpcError('INTERNAL_ERROR', { reason: code });
  }
}

function parse(body: Uint8Array): unknown {
  const text = fromUtf8(body);
  if (text === undefined) throw new RpcError('PARSE_ERROR', { reason: 'not UTF-8' });
  try {
    return JSON.parse(text);
  } catch {
    throw new RpcError('PARSE_ERROR', { reason: 'not JSON' });
  }
}

function readRequest(message: unknown): Request {
  const refuse = (reason: string) => new RpcError('INVALID_REQUEST', { reason });
  if (typeof message !== 'object' || message === null || Array.isArray(message)) throw refuse('a request is an object');
  const request: Readonly<Record<string, unknown>> = { ...message };
  if (!Object.keys(request).every((name) => REQUEST_MEMBERS.includes(name)))
    throw refuse('it has members besides jsonrpc, id, method, params');
  const { jsonrpc, id, method, params } = request;
  if (jsonrpc !== '2.0') throw refuse('jsonrpc is not "2.0"');
  if (typeof method !== 'string') throw refuse('method is not a string');
  if (!isId(id)) throw refuse('id is neither a string, a number nor null');
  return { id, method, params };
}

function isId(id: unknown): id is Id | undefined {
  if (typeof id === 'string') return id.length <= ID_LENGTH_MAX;
  return id === undefined || id === null || typeof id === 'number';
}

/** Parameters go by name. An empty list says the same as none, and some clients send one. */
function namedParams(params: unknown): unknown {
  return params === undefined || (Array.isArray(params) && params.length === 0) ? {} : params;
}
