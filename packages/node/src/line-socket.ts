import { chmod, rm } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { NacreError } from '@nacre/base';
import { z } from 'zod';
import { NodeError } from './node-error.ts';

/** Longest line either side takes, in characters. Beyond: the connection ends. */
const LINE_CHARACTERS_MAX = 1024 * 1024;
/** Connections at a time. The next is closed. */
const CONNECTIONS_MAX = 32;
/** Bytes of a Unix socket's path, without the final NUL. unix(7): `sun_path` has 108. */
const SOCKET_PATH_BYTES_MAX = 107;

const requestSchema = z.strictObject({ method: z.string(), params: z.record(z.string(), z.unknown()) });
const answerSchema = z.union([
  z.strictObject({ ok: z.literal(true), result: z.unknown() }),
  z.strictObject({ ok: z.literal(false), error: z.object({ code: z.string(), message: z.string(), hint: z.string().optional() }) }),
]);

export type LineHandler = (params: Readonly<Record<string, unknown>>) => Promise<unknown>;

/**
 * Serves questions of the same user on a Unix socket (mode 0600): one JSON object `{method, params}` a line, and one
 * `{ok, result}` or `{ok, error}` back. A socket file that a dead process left is replaced: whoever calls this holds the home's lock.
 *
 * @throws {NodeError} `FILE_INACCESSIBLE` if the socket cannot be made, for example because its path is too long
 */
export async function serveLines(path: string, handlers: ReadonlyMap<string, LineHandler>): Promise<{ close(): Promise<void> }> {
  if (Buffer.byteLength(path) > SOCKET_PATH_BYTES_MAX) {
    throw new NodeError('FILE_INACCESSIBLE', `the path of the socket ${path} is longer than ${SOCKET_PATH_BYTES_MAX} bytes`, {
      fields: { path, bytesMax: SOCKET_PATH_BYTES_MAX },
      hint: 'Move the home to a shorter path.',
    });
  }
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    if (sockets.size >= CONNECTIONS_MAX) {
      socket.destroy();
      return;
    }
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    readLines(socket, async (line) => {
      socket.write(`${JSON.stringify(await answer(line, handlers))}\n`);
    });
  });
  await rm(path, { force: true });
  const { promise: listening, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  // The home itself is closed to others (0700), so nobody slips in before the mode is set.
  server.listen(path, resolve);
  try {
    await listening;
    await chmod(path, 0o600);
  } catch (cause) {
    throw new NodeError('FILE_INACCESSIBLE', `cannot listen on ${path}: ${(cause as Error).message}`, { cause, fields: { path } });
  }
  return {
    close: async () => {
      const { promise: closed, resolve: done } = Promise.withResolvers<void>();
      server.close(() => done());
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/**
 * Asks one question.
 *
 * @returns the result, unchecked. @throws {NodeError} `ADMIN_UNREACHABLE`, with `fields.absent` where nobody listens, which a frozen or busy
 *   process does; `ADMIN_REFUSED` with `fields.reason`, the other side's code
 */
export async function askLine(
  path: string,
  method: string,
  params: Readonly<Record<string, unknown>>,
  timeoutMs: number,
): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const socket = connect(path, () => socket.write(`${JSON.stringify({ method, params })}\n`));
  const timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
  socket.on('error', reject);
  socket.on('close', () => reject(new Error('the connection ended without an answer')));
  readLines(socket, (line) => Promise.resolve(resolve(line)));
  let line: string;
  try {
    line = await promise;
  } catch (cause) {
    throw new NodeError('ADMIN_UNREACHABLE', `nothing answers on ${path}: ${(cause as Error).message}`, {
      cause,
      fields: { path, absent: ['ENOENT', 'ECONNREFUSED'].includes((cause as NodeJS.ErrnoException).code ?? '') },
      hint: 'The node of this home is not running, or is paused.',
    });
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
  const parsed = answerSchema.safeParse(parseJson(line));
  if (parsed.success && parsed.data.ok) return parsed.data.result;
  const error = parsed.success && !parsed.data.ok ? parsed.data.error : { code: 'MALFORMED', message: 'the answer is unreadable' };
  throw new NodeError('ADMIN_REFUSED', error.message, {
    fields: { path, method, reason: error.code },
    ...('hint' in error && error.hint ? { hint: error.hint } : {}),
  });
}

function readLines(socket: Socket, take: (line: string) => Promise<void>): void {
  let characters = 0;
  socket.on('data', (chunk: Buffer) => {
    const end = chunk.lastIndexOf(10);
    characters = end === -1 ? characters + chunk.length : chunk.length - end;
    if (characters > LINE_CHARACTERS_MAX) socket.destroy();
  });
  const lines = createInterface({ input: socket });
  // A reader of lines passes on the errors of its stream, which the socket's own handler has dealt with.
  lines.on('error', () => lines.close());
  lines.on('line', (line) => void take(line));
}

async function answer(line: string, handlers: ReadonlyMap<string, LineHandler>): Promise<z.input<typeof answerSchema>> {
  const request = requestSchema.safeParse(parseJson(line));
  if (!request.success) return { ok: false, error: { code: 'MALFORMED', message: 'not a request' } };
  const { method, params } = request.data;
  const handler = handlers.get(method);
  if (handler === undefined) return { ok: false, error: { code: 'METHOD_UNKNOWN', message: `no method ${method}` } };
  try {
    return { ok: true, result: (await handler(params)) ?? null };
  } catch (error) {
    if (error instanceof NacreError) {
      const { code, message, hint } = error as NacreError;
      return { ok: false, error: { code, message, ...(hint === undefined ? {} : { hint }) } };
    }
    return { ok: false, error: { code: 'INTERNAL', message: error instanceof Error ? error.message : String(error) } };
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
