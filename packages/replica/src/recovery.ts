import { type Address, bytesEqual, type Clock, type Log, type Random, type Signer, SignerError } from '@nacre/base';
import { buildTransaction, type Ledger, NONCE_BYTES, type Transaction, type VoteJournal } from '@nacre/ledger';

/** How long a recovery transaction stays valid, in ms; after it, the next one is made. */
const RECOVERY_VALIDITY_MS = 60_000;

interface Dependencies {
  readonly address: Address;
  readonly signer: Signer;
  readonly journal: VoteJournal;
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Admits a transaction here and offers it to the network. @returns whether it was admitted */
  readonly submit: (transaction: Transaction) => Promise<boolean>;
}

/**
 * Brings back a validator whose vote journal is in doubt: it stays mute until a decided block K carries its signed
 * `validator.recover` with a nonce made after the doubt, and votes from K + 1. What it may have signed and forgotten is
 * not above K: it was mute since the nonce was made, and the network had not decided K before.
 *
 * @see protocol, section 5, "In doubt"
 */
export class Recovery {
  readonly #dependencies: Dependencies;
  #nonce: Uint8Array;
  #offer: Transaction | null = null;
  #busy = false;

  constructor(dependencies: Dependencies) {
    this.#dependencies = dependencies;
    this.#nonce = dependencies.random.bytes(NONCE_BYTES);
  }

  /** A new reason for doubt: what was offered before it does not count. */
  restart(): void {
    this.#nonce = this.#dependencies.random.bytes(NONCE_BYTES);
    this.#offer = null;
  }

  /** Keeps one recovery transaction on offer while the doubt lasts. */
  async tick(): Promise<void> {
    const { journal, ledger, address, signer, clock, random, log, submit } = this.#dependencies;
    if (journal.doubt === null || this.#busy) return;
    if (this.#offer !== null && this.#offer.contents.validUntilMs > clock.nowMs()) return;
    this.#busy = true;
    try {
      const { genesis, parameters } = ledger;
      const offer = await buildTransaction({
        genesis,
        parameters,
        account: address,
        operations: [{ kind: 'validator.recover', nonce: this.#nonce }],
        validUntilMs: clock.nowMs() + Math.min(RECOVERY_VALIDITY_MS, parameters.validityWindowMs),
        nonce: random.bytes(NONCE_BYTES),
        signer,
      });
      if (await submit(offer)) this.#offer = offer;
    } catch (error) {
      if (!(error instanceof SignerError)) throw error;
      log.warn({ code: error.code, ...error.fields }, 'own recovery not signed, trying again');
    } finally {
      this.#busy = false;
    }
  }

  /** Call after each block: ends the doubt when the tip's state shows that the network decided our nonce. */
  async afterBlock(): Promise<void> {
    const { journal, ledger, address, log } = this.#dependencies;
    if (journal.doubt === null) return;
    const recovered = ledger.recovery(address);
    if (recovered === undefined || !bytesEqual(recovered.nonce, this.#nonce)) return;
    await journal.reset({ floorHeight: recovered.height });
    this.#offer = null;
    log.info({ height: recovered.height }, 'vote journal recovered, voting again above this height');
  }
}
