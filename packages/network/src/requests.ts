import type { Connection, Stream } from '@libp2p/interface';
import { type Clock, fail, type Refusal, type Result } from '@nacre/base';
import { FrameStream } from './frame-stream.ts';
import type { Counters } from './network-counters.ts';
import type { NetworkLimits } from './network-limits.ts';
import type { PeerLink } from './peer-link.ts';

interface RequestsOptions {
  readonly protocol: string;
  readonly limits: NetworkLimits;
  readonly clock: Clock;
  readonly counters: Counters;
  /** @returns undefined for no answer; never rejects */
  readonly answer: (link: PeerLink, question: Uint8Array) => Promise<Uint8Array | undefined>;
  readonly penalize: (link: PeerLink, offence: Refusal) => void;
}

interface QuestionLimits {
  readonly timeoutMs: number;
  readonly answerBytesMax: number;
}

/**
 * One question and at most one answer on a stream of their own, so that a large answer holds up no vote. The asker closes
 * its side after the question; a stream that ends without a frame is "no answer".
 */
export class Requests {
  readonly #options: RequestsOptions;
  /** Requests of all peers that are being answered. */
  #answering = 0;

  constructor(options: RequestsOptions) {
    this.#options = options;
  }

  /** @returns codes `TIMEOUT`, `DISCONNECTED`, `TOO_LARGE`, `NO_ANSWER` */
  async ask(link: PeerLink, question: Uint8Array, limits: QuestionLimits): Promise<Result<Uint8Array>> {
    const { count } = this.#options.counters;
    count.requestsAsked++;
    const answer = await this.#ask(link, question, limits);
    if (answer.ok) link.bytesIn += answer.value.length;
    else count.requestsFailed++;
    return answer;
  }

  async #ask(link: PeerLink, question: Uint8Array, { timeoutMs, answerBytesMax }: QuestionLimits): Promise<Result<Uint8Array>> {
    const timeout = new AbortController();
    let dialogue: FrameStream | null = null;
    const timer = this.#options.clock.schedule(timeoutMs, () => {
      timeout.abort();
      dialogue?.fail({ code: 'TIMEOUT' });
    });
    const turn = await link.questions.take(timeout.signal);
    try {
      const stream = turn ? await openStream(link.connection, this.#options.protocol, timeout.signal) : null;
      if (stream === null) return fail(failure(link, timeout.signal.aborted ? 'TIMEOUT' : 'CLOSED', timeoutMs));
      dialogue = new FrameStream(stream, answerBytesMax);
      dialogue.write(question);
      link.bytesOut += question.length;
      void dialogue.close();
      const answer = await dialogue.read();
      if (answer.ok) return answer;
      if (answer.error.code === 'FRAME_TOO_LARGE') return fail({ ...answer.error, code: 'TOO_LARGE' });
      return fail(failure(link, answer.error.code, timeoutMs));
    } finally {
      if (turn) link.questions.release();
      timer.cancel();
    }
  }

  /** Answers what came on a stream that an admitted peer has opened. */
  async serve(link: PeerLink, stream: Stream): Promise<void> {
    const { limits, clock, counters, penalize } = this.#options;
    const overRate = !link.requestRate.tryTake(1, clock.nowMs()) || link.answering >= limits.requestsPerPeerMax;
    if (overRate || this.#answering >= limits.requestsAnsweringMax) {
      counters.count.requestsRefused++;
      stream.abort(new Error('too many requests'));
      // That all peers together ask too much is nobody's fault.
      if (overRate) penalize(link, { code: 'REQUESTS_TOO_MANY' });
      return;
    }
    const dialogue = new FrameStream(stream, limits.questionBytesMax);
    const timer = clock.schedule(limits.answerTimeoutMs, () => dialogue.fail({ code: 'TIMEOUT' }));
    link.answering++;
    this.#answering++;
    try {
      const served = await this.#answer(link, dialogue);
      if (served) counters.count.requestsAnswered++;
      else counters.count.requestsRefused++;
    } finally {
      link.answering--;
      this.#answering--;
      timer.cancel();
    }
  }

  async #answer(link: PeerLink, dialogue: FrameStream): Promise<boolean> {
    const question = await dialogue.read();
    if (!question.ok) {
      // A peer that goes away in the middle of a question has done nothing wrong.
      const gone = question.error.code === 'CLOSED' || question.error.code === 'TRUNCATED';
      if (!gone) this.#options.penalize(link, question.error);
      return false;
    }
    link.bytesIn += question.value.length;
    const answer = await this.#options.answer(link, question.value);
    if (answer !== undefined) {
      dialogue.write(answer);
      link.bytesOut += answer.length;
    }
    await dialogue.close();
    return answer !== undefined;
  }
}

async function openStream(connection: Connection, protocol: string, signal: AbortSignal): Promise<Stream | null> {
  try {
    return await connection.newStream(protocol, { signal, maxOutboundStreams: Number.MAX_SAFE_INTEGER });
  } catch {
    return null;
  }
}

/** A stream that ended tells nothing of why; whether the connection still stands does. */
function failure(link: PeerLink, code: string, timeoutMs: number): Refusal {
  if (code === 'TIMEOUT') return { code, timeoutMs };
  return { code: link.connection.status === 'open' && !link.closed ? 'NO_ANSWER' : 'DISCONNECTED' };
}
