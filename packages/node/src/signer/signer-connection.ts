import { connect, type Socket } from 'node:net';
import { concatBytes, SIGNER_FRAME_BYTES_MAX, SIGNER_WAITING_MAX, SignerError } from '@nacre/base';
import { FrameReader, lengthPrefix } from '@nacre/network/frames';
import { decodeSignerAnswer, encodeSignerRequest, type SignerAnswer, type SignerRequest } from './signer-wire.ts';

/** Longest wait for one answer, in ms. Beyond: the connection ends, since a late answer would be taken for the next one's. */
const ANSWER_TIMEOUT_MS = 5_000;

interface Question {
  readonly request: SignerRequest;
  readonly resolve: (answer: SignerAnswer) => void;
  readonly reject: (error: SignerError) => void;
}

/** One connection to a signer: one question under way, the others wait, those of consensus before the rest. */
export class SignerConnection {
  readonly #socket: Socket;
  readonly #urgent: Question[] = [];
  readonly #waiting: Question[] = [];
  #asked: Question | null = null;
  #timer: NodeJS.Timeout | null = null;
  #why: string | null = null;
  #onEnd: ((why: string) => void) | null = null;

  private constructor(socket: Socket) {
    this.#socket = socket;
    const reader = new FrameReader({ frameBytesMax: SIGNER_FRAME_BYTES_MAX, onFrame: (frame) => this.#take(frame) });
    socket.on('data', (chunk: Buffer) => {
      if (!reader.push(chunk).ok) this.end('its answer is too long');
    });
    socket.on('error', (error) => this.end(error.message));
    socket.on('close', () => this.end('the connection ended'));
  }

  /** @throws the error of the socket: `ENOENT`, `ECONNREFUSED`, `EACCES` */
  static open(socketPath: string): Promise<SignerConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect(socketPath);
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(new SignerConnection(socket));
      });
    });
  }

  /**
   * @param urgent before everything that is not
   * @throws {SignerError} `SIGNER_AWAY`
   */
  ask(request: SignerRequest, { urgent }: { readonly urgent: boolean }): Promise<SignerAnswer> {
    return new Promise((resolve, reject) => {
      if (this.#why !== null) return reject(away(this.#why));
      if (!urgent && this.#waiting.length >= SIGNER_WAITING_MAX) return reject(away('too much waits to be signed'));
      (urgent ? this.#urgent : this.#waiting).push({ request, resolve, reject });
      this.#askNext();
    });
  }

  /** @param listener called once, at once if the end has come already, and before anything that waits is rejected */
  onEnd(listener: (why: string) => void): void {
    this.#onEnd = listener;
    if (this.#why !== null) listener(this.#why);
  }

  end(why: string): void {
    if (this.#why !== null) return;
    this.#why = why;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#socket.destroy();
    this.#onEnd?.(why);
    for (const question of [this.#asked, ...this.#urgent, ...this.#waiting]) question?.reject(away(why));
  }

  #askNext(): void {
    if (this.#asked !== null || this.#why !== null) return;
    const next = this.#urgent.shift() ?? this.#waiting.shift();
    if (next === undefined) return;
    this.#asked = next;
    const body = encodeSignerRequest(next.request);
    this.#socket.write(concatBytes(lengthPrefix(body.length), body));
    this.#timer = setTimeout(() => this.end(`no answer within ${ANSWER_TIMEOUT_MS / 1000} s`), ANSWER_TIMEOUT_MS);
  }

  #take(frame: Uint8Array): void {
    const question = this.#asked;
    const answer = decodeSignerAnswer(frame);
    if (question === null || !answer.ok) return this.end(answer.ok ? 'it answers what nobody asked' : `its answer is ${answer.error.code}`);
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#asked = null;
    question.resolve(answer.value);
    this.#askNext();
  }
}

/** What everybody who waits for a signer gets when it does not answer. */
export function away(why: string): SignerError {
  return new SignerError('SIGNER_AWAY', `the signer does not answer: ${why}`, {
    fields: { why },
    hint: 'Start it with `nacre signer`; the node goes on by itself.',
  });
}
