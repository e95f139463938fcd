import { chmod, lstat, rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { bytesEqual, concatBytes, fromUtf8, type Hash, type Log, SIGNER_CONNECTIONS_MAX, SIGNER_FRAME_BYTES_MAX } from '@nacre/base';
import { FrameReader, lengthPrefix } from '@nacre/network/frames';
import type { SignerRefusal, SigningDesk } from '@nacre/replica';
import { NodeError } from '../node-error.ts';
import { decodeSignerRequest, encodeSignerAnswer, type SignerAnswer, type SignerRequest } from './signer-wire.ts';

/** Time in ms for a greeting. Beyond: the connection ends. */
const HELLO_TIMEOUT_MS = 5_000;
/** Bytes of a Unix socket's path, without the final NUL. unix(7): `sun_path` has 108. */
const SOCKET_PATH_BYTES_MAX = 107;

export interface SignerServerOptions {
  readonly socketPath: string;
  /** 0o600, or 0o660 for a node that runs as another user of the socket's group. */
  readonly socketMode: number;
  readonly genesisHash: Hash;
}

interface Dependencies {
  readonly desk: SigningDesk;
  readonly log: Log;
}

/**
 * The socket of a signer. It serves one node at a time: the first one that greets it, until its connection ends; whoever comes meanwhile is
 * told that it is busy. A frozen node keeps its place until it is killed, because nobody here can tell that it will not wake up and go on.
 */
export class SignerServer {
  readonly #options: SignerServerOptions;
  readonly #dependencies: Dependencies;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #failure = Promise.withResolvers<never>();
  #served: Socket | null = null;

  private constructor(options: SignerServerOptions, dependencies: Dependencies) {
    this.#options = options;
    this.#dependencies = dependencies;
    this.#server = createServer((socket) => this.#accept(socket));
    this.#failure.promise.catch(() => undefined);
  }

  /** @throws {NodeError} `SIGNER_SOCKET_IN_USE`, `FILE_INACCESSIBLE` */
  static async listen(options: SignerServerOptions, dependencies: Dependencies): Promise<SignerServer> {
    const server = new SignerServer(options, dependencies);
    await server.#listen();
    return server;
  }

  /** Rejects when the journal fails: nothing is signed any more, and only a new start tells what of it is on the disk. */
  get failed(): Promise<never> {
    return this.#failure.promise;
  }

  async close(): Promise<void> {
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async #listen(): Promise<void> {
    const { socketPath, socketMode } = this.#options;
    await makeRoom(socketPath);
    const { promise: listening, resolve, reject } = Promise.withResolvers<void>();
    this.#server.once('error', reject);
    this.#server.listen(socketPath, resolve);
    try {
      await listening;
      await chmod(socketPath, socketMode);
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException;
      throw new NodeError('FILE_INACCESSIBLE', `cannot listen on ${socketPath}: ${code}`, {
        cause,
        fields: { path: socketPath, errno: code },
        hint: 'Make its directory, and give the user who runs the signer the right to write into it.',
      });
    }
  }

  #accept(socket: Socket): void {
    socket.on('error', () => socket.destroy());
    if (this.#sockets.size > SIGNER_CONNECTIONS_MAX) {
      socket.destroy();
      return;
    }
    this.#sockets.add(socket);
    this.#serve(socket)
      .catch((error: unknown) => this.#fail(error))
      .finally(() => {
        this.#sockets.delete(socket);
        if (this.#served === socket) {
          this.#served = null;
          this.#dependencies.log.info({}, 'node disconnected');
        }
        socket.destroy();
      });
  }

  /** Nothing more is read before what was read is answered, so that a node cannot pile up requests here. */
  async #serve(socket: Socket): Promise<void> {
    const frames: Uint8Array[] = [];
    const reader = new FrameReader({ frameBytesMax: SIGNER_FRAME_BYTES_MAX, onFrame: (frame) => frames.push(frame) });
    const late = setTimeout(() => socket.destroy(), HELLO_TIMEOUT_MS);
    try {
      for await (const chunk of incoming(socket)) {
        const isRead = reader.push(chunk).ok;
        for (const frame of frames.splice(0)) {
          const { answer, isLast } = await this.#answer(socket, frame);
          if (this.#served === socket) clearTimeout(late);
          await send(socket, answer);
          if (isLast) return;
        }
        if (!isRead) return;
      }
    } finally {
      clearTimeout(late);
    }
  }

  async #answer(socket: Socket, frame: Uint8Array): Promise<{ readonly answer: SignerAnswer; readonly isLast: boolean }> {
    const request = decodeSignerRequest(frame);
    if (!request.ok) return { answer: this.#refuse(request.error), isLast: true };
    if (request.value.kind === 'hello') return this.#greet(socket, request.value);
    if (this.#served !== socket) return { answer: this.#refuse({ code: 'MALFORMED', reason: 'no greeting' }), isLast: true };
    return { answer: await this.#carryOut(request.value), isLast: false };
  }

  #greet(socket: Socket, { genesisHash }: SignerRequest & { kind: 'hello' }): { readonly answer: SignerAnswer; readonly isLast: boolean } {
    const { desk, log } = this.#dependencies;
    if (!bytesEqual(genesisHash, this.#options.genesisHash)) return { answer: this.#refuse({ code: 'WRONG_GENESIS' }), isLast: true };
    if (this.#served !== null && this.#served !== socket) return { answer: this.#refuse({ code: 'SIGNER_BUSY' }), isLast: true };
    if (this.#served === null) log.info({}, 'node connected');
    this.#served = socket;
    const { publicKey, floorHeight, inDoubt } = desk;
    return { answer: { kind: 'welcome', publicKey, floorHeight, inDoubt }, isLast: false };
  }

  async #carryOut(request: Exclude<SignerRequest, { kind: 'hello' }>): Promise<SignerAnswer> {
    const { desk } = this.#dependencies;
    if (request.kind === 'recall') {
      const recalled = desk.recall(request.aboveHeight, request.skip);
      return recalled.ok ? { kind: 'recalled', ...recalled.value } : this.#refuse(recalled.error);
    }
    try {
      const context = fromUtf8(request.context) ?? '';
      const signed = await desk.sign({ ...request, context });
      return signed.ok ? { kind: 'signed', signature: signed.value } : this.#refuse(signed.error);
    } catch (error) {
      this.#fail(error);
      return this.#refuse({ code: 'JOURNAL_FAILED' });
    }
  }

  #refuse(refusal: SignerRefusal): SignerAnswer {
    this.#dependencies.log.warn({ ...refusal }, 'refused');
    return { kind: 'refused', code: refusal.code };
  }

  #fail(error: unknown): void {
    this.#failure.reject(error);
  }
}

/** What arrives; a connection that breaks just ends. */
async function* incoming(socket: Socket): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of socket) yield chunk as Uint8Array;
  } catch {
    // The other side is gone, and with it whoever waited for an answer.
  }
}

