import {
  bytesEqual,
  fail,
  type Log,
  ok,
  type RecalledMessage,
  type Result,
  SIGNER_HEIGHTS_KEPT,
  SIGNER_RECALL_MESSAGES_MAX,
  type Signer,
} from '@nacre/base';
import {
  type ChainContext,
  encodeProposal,
  encodeVote,
  PROPOSAL_CONTEXT,
  type Proposal,
  type ProposalContent,
  proposalMessage,
  proposalMessageCodec,
  VOTE_CONTEXT,
  type Vote,
  type VoteContent,
  voteMessage,
  voteMessageCodec,
} from '@nacre/consensus';
import { decodeContents, TRANSACTION_CONTEXT, type VoteJournal } from '@nacre/ledger';
import { restoreOwnMessages } from './restore.ts';
import type { SignerRefusal } from './signer-refusal.ts';

/** Position in the committee that entries of this journal carry. It is not signed, and a signer knows no committees: its node fills it in. */
const NO_POSITION = 0;
/** Domains beside consensus and transactions: who this node is, and where. */
const PLAIN_DOMAINS: readonly string[] = ['nacre/1/admission', 'nacre/1/address-record'];

export interface SigningDeskOptions {
  readonly genesis: { readonly hash: Uint8Array; readonly context: ChainContext };
  /** Kinds of operations that a transaction may hold to be signed. */
  readonly operations: ReadonlySet<string>;
}

interface Dependencies {
  readonly signer: Signer;
  readonly journal: VoteJournal;
  readonly log: Log;
}

/** A message of consensus that is to be signed. */
type Statement =
  | { readonly kind: 'vote'; readonly content: VoteContent }
  | { readonly kind: 'proposal'; readonly content: ProposalContent };

/**
 * Everything that a signer decides: it reads what it is asked to sign, and signs one content at one place for ever.
 *
 * A signature of consensus is durable in the journal before anybody sees it. The same content again gets the stored signature: signing is
 * randomised. Within a height the round never falls, and a round's steps go from proposal to prepare to commit, as in every honest core; a
 * height may follow a higher one, because the store of a node that lost its power can fall behind by a height. One request at a time.
 */
