import { once } from 'node:events';
import { chmod, rename, stat, writeFile } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { concatBytes, type Hash, SIGNER_FRAME_BYTES_MAX, SIGNER_WAITING_MAX } from '@nacre/base';
import { lengthPrefix } from '@nacre/network/frames';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { RemoteSigner } from '../src/signer/remote-signer.ts';
import { SignerConnection } from '../src/signer/signer-connection.ts';
import { SignerServer } from '../src/signer/signer-server.ts';
import { decodeSignerRequest, encodeSignerAnswer, encodeSignerRequest } from '../src/signer/signer-wire.ts';
import { GENESIS, hash, KeptLog, SigningDeskHome, vote } from './support/signing-desk-home.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';
import { until } from './support/until.ts';

let socketPath: string;
let home: SigningDeskHome;
const open: { close(): void | Promise<void> }[] = [];
const log = new KeptLog();

beforeEach(async () => {
  socketPath = join(await temporaryDirectory(), 's.sock');
  home = await SigningDeskHome.create();
  log.lines.length = 0;
});

afterEach(async () => {
  vi.useRealTimers();
  for (const each of open.splice(0).reverse()) await each.close();
});

/** A process of the signer. */
async function serve(): Promise<SignerServer> {
  const desk = await home.restart();
  const server = await SignerServer.listen({ socketPath, socketMode: 0o600, genesisHash: GENESIS.hash }, { desk, log: new KeptLog() });
  open.push(server);
  return server;
}

async function connected(genesisHash: Hash = GENESIS.hash, signal = new AbortController().signal): Promise<RemoteSigner> {
  const signer = await RemoteSigner.connect({ socketPath, genesisHash }, { log, signal });
  open.push(signer);
  return signer;
}

/** A server that shows what it is sent, and answers nothing by itself. */
async function silentServer(): Promise<{ readonly sockets: Socket[]; readonly server: Server }> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => sockets.push(socket.on('error', () => undefined)));
  server.listen(socketPath);
  await once(server, 'listening');
  await chmod(socketPath, 0o600);
  open.push({
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  });
  return { sockets, server };
}

const prepare = vote(5, 0, 'prepare', hash(1));
const frame = (body: Uint8Array): Uint8Array => concatBytes(lengthPrefix(body.length), body);

