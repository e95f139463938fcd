/** What validators say and sign, apart from how it is encoded: that is all that programs need which only read it. */
import type { Hash } from '@nacre/base';

/** The paper's prevote and precommit under PBFT's names. */
export type VoteKind = 'prepare' | 'commit';

export interface VoteContent {
  readonly height: number;
  readonly round: number;
  readonly kind: VoteKind;
  /** null: for no block in this round. */
  readonly blockHash: Hash | null;
}

export interface Vote extends VoteContent {
  /** Position in the committee of that height. */
  readonly validator: number;
  readonly signature: Uint8Array;
}

export interface ProposalContent {
  readonly height: number;
  readonly round: number;
  /** Round whose prepare quorum justifies proposing this block again; -1: none, the block is new. */
  readonly validRound: number;
  readonly blockHash: Hash;
}

/** The signed envelope around a block's hash; the block itself travels beside it and is the same in every round. */
export interface Proposal extends ProposalContent {
  /** Who signed: position in the committee of that height. */
  readonly proposer: number;
  readonly signature: Uint8Array;
}

/**
 * Two signed messages of one validator at one place (height, round, kind) with different contents. No honest validator
 * ever signs the second one. The order of the two is that of their contents, so that one offence has one encoding.
 */
export type Equivocation =
  | { readonly kind: 'vote'; readonly validator: number; readonly first: Vote; readonly second: Vote }
  | { readonly kind: 'proposal'; readonly validator: number; readonly first: Proposal; readonly second: Proposal };
