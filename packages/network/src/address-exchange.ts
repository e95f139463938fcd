import type { Clock, Log, Random, Refusal, Timer } from '@nacre/base';
import type { AddressBook } from './address-book.ts';
import { ADDRESS_LIST_BYTES_MAX, addressListCodec } from './address-record.ts';
import type { PeerLink } from './peer-link.ts';
import type { Requests } from './requests.ts';

/** Once every validator is known, records are asked for this many times as rarely: they only tell of those that moved. */
const SETTLED_FACTOR = 6;
/** The whole question. */
const QUESTION = new Uint8Array(0);

interface AddressExchangeOptions {
  readonly book: AddressBook;
  readonly requests: Requests;
  readonly links: { all(): Iterable<PeerLink> };
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Whether every validator that the book knows is connected. */
  readonly settled: () => boolean;
  readonly learned: () => void;
  readonly penalize: (link: PeerLink, offence: Refusal) => void;
}

/** How a node that knows one peer comes to know every validator: each peer is asked once, then one at random now and then. */
export class AddressExchange {
  readonly #options: AddressExchangeOptions;
  #timer: Timer | null = null;
  #turn = 0;

  constructor(options: AddressExchangeOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = this.#options.clock.schedule(this.#options.intervalMs, () => {
      this.start();
      this.#turn = (this.#turn + 1) % SETTLED_FACTOR;
      const links = [...this.#options.links.all()];
      if (links.length === 0 || (this.#turn !== 0 && this.#options.settled())) return;
      // One byte is enough of a die for a few hundred peers, and its slight preference for some of them harms nobody.
      const chosen = (this.#options.random.bytes(1)[0] as number) % links.length;
      void this.ask(links[chosen] as PeerLink);
    });
  }

  stop(): void {
    this.#timer?.cancel();
  }

  /** What this node answers. */
  answer(): Uint8Array {
    return addressListCodec.encode(this.#options.book.records());
  }

  async ask(link: PeerLink): Promise<void> {
    const { requests, book, penalize, learned, log, timeoutMs } = this.#options;
    const answer = await requests.ask(link, QUESTION, { timeoutMs, answerBytesMax: ADDRESS_LIST_BYTES_MAX });
    if (!answer.ok || link.closed) return;
    const decoded = addressListCodec.decode(answer.value);
    if (!decoded.ok) return penalize(link, decoded.error);
    const result = await book.learn(decoded.value);
    if (result.forged) penalize(link, { code: 'ADDRESS_FORGED' });
    if (result.learned === 0) return;
    log.debug({ peer: link.peer.id, learned: result.learned }, 'addresses learned');
    learned();
  }
}
