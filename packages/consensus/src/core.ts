import { assert, bytesEqual, type Hash, ROUND_MAX } from '@nacre/base';
import { BlockVerdicts } from './block-verdicts.ts';
import { type Certificate, certificateFrom, heaviestQuorum } from './certificate.ts';
import type { Committee } from './committee.ts';
import { CoreOutput } from './core-output.ts';
import type { CoreEvent, CoreOptions, OwnMessage, Ready, TimeBounds, Timeout, Timeouts } from './core-types.ts';
import { equivocationOf, sameProposal } from './evidence.ts';
import { lastOf } from './last-message.ts';
import type { Lock } from './lock.ts';
import type { Proposal } from './proposal.ts';
import { proposalMissingAt, type RelayedProposal, type RepairView, roundStateOf, votesMissingAt } from './repair.ts';
import { RoundClaims } from './round-claims.ts';
import type { RoundState, Step } from './round-state.ts';
import { type ReceivedProposal, type Round, Rounds } from './rounds.ts';
import { sameChoice, type Vote, type VoteKind } from './vote.ts';
import type { VoteSet } from './vote-set.ts';

/** Rules that one event can set off: all of one round, a jump, and all of the next one. */
const RULES_PER_STEP_MAX = 16;

/**
 * One height of consensus for one validator or observer: Algorithm 1 of "The latest gossip on BFT consensus"
 * (arXiv:1807.04938), by weight, as a pure state machine. Lines of that algorithm are named where they are.
 *
 * `step` takes one event in; `takeReady` gives what the driver must make durable, send, schedule and do. The core sends
 * nothing, waits for nothing, and never signs a second message at a place where it has signed one.
 */
export class Core {
  readonly height: number;
  readonly #committee: Committee;
  readonly #self: number | null;
  readonly #timeouts: Timeouts;
  readonly #time: TimeBounds;
  readonly #rounds: Rounds;
  readonly #claims: RoundClaims;
  readonly #blocks = new BlockVerdicts();
  readonly #output = new CoreOutput();
  /** Last round in which each kind of message was signed; the next one must be later. */
  readonly #signed = { proposal: -1, prepare: -1, commit: -1 };
  #working = false;
  #step: Step = 'propose';
  #lock: Lock | null;
  /** A commit quorum, waiting for its block. */
  #certificate: Certificate | null = null;
  #decided = false;
  #halted = false;
  #missing: readonly Hash[] = [];

  constructor(options: CoreOptions) {
    const { height, committee, self, restored } = options;
    this.height = height;
    this.#committee = committee;
    this.#self = self;
    this.#timeouts = options.timeouts;
    this.#time = options.time;
    this.#lock = restored?.lock ?? null;
    this.#claims = new RoundClaims(committee);
    const last = lastOf(restored?.messages ?? []);
    this.#rounds = new Rounds(committee, height, last?.content.round ?? 0);
    if (last !== null) this.#resume(last, restored?.messages ?? []);
    this.#announceMissing();
  }

  get round(): number {
    return this.#rounds.current.number;
  }

  get currentStep(): Step {
    return this.#step;
  }

  get working(): boolean {
    return this.#working;
  }

  get decided(): boolean {
    return this.#decided;
  }

