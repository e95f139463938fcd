import {
  type Address,
  assert,
  bytesEqual,
  type Clock,
  FUTURE_ROUNDS_MAX,
  type Hash,
  type Log,
  type Refusal,
  type Signer,
  SignerError,
  type Timer,
  type Transport,
  toHex,
  type Verifier,
} from '@nacre/base';
import {
  type ChainContext,
  type CommitCollector,
  type Committee,
  Core,
  type CoreEvent,
  type Equivocation,
  encodeProposal,
  encodeVote,
  type OwnMessage,
  PROPOSAL_CONTEXT,
  type Proposal,
  proposalMessage,
  type Ready,
  type RoundState,
  type TimeBounds,
  VOTE_CONTEXT,
  type Vote,
  verifyCertificate,
  voteMessage,
} from '@nacre/consensus';
import { EMPTY_LOG_ROOT } from '@nacre/crypto';
import { type Applied, type Block, decodeBlock, type Ledger, type VoteJournal } from '@nacre/ledger';
import { BlockDesk } from './block-desk.ts';
import type { ReplicaConfiguration } from './configuration.ts';
import { faultError } from './fault-error.ts';
import type { Mempool } from './mempool.ts';
import type { PeerRequests } from './peer-requests.ts';
import type { PeerView } from './peer-table.ts';
import { restoreOwnMessages } from './restore.ts';
import { encodeMessage, type Message } from './wire.ts';

/** Signature checks of one peer's votes under way at once. Beyond: its further votes are dropped; repair brings them again. */
export const VERIFYING_PER_PEER_MAX = 256;
/** Different proposals of one round that are looked at: two already prove the offence. A quorum's block is fetched by its hash. */
const PROPOSALS_PER_ROUND_MAX = 2;

/** While nothing is pending here, what a peer works on is waited for this long, in ms: it is on its way here, too. */
const PEERS_WORK_WAIT_MS = 50;

/** What all heights share; the replica owns it. */
export interface HeightContext {
  readonly chain: ChainContext;
  readonly configuration: ReplicaConfiguration;
  readonly clock: Clock;
  readonly transport: Transport;
  readonly verifier: Verifier;
  readonly log: Log;
  readonly ledger: Ledger;
  readonly mempool: Mempool;
  readonly commits: CommitCollector;
  readonly requests: PeerRequests;
  /** Null for a follower. */
  readonly identity: { readonly signer: Signer; readonly journal: VoteJournal } | null;
  /** Told of a step that a signer in another process did not sign: the height ends, for us to be only an observer of it. */
  readonly unsigned: (height: number, error: SignerError) => void;
  /** Told of signatures that are thrown away. Only a signer in another process remembers them. */
  readonly signedInVain: () => void;
  /** Told of every offence that the core finds. */
  readonly equivocationSeen: (equivocation: Equivocation) => void;
  /** Told of every verified vote of another validator. */
  readonly voteSeen: (validator: Address, vote: Vote) => void;
}

export type HeightOutcome = { readonly kind: 'decided'; readonly applied: Applied } | { readonly kind: 'ended' };

/**
 * Drives the consensus core through one height: feeds it verified events, and carries out what it asks in the one
 * order that is safe: persist, then send, then apply.
 */
export class HeightDriver {
  readonly height: number;
  readonly committee: Committee;
  readonly #self: number | null;
  readonly #context: HeightContext;
  readonly #core: Core;
  readonly #blocks: BlockDesk;
  readonly #events: CoreEvent[] = [];
  readonly #timers = new Set<Timer>();
  /** Verified proposals by round, so that none is verified twice. */
  readonly #proposals = new Map<number, Hash[]>();
  /** Own votes from before a restart, until the block they name is durable here again. */
  readonly #withheld = new Map<string, Vote[]>();
  #wake: (() => void) | null = null;
  #ended = false;
  #failure: { readonly error: unknown } | null = null;

