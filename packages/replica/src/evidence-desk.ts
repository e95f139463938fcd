import {
  type Address,
  type Clock,
  type Hash,
  type Log,
  type Random,
  type Refusal,
  type Result,
  type Signer,
  SignerError,
  toHex,
} from '@nacre/base';
import type { Equivocation } from '@nacre/consensus';
import { buildTransaction, type Ledger, NONCE_BYTES, type Transaction } from '@nacre/ledger';
import type { SubmissionStatus } from './transaction-desk.ts';

/** Offenders whose evidence waits at a time. Beyond: an offence is not reported here; the other validators saw it too. */
const OFFENDERS_MAX = 100;
/** What each validator waits for the one before it to report an offence, in ms: one report is enough, and a hundred would fill blocks. */
const TURN_MS = 500;

interface Case {
  readonly equivocation: Equivocation;
  readonly dueAtMs: number;
  /** Our transaction that reports it. */
  offer: Hash | null;
}

interface Dependencies {
  /** Our own account, which reports. */
  readonly address: Address;
  readonly signer: Signer;
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Admits a transaction here and offers it to the network. */
  readonly submit: (transaction: Transaction) => Promise<Result<unknown, Refusal>>;
  readonly status: (txId: Hash) => SubmissionStatus;
}

/**
 * Reports equivocations that consensus has seen until the network has decided that they are offences: the validator behind the offender in the
 * committee at once, each further one a little later, if nobody has by then. One offence of each offender is enough to have it held.
 *
 * @see protocol, section 5, "Equivocation"
 */
export class EvidenceDesk {
  readonly #dependencies: Dependencies;
  /** By the offender's address. */
  readonly #cases = new Map<string, Case>();
  #busy = false;

  constructor(dependencies: Dependencies) {
    this.#dependencies = dependencies;
  }

  /** Takes an offence whose two signatures were verified. */
  seen(equivocation: Equivocation): void {
    const { ledger, clock, address } = this.#dependencies;
    const committee = ledger.committeeAt(equivocation.first.height);
    const offender = committee.validator(equivocation.validator).address;
    const key = toHex(offender);
    if (this.#cases.has(key) || this.#cases.size >= OFFENDERS_MAX || this.#isHeld(offender)) return;
    const self = committee.indexOf(address);
    // Whoever only follows may have no account to report with.
    if (self === null) return;
    const turn = (self - equivocation.validator - 1 + committee.size) % committee.size;
    this.#cases.set(key, { equivocation, dueAtMs: clock.nowMs() + turn * TURN_MS, offer: null });
  }

  async tick(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    try {
      for (const [key, one] of this.#cases) if (await this.#isOver(one)) this.#cases.delete(key);
    } finally {
      this.#busy = false;
    }
  }

  /** Brings a case on its way, if its time has come. @returns whether nothing is left to do */
  async #isOver(one: Case): Promise<boolean> {
    const { ledger, clock, log, submit, status } = this.#dependencies;
    const { equivocation } = one;
    const { address } = ledger.committeeAt(equivocation.first.height).validator(equivocation.validator);
    if (this.#isHeld(address)) return true;
    if (clock.nowMs() < one.dueAtMs) return false;
    if (one.offer !== null) {
      const offered = status(one.offer).status;
      if (offered === 'admitted') return false;
      if (offered === 'committed' || offered === 'failed') return true;
    }
    const transaction = await this.#report(equivocation);
    if (transaction === null) return false;
    const submitted = await submit(transaction);
    const fields = { height: equivocation.first.height, validator: toHex(address) };
    if (submitted.ok) {
      one.offer = transaction.txId;
      log.warn(fields, 'equivocation reported');
      return false;
    }
    const { code } = submitted.error;
    log.warn({ ...fields, code }, 'report of an equivocation refused');
    return code === 'EVIDENCE_KNOWN' || code === 'EVIDENCE_STALE';
  }

  /** @returns null while our signer does not answer */
  async #report(equivocation: Equivocation): Promise<Transaction | null> {
    const { address, signer, ledger, clock, random } = this.#dependencies;
    const { genesis, parameters } = ledger;
    try {
      return await buildTransaction({
        genesis,
        parameters,
        account: address,
        operations: [{ kind: 'evidence', equivocation }],
        validUntilMs: clock.nowMs() + parameters.validityWindowMs,
        nonce: random.bytes(NONCE_BYTES),
        signer,
      });
    } catch (error) {
      if (error instanceof SignerError) return null;
      throw error;
    }
  }

  #isHeld(offender: Address): boolean {
    return this.#dependencies.ledger.validatorSet.registry.members.some(
      ({ address, held }) => held !== null && toHex(address) === toHex(offender),
    );
  }
}
