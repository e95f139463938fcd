import { type Command, Option } from 'commander';
import type { CommandContext } from '../program.ts';
import { RpcFailure } from '../rpc-client.ts';

/** Waits between two attempts to connect again, in ms: doubling from the first to the last. */
const RECONNECT_FIRST_MS = 250;
const RECONNECT_LAST_MS = 10_000;

interface Message {
  readonly id?: number;
  readonly result?: { readonly cursor: string };
  readonly error?: { readonly message: string; readonly data?: { readonly code?: string } };
  readonly method?: string;
  readonly params?: { readonly data?: unknown; readonly cursor?: string; readonly from?: string; readonly to?: string };
}

interface Watch {
  readonly topic: string;
  readonly service: string | undefined;
  cursor: string | undefined;
}

/** `watch`: events as they are decided, one per line, across lost connections. */
export function addWatchCommand(program: Command, context: CommandContext): void {
  program
    .command('watch')
    .description('print what is decided as it happens, until interrupted')
    .argument('[topic]', 'blocks, transactions or records', 'blocks')
    .option('--service <name>', 'whose records')
    .option('--cursor <cursor>', 'where to resume, as an earlier event named it')
    .addOption(new Option('--count <events>', 'end after so many').argParser(Number))
    .action(
      async (
        topic: string,
        { service, cursor, count = Number.POSITIVE_INFINITY }: { service?: string; cursor?: string; count?: number },
      ) => {
        const watch: Watch = { topic, service, cursor };
        let left = count;
        const show = (event: unknown): boolean => {
          context.io.stdout(`${JSON.stringify(event)}\n`);
          return --left > 0;
        };
        let waitMs = 0;
        while (left > 0) {
          if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
          const connected = await follow(context, watch, show);
          if (left > 0) context.io.stderr('connection lost, trying again\n');
          waitMs = connected ? RECONNECT_FIRST_MS : Math.min(RECONNECT_LAST_MS, Math.max(RECONNECT_FIRST_MS, 2 * waitMs));
        }
      },
    );
}

/** One connection's life. @returns whether it was subscribed. @throws {RpcFailure} if the node refuses the subscription */
function follow({ rpcUrl }: CommandContext, watch: Watch, show: (event: unknown) => boolean): Promise<boolean> {
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  const url = new URL('/ws', rpcUrl);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  const socket = new WebSocket(url);
  let subscribed = false;
  socket.onopen = () => {
    const { topic, service, cursor } = watch;
    socket.send(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'subscribe', params: { topic, service, cursor } }));
  };
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(String(data)) as Message;
    if (message.error !== undefined) {
      reject(
        new RpcFailure('RPC_REFUSED', `subscribe: ${message.error.message}`, { fields: { url: rpcUrl, reason: message.error.data?.code } }),
      );
      socket.close();
      return;
    }
    if (message.id === 1 && message.result !== undefined) {
      subscribed = true;
      watch.cursor = message.result.cursor;
    }
    if (message.method === undefined) return;
    watch.cursor = message.params?.cursor ?? watch.cursor;
    if (!show({ kind: message.method, ...message.params })) socket.close();
  };
  socket.onerror = () => undefined;
  socket.onclose = () => resolve(subscribed);
  return promise;
}
