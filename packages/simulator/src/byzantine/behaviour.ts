import type { ChainContext, Committee, Proposal, ProposalContent, Vote, VoteContent } from '@nacre/consensus';
import type { Genesis } from '@nacre/ledger';
import type { Answers, Message, Request } from '@nacre/replica';
import type { ClusterReplica } from '../cluster-replica.ts';
import type { SeededRandom } from '../random.ts';

/** What leaves in place of something: each now or later. Nothing at all if empty. */
export type Substitute<Content> = readonly { readonly content: Content; readonly delayMs?: number }[];

export type AnyAnswer = { [Kind in Request['kind']]: { readonly kind: Kind; readonly answer: Answers[Kind] } }[Request['kind']];

/**
 * What a Byzantine node does otherwise than the real replica that runs in it. Everything it leaves out is as the replica
 * does it, so a behaviour is one lie in a life that follows the rules. Undefined as a result: unchanged.
 */
export interface Actor {
  /** A message to one node. */
  readonly send?: (message: Message, to: number) => Substitute<Message> | undefined;
  /** An answer to one node's request. */
  readonly answer?: (answer: AnyAnswer, to: number) => Substitute<AnyAnswer> | undefined;
  /** What its own replica sees of a message from one node; null: nothing. */
  readonly receive?: (message: Message, from: number) => Message | null | undefined;
  /** Called again and again, with so many virtual ms between. */
  readonly act?: { readonly everyMs: number; readonly now: () => void };
}

/** What a Byzantine node knows and can do. */
export interface ByzantineWorld {
  readonly node: number;
  /** Its place in the committee: now, where sets change. 0 while it has none. */
  readonly validator: number;
  readonly committee: Committee;
  readonly chain: ChainContext;
  readonly genesis: Genesis;
  readonly random: SeededRandom;
  /** What its own replica has decided; null while it is down. */
  readonly ledger: () => ClusterReplica['ledger'] | null;
  /** All other nodes. */
  readonly others: readonly number[];
  /** Signs with its own key whatever it is given. */
  readonly vote: (content: VoteContent) => Vote;
  readonly proposal: (content: ProposalContent) => Proposal;
  /** Signs any bytes with its own key. */
  readonly signFor: (message: Uint8Array, context: string) => Uint8Array;
  /** Sends something that its replica knows nothing of. */
  readonly inject: (to: number, message: Message) => void;
  readonly injectBytes: (to: number, bytes: Uint8Array) => void;
  /** To be called when the lie has been told, so that a run shows how often it was. */
  readonly acted: () => void;
}

export type Behaviour = (world: ByzantineWorld) => Actor;
