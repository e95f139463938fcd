import type { Hash } from '@nacre/base';
import type { Committee } from './committee.ts';
import { sameChoice, type Vote } from './vote.ts';

/** Votes for one block, or for none, at one place; each validator once. */
export class Tally {
  readonly blockHash: Hash | null;
  /** In the order of their arrival. */
  readonly votes: Vote[] = [];
  readonly #committee: Committee;
  #weight = 0;

  constructor(committee: Committee, blockHash: Hash | null) {
    this.#committee = committee;
    this.blockHash = blockHash;
  }

  /** Counts the vote unless its validator is in already. */
  add(vote: Vote): void {
    if (this.has(vote.validator)) return;
    this.votes.push(vote);
    this.#weight += this.#committee.weight(vote.validator);
  }

  has(validator: number): boolean {
    return this.votes.some((vote) => vote.validator === validator);
  }

  get isQuorum(): boolean {
    return this.#committee.isQuorum(this.#weight);
  }
}

export type BlockTally = Tally & { readonly blockHash: Hash };

/** The votes of one kind in one round: the first one of each validator. */
export class VoteSet {
  readonly #committee: Committee;
  readonly #firsts: (Vote | undefined)[];
  readonly #tallies: Tally[] = [];
  readonly #equivocators = new Set<number>();
  #weight = 0;

  constructor(committee: Committee) {
    this.#committee = committee;
    this.#firsts = new Array<Vote | undefined>(committee.size).fill(undefined);
  }

  /** `conflict`: the validator has voted otherwise here before, and the vote is not counted. */
  add(vote: Vote): 'added' | 'known' | 'conflict' {
    const first = this.#firsts[vote.validator];
    if (first !== undefined) return sameChoice(first.blockHash, vote.blockHash) ? 'known' : 'conflict';
    this.#firsts[vote.validator] = vote;
    this.#weight += this.#committee.weight(vote.validator);
    this.#tallyFor(vote.blockHash).add(vote);
    return 'added';
  }

  first(validator: number): Vote | undefined {
    return this.#firsts[validator];
  }

  /** Ascending by validator. */
  votes(): Vote[] {
    return this.#firsts.filter((vote) => vote !== undefined);
  }

  tally(blockHash: Hash | null): Tally | undefined {
    return this.#tallies.find((tally) => sameChoice(tally.blockHash, blockHash));
  }

  /** The block that a quorum voted for. */
  get blockQuorum(): BlockTally | undefined {
    return this.#tallies.find((tally): tally is BlockTally => tally.blockHash !== null && tally.isQuorum);
  }

  /** Whether a quorum voted for no block. */
  get nullQuorum(): boolean {
    return this.tally(null)?.isQuorum ?? false;
  }

  /** Whether a quorum voted, for whatever: the paper's `*`. */
  get anyQuorum(): boolean {
    return this.#committee.isQuorum(this.#weight);
  }

  /** @returns true the first time only */
  markEquivocator(validator: number): boolean {
    if (this.#equivocators.has(validator)) return false;
    this.#equivocators.add(validator);
    return true;
  }

  #tallyFor(blockHash: Hash | null): Tally {
    let tally = this.tally(blockHash);
    if (tally === undefined) {
      tally = new Tally(this.#committee, blockHash);
      this.#tallies.push(tally);
    }
    return tally;
  }
}
