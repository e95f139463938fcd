import type { Connection, Stream } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import {
  type Address,
  type Clock,
  type Hash,
  type Log,
  type Random,
  type Refusal,
  type Signer,
  SignerError,
  type Verifier,
} from '@nacre/base';
import { AddressBook } from './address-book.ts';
import { AddressExchange } from './address-exchange.ts';
import { DialTargets, type PeerTarget } from './dial-targets.ts';
import { Dialer } from './dialer.ts';
import type { LinkTable } from './link-table.ts';
import type { TcpAddress } from './multiaddrs.ts';
import type { Counters } from './network-counters.ts';
import type { NetworkLimits } from './network-limits.ts';
import type { PeerLink } from './peer-link.ts';
import { Requests } from './requests.ts';

export const ADDRESSES_PROTOCOL = '/nacre/1/addresses';

interface ReachOptions {
  readonly genesisHash: Hash;
  readonly ownPeerId: string;
  readonly identity: { readonly address: Address; readonly signer: Signer } | null;
  readonly validatorKey: (address: Address) => Uint8Array | undefined;
  readonly verifier: Verifier;
  readonly bootstrap: readonly TcpAddress[];
  readonly links: LinkTable;
  readonly isValidator: () => boolean;
  /** Whether the operator or the scores forbid a peer, by peer id or address. */
  readonly shut: (name: string) => boolean;
  /** Opens a connection; rejects if nobody answers. */
  readonly connect: (multiaddrs: readonly Multiaddr[]) => Promise<Connection>;
  /** Resolves when a connection was let in by both sides, or was not. */
  readonly admitted: (connection: Connection) => Promise<boolean>;
  readonly penalize: (link: PeerLink, offence: Refusal) => void;
  readonly limits: NetworkLimits;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly counters: Counters;
}

/** Keeps this node in touch: it knows where the others are, tells where it is itself, and dials whoever is missing. */
export class Reach {
  readonly #options: ReachOptions;
  readonly #book: AddressBook;
  #multiaddrs: readonly Multiaddr[] = [];
  readonly #exchange: AddressExchange;
  readonly #requests: Requests;
  readonly #targets: DialTargets;
  readonly #dialer: Dialer<PeerTarget>;
  #stopped = false;

  constructor(options: ReachOptions) {
    this.#options = options;
    const { limits, links } = options;
    this.#book = new AddressBook(options);
    this.#requests = new Requests({
      ...options,
      protocol: ADDRESSES_PROTOCOL,
      answer: async () => this.#exchange.answer(),
    });
    this.#exchange = new AddressExchange({
      ...options,
      book: this.#book,
      requests: this.#requests,
      intervalMs: limits.addressesIntervalMs,
      timeoutMs: limits.answerTimeoutMs,
      settled: () => this.#book.places().every(({ validator }) => links.ofValidator(validator) !== undefined),
      learned: () => this.#dialer.look(),
    });
    this.#targets = new DialTargets({ ...options, book: this.#book, followedValidators: limits.followedValidators });
    this.#dialer = new Dialer({
      ...options,
      redialFirstMs: limits.redialFirstMs,
      redialLastMs: limits.redialLastMs,
      wanted: () => this.#targets.wanted(),
      dial: (target) => this.#dial(target),
    });
  }
  /** @param multiaddrs under which others reach this node */
  async start(multiaddrs: readonly Multiaddr[]): Promise<void> {
    this.#exchange.start();
    this.#multiaddrs = multiaddrs;
    // Others may ask before the own record is signed; they ask again.
    await this.#announce(multiaddrs);
    if (!this.#stopped) this.#dialer.start();
  }

  /** A key in another process can be away, and then nobody lets this validator in: it waits until it can prove who it is. */
  async #announce(multiaddrs: readonly Multiaddr[]): Promise<void> {
    const { ownPeerId, clock, limits } = this.#options;
    while (!this.#stopped) {
      try {
        return await this.#book.announce(ownPeerId, multiaddrs);
      } catch (error) {
        if (!(error instanceof SignerError)) throw error;
        await new Promise<void>((resolve) => clock.schedule(limits.redialFirstMs, resolve));
      }
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#exchange.stop();
    this.#dialer.stop();
  }

  /** A peer has come: it may know addresses that we do not. */
  connected(link: PeerLink): void {
    void this.#exchange.ask(link);
  }

  /** A peer has gone. */
  disconnected(): void {
    this.#dialer.look();
  }

  /** What kept connections from being made is said to be over. */
  forgetFailures(): void {
    this.#dialer.forgetFailures();
  }

  /** Forgets whoever left the committee, and signs anew where this node is if its validator has another key. */
  tidy(): void {
    if (this.#book.isOutdated && !this.#stopped) {
      this.#book.announce(this.#options.ownPeerId, this.#multiaddrs).catch((error: unknown) => {
        this.#options.log.debug({ error: error instanceof Error ? error.message : String(error) }, 'own addresses not signed');
      });
    }
    this.#dialer.retain(this.#targets.retained());
  }

  /** Answers a peer that asks for addresses. */
  serve(link: PeerLink, stream: Stream): Promise<void> {
    return this.#requests.serve(link, stream);
  }

  async #dial(target: PeerTarget): Promise<boolean> {
    const { counters, log } = this.#options;
    counters.count.dials++;
    const admitted = await this.#tryToConnect(target).catch((error: unknown) => {
      log.debug({ target: target.key, error: error instanceof Error ? error.message : String(error) }, 'dial failed');
      return false;
    });
    if (!admitted) counters.count.dialFailures++;
    this.#targets.dialled(target, admitted);
    return admitted;
  }

  async #tryToConnect(target: PeerTarget): Promise<boolean> {
    const connection = await this.#options.connect(target.multiaddrs);
    this.#targets.reached(target, connection);
    return this.#options.admitted(connection);
  }
}