describe('node and signer', () => {
  test('what is signed for the node is recalled by it', async () => {
    await serve();
    const signer = await connected();
    expect(signer).toMatchObject({ publicKey: home.key.publicKey, session: 1, floorHeight: 0, trouble: null });
    await signer.sign(prepare.message, prepare.context);
    expect(await signer.recall(4)).toHaveLength(1);
    expect(await signer.recall(5)).toHaveLength(0);
  });

  test('a refusal has its reason, and the connection goes on', async () => {
    await serve();
    const signer = await connected();
    await signer.sign(prepare.message, prepare.context);
    const other = vote(5, 0, 'prepare', hash(2));
    await expect(signer.sign(other.message, other.context)).rejects.toMatchObject({
      code: 'SIGNER_REFUSED',
      fields: { reason: 'SIGNED_OTHERWISE' },
    });
    expect(signer.session).toBe(1);
  });

  // @mutation packages/node/src/signer/signer-server.ts
  // - if (this.#served !== null && this.#served !== socket)
  // + if (false)
  test('a second node waits, and says so, until the first one is gone', async () => {
    await serve();
    const first = await connected();
    let isServed = false;
    const second = connected().then((signer) => {
      isServed = true;
      return signer;
    });
    await until(() => log.lines.some((line) => line.includes('it serves another node')));
    expect(isServed).toBe(false);
    await first.sign(prepare.message, prepare.context);
    first.close();
    expect(await (await second).recall(0)).toHaveLength(1);
  });

  // @mutation packages/node/src/signer/signer-server.ts
  // - if (!bytesEqual(genesisHash, this.#options.genesisHash))
  // + if (false)
  test('of two networks do not work together', async () => {
    await serve();
    await expect(connected(hash(8))).rejects.toMatchObject({ code: 'SIGNER_UNUSABLE', fields: { reason: 'WRONG_GENESIS' } });
  });

  test('a node that starts waits for its signer, and can be told to stop waiting', async () => {
    const waiting = new AbortController();
    const never = connected(GENESIS.hash, waiting.signal);
    waiting.abort(new Error('told'));
    await expect(never).rejects.toThrow('told');
    const late = connected();
    await until(() => log.lines.some((line) => line.includes('there is no such socket')));
    await serve();
    expect((await late).session).toBe(1);
  });

  // @mutation packages/node/src/signer/remote-signer.ts
  // - this.#session = null;
  // +
  test('when the signer dies there is no session: a vote fails at once, everything else waits a moment, and a new session follows', async () => {
    const server = await serve();
    const signer = await connected();
    const changes: (number | null)[] = [];
    signer.onChange(() => changes.push(signer.session));
    await server.close();
    await until(() => signer.session === null);
    await expect(signer.sign(prepare.message, prepare.context)).rejects.toMatchObject({ code: 'SIGNER_AWAY' });
    const proof = signer.sign(hash(1), 'nacre/1/admission');
    await serve();
    expect(await proof).toHaveLength(2420);
    expect(changes).toEqual([null, 2]);
  });

  test('what waited for an answer when the signer died fails, after the session has ended', async () => {
    await serve();
    const signer = await connected();
    home.disk.beforeSync = () => new Promise(() => {});
    const asked = signer.sign(prepare.message, prepare.context).catch((error: { code: string }) => [error.code, signer.session]);
    void (open[0] as SignerServer).close();
    expect(await asked).toEqual(['SIGNER_AWAY', null]);
  });

  test('a frozen signer is away when it has not answered for five seconds', async () => {
    const { sockets } = await silentServer();
    const connecting = connected();
    await until(() => sockets.length === 1);
    sockets[0]?.write(frame(encodeSignerAnswer({ kind: 'welcome', publicKey: home.key.publicKey, floorHeight: 0, inDoubt: false })));
    const signer = await connecting;
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const asked = signer.sign(prepare.message, prepare.context).catch((error: { code: string }) => error.code);
    vi.advanceTimersByTime(5_000);
    expect(await asked).toBe('SIGNER_AWAY');
    expect(signer.trouble).toBe('no answer within 5 s');
  });

  test('a signer whose journal is in doubt gives no session, and says what ends it', async () => {
    home.disk.damage('vote-journal', () => undefined);
    await serve();
    const signer = await connected();
    expect(signer.session).toBeNull();
    expect(signer.trouble).toContain('--recover-above');
    expect(await signer.sign(hash(1), 'nacre/1/admission')).toHaveLength(2420);
  });

  // @mutation packages/node/src/signer/signer-server.ts
  // - this.#fail(error);
  // +
  test('a journal that cannot be written ends the signer', async () => {
    const server = await serve();
    const signer = await connected();
    home.disk.beforeSync = () => Promise.reject(new Error('disk full'));
    await expect(signer.sign(prepare.message, prepare.context)).rejects.toMatchObject({ fields: { reason: 'JOURNAL_FAILED' } });
    await expect(server.failed).rejects.toMatchObject({ code: 'JOURNAL_FAILED' });
  });
});

describe('the socket', () => {
  // @mutation packages/node/src/signer/signer-server.ts
  // - await chmod(socketPath, socketMode);
  // +
  test('is for its owner only', async () => {
    await serve();
    expect(((await stat(socketPath)).mode & 0o777).toString(8)).toBe('600');
  });

  // @mutation packages/node/src/signer/signer-server.ts
  // - if (await answers(socketPath)) {
  // + if (false) {
  test('of another signer is not taken over; one that a dead process left is', async () => {
    await serve();
    await expect(serve()).rejects.toMatchObject({ code: 'SIGNER_SOCKET_IN_USE' });
    await (open.pop() as SignerServer).close();
    // Closing removes the file, which a kill does not.
    const { server } = await silentServer();
    const leftBehind = `${socketPath}.left`;
    await rename(socketPath, leftBehind);
    server.close();
    await rename(leftBehind, socketPath);
    await serve();
    expect((await connected()).session).toBe(1);
  });

  // @mutation packages/node/src/signer/signer-server.ts
  // - if (!found.isSocket()) {
  // + if (false) {
  test('is not made in place of a file', async () => {
    await writeFile(socketPath, 'precious');
    await expect(serve()).rejects.toMatchObject({ code: 'FILE_INACCESSIBLE' });
    await expect(connected()).rejects.toMatchObject({ code: 'SIGNER_UNUSABLE', fields: { reason: 'NOT_A_SOCKET' } });
  });

  // @mutation packages/node/src/signer/remote-signer.ts
  // - (found.mode & 0o007) === 0 ? null
  // + (found.mode & 0o777) !== 0 ? null
  test('that everybody can connect to is not used', async () => {
    await serve();
    await chmod(socketPath, 0o606);
    await expect(connected()).rejects.toMatchObject({ code: 'SIGNER_UNUSABLE', fields: { reason: 'SOCKET_OPEN_TO_ALL' } });
  });
});

