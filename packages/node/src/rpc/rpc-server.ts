import { setTimeout } from 'node:timers/promises';
import rateLimit from '@fastify/rate-limit';
import webSocket from '@fastify/websocket';
import { type Log, RPC_ADDRESSES_MAX, RPC_CONNECTIONS_MAX, RPC_REQUEST_TIMEOUT_MS } from '@nacre/base';
import fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { NodeBackend } from '../backend.ts';
import type { NodeMetrics } from '../metrics.ts';
import { Access, type AccessOptions, hostInUrl } from './access.ts';
import { discoverMethod } from './discover.ts';
import { type Admit, Dispatcher } from './dispatcher.ts';
import { RpcError, type RpcErrorCode } from './errors.ts';
import { DEFAULT_RPC_LIMITS, type RpcLimits } from './limits.ts';
import type { Method } from './method.ts';
import { chainMethods } from './methods/chain-methods.ts';
import { evidenceMethods } from './methods/evidence-methods.ts';
import { healthMethods } from './methods/health-methods.ts';
import { lightMethods } from './methods/light-methods.ts';
import { nodeMethods } from './methods/node-methods.ts';
import { recordMethods } from './methods/record-methods.ts';
import { subscriptionMethods } from './methods/subscription-methods.ts';
import { transactionMethods } from './methods/transaction-methods.ts';
import { validatorMethods } from './methods/validator-methods.ts';
import { portOwner } from './port-owner.ts';
import { RecentBlocks } from './recent-blocks.ts';
import { StartRpcError } from './start-rpc-error.ts';
import { type ServerSocket, WebSocketSession } from './web-socket.ts';

export interface RpcOptions {
  /** Address to listen on. */
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Host headers accepted besides the loopback names and `host`, each with the port: `name` or `name:port`. */
  readonly allowedHosts?: readonly string[];
  /** Origins of web pages that may use the node, besides its own. */
  readonly allowedOrigins?: readonly string[];
  readonly limits?: Partial<RpcLimits>;
}

export interface RpcDependencies {
  readonly backend: NodeBackend;
  readonly metrics: NodeMetrics;
  readonly log: Log;
}

export interface RunningRpc {
  /** Where to reach it, without a slash at the end. */
  readonly url: string;
  /** Ends all connections. Call it before the backend is closed. */
  close(): Promise<void>;
}

/** HTTP status of the refusals that come before JSON-RPC; its own errors are answers, with 200. */
const HTTP_STATUS: Partial<Record<RpcErrorCode, number>> = {
  HOST_FORBIDDEN: 403,
  ORIGIN_FORBIDDEN: 403,
  CONTENT_TYPE_UNSUPPORTED: 415,
  BODY_TOO_LARGE: 413,
  PATH_UNKNOWN: 404,
  HTTP_MALFORMED: 400,
  RATE_LIMITED: 429,
  TOO_MANY_SOCKETS: 503,
};
const RATE_WINDOW_MS = 1000;
/** How long the answers to those who wait may take when the node stops, in ms, and how often that is looked at. */
const CLOSE_PATIENCE_MS = 1000;
const CLOSE_POLL_MS = 5;
/** How long a browser may remember that an origin is allowed, in seconds. */
const PREFLIGHT_MAX_AGE = 600;

type RateCheck = ReturnType<FastifyInstance['createRateLimit']>;

/**
 * Serves JSON-RPC over HTTP and WebSocket, health and metrics.
 *
 * @throws {StartRpcError} `PORT_IN_USE` with the port and, where it can be told, the process; `LISTEN_FAILED`
 */
export async function startRpc(options: RpcOptions, dependencies: RpcDependencies): Promise<RunningRpc> {
  const server = new RpcServer(options, dependencies);
  return server.start();
}

class RpcServer {
  readonly #options: RpcOptions;
  readonly #limits: RpcLimits;
  readonly #backend: NodeBackend;
  readonly #metrics: NodeMetrics;
  readonly #log: Log;
  readonly #http: FastifyInstance;
  readonly #dispatcher: Dispatcher;
  readonly #blocks: RecentBlocks;
  readonly #sessions = new Map<WebSocketSession, string>();
  /** Requests over HTTP being answered; no more than there are connections. */
  readonly #answering = new Set<AbortController>();
  #access: Access | null = null;

