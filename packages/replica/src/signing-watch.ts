import { type Custody, type Log, type RecalledMessage, SignerError } from '@nacre/base';
import { decodeProposal, decodeVote, type Lock, type Proposal, sameProposal, type Vote } from '@nacre/consensus';
import type { JournalEntry, Ledger, VoteJournal } from '@nacre/ledger';
import { holdsVote, restoreOwnMessages } from './restore.ts';

interface Dependencies {
  readonly custody: Custody;
  readonly journal: VoteJournal;
  readonly ledger: Ledger;
  readonly log: Log;
}

/**
 * Decides when a validator whose key is in another process may ask it for votes, and first learns from it what it has signed.
 *
 * The signer makes a vote durable before this process does, so after a crash in between, or on an old copy of a home, the journal here knows less.
 * A core that goes on from such a journal would be refused a second vote, yet it could forget a lock. So in each session the journal is made to
 * hold everything that the signer remembers, locks included, before anything is signed.
 */
export class SigningWatch {
  readonly #dependencies: Dependencies;
  /** The session whose memory the journal holds. */
  #recalled: number | null = null;
  /** The session that did not answer: the next one is asked again. */
  #failed: number | null = null;
  /** The height at which it refused something last. */
  #doubtedHeight = 0;
  /** Nothing is asked for up to here. */
  #refusedHeight = 0;

  constructor(dependencies: Dependencies) {
    this.#dependencies = dependencies;
  }

  maySign(height: number): boolean {
    return this.recalled && height > this.#dependencies.custody.floorHeight && height > this.#refusedHeight;
  }

  /** Whether the signer is there and the journal holds all that it remembers. */
  get recalled(): boolean {
    const { session } = this.#dependencies.custody;
    return session !== null && session === this.#recalled;
  }

  /** Whether `recall` would lead on: there is a session, and its memory is not in the journal. */
  get recallDue(): boolean {
    const { session } = this.#dependencies.custody;
    return this.#dependencies.journal.doubt === null && session !== null && session !== this.#recalled && session !== this.#failed;
  }

  /**
   * Puts into the journal what the signer signed and the journal does not hold. Call it while no height is driven.
   *
   * @throws {JournalError} from the journal; a signer that goes away meanwhile is no error
   */
  async recall(): Promise<void> {
    const { custody, ledger, log } = this.#dependencies;
    const { session } = custody;
    let messages: readonly RecalledMessage[];
    try {
      messages = await custody.recall(ledger.tip.height);
    } catch (error) {
      if (!(error instanceof SignerError)) throw error;
      log.warn({ code: error.code, ...error.fields }, 'the signer does not tell what it signed: mute until it does');
      this.#failed = session;
      return;
    }
    for (const message of messages) if (!(await this.#take(message))) return;
    this.#recalled = session;
  }

  /** The signer has signed what the journal does not hold: it has to tell before it is asked again. */
  recallAnew(): void {
    this.#recalled = null;
  }

  /**
   * A step of the core was not signed. If the signer refused it, it knows something that the journal does not, and tells once more. If it then
   * refuses again, nothing more is asked for at this height, which the others decide.
   */
  unsigned(height: number, { code, fields }: SignerError): void {
    this.#dependencies.log.warn({ height, code, ...fields }, 'a vote was not signed');
    if (code !== 'SIGNER_REFUSED') return;
    if (this.#doubtedHeight === height) this.#refusedHeight = height;
    else this.recallAnew();
    this.#doubtedHeight = height;
  }

  /** @returns false once the journal is in doubt */
  async #take(message: RecalledMessage): Promise<boolean> {
    const { journal, log } = this.#dependencies;
    const read = readMessage(message);
    if (read === null) {
      // Of another version of this program: what cannot be read cannot be honoured.
      await journal.enterDoubt({ code: 'SIGNER_DIVERGED' });
      return false;
    }
    const { height, round } = read.content;
    if (height <= journal.floorHeight) return true;
    const known = this.#compare(read);
    if (known === 'held') return true;
    if (known === 'contradicted') {
      log.error({ height, round, kind: read.kind }, 'signer and journal hold different messages of ours: mute until recovered');
      await journal.enterDoubt({ code: 'SIGNER_DIVERGED', height, round });
      return false;
    }
    log.info({ height, round, kind: read.kind }, 'took from the signer a message of ours that the journal did not hold');
    await journal.append(this.#entryOf(read, message));
    return true;
  }

  #compare(read: ReadMessage): 'held' | 'new' | 'contradicted' {
    const { journal } = this.#dependencies;
    const { votes, proposals } = restoreOwnMessages(journal, read.content.height);
    if (read.kind === 'vote') {
      if (holdsVote(journal, read.content)) return 'held';
      return votes.some(({ round, kind }) => round === read.content.round && kind === read.content.kind) ? 'contradicted' : 'new';
    }
    const other = proposals.find(({ round }) => round === read.content.round);
    if (other === undefined) return 'new';
    return sameProposal(other, read.content) ? 'held' : 'contradicted';
  }

  /** A commit for a block binds whoever cast it, whether or not the prepares behind it are still here. */
  #entryOf(read: ReadMessage, message: RecalledMessage): JournalEntry {
    const { height, round, blockHash } = read.content;
    const before = restoreOwnMessages(this.#dependencies.journal, height).lock;
    const binds = read.kind === 'vote' && read.content.kind === 'commit' && blockHash !== null && round > (before?.lockedRound ?? -1);
    const lock: Lock | null = binds
      ? { lockedRound: round, lockedHash: blockHash, validRound: round, validHash: blockHash, prepares: [] }
      : null;
    return { height, messages: [message], lock };
  }
}

type ReadMessage = { readonly kind: 'vote'; readonly content: Vote } | { readonly kind: 'proposal'; readonly content: Proposal };

function readMessage({ kind, bytes }: RecalledMessage): ReadMessage | null {
  if (kind === 'vote') {
    const decoded = decodeVote(bytes);
    return decoded.ok ? { kind, content: decoded.value } : null;
  }
  const decoded = decodeProposal(bytes);
  return decoded.ok ? { kind, content: decoded.value } : null;
}