describe('what does not keep to the dialogue', () => {
  const hello = frame(encodeSignerRequest({ kind: 'hello', genesisHash: GENESIS.hash }));
  const sign = frame(
    encodeSignerRequest({ kind: 'sign', context: new TextEncoder().encode(prepare.context), message: prepare.message, contents: hash(1) }),
  );

  test.each([
    ['a vote without a greeting', sign],
    ['a frame that is too long', lengthPrefix(SIGNER_FRAME_BYTES_MAX + 1)],
    ['another version', frame(Uint8Array.of(9, 0, 1))],
    ['an unknown kind', frame(Uint8Array.of(1, 77))],
    ['bytes', new Uint8Array(5000).fill(0x41)],
    ['an empty frame', frame(new Uint8Array(0))],
    ['garbage after the greeting', concatBytes(hello, frame(Uint8Array.of(1, 1, 3)))],
  ])('%s ends the connection, and the signer goes on', async (_, bytes) => {
    await serve();
    const socket = connect(socketPath);
    socket.on('error', () => undefined).resume();
    socket.write(bytes);
    await once(socket, 'close');
    const signer = await connected();
    expect(await signer.recall(0)).toHaveLength(0);
  });

  // @mutation packages/node/src/signer/signer-server.ts
  // - if (this.#served !== socket) return {
  // + if (false) return {
  test('whoever has not greeted gets nothing signed', async () => {
    await serve();
    const socket = connect(socketPath).on('error', () => undefined);
    const answers: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => answers.push(chunk));
    socket.write(sign);
    await until(() => answers.length > 0);
    expect(Buffer.concat(answers).subarray(4)).toEqual(Buffer.from(encodeSignerAnswer({ kind: 'refused', code: 'MALFORMED' })));
    socket.destroy();
  });

  test('an answer of garbage ends the connection of the node', async () => {
    const { sockets } = await silentServer();
    void connected().catch(() => undefined);
    await until(() => sockets.length === 1);
    sockets[0]?.write(frame(Uint8Array.of(1, 99)));
    await until(() => log.lines.length > 0);
    expect(log.lines.join()).toContain('its answer is MALFORMED');
  });
});

describe('what waits for a signer', () => {
  // @mutation packages/node/src/signer/signer-connection.ts
  // - const next = this.#urgent.shift() ?? this.#waiting.shift();
  // + const next = this.#waiting.shift() ?? this.#urgent.shift();
  test('votes go first', async () => {
    const { sockets } = await silentServer();
    const connection = await SignerConnection.open(socketPath);
    const ask = (byte: number, urgent: boolean) =>
      connection
        .ask({ kind: 'sign', context: Uint8Array.of(byte), message: hash(1), contents: hash(1) }, { urgent })
        .catch(() => undefined);
    void ask(1, false);
    void ask(2, false);
    void ask(3, true);
    await until(() => sockets.length === 1);
    const order: number[] = [];
    sockets[0]?.on('data', (chunk: Buffer) => {
      const request = decodeSignerRequest(new Uint8Array(chunk.subarray(4)));
      if (request.ok && request.value.kind === 'sign') order.push(request.value.context[0] as number);
      sockets[0]?.write(frame(encodeSignerAnswer({ kind: 'signed', signature: hash(1) })));
    });
    await until(() => order.length === 3);
    expect(order).toEqual([1, 3, 2]);
    connection.end('test');
  });

  // @mutation packages/node/src/signer/signer-connection.ts
  // - if (!urgent && this.#waiting.length >= SIGNER_WAITING_MAX) return
  // + if (false) return
  test('is bounded, beside votes', async () => {
    await silentServer();
    const connection = await SignerConnection.open(socketPath);
    const codes: string[] = [];
    const ask = (urgent: boolean) =>
      connection.ask({ kind: 'recall', aboveHeight: 0, skip: 0 }, { urgent }).catch((error: { fields: { why: string } }) => {
        codes.push(error.fields.why);
      });
    // One is under way.
    for (let i = 0; i < SIGNER_WAITING_MAX + 2; i++) void ask(false);
    void ask(true);
    await until(() => codes.length === 1);
    expect(codes).toEqual(['too much waits to be signed']);
    connection.end('test');
  });
});