  constructor(options: RpcOptions, { backend, metrics, log }: RpcDependencies) {
    this.#options = options;
    this.#limits = { ...DEFAULT_RPC_LIMITS, ...options.limits };
    this.#backend = backend;
    this.#metrics = metrics;
    this.#log = log;
    this.#blocks = new RecentBlocks(backend);
    const methods = rpcMethods(backend, this.#blocks);
    const { batchCallsMax, bodyBytesMax } = this.#limits;
    this.#dispatcher = new Dispatcher({ methods, batchCallsMax }, { metrics: metrics.rpc, log });
    this.#http = fastify({
      logger: false,
      bodyLimit: bodyBytesMax,
      requestTimeout: RPC_REQUEST_TIMEOUT_MS,
      forceCloseConnections: true,
      return503OnClosing: false,
    });
    this.#http.server.maxConnections = RPC_CONNECTIONS_MAX;
  }

  async start(): Promise<RunningRpc> {
    await this.#addRoutes();
    const { host } = this.#options;
    const port = await this.#listen();
    const { allowedHosts = [], allowedOrigins = [] } = this.#options;
    const access: AccessOptions = { host, port, allowedHosts, allowedOrigins };
    this.#access = new Access(access);
    const wakeAll = (): void => {
      for (const session of this.#sessions.keys()) session.wake();
    };
    const stops = [
      this.#backend.onDecided((applied) => {
        this.#blocks.add(applied);
        wakeAll();
      }),
      this.#backend.healthLog.onEvent(wakeAll),
    ];
    this.#metrics.rpc.observeSockets(() => ({
      sockets: this.#sessions.size,
      subscriptions: [...this.#sessions.keys()].reduce((sum, session) => sum + session.subscriptions, 0),
    }));
    const url = `http://${hostInUrl(host)}:${port}`;
    this.#log.info({ url }, 'RPC listens');
    return {
      url,
      close: async () => {
        for (const stop of stops) stop();
        for (const session of [...this.#sessions.keys()]) session.end();
        await this.#endWaits();
        await this.#http.close();
      },
    };
  }

  /** Whoever waits for a block is told how far it came, rather than cut off. */
  async #endWaits(): Promise<void> {
    for (const ended of this.#answering) ended.abort();
    const giveUpAtMs = performance.now() + CLOSE_PATIENCE_MS;
    while (this.#answering.size > 0 && performance.now() < giveUpAtMs) await setTimeout(CLOSE_POLL_MS);
  }

  async #listen(): Promise<number> {
    const { host, port } = this.#options;
    try {
      await this.#http.listen({ host, port });
    } catch (cause) {
      await this.#http.close();
      const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
      if (code !== 'EADDRINUSE') {
        const hint = 'Check rpc.host and rpc.port; ports below 1024 need rights.';
        throw new StartRpcError('LISTEN_FAILED', `the RPC cannot listen on ${host}:${port}: ${code}`, {
          cause,
          fields: { host, port, reason: code },
          hint,
        });
      }
      const owner = await portOwner(port);
      const by = owner === null ? '' : ` by process ${owner.pid} (${owner.name})`;
      throw new StartRpcError('PORT_IN_USE', `port ${port} for the RPC is in use${by}`, {
        cause,
        fields: { host, port, ...(owner === null ? {} : { pid: owner.pid, process: owner.name }) },
        hint: 'Stop that process, or give another port: --rpc-port, or rpc.port in the configuration.',
      });
    }
    const address = this.#http.server.address();
    return typeof address === 'object' && address !== null ? address.port : port;
  }

  async #addRoutes(): Promise<void> {
    const http = this.#http;
    const { addressCallsPerSecondMax, socketCallsPerSecondMax, bodyBytesMax } = this.#limits;
    http.setErrorHandler((error: FastifyError, _request, reply) => this.#refuse(reply, httpError(error)));
    http.setNotFoundHandler((_request, reply) => this.#refuse(reply, new RpcError('PATH_UNKNOWN')));
    await http.register(rateLimit, { global: false, max: addressCallsPerSecondMax, timeWindow: RATE_WINDOW_MS, cache: RPC_ADDRESSES_MAX });
    const ofAddress = http.createRateLimit();
    const ofSocket = http.createRateLimit({ max: socketCallsPerSecondMax, timeWindow: RATE_WINDOW_MS, keyGenerator: ({ id }) => id });
    await http.register(webSocket, { options: { maxPayload: bodyBytesMax } });
    http.addHook('onRequest', async (request, reply) => this.#admit(request, reply, ofAddress));

    // A page may send forms and plain text anywhere without asking first: only JSON is read.
    http.removeAllContentTypeParsers();
    http.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
    http.post('/', (request, reply) => this.#answer(request, reply, ofAddress));
    http.options('/', async (_request, reply) => {
      await reply
        .code(204)
        .header('access-control-allow-methods', 'POST')
        .header('access-control-allow-headers', 'content-type')
        .header('access-control-max-age', PREFLIGHT_MAX_AGE)
        .send();
    });
    http.get('/ws', { websocket: true }, (socket: ServerSocket, request: FastifyRequest) =>
      this.#connect(socket, request, [ofAddress, ofSocket]),
    );
    http.get('/healthz', async () => ({ alive: true }));
    http.get('/readyz', async (_request, reply) => {
      const { state, reason } = this.#backend.networkState();
      const ready = state === 'NORMAL';
      await reply.code(ready ? 200 : 503).send({ ready, state, reason });
    });
    http.get('/metrics', async (_request, reply) => {
      const { contentType } = this.#metrics;
      await reply.header('content-type', contentType).send(await this.#metrics.text());
    });
  }

  /** Before anything of the body is read. */
  async #admit(request: FastifyRequest, reply: FastifyReply, ofAddress: RateCheck): Promise<void> {
    const { host, origin } = request.headers;
    if (this.#access === null) throw new RpcError('HTTP_MALFORMED', { reason: 'not listening yet' });
    this.#access.check({ host, origin });
    if (origin !== undefined) reply.header('access-control-allow-origin', origin).header('vary', 'origin');
    await checkRate(ofAddress, request);
    if (request.ws) this.#checkSockets(request.ip);
  }

  #checkSockets(address: string): void {
    const { socketsMax, socketsPerAddressMax } = this.#limits;
    const ofAddress = [...this.#sessions.values()].filter((other) => other === address).length;
    if (this.#sessions.size >= socketsMax || ofAddress >= socketsPerAddressMax) {
      throw new RpcError('TOO_MANY_SOCKETS', { socketsMax, socketsPerAddressMax });
    }
  }

  async #answer(request: FastifyRequest, reply: FastifyReply, ofAddress: RateCheck): Promise<void> {
    const ended = new AbortController();
    this.#answering.add(ended);
    reply.raw.once('close', () => {
      this.#answering.delete(ended);
      // Aborting costs an exception with its stack, so not after every answer that was sent.
      if (!reply.raw.writableFinished) ended.abort();
    });
    let counted = true;
    const admit: Admit = async () => {
      // The request itself was counted when it came.
      if (!counted) await checkRate(ofAddress, request);
      counted = false;
    };
    const body = request.body instanceof Uint8Array ? request.body : new Uint8Array(0);
    const text = await this.#dispatcher.answer(body, { signal: ended.signal, subscriptions: null }, admit);
    if (text === null) await reply.code(204).send();
    else await reply.header('content-type', 'application/json').send(text);
  }

  #connect(socket: ServerSocket, request: FastifyRequest, checks: readonly RateCheck[]): void {
    const { subscriptionsMax, subscriptionLagMax } = this.#limits;
    const admit: Admit = async () => {
      for (const check of checks) await checkRate(check, request);
    };
    const session = new WebSocketSession(
      socket,
      { subscriptionsMax, lagMax: subscriptionLagMax },
      { dispatcher: this.#dispatcher, admit, log: this.#log, closed: () => this.#sessions.delete(session) },
    );
    this.#sessions.set(session, request.ip);
  }

  async #refuse(reply: FastifyReply, error: RpcError): Promise<void> {
    this.#metrics.rpc.refused(error.code);
    if (error.code === 'INTERNAL_ERROR') this.#log.error({ reason: error.fields.reason }, 'an HTTP request failed');
    const retryAfterMs = error.fields.retryAfterMs;
    if (typeof retryAfterMs === 'number') reply.header('retry-after', Math.ceil(retryAfterMs / 1000));
    await reply
      .code(HTTP_STATUS[error.code] ?? 500)
      .header('content-type', 'application/json')
      .send(JSON.stringify({ jsonrpc: '2.0', id: null, error: error.toObject() }));
  }
}

function rpcMethods(backend: NodeBackend, blocks: RecentBlocks): Method[] {
  const methods = [
    ...nodeMethods(backend),
    ...healthMethods(backend),
    ...transactionMethods(backend),
    ...recordMethods(backend),
    ...lightMethods(backend),
    ...chainMethods(backend),
    ...validatorMethods(backend),
    ...evidenceMethods(backend),
    ...subscriptionMethods(backend, blocks),
  ];
  return [...methods, discoverMethod(methods, backend.version)];
}

async function checkRate(check: RateCheck, request: FastifyRequest): Promise<void> {
  const rate = await check(request);
  if (!rate.isAllowed && rate.isExceeded) throw new RpcError('RATE_LIMITED', { callsPerSecondMax: rate.max, retryAfterMs: rate.ttl });
}

function httpError(error: FastifyError | RpcError): RpcError {
  if (error instanceof RpcError) return error;
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new RpcError('BODY_TOO_LARGE');
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new RpcError('CONTENT_TYPE_UNSUPPORTED');
    default:
      return (error.statusCode ?? 500) < 500
        ? new RpcError('HTTP_MALFORMED', { reason: error.code })
        : new RpcError('INTERNAL_ERROR', { reason: error.code });
  }
}