/** Resolves when the bytes are written, or never will be. */
function send(socket: Socket, answer: SignerAnswer): Promise<void> {
  const body = encodeSignerAnswer(answer);
  return new Promise((resolve) => {
    socket.write(concatBytes(lengthPrefix(body.length), body), () => resolve());
  });
}

/** Removes what a dead process left. Anything but a socket that nobody listens on is left alone. */
async function makeRoom(socketPath: string): Promise<void> {
  if (Buffer.byteLength(socketPath) > SOCKET_PATH_BYTES_MAX) {
    throw new NodeError('FILE_INACCESSIBLE', `the path of the socket ${socketPath} is longer than ${SOCKET_PATH_BYTES_MAX} bytes`, {
      fields: { path: socketPath, bytesMax: SOCKET_PATH_BYTES_MAX },
      hint: 'Give a shorter path.',
    });
  }
  const found = await lstat(socketPath).catch(() => undefined);
  if (found === undefined) return;
  if (!found.isSocket()) {
    throw new NodeError('FILE_INACCESSIBLE', `${socketPath} exists and is no socket`, {
      fields: { path: socketPath },
      hint: 'Nothing of it was touched. Give another path.',
    });
  }
  if (await answers(socketPath)) {
    throw new NodeError('SIGNER_SOCKET_IN_USE', `another process listens on ${socketPath}`, {
      fields: { path: socketPath },
      hint: 'Stop it, or give each signer a socket of its own.',
    });
  }
  await rm(socketPath, { force: true });
}

function answers(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(socketPath);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });
}