export class SigningDesk {
  readonly #options: SigningDeskOptions;
  readonly #dependencies: Dependencies;
  #highest = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: SigningDeskOptions, dependencies: Dependencies) {
    this.#options = options;
    this.#dependencies = dependencies;
  }

  get publicKey(): Uint8Array {
    return this.#dependencies.signer.publicKey;
  }

  get floorHeight(): number {
    return this.#dependencies.journal.floorHeight;
  }

  get inDoubt(): boolean {
    return this.#dependencies.journal.doubt !== null;
  }

  /**
   * @param contents what `message` is the hash of, for transactions
   * @throws {JournalError} and nothing more is signed: the process must end
   */
  sign(request: {
    readonly context: string;
    readonly message: Uint8Array;
    readonly contents: Uint8Array;
  }): Promise<Result<Uint8Array, SignerRefusal>> {
    const { context, message, contents } = request;
    if (context === VOTE_CONTEXT) {
      const decoded = voteMessageCodec.decode(message);
      return decoded.ok ? this.#inTurn({ kind: 'vote', content: decoded.value.content }, decoded.value.context) : refused(decoded.error);
    }
    if (context === PROPOSAL_CONTEXT) {
      const decoded = proposalMessageCodec.decode(message);
      return decoded.ok
        ? this.#inTurn({ kind: 'proposal', content: decoded.value.content }, decoded.value.context)
        : refused(decoded.error);
    }
    if (context === TRANSACTION_CONTEXT) {
      const objection = this.#judgeTransaction(message, contents);
      if (objection !== null) return refused(objection);
    } else if (!PLAIN_DOMAINS.includes(context)) {
      return refused({ code: 'DOMAIN_NOT_ALLOWED', domain: context });
    }
    return this.#dependencies.signer.sign(message, context).then(ok);
  }

  /** What was signed above a height, in the order of signing, without the first `skip`; a page of it. */
  recall(
    aboveHeight: number,
    skip: number,
  ): Result<{ readonly messages: readonly RecalledMessage[]; readonly more: boolean }, SignerRefusal> {
    if (this.inDoubt) return fail({ code: 'SIGNER_IN_DOUBT' });
    const messages = this.#dependencies.journal.entriesAbove(aboveHeight).flatMap((entry) => entry.messages);
    const end = skip + SIGNER_RECALL_MESSAGES_MAX;
    return ok({ messages: messages.slice(skip, end), more: messages.length > end });
  }

  /** A hash is signed only for somebody who shows what it is the hash of. */
  #judgeTransaction(message: Uint8Array, contents: Uint8Array): SignerRefusal | null {
    const decoded = decodeContents(contents, this.#options.genesis);
    if (!decoded.ok) return { ...decoded.error, code: decoded.error.code === 'MALFORMED' ? 'MALFORMED' : 'WRONG_CHAIN' };
    if (!bytesEqual(decoded.value.txId, message)) return { code: 'CONTENTS_MISMATCH' };
    const other = decoded.value.contents.operations.find(({ kind }) => !this.#options.operations.has(kind));
    return other === undefined ? null : { code: 'OPERATION_NOT_ALLOWED', operation: other.kind };
  }

  #inTurn(statement: Statement, context: ChainContext): Promise<Result<Uint8Array, SignerRefusal>> {
    const { genesis } = this.#options;
    if (!bytesEqual(context.genesisHash, genesis.hash) || context.chain !== genesis.context.chain) return refused({ code: 'WRONG_CHAIN' });
    const signed = this.#last.then(() => this.#signStatement(statement));
    this.#last = signed.catch(() => undefined);
    return signed;
  }

  async #signStatement(statement: Statement): Promise<Result<Uint8Array, SignerRefusal>> {
    const { journal, signer } = this.#dependencies;
    const { height, round } = statement.content;
    if (journal.doubt !== null) return fail({ code: 'SIGNER_IN_DOUBT' });
    if (height <= journal.floorHeight) return fail({ code: 'BELOW_FLOOR', height, floorHeight: journal.floorHeight });
    const before = restoreOwnMessages(journal, height);
    const same = this.#atPlaceOf(statement, before);
    if (same !== undefined) {
      const isSame = bytesEqual(this.#messageOf(same), this.#messageOf(statement));
      return isSame ? ok(same.content.signature) : fail({ code: 'SIGNED_OTHERWISE', height, round });
    }
    const isLater = before.messages.some(
      ({ content, kind }) =>
        content.round > round || (content.round === round && stepOf({ kind, content } as Statement) > stepOf(statement)),
    );
    if (isLater) return fail({ code: 'SIGNED_LATER', height, round });
    const signature = await signer.sign(this.#messageOf(statement), statement.kind === 'vote' ? VOTE_CONTEXT : PROPOSAL_CONTEXT);
    await journal.append({ height, messages: [storedForm(statement, signature)], lock: null });
    await this.#rotate(height);
    return ok(signature);
  }

  #atPlaceOf(
    { kind, content }: Statement,
    { votes, proposals }: { readonly votes: readonly Vote[]; readonly proposals: readonly Proposal[] },
  ) {
    const { round } = content;
    if (kind === 'proposal') {
      const found = proposals.find((proposal) => proposal.round === round);
      return found && ({ kind, content: found } as const);
    }
    const found = votes.find((vote) => vote.round === round && vote.kind === content.kind);
    return found && ({ kind, content: found } as const);
  }

  #messageOf({ kind, content }: Statement): Uint8Array {
    const { context } = this.#options.genesis;
    return kind === 'vote' ? voteMessage(context, content) : proposalMessage(context, content);
  }

  /** The heights kept are more than a store can fall behind its journal. */
  async #rotate(height: number): Promise<void> {
    const { journal, log } = this.#dependencies;
    const isNew = height > this.#highest;
    this.#highest = Math.max(this.#highest, height);
    const keepAbove = this.#highest - SIGNER_HEIGHTS_KEPT;
    if (!isNew || !journal.needsRotation || keepAbove <= journal.floorHeight) return;
    await journal.rotate({ keepAbove });
    log.info({ floorHeight: journal.floorHeight }, 'signing journal rotated');
  }
}

function refused({ code, ...fields }: SignerRefusal): Promise<Result<never, SignerRefusal>> {
  return Promise.resolve(fail({ ...fields, code }));
}

function stepOf(statement: Statement): number {
  if (statement.kind === 'proposal') return 0;
  return statement.content.kind === 'prepare' ? 1 : 2;
}

function storedForm({ kind, content }: Statement, signature: Uint8Array): RecalledMessage {
  if (kind === 'vote') return { kind, bytes: encodeVote({ ...content, validator: NO_POSITION, signature }) };
  return { kind, bytes: encodeProposal({ ...content, proposer: NO_POSITION, signature }) };
}
