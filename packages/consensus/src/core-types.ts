import type { Hash } from '@nacre/base';
import type { Certificate } from './certificate.ts';
import type { Committee } from './committee.ts';
import type { Equivocation } from './evidence.ts';
import type { Lock } from './lock.ts';
import type { Proposal, ProposalContent } from './proposal.ts';
import type { Vote, VoteContent } from './vote.ts';

/** Each step waits `base + round * growthMs`. */
export interface Timeouts {
  readonly proposeMs: number;
  readonly prepareMs: number;
  readonly commitMs: number;
  /** Linear growth: after some rounds every honest message arrives within the timeouts, however slow the network. */
  readonly growthMs: number;
}

/** Proposer-based time: bounds on a new block's time as seen by who receives it. Genesis parameters. */
export interface TimeBounds {
  /** Most that two honest clocks differ. */
  readonly precisionMs: number;
  /** Most that an honest proposal takes to arrive, in round 0. */
  readonly delayMs: number;
  /** Added to the delay for every round, so that a bound chosen too small stops nothing for good. */
  readonly delayGrowthMs: number;
}

/** Something this validator has signed before, as the vote journal holds it. */
export type OwnMessage =
  | { readonly kind: 'vote'; readonly content: VoteContent }
  | { readonly kind: 'proposal'; readonly content: ProposalContent };

export interface CoreOptions {
  readonly height: number;
  readonly committee: Committee;
  /** This validator's index, or null to observe: everything but signing. */
  readonly self: number | null;
  readonly timeouts: Timeouts;
  readonly time: TimeBounds;
  /** What the vote journal holds for this height. */
  readonly restored?: { readonly messages: readonly OwnMessage[]; readonly lock: Lock | null };
}

export interface Timeout {
  readonly kind: 'propose' | 'prepare' | 'commit';
  readonly height: number;
  readonly round: number;
}

export type CoreEvent =
  /** There is something to decide. Round 0 begins; idempotent. A proposal or vote of anyone for this height does the same. */
  | { readonly kind: 'work' }
  /** Signature verified. `header` is the proposed block's; `proposer` an index of this committee, null for anyone else. */
  | {
      readonly kind: 'proposal';
      readonly proposal: Proposal;
      readonly header: { readonly timeMs: number; readonly proposer: number | null };
      /** When it came in, stamped before any queue. */
      readonly arrivalMs: number;
    }
  /** The block is here and executed; if valid, it is durable. May come before anything names it. */
  | { readonly kind: 'block'; readonly blockHash: Hash; readonly valid: boolean }
  /** Answer to `Ready.build`: the block is durable and valid. */
  | { readonly kind: 'built'; readonly round: number; readonly blockHash: Hash }
  /** Signature verified. Own votes come back this way once they are durable. */
  | { readonly kind: 'vote'; readonly vote: Vote }
  /** Verified commit quorum for this height, of any round. */
  | { readonly kind: 'certificate'; readonly certificate: Certificate }
  | { readonly kind: 'timeout'; readonly timeout: Timeout };

export type SignRequest =
  | { readonly kind: 'vote'; readonly content: VoteContent }
  /** `justification`: the prepares that are sent along with a re-proposal; empty for a new block. */
  | { readonly kind: 'proposal'; readonly content: ProposalContent; readonly justification: readonly Vote[] };

/** More than 1/3 of the weight has broken the rules. The node must stop and say so. */
export type Fault =
  /** A quorum committed to a block that is invalid here. */
  | { readonly code: 'DECIDED_INVALID'; readonly height: number; readonly blockHash: Hash }
  /** Quorums committed to two blocks of one height. */
  | { readonly code: 'DECIDED_TWICE'; readonly height: number; readonly first: Hash; readonly second: Hash };

/** What the driver has to do, in this order: make `sign` and `lock` durable together, then send, then the rest. */
export interface Ready {
  /** To be signed, journaled, sent, and handed back as events. */
  readonly sign: readonly SignRequest[];
  /** To be journaled with `sign`; null: unchanged. */
  readonly lock: Lock | null;
  readonly schedule: readonly { readonly timeout: Timeout; readonly delayMs: number }[];
  /** It is our turn and no valid block is known: build one. */
  readonly build: { readonly round: number } | null;
  /** Once per height, when a commit quorum and the valid block are here. */
  readonly decide: { readonly certificate: Certificate } | null;
  /** Blocks to fetch until they come, each named once. `Core.missingBlocks` says which are still wanted. */
  readonly wanted: readonly Hash[];
  /** Each place once. */
  readonly equivocations: readonly Equivocation[];
  readonly fault: Fault | null;
}
