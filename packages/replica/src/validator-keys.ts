import { type Address, assert, bytesEqual, type Log, type Signer } from '@nacre/base';
import { PROPOSAL_CONTEXT, proposalMessageCodec, VOTE_CONTEXT, voteMessageCodec } from '@nacre/consensus';
import { type Ledger, TRANSACTION_CONTEXT } from '@nacre/ledger';
import { ValidatorKeyError } from './validator-key-error.ts';

type KeyLedger = Pick<Ledger, 'tip' | 'account' | 'epochOf' | 'nextEpoch'>;

/** Where the keys stand. */
export interface KeyFiles {
  /** The present keys, the oldest first. */
  readonly read: () => Promise<readonly Signer[]>;
  /** Puts the newest key in the place of the oldest, which is then gone. */
  readonly retire: () => Promise<void>;
}

/**
 * The keys of one validator in its own home: one, or while a rotation is under way two. The chain says which of them a signature is for: the
 * account's key signs transactions from the block after the rotation, the committee's signs votes, two epochs later.
 */
export class ValidatorKeys implements Signer {
  readonly address: Address;
  readonly #files: KeyFiles;
  #signers: readonly Signer[];
  #ledger: KeyLedger | null = null;
  #work: Promise<void> = Promise.resolve();

  /** @param signers at least one, the oldest first */
  constructor(options: { readonly address: Address; readonly signers: readonly Signer[] }, files: KeyFiles) {
    this.address = options.address;
    this.#signers = options.signers;
    this.#files = files;
  }

  /** Oldest first. */
  get signers(): readonly Signer[] {
    return this.#signers;
  }

  /** What transactions are signed with now; for the moment in which a rotation is decided and the new key not read yet, still the old one. */
  get publicKey(): Uint8Array {
    const key = this.#accountKey();
    const signer = (key && this.#held(key)) ?? this.#signers[0];
    assert(signer !== undefined, 'a home has a key');
    return signer.publicKey;
  }

  /** @throws {ValidatorKeyError} `KEY_MISSING` if the key that is asked for is in no file of this home */
  async sign(message: Uint8Array, context: string): Promise<Uint8Array> {
    const key = this.#keyFor(message, context) ?? this.publicKey;
    // Several blocks may have been applied since the keys were looked at.
    const signer = this.#held(key) ?? (await this.#read(key));
    return signer.sign(message, context);
  }

  /** Whether a key of a committee is here, so that votes count which are signed for it. */
  holds(publicKey: Uint8Array): boolean {
    return this.#held(publicKey) !== undefined;
  }

  /** From here on the chain decides which key signs. */
  follow(ledger: KeyLedger): void {
    this.#ledger = ledger;
  }

  /** Call after each block, before the next height: takes up a key that an operator has made meanwhile, and lets go of one whose last epoch is over. */
  afterBlock(log: Log): Promise<void> {
    this.#work = this.#work
      .then(() => this.#settle(log))
      .catch((error: unknown) => log.error({ error }, 'keys of the home cannot be read or replaced'));
    return this.#work;
  }

  async #settle(log: Log): Promise<void> {
    const needed = this.#neededKeys();
    if (needed.some((key) => this.#held(key) === undefined)) {
      this.#signers = await this.#files.read();
      log.info({ keys: this.#signers.length }, 'the keys of this validator are read again');
    }
    const [oldest] = this.#signers;
    const isNeeded = needed.some((key) => oldest !== undefined && bytesEqual(key, oldest.publicKey));
    const newest = this.#signers.at(-1);
    // A key that waits for its rotation is not needed yet; a retired one is not needed any more, and another one of ours is.
    if (isNeeded || newest === oldest || newest === undefined || !needed.some((key) => bytesEqual(key, newest.publicKey))) return;
    await this.#files.retire();
    this.#signers = [newest];
    log.info({}, 'the retired key of this validator is erased');
  }

  /**
   * Keys that may be asked to sign: the account's, and those of this epoch's and the next one's votes. The tip's own committee is among them,
   * because a power cut can take back the tip, and if it does so everywhere, its height is decided again by that committee.
   */
  #neededKeys(): Uint8Array[] {
    const ledger = this.#ledger;
    if (ledger === null) return [];
    const { height } = ledger.tip;
    const committees = [ledger.epochOf(height)?.committee, ledger.epochOf(height + 1)?.committee, ledger.nextEpoch().committee];
    const voting = committees.map((committee) => this.#keyIn(committee));
    return [this.#accountKey(), ...voting].filter((key) => key !== undefined);
  }

  #keyFor(message: Uint8Array, context: string): Uint8Array | undefined {
    if (context === TRANSACTION_CONTEXT) return this.#accountKey();
    const height = heightOf(message, context) ?? (this.#ledger === null ? 0 : this.#ledger.tip.height + 1);
    return this.#keyIn(this.#ledger?.epochOf(height)?.committee) ?? this.#accountKey();
  }

  #accountKey(): Uint8Array | undefined {
    return this.#ledger?.account(this.address)?.publicKey;
  }

  #keyIn(committee: { indexOf(address: Address): number | null; validator(index: number): { publicKey: Uint8Array } } | undefined) {
    const index = committee?.indexOf(this.address) ?? null;
    return index === null ? undefined : committee?.validator(index).publicKey;
  }

  #held(key: Uint8Array): Signer | undefined {
    return this.#signers.find(({ publicKey }) => bytesEqual(publicKey, key));
  }

  async #read(key: Uint8Array): Promise<Signer> {
    this.#signers = await this.#files.read();
    const signer = this.#held(key);
    if (signer !== undefined) return signer;
    throw new ValidatorKeyError('KEY_MISSING', 'the network knows this validator by a key that is not in its home', {
      hint: 'Its key was rotated: put the key file that `nacre keys rotate` made back into the home.',
    });
  }
}

/** Of what consensus signs; undefined for everything else. */
function heightOf(message: Uint8Array, context: string): number | undefined {
  if (context !== VOTE_CONTEXT && context !== PROPOSAL_CONTEXT) return undefined;
  const decoded = (context === VOTE_CONTEXT ? voteMessageCodec : proposalMessageCodec).decode(message);
  return decoded.ok ? decoded.value.content.height : undefined;
}
