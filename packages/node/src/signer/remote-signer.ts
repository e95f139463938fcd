import { stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { bytesEqual, type Custody, type Hash, type Log, type RecalledMessage, type Signer, SignerError, utf8 } from '@nacre/base';
import { PROPOSAL_CONTEXT, VOTE_CONTEXT } from '@nacre/consensus';
import type { SignerRefusalCode } from '@nacre/replica';
import { NodeError } from '../node-error.ts';
import { away, SignerConnection } from './signer-connection.ts';
import type { SignerAnswer } from './signer-wire.ts';

/** Between two attempts to reach a signer, in ms: at first, and at most. It doubles in between. */
const RETRY_FIRST_MS = 50;
const RETRY_LAST_MS = 2_000;
/** How long what is no vote waits for a signer that is away, in ms. */
const PATIENCE_MS = 2_000;

export interface RemoteSignerOptions {
  readonly socketPath: string;
  readonly genesisHash: Hash;
}

interface Dependencies {
  readonly log: Log;
  /** Ends the wait for the first answer. */
  readonly signal: AbortSignal;
}

/** Why there is no session; those that no waiting mends end a node that starts. */
interface Trouble {
  readonly why: string;
  readonly lasting: SignerRefusalCode | 'SOCKET_OPEN_TO_ALL' | 'NOT_A_SOCKET' | 'EACCES' | 'OTHER_KEY' | null;
}

const LASTING_REFUSALS: readonly SignerRefusalCode[] = ['SIGNER_VERSION', 'WRONG_GENESIS', 'MALFORMED'];

const HINTS: Readonly<Record<string, string>> = {
  SIGNER_VERSION: 'Run node and signer of one release.',
  WRONG_GENESIS: 'The signer was started for another network: give both the same genesis file.',
  SOCKET_OPEN_TO_ALL: 'Whoever can connect can have votes signed: `chmod 600` it, or let `nacre signer` make it.',
  NOT_A_SOCKET: 'Give the path that `nacre signer --socket` was given.',
  EACCES: 'Run both as one user, or start the signer with `--socket-mode 660` and a group that both belong to.',
  OTHER_KEY: 'The signer at this socket holds the key of another validator than before.',
};

/**
 * A key in another process, as the node sees it: it signs while there is a connection, and connects again by itself when there is none.
 *
 * Consensus never waits for it: without a session the replica is an observer. Everything else waits for a moment.
 */
export class RemoteSigner implements Signer, Custody {
  readonly publicKey: Uint8Array;
  readonly #options: RemoteSignerOptions;
  readonly #log: Log;
  readonly #listeners = new Set<() => void>();
  readonly #closing = new AbortController();
  #connection: SignerConnection | null = null;
  #floorHeight = 0;
  #sessions = 0;
  #session: number | null = null;
  #why: string | null = null;
  #arrived: PromiseWithResolvers<void> | null = null;

  private constructor(options: RemoteSignerOptions, { connection, welcome }: Greeted, log: Log) {
    this.#options = options;
    this.#log = log;
    this.publicKey = welcome.publicKey;
    this.#begin(connection, welcome);
  }

  /**
   * Waits for a signer, for as long as it takes: the node's home does not know whose votes it casts.
   *
   * @throws {NodeError} `SIGNER_UNUSABLE` with `fields.reason`, for what waiting cannot mend; the signal's reason when it aborts
   */
  static async connect(options: RemoteSignerOptions, { log, signal }: Dependencies): Promise<RemoteSigner> {
    let said: string | null = null;
    for (let retryMs = RETRY_FIRST_MS; ; retryMs = Math.min(2 * retryMs, RETRY_LAST_MS)) {
      signal.throwIfAborted();
      const greeted = await greet(options);
      if ('welcome' in greeted) return new RemoteSigner(options, greeted, log);
      if (greeted.lasting !== null) {
        throw new NodeError('SIGNER_UNUSABLE', `the signer at ${options.socketPath} is of no use: ${greeted.why}`, {
          fields: { path: options.socketPath, reason: greeted.lasting },
          ...(HINTS[greeted.lasting] === undefined ? {} : { hint: HINTS[greeted.lasting] as string }),
        });
      }
      if (greeted.why !== said) log.warn({ socket: options.socketPath, why: greeted.why }, 'waiting for the signer');
      said = greeted.why;
      await sleep(retryMs, undefined, { signal }).catch(() => undefined);
    }
  }

  get session(): number | null {
    return this.#session;
  }

  get floorHeight(): number {
    return this.#floorHeight;
  }

  /** Why no vote is signed, for people; null while they are. */
  get trouble(): string | null {
    return this.#why;
  }

  async sign(message: Uint8Array, context: string, contents: Uint8Array = new Uint8Array(0)): Promise<Uint8Array> {
    const urgent = context === VOTE_CONTEXT || context === PROPOSAL_CONTEXT;
    const connection = urgent ? this.#connection : await this.#patiently();
    if (connection === null) throw away(this.#why ?? 'no connection');
    const answer = await connection.ask({ kind: 'sign', context: utf8(context), message, contents }, { urgent });
    if (answer.kind === 'signed') return answer.signature;
    throw this.#unexpected(connection, answer);
  }

  async recall(aboveHeight: number): Promise<readonly RecalledMessage[]> {
    const messages: RecalledMessage[] = [];
    for (let more = true; more; ) {
      const connection = this.#connection;
      if (connection === null) throw away(this.#why ?? 'no connection');
      const answer = await connection.ask({ kind: 'recall', aboveHeight, skip: messages.length }, { urgent: true });
      if (answer.kind !== 'recalled') throw this.#unexpected(connection, answer);
      messages.push(...answer.messages);
      more = answer.more && answer.messages.length > 0;
    }
    return messages;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    this.#closing.abort();
    this.#connection?.end('the node stops');
  }

  #onEnded(why: string): void {
    this.#connection = null;
    this.#session = null;
    this.#why = why;
    this.#tell();
    if (this.#closing.signal.aborted) return;
    this.#log.warn({ socket: this.#options.socketPath, why }, 'signer away: mute until it is back');
    this.#arrived ??= Promise.withResolvers<void>();
    void this.#reconnect();
  }

  #begin(connection: SignerConnection, welcome: Welcome): void {
    this.#connection = connection;
    this.#floorHeight = welcome.floorHeight;
    this.#session = welcome.inDoubt ? null : ++this.#sessions;
    this.#why = welcome.inDoubt ? 'its journal is in doubt; `nacre signer --recover-above HEIGHT` on its side ends that' : null;
    if (welcome.inDoubt) this.#log.error({ why: this.#why }, 'the signer signs no votes');
    this.#arrived?.resolve();
    this.#arrived = null;
    this.#tell();
    connection.onEnd((reason) => this.#onEnded(reason));
  }

  async #reconnect(): Promise<void> {
    const { signal } = this.#closing;
    for (let retryMs = RETRY_FIRST_MS; !signal.aborted; retryMs = Math.min(2 * retryMs, RETRY_LAST_MS)) {
      const greeted = await greet(this.#options);
      if ('welcome' in greeted) {
        const isSame = bytesEqual(greeted.welcome.publicKey, this.publicKey);
        if (isSame && !signal.aborted) {
          this.#log.info({ socket: this.#options.socketPath }, 'signer back');
          return this.#begin(greeted.connection, greeted.welcome);
        }
        greeted.connection.end('not needed');
        this.#why = HINTS.OTHER_KEY as string;
      } else {
        this.#why = greeted.why;
      }
      await sleep(retryMs, undefined, { signal }).catch(() => undefined);
    }
  }

  async #patiently(): Promise<SignerConnection | null> {
    if (this.#connection === null && this.#arrived !== null) {
      const patience = new AbortController();
      await Promise.race([this.#arrived.promise, sleep(PATIENCE_MS, undefined, { signal: patience.signal }).catch(() => undefined)]);
      patience.abort();
    }
    return this.#connection;
  }

  #unexpected(connection: SignerConnection, answer: SignerAnswer): SignerError {
    if (answer.kind === 'refused') {
      return new SignerError('SIGNER_REFUSED', `the signer refuses: ${answer.code}`, { fields: { reason: answer.code } });
    }
    connection.end(`it answers with ${answer.kind}`);
    return away(`it answers with ${answer.kind}`);
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}

type Welcome = SignerAnswer & { kind: 'welcome' };
interface Greeted {
  readonly connection: SignerConnection;
  readonly welcome: Welcome;
}

async function greet({ socketPath, genesisHash }: RemoteSignerOptions): Promise<Greeted | Trouble> {
  const unusable = await judgeSocket(socketPath);
  if (unusable !== null) return unusable;
  try {
    const connection = await SignerConnection.open(socketPath);
    const answer = await connection.ask({ kind: 'hello', genesisHash }, { urgent: true });
    if (answer.kind === 'welcome') return { connection, welcome: answer };
    connection.end('refused');
    const code = answer.kind === 'refused' ? answer.code : 'MALFORMED';
    const why = code === 'SIGNER_BUSY' ? 'it serves another node' : `it refuses with ${code}`;
    return { why, lasting: LASTING_REFUSALS.includes(code) ? code : null };
  } catch (error) {
    if (error instanceof SignerError) return { why: String(error.fields.why), lasting: null };
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    return { why: code === 'ECONNREFUSED' ? 'nobody listens on its socket' : code, lasting: code === 'EACCES' ? code : null };
  }
}

async function judgeSocket(socketPath: string): Promise<Trouble | null> {
  try {
    const found = await stat(socketPath);
    if (!found.isSocket()) return { why: 'it is no socket', lasting: 'NOT_A_SOCKET' };
    return (found.mode & 0o007) === 0 ? null : { why: 'everybody on this machine can connect to it', lasting: 'SOCKET_OPEN_TO_ALL' };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EACCES') return { why: 'its directory is closed to this user', lasting: 'EACCES' };
    return { why: code === 'ENOENT' ? 'there is no such socket' : String(code), lasting: null };
  }
}