  /** @param self our index in the committee if we may vote, else null: then the height is only observed */
  constructor(options: { readonly height: number; readonly self: number | null }, context: HeightContext) {
    this.height = options.height;
    this.#self = options.self;
    this.#context = context;
    this.committee = context.ledger.committeeAt(options.height);
    const restored =
      this.#self === null || context.identity === null ? null : restoreOwnMessages(context.identity.journal, this.height, this.#self);
    this.#core = new Core({
      height: this.height,
      committee: this.committee,
      self: this.#self,
      timeouts: context.configuration.timeouts,
      time: timeBounds(context.ledger),
      ...(restored === null ? {} : { restored: { messages: restored.messages, lock: restored.lock } }),
    });
    this.#blocks = new BlockDesk(this.height, context, {
      checked: (hash, valid) => this.#blockChecked(hash, valid),
      failed: (error) => this.fail(error),
      isEnded: () => this.#ended,
    });
    // Only a height at which something was said goes on at once: any other waits for work, or an idle chain would never rest.
    if (restored !== null && restored.messages.length > 0) this.#resume(restored.votes, restored.proposals);
    this.#scheduleWork();
  }

  get round(): number {
    return this.#core.round;
  }

  get voting(): boolean {
    return this.#self !== null;
  }

  /** @returns once the height is decided and applied, or `end` was called; rejects when the store or the journal fails */
  async run(): Promise<HeightOutcome> {
    try {
      for (;;) {
        if (this.#failure !== null) throw this.#failure.error;
        if (this.#ended) return { kind: 'ended' };
        for (let event = this.#events.shift(); event !== undefined; event = this.#events.shift()) this.#core.step(event);
        if (!this.#core.hasReady()) {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
          continue;
        }
        const applied = await this.#carryOut(this.#core.takeReady());
        if (applied !== null) return { kind: 'decided', applied };
      }
    } finally {
      this.end();
    }
  }

  /** Stops after the write under way; nothing is sent or signed afterwards. */
  end(): void {
    this.#ended = true;
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
    this.#wake?.();
  }

  /** There is something to decide. */
  work(): void {
    this.#post({ kind: 'work' });
  }

  /**
   * A peer has something to decide. To begin before it is here as well would end in an empty block, after which everyone would wait for
   * `emptyIntervalMs`.
   */
  peerWorks(): void {
    if (this.#context.mempool.count > 0) this.work();
    else this.#after(PEERS_WORK_WAIT_MS, () => this.work());
  }

  roundState(): RoundState {
    return this.#core.roundState();
  }

  async onProposal(view: PeerView, message: Extract<Message, { kind: 'proposal' }>, arrivalMs: number): Promise<void> {
    const { proposal, justification } = message;
    const decoded = decodeBlock(message.block);
    if (!decoded.ok) return this.#penalize(view, decoded.error);
    const block = decoded.value;
    const expected = proposal.proposer < this.committee.size ? this.committee.proposer(this.height, proposal.round) : -1;
    if (proposal.proposer !== expected || !bytesEqual(block.hash, proposal.blockHash) || block.header.height !== this.height) {
      return this.#penalize(view, { code: 'PROPOSAL_INVALID', height: this.height, round: proposal.round });
    }
    const known = this.#proposals.get(proposal.round) ?? [];
    const isKnown = known.some((hash) => bytesEqual(hash, block.hash));
    if (isKnown && this.#blocks.isKnown(block.hash)) return;
    if (!isKnown && (known.length >= PROPOSALS_PER_ROUND_MAX || proposal.round > this.#core.round + FUTURE_ROUNDS_MAX)) return;
    const publicKey = this.committee.validators[proposal.proposer]?.publicKey as Uint8Array;
    const valid = await this.#context.verifier.verify({
      publicKey,
      message: proposalMessage(this.#context.chain, proposal),
      context: PROPOSAL_CONTEXT,
      signature: proposal.signature,
    });
    if (this.#ended) return;
    if (!valid) return this.#penalize(view, { code: 'PROPOSAL_SIGNATURE', height: this.height, round: proposal.round });
    await this.onVotes(view, justification);
    if (this.#ended) return;
    this.#postProposal(proposal, block, arrivalMs);
    this.#blocks.obtain(block.hash, { block, source: view.peer.id });
  }

  async onVotes(view: PeerView, votes: readonly Vote[]): Promise<void> {
    await Promise.all(votes.map((vote) => this.#onVote(view, vote)));
  }

  /** A commit quorum for this height, with the block that it decides. */
  async onDecided(view: PeerView, message: Extract<Message, { kind: 'decided' }>): Promise<void> {
    const { certificate } = message;
    const decoded = decodeBlock(message.block);
    if (!decoded.ok) return this.#penalize(view, decoded.error);
    const block = decoded.value;
    if (!bytesEqual(block.hash, certificate.blockHash)) return this.#penalize(view, { code: 'CERTIFICATE_INVALID', height: this.height });
    const verified = await verifyCertificate({
      committee: this.committee,
      context: this.#context.chain,
      certificate,
      verifier: this.#context.verifier,
    });
    if (this.#ended) return;
    if (!verified.ok) return this.#penalize(view, verified.error);
    this.#post({ kind: 'certificate', certificate });
    this.#blocks.obtain(block.hash, { block, source: view.peer.id });
  }

  /** Sends a peer at this height what it lacks. */
  onRoundState(view: PeerView, state: RoundState): void {
    const votes = this.#core.votesMissingAt(state);
    if (votes.length > 0) this.#context.transport.send(view.peer.id, encodeMessage({ kind: 'votes', votes }));
    const relayed = this.#core.proposalMissingAt(state);
    const block = relayed === null ? undefined : this.#blocks.block(relayed.proposal.blockHash);
    if (relayed === null || block === undefined) return;
    this.#context.transport.send(view.peer.id, encodeMessage({ kind: 'proposal', ...relayed, block: block.bytes }));
  }

  async #onVote(view: PeerView, vote: Vote): Promise<void> {
    if (vote.height !== this.height || this.#core.hasVote(vote)) return;
    const validator = this.committee.validators[vote.validator];
    if (validator === undefined) return this.#penalize(view, { code: 'VOTE_INVALID', height: vote.height, validator: vote.validator });
    if (view.verifying >= VERIFYING_PER_PEER_MAX) return;
    view.verifying++;
    const valid = await this.#context.verifier.verify({
      publicKey: validator.publicKey,
      message: voteMessage(this.#context.chain, vote),
      context: VOTE_CONTEXT,
      signature: vote.signature,
    });
    view.verifying--;
    if (this.#ended) return;
    if (!valid) return this.#penalize(view, { code: 'VOTE_SIGNATURE', height: vote.height, validator: vote.validator });
    this.#context.voteSeen(validator.address, vote);
    this.#post({ kind: 'vote', vote });
  }

  async #carryOut(ready: Ready): Promise<Applied | null> {
    if (ready.fault !== null) throw faultError(ready.fault);
    for (const { timeout, delayMs } of ready.schedule) this.#after(delayMs, () => this.#post({ kind: 'timeout', timeout }));
    for (const hash of ready.wanted) this.#blocks.obtain(hash, { block: null, source: null });
    for (const equivocation of ready.equivocations) {
      this.#context.log.warn({ height: this.height, validator: equivocation.validator }, 'equivocation seen');
      this.#context.equivocationSeen(equivocation);
    }
    if (ready.sign.length > 0 || ready.lock !== null) await this.#persistAndSend(ready);
    if (ready.build !== null && !this.#ended) this.#build(ready.build.round);
    if (ready.decide === null) return null;
    const { certificate } = ready.decide;
    const candidate = await this.#blocks.candidate(certificate.blockHash);
    this.#context.commits.decided(this.height, certificate);
    // The height is over: no timer may build a block, and no fetched one is checked, while the decided one is written.
    this.end();
    return this.#context.ledger.apply(candidate, certificate);
  }

  /** The durability point: own messages leave only after the journal and the blocks they name are synced. */
  async #persistAndSend(ready: Ready): Promise<void> {
    const { identity } = this.#context;
    assert(identity !== null && this.#self !== null, 'only a validator signs');
    const { signer, journal } = identity;
    const signed = await this.#sign(ready.sign, { signer, self: this.#self });
    if (signed === null) return this.end(); // As if it had never been our turn: what was not signed was not said.
    const { votes, proposals } = signed;
    if (this.#ended) return this.#context.signedInVain(); // Nothing was promised yet: what is neither journaled nor sent was never said.
    await Promise.all([
      ...ready.sign.map((message) => this.#blockDurable(message)),
      journal.append({
        height: this.height,
        messages: [
          ...votes.map((vote) => ({ kind: 'vote' as const, bytes: encodeVote(vote) })),
          ...proposals.map(({ proposal }) => ({ kind: 'proposal' as const, bytes: encodeProposal(proposal) })),
        ],
        lock: ready.lock,
      }),
    ]);
    if (this.#ended) return; // Journaled but not sent: the next start sends it.
    for (const { proposal, justification } of proposals) await this.#sendProposal(proposal, justification);
    this.#sendOwnVotes(votes);
  }

  /** @returns null if the signer is in another process and did not sign all of it */
  async #sign(messages: Ready['sign'], { signer, self }: { readonly signer: Signer; readonly self: number }) {
    const { chain } = this.#context;
    const votes: Vote[] = [];
    const proposals: { proposal: Proposal; justification: readonly Vote[] }[] = [];
    try {
      for (const message of messages) {
        if (message.kind === 'vote') {
          const signature = await signer.sign(voteMessage(chain, message.content), VOTE_CONTEXT);
          votes.push({ ...message.content, validator: self, signature });
        } else {
          const signature = await signer.sign(proposalMessage(chain, message.content), PROPOSAL_CONTEXT);
          const proposal = { ...message.content, proposer: self, signature };
          proposals.push({ proposal, justification: message.justification });
        }
      }
    } catch (error) {
      if (!(error instanceof SignerError)) throw error;
      this.#context.unsigned(this.height, error);
      return null;
    }
    return { votes, proposals };
  }

  async #sendProposal(proposal: Proposal, justification: readonly Vote[]): Promise<void> {
    const { block } = await this.#blocks.candidate(proposal.blockHash);
    const frame = encodeMessage({ kind: 'proposal', proposal, block: block.bytes, justification });
    this.#context.transport.broadcast('committee', frame);
    this.#postProposal(proposal, block, this.#context.clock.nowMs());
  }

  #sendOwnVotes(votes: readonly Vote[]): void {
    if (votes.length === 0) return;
    this.#context.transport.broadcast('committee', encodeMessage({ kind: 'votes', votes: [...votes] }));
    for (const vote of votes) this.#post({ kind: 'vote', vote });
  }

  async #blockDurable(message: OwnMessage): Promise<void> {
    if (message.content.blockHash !== null) await this.#blocks.durable(message.content.blockHash);
  }

  /** Makes a block of what is pending, strictly later than its parent. */
  #build(round: number): void {
    const { clock, ledger, mempool, commits, identity } = this.#context;
    const waitMs = ledger.tip.timeMs + 1 - clock.nowMs();
    if (waitMs > 0) return this.#after(waitMs, () => this.#build(round));
    assert(identity !== null && this.#self !== null, 'only a validator builds');
    const parentCertificate = commits.parentCertificate(this.height - 1) ?? ledger.tip.certificate;
    // A sync that was cut short leaves a tip without its own certificate: others propose until we have caught up.
    if (parentCertificate === null && this.height > 1) return;
    const candidate = ledger.propose({
      proposer: this.committee.validators[this.#self]?.address as Uint8Array,
      timeMs: clock.nowMs(),
      candidates: mempool.candidates(),
      parentCertificate,
      lateCommits: commits.lateCommits(this.height, ledger.creditedCommits()),
    });
    // Its sync runs beside the signing and the journal's; the proposal leaves when both are done.
    this.#blocks.keep(candidate);
    this.#post({ kind: 'built', round, blockHash: candidate.blockHash });
  }

  /** Takes up what was signed before a restart: it is sent again, and never signed anew. */
  #resume(votes: readonly Vote[], proposals: readonly Proposal[]): void {
    this.#sendOwnVotes(votes.filter(({ blockHash }) => blockHash === null));
    const named = new Map<string, Hash>();
    for (const vote of votes) {
      if (vote.blockHash === null) continue;
      const key = toHex(vote.blockHash);
      named.set(key, vote.blockHash);
      this.#withheld.set(key, [...(this.#withheld.get(key) ?? []), vote]);
    }
    // Only now: a block that is stored is checked at once, and releases what is withheld for it.
    for (const hash of named.values()) this.#blocks.obtain(hash, { block: null, source: null });
    for (const proposal of proposals) {
      const block = this.#context.ledger.loadBlock(proposal.blockHash)?.block;
      if (block === undefined) continue; // It was never sent: blocks are synced before the proposal that names them.
      const frame = encodeMessage({ kind: 'proposal', proposal, block: block.bytes, justification: [] });
      this.#context.transport.broadcast('committee', frame);
      this.#postProposal(proposal, block, this.#context.clock.nowMs());
      this.#blocks.obtain(proposal.blockHash, { block, source: null });
    }
    this.work();
  }

  #blockChecked(hash: Hash, valid: boolean): void {
    this.#post({ kind: 'block', blockHash: hash, valid });
    const key = toHex(hash);
    const withheld = this.#withheld.get(key);
    if (withheld === undefined || !valid) return;
    this.#withheld.delete(key);
    void this.#blocks.durable(hash).then(
      () => {
        if (!this.#ended) this.#sendOwnVotes(withheld);
      },
      (error: unknown) => this.fail(error),
    );
  }

  #postProposal(proposal: Proposal, block: Block, arrivalMs: number): void {
    const header = { timeMs: block.header.timeMs, proposer: this.committee.indexOf(block.header.proposer) };
    const known = this.#proposals.get(proposal.round) ?? [];
    if (!known.some((hash) => bytesEqual(hash, block.hash))) this.#proposals.set(proposal.round, [...known, block.hash]);
    this.#post({ kind: 'proposal', proposal, header, arrivalMs });
  }

  /** Pending transactions start the height at once, unless the last block could not take them; an idle chain waits longer. */
  #scheduleWork(): void {
    const { mempool, clock, ledger, configuration } = this.#context;
    const { header, timeMs } = ledger.tip;
    const empty = header !== null && bytesEqual(header.transactionsRoot, EMPTY_LOG_ROOT);
    if (mempool.count > 0 && !empty) return this.work();
    const intervalMs = mempool.count > 0 ? configuration.emptyIntervalMs : configuration.idleIntervalMs;
    this.#after(Math.min(Math.max(timeMs + intervalMs - clock.nowMs(), 0), intervalMs), () => this.work());
  }

  #after(delayMs: number, action: () => void): void {
    const timer = this.#context.clock.schedule(delayMs, () => {
      this.#timers.delete(timer);
      // A read may meet with damage, and nobody catches what a timer throws.
      try {
        action();
      } catch (error) {
        this.fail(error);
      }
    });
    this.#timers.add(timer);
  }

  #post(event: CoreEvent): void {
    if (this.#ended) return;
    this.#events.push(event);
    this.#wake?.();
  }

  /** Something that this height cannot go on without has failed: `run` rejects with it. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#wake?.();
  }

  #penalize(view: PeerView, offence: Refusal): void {
    this.#context.transport.penalize(view.peer.id, offence);
  }
}

function timeBounds({ parameters }: Ledger): TimeBounds {
  const { timePrecisionMs, timeDelayMs, timeDelayGrowthMs } = parameters;
  return { precisionMs: timePrecisionMs, delayMs: timeDelayMs, delayGrowthMs: timeDelayGrowthMs };
}
