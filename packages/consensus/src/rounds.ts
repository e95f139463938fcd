import { bytesEqual, FUTURE_ROUNDS_MAX, PAST_ROUNDS_MAX } from '@nacre/base';
import type { Committee } from './committee.ts';
import type { Proposal } from './proposal.ts';
import type { Vote, VoteKind } from './vote.ts';
import { Tally, VoteSet } from './vote-set.ts';

/** The first proposal of a round. */
export interface ReceivedProposal {
  readonly proposal: Proposal;
  /** For a new block: signed by the header's proposer, and timely. Always true for a re-proposal. */
  readonly acceptable: boolean;
  /**
   * For a re-proposal, every prepare for its block in its valid round. Apart from the votes of that round, where only the
   * first of each validator counts: what an equivocator told others first may have come second to us, and who is locked on
   * this block could not be followed without it.
   */
  readonly justification: Tally;
}

/** What is known of one round of the height. */
export class Round {
  readonly number: number;
  /** Who may propose: index in the committee. */
  readonly proposer: number;
  readonly prepares: VoteSet;
  readonly commits: VoteSet;
  proposal: ReceivedProposal | null = null;
  /** The rules that act "for the first time" only: the paper's lines 34, 36 and 47, and one piece of evidence per proposal. */
  readonly done = { prepareTimeout: false, prepareQuorum: false, commitTimeout: false, doubleProposal: false };

  constructor(committee: Committee, height: number, number: number) {
    this.number = number;
    this.proposer = committee.proposer(height, number);
    this.prepares = new VoteSet(committee);
    this.commits = new VoteSet(committee);
  }

  votes(kind: VoteKind): VoteSet {
    return kind === 'prepare' ? this.prepares : this.commits;
  }
}

/** The rounds around the current one, `PAST_ROUNDS_MAX` back and `FUTURE_ROUNDS_MAX` ahead. Everything else is not kept. */
export class Rounds {
  readonly #committee: Committee;
  readonly #height: number;
  readonly #rounds = new Map<number, Round>();
  /** The last prepare of each validator that no round keeps, in case that a re-proposal is about to name it. */
  readonly #strays: (Vote | undefined)[];
  #current: Round;

  constructor(committee: Committee, height: number, current: number) {
    this.#committee = committee;
    this.#height = height;
    this.#strays = new Array<Vote | undefined>(committee.size).fill(undefined);
    this.#current = this.#open(current);
  }

  get current(): Round {
    return this.#current;
  }

  /** @returns the round, or null outside of what is kept */
  at(number: number): Round | null {
    const inside = number >= this.#current.number - PAST_ROUNDS_MAX && number <= this.#current.number + FUTURE_ROUNDS_MAX;
    return inside ? (this.#rounds.get(number) ?? this.#open(number)) : null;
  }

  /** @returns the round if anything is known of it */
  find(number: number): Round | undefined {
    return this.#rounds.get(number);
  }

  /** The kept rounds that anything is known of, ascending, from `number` on. */
  from(number: number): Round[] {
    return [...this.#rounds.values()].filter((round) => round.number >= number).sort((a, b) => a.number - b.number);
  }

  enter(number: number): void {
    this.#current = this.#rounds.get(number) ?? this.#open(number);
    for (const known of this.#rounds.keys()) if (known < number - PAST_ROUNDS_MAX) this.#rounds.delete(known);
  }

  /** A prepare for the block of a re-proposal in its valid round counts for that re-proposal, wherever else it counts. */
  justify(prepare: Vote): void {
    for (const round of this.#rounds.values()) if (round.proposal !== null) justifyWith(round.proposal, prepare);
  }

  keepStray(prepare: Vote): void {
    this.#strays[prepare.validator] = prepare;
  }

  /** @param prepares further ones that are known to the caller */
  accept(round: Round, proposal: Proposal, options: { readonly acceptable: boolean; readonly prepares: readonly Vote[] }): void {
    const justification = new Tally(this.#committee, proposal.blockHash);
    const received = { proposal, acceptable: options.acceptable, justification };
    round.proposal = received;
    const kept = this.#rounds.get(proposal.validRound)?.prepares.votes() ?? [];
    for (const prepare of [...kept, ...options.prepares, ...this.#strays]) if (prepare !== undefined) justifyWith(received, prepare);
  }

  #open(number: number): Round {
    const round = new Round(this.#committee, this.#height, number);
    this.#rounds.set(number, round);
    return round;
  }
}

function justifyWith({ proposal, justification }: ReceivedProposal, prepare: Vote): void {
  if (prepare.round !== proposal.validRound || prepare.blockHash === null) return;
  if (bytesEqual(prepare.blockHash, proposal.blockHash)) justification.add(prepare);
}