  step(event: CoreEvent): void {
    if (this.#halted) return;
    if (this.#decided) {
      if (event.kind === 'certificate') this.#settle(event.certificate);
      return;
    }
    this.#receive(event);
    for (let acted = 0; !this.#decided && !this.#halted && this.#applyRule(); acted++) {
      assert(acted < RULES_PER_STEP_MAX, 'each rule acts once per round and step, and one event makes us jump at most once');
    }
    this.#announceMissing();
  }

  hasReady(): boolean {
    return !this.#output.isEmpty;
  }

  takeReady(): Ready {
    return this.#output.take();
  }

  /** Whether this very vote, signature aside, is here already: it need not be verified again. */
  hasVote(vote: Vote): boolean {
    if (vote.height !== this.height || vote.validator >= this.#committee.size) return false;
    const held = this.#rounds.find(vote.round)?.votes(vote.kind).first(vote.validator);
    return held !== undefined && sameChoice(held.blockHash, vote.blockHash);
  }

  /** Blocks that proposals, quorums or the own lock name and that are not here. */
  missingBlocks(): readonly Hash[] {
    return this.#missing;
  }

  roundState(): RoundState {
    return roundStateOf(this.#view());
  }

  /** What the peer that sent `state` lacks and could use, at most `VOTES_PER_REPAIR_MAX` votes, the most useful first. */
  votesMissingAt(state: RoundState): Vote[] {
    return votesMissingAt(this.#view(), state);
  }

  /** The proposal of the peer's round with the prepares that justify it, if the peer still waits for it and it is here. */
  proposalMissingAt(state: RoundState): RelayedProposal | null {
    return proposalMissingAt(this.#view(), state);
  }

  #view(): RepairView {
    return { height: this.height, step: this.#step, working: this.#working, rounds: this.#rounds, lock: this.#lock };
  }

  #receive(event: CoreEvent): void {
    switch (event.kind) {
      case 'work':
        return this.#begin();
      case 'proposal':
        return this.#receiveProposal(event.proposal, event.header, event.arrivalMs);
      case 'vote':
        return this.#receiveVote(event.vote);
      case 'block':
        return this.#blocks.note(event.blockHash, event.valid);
      case 'built':
        return this.#receiveBuilt(event.round, event.blockHash);
      case 'certificate':
        return this.#settle(event.certificate);
      case 'timeout':
        return this.#receiveTimeout(event.timeout);
    }
  }

  #begin(): void {
    if (this.#working) return;
    this.#working = true;
    this.#startRound(this.round);
  }

  /** Continues where the last own message stood, so that nothing is signed twice. */
  #resume(last: OwnMessage, messages: readonly OwnMessage[]): void {
    this.#working = true;
    for (const message of messages) {
      const kind = message.kind === 'vote' ? message.content.kind : 'proposal';
      this.#signed[kind] = Math.max(this.#signed[kind], message.content.round);
    }
    this.#step = last.kind === 'vote' ? last.content.kind : 'propose';
    if (this.#step === 'propose') this.#schedule('propose', this.#timeouts.proposeMs);
  }

  /** Lines 11-21. */
  #startRound(number: number): void {
    this.#rounds.enter(number);
    this.#step = 'propose';
    this.#output.build = null;
    // The paper spares the proposer this timeout; here building a block may fail, and the round must go on without it.
    this.#schedule('propose', this.#timeouts.proposeMs);
    if (this.#rounds.current.proposer !== this.#self) return;
    if (this.#lock !== null) this.#propose(this.#lock.validHash, this.#lock.validRound);
    else this.#output.build = { round: number };
  }

  #receiveProposal(proposal: Proposal, header: { readonly timeMs: number; readonly proposer: number | null }, arrivalMs: number): void {
    const { height, round: number, proposer, validRound } = proposal;
    if (height !== this.height || validRound >= number || proposer !== this.#committee.proposer(height, number)) return;
    this.#begin();
    this.#claims.note(proposer, number);
    const round = this.#rounds.at(number);
    if (round === null) return;
    if (round.proposal !== null) return this.#compareProposals(round, round.proposal.proposal, proposal);
    const acceptable = validRound >= 0 || (header.proposer === proposer && this.#isTimely(number, header.timeMs, arrivalMs));
    const prepares = this.#lock?.validRound === validRound ? this.#lock.prepares : [];
    this.#rounds.accept(round, proposal, { acceptable, prepares });
  }

  #compareProposals(round: Round, first: Proposal, second: Proposal): void {
    if (sameProposal(first, second) || round.done.doubleProposal) return;
    round.done.doubleProposal = true;
    const equivocation = equivocationOf(first, second);
    assert(equivocation !== null, 'different proposals of one round are an offence');
    this.#output.accuse(equivocation);
  }

  /** Proposer-based time, protocol section 5: the later the round, the longer the proposal may have travelled. */
  #isTimely(round: number, timeMs: number, arrivalMs: number): boolean {
    const { precisionMs, delayMs, delayGrowthMs } = this.#time;
    const oldestMs = arrivalMs - (delayMs + round * delayGrowthMs) - precisionMs;
    return timeMs >= oldestMs && timeMs <= arrivalMs + precisionMs;
  }

  #receiveVote(vote: Vote): void {
    if (vote.height !== this.height || vote.validator >= this.#committee.size) return;
    this.#begin();
    this.#claims.note(vote.validator, vote.round);
    if (vote.kind === 'prepare') this.#rounds.justify(vote);
    const outcome = this.#addVote(vote);
    if (outcome === 'unkept' && vote.kind === 'prepare') this.#rounds.keepStray(vote);
  }

  #addVote(vote: Vote): 'kept' | 'unkept' {
    const votes = this.#rounds.at(vote.round)?.votes(vote.kind);
    if (votes === undefined) return 'unkept';
    const outcome = votes.add(vote);
    if (outcome === 'conflict') {
      this.#accuseVoter(votes, vote);
      return 'unkept';
    }
    if (outcome === 'added' && vote.kind === 'commit') this.#settleBy(votes);
    return 'kept';
  }

  #accuseVoter(votes: VoteSet, second: Vote): void {
    const first = votes.first(second.validator);
    const equivocation = first === undefined ? null : equivocationOf(first, second);
    assert(equivocation !== null, 'conflicting votes at one place are an offence');
    if (votes.markEquivocator(second.validator)) this.#output.accuse(equivocation);
  }

  #receiveBuilt(number: number, blockHash: Hash): void {
    this.#blocks.note(blockHash, true);
    const { current } = this.#rounds;
    const expected = this.#working && number === current.number && this.#step === 'propose' && current.proposer === this.#self;
    if (expected && this.#signed.proposal < number) this.#propose(blockHash, -1);
  }

  /** Lines 57-67. */
  #receiveTimeout({ kind, height, round }: Timeout): void {
    if (height !== this.height || round !== this.round || !this.#working) return;
    if (kind === 'propose' && this.#step === 'propose') this.#prepare(null);
    if (kind === 'prepare' && this.#step === 'prepare') this.#commit(null);
    if (kind === 'commit' && round < ROUND_MAX) this.#startRound(round + 1);
  }

  /** @returns whether a rule acted */
  #applyRule(): boolean {
    if (this.#decide()) return true;
    if (!this.#working) return false;
    return (
      this.#jump() ||
      this.#answerProposal() ||
      this.#lockOnQuorum() ||
      this.#commitToNone() ||
      this.#awaitPrepares() ||
      this.#awaitCommits()
    );
  }

  /** Line 49: a commit quorum of any round decides, once the block is here. */
  #decide(): boolean {
    if (this.#certificate === null) return false;
    const { blockHash } = this.#certificate;
    const valid = this.#blocks.of(blockHash);
    if (valid === undefined) return false;
    if (valid) {
      this.#decided = true;
      this.#output.decide = { certificate: this.#certificate };
    } else {
      this.#halted = true;
      this.#output.fault = { code: 'DECIDED_INVALID', height: this.height, blockHash };
    }
    return true;
  }

  /** Line 55. */
  #jump(): boolean {
    const target = this.#claims.jumpAbove(this.round);
    if (target === null) return false;
    this.#startRound(target);
    return true;
  }

  /** Lines 22 and 28. */
  #answerProposal(): boolean {
    const { proposal } = this.#rounds.current;
    if (this.#step !== 'propose' || proposal === null) return false;
    const verdict = this.#judge(proposal);
    if (verdict === 'wait') return false;
    this.#prepare(verdict === 'accept' ? proposal.proposal.blockHash : null);
    return true;
  }

  #judge({ proposal, acceptable, justification }: ReceivedProposal): 'accept' | 'reject' | 'wait' {
    const { blockHash, validRound } = proposal;
    if (validRound >= 0 && !justification.isQuorum) return 'wait';
    if (!acceptable || !this.#lockAllows(blockHash, validRound)) return 'reject';
    const valid = this.#blocks.of(blockHash);
    if (valid === undefined) return 'wait';
    return valid ? 'accept' : 'reject';
  }

  /** Lines 23 and 29: not bound, bound to this block, or released by a prepare quorum of no earlier round. */
  #lockAllows(blockHash: Hash, validRound: number): boolean {
    const lock = this.#lock;
    if (lock === null || lock.lockedHash === null) return true;
    return lock.lockedRound <= validRound || bytesEqual(lock.lockedHash, blockHash);
  }

  /**
   * Line 36. By the block's hash alone: the quorum stands in for the proposal, because it holds honest validators that saw
   * one, and after an equivocating proposer the other proposal may be the one that was prepared.
   */
  #lockOnQuorum(): boolean {
    const { current } = this.#rounds;
    if (this.#step === 'propose' || current.done.prepareQuorum) return false;
    const quorum = current.prepares.blockQuorum;
    if (quorum === undefined || this.#blocks.of(quorum.blockHash) !== true) return false;
    current.done.prepareQuorum = true;
    const valid = { validRound: current.number, validHash: quorum.blockHash, prepares: heaviestQuorum(this.#committee, quorum.votes) };
    if (this.#step === 'prepare') {
      this.#keepLock({ ...valid, lockedRound: current.number, lockedHash: quorum.blockHash });
      this.#commit(quorum.blockHash);
    } else {
      this.#keepLock({ ...valid, lockedRound: this.#lock?.lockedRound ?? -1, lockedHash: this.#lock?.lockedHash ?? null });
    }
    return true;
  }

  /** Line 44. */
  #commitToNone(): boolean {
    if (this.#step !== 'prepare' || !this.#rounds.current.prepares.nullQuorum) return false;
    this.#commit(null);
    return true;
  }

  /** Line 34. */
  #awaitPrepares(): boolean {
    const { done, prepares } = this.#rounds.current;
    if (this.#step !== 'prepare' || done.prepareTimeout || !prepares.anyQuorum) return false;
    done.prepareTimeout = true;
    this.#schedule('prepare', this.#timeouts.prepareMs);
    return true;
  }

  /** Line 47. */
  #awaitCommits(): boolean {
    const { done, commits } = this.#rounds.current;
    if (done.commitTimeout || !commits.anyQuorum) return false;
    done.commitTimeout = true;
    this.#schedule('commit', this.#timeouts.commitMs);
    return true;
  }

  #settleBy(commits: VoteSet): void {
    const quorum = commits.blockQuorum;
    if (quorum === undefined) return;
    // Further commits for a block that waits to be fetched make no new certificate; the collector of commits keeps them.
    if (this.#certificate === null || !bytesEqual(this.#certificate.blockHash, quorum.blockHash))
      this.#settle(certificateFrom(quorum.votes));
  }

  /** Keeps the first certificate; one for another block means that more than 1/3 of the weight has broken the rules. */
  #settle(certificate: Certificate): void {
    const first = this.#certificate;
    if (first === null) {
      this.#certificate = certificate;
    } else if (!bytesEqual(first.blockHash, certificate.blockHash)) {
      this.#halted = true;
      this.#output.fault = { code: 'DECIDED_TWICE', height: this.height, first: first.blockHash, second: certificate.blockHash };
    }
  }

  #propose(blockHash: Hash, validRound: number): void {
    const { number } = this.#rounds.current;
    this.#claimPlace('proposal', number);
    const content = { height: this.height, round: number, validRound, blockHash };
    this.#output.sign({ kind: 'proposal', content, justification: validRound < 0 ? [] : (this.#lock?.prepares ?? []) });
  }

  #prepare(blockHash: Hash | null): void {
    this.#step = 'prepare';
    this.#vote('prepare', blockHash);
  }

  #commit(blockHash: Hash | null): void {
    this.#step = 'commit';
    this.#vote('commit', blockHash);
  }

  #vote(kind: VoteKind, blockHash: Hash | null): void {
    if (this.#self === null) return;
    this.#claimPlace(kind, this.round);
    this.#output.sign({ kind: 'vote', content: { height: this.height, round: this.round, kind, blockHash } });
  }

  #claimPlace(kind: 'proposal' | VoteKind, round: number): void {
    assert(this.#signed[kind] < round, `a second ${kind} at height ${this.height}, round ${round}`);
    this.#signed[kind] = round;
  }

  #keepLock(lock: Lock): void {
    this.#lock = lock;
    if (this.#self !== null) this.#output.lock = lock;
  }

  #schedule(kind: Timeout['kind'], baseMs: number): void {
    const { round } = this;
    this.#output.schedule({ kind, height: this.height, round }, baseMs + round * this.#timeouts.growthMs);
  }

  #announceMissing(): void {
    const before = this.#missing;
    this.#missing =
      this.#decided || this.#halted ? [] : this.#namedBlocks().filter((blockHash) => this.#blocks.of(blockHash) === undefined);
    for (const blockHash of this.#missing) {
      if (!before.some((known) => bytesEqual(known, blockHash))) this.#output.want(blockHash);
    }
  }

  #namedBlocks(): Hash[] {
    const named: Hash[] = [];
    const name = (blockHash: Hash | null | undefined): void => {
      if (blockHash && !named.some((known) => bytesEqual(known, blockHash))) named.push(blockHash);
    };
    name(this.#certificate?.blockHash);
    name(this.#lock?.lockedHash);
    name(this.#lock?.validHash);
    for (const round of this.#rounds.from(this.round)) {
      name(round.prepares.blockQuorum?.blockHash);
      if (round.proposal?.acceptable) name(round.proposal.proposal.blockHash);
    }
    return named;
  }
}
