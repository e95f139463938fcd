import { assert, NacreError, utf8 } from '@nacre/base';
import type { Genesis } from '@nacre/ledger';
import type { FuzzTarget } from './fuzzer.ts';

type Load = (path: string) => Promise<Record<string, unknown>>;
type MakeMethods = (backend: unknown, blocks: unknown) => readonly { readonly name: string }[];

/** What the node behind the RPC ends every call with that got as far as it. */
const REACHED = 'FUZZ_BACKEND_REACHED';

/** Parameters that the methods take, so that mutations begin inside of them. */
const PARAMS: readonly Readonly<Record<string, unknown>>[] = [
  {},
  { tx: 'AAAA', wait: 'committed', timeoutMs: 5 },
  { txId: 'ab'.repeat(32) },
  { chain: 0, height: 1 },
  { chain: 0, hash: 'ab'.repeat(32) },
  { service: 'prices/sp500', key: 'daily', schema: 'ohlcv@1', payload: { low: 1.5, text: 'ü' }, requestId: 'one' },
  { service: 'prices/sp500', payloads: [1, null, []], wait: 'admitted' },
  { service: 'prices/sp500', fromIndex: 0, limit: 5, order: 'desc' },
  { service: 'prices/sp500', index: 0 },
];

/** Bodies of requests, through dispatch and each method's schema: an answer in JSON or none, and no error that nobody foresaw. */
export async function rpcBodies(load: Load, genesis: Genesis): Promise<FuzzTarget> {
  const { Dispatcher } = await load('node/src/rpc/dispatcher.ts');
  const groups = await Promise.all(
    ['chain', 'node', 'record', 'transaction', 'subscription'].map(async (group) => {
      const exports = await load(`node/src/rpc/methods/${group}-methods.ts`);
      return (exports[`${group}Methods`] as MakeMethods)(unreachable({ genesis }), unreachable({}));
    }),
  );
  const methods = groups.flat();
  const unforeseen: unknown[] = [];
  const note = (fields: { readonly code?: unknown }): void => {
    if (fields.code !== REACHED) unforeseen.push(fields);
  };
  const log = { debug: note, info: note, warn: note, error: note };
  const Made = Dispatcher as new (
    options: unknown,
    dependencies: unknown,
  ) => { answer(body: Uint8Array, ...rest: unknown[]): Promise<string | null> };
  const dispatcher = new Made({ methods, batchCallsMax: 4 }, { metrics: { began: () => () => {} }, log });
  const context = { signal: new AbortController().signal, subscriptions: null };
  const calls = methods.flatMap(({ name: method }) => PARAMS.map((params) => JSON.stringify({ jsonrpc: '2.0', id: 1, method, params })));
  return {
    name: 'RPC bodies',
    seeds: [...calls, `[${calls.slice(0, 3).join(',')}]`].map(utf8),
    run: async (input) => {
      const answer = await dispatcher.answer(input, context, () => Promise.resolve());
      assert(unforeseen.length === 0, `an error that nobody foresaw: ${JSON.stringify(unforeseen.splice(0))}`);
      if (answer === null) return false;
      JSON.parse(answer);
      return answer.includes(REACHED);
    },
  };
}

/** Something that has every part, of which everything but what is known throws a typed error when it is called. */
function unreachable(known: Readonly<Record<string, unknown>>): unknown {
  const call = (): never => {
    throw new NacreError(REACHED, 'there is no node behind this');
  };
  return new Proxy(call, {
    get: (_, name) => {
      if (typeof name === 'string' && name in known) return known[name];
      // Not something to be awaited or turned into text.
      return typeof name === 'symbol' || name === 'then' ? undefined : unreachable({});
    },
  });
}
