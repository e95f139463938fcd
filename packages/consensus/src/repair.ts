import { VOTES_PER_REPAIR_MAX } from '@nacre/base';
import type { Lock } from './lock.ts';
import type { Proposal } from './proposal.ts';
import { ROUND_STATE_SETS_MAX, type RoundState, type Step, type VotesHeld } from './round-state.ts';
import type { Round, Rounds } from './rounds.ts';
import type { Vote, VoteKind } from './vote.ts';

/** What repair reads of a core. */
export interface RepairView {
  readonly height: number;
  readonly step: Step;
  readonly working: boolean;
  readonly rounds: Rounds;
  readonly lock: Lock | null;
}

/** A proposal with the prepares that justify it, to be sent together. */
export interface RelayedProposal {
  readonly proposal: Proposal;
  readonly justification: readonly Vote[];
}

/**
 * What is here, most useful first: both kinds of this round, the commits that ended the one before, the prepares that the
 * proposal of this round stands on, and whatever came early. Listing a place also asks for what is missing there.
 */
export function roundStateOf(view: RepairView): RoundState {
  const { height, step, working, rounds } = view;
  const { current } = rounds;
  const votes = [heldIn(current, 'prepare'), heldIn(current, 'commit')];
  const previous = rounds.find(current.number - 1);
  if (current.number > 0) votes.push(previous ? heldIn(previous, 'commit') : { round: current.number - 1, kind: 'commit', validators: [] });
  const { proposal } = current;
  if (proposal !== null && proposal.proposal.validRound >= 0) {
    const validators = validatorsOf(proposal.justification.votes);
    votes.push({ round: proposal.proposal.validRound, kind: 'prepare', validators });
  }
  for (const round of rounds.from(current.number + 1)) {
    votes.push(...[heldIn(round, 'prepare'), heldIn(round, 'commit')].filter((held) => held.validators.length > 0));
  }
  return { height, round: current.number, step, working, hasProposal: proposal !== null, votes: votes.slice(0, ROUND_STATE_SETS_MAX) };
}

/** @see Core.votesMissingAt */
export function votesMissingAt(view: RepairView, state: RoundState): Vote[] {
  const missing: Vote[] = [];
  if (state.height !== view.height) return missing;
  const { current } = view.rounds;
  const listed = new Map(state.votes.map((held) => [placeOf(held.round, held.kind), held]));
  const send = (round: number, kind: VoteKind, held: readonly number[]): void => {
    const there = new Set(held);
    for (const vote of votesAt(view, round, kind)) {
      if (!there.has(vote.validator) && missing.length < VOTES_PER_REPAIR_MAX) missing.push(vote);
    }
  };
  // A peer behind us learns from these that it may jump: more than 2/3 of the weight committed in the round before ours.
  if (state.round < current.number) {
    for (const [round, kind] of [
      [current.number - 1, 'commit'],
      [current.number, 'prepare'],
      [current.number, 'commit'],
    ] as const) {
      if (!listed.has(placeOf(round, kind))) send(round, kind, []);
    }
  }
  for (const { round, kind, validators } of listed.values()) send(round, kind, validators);
  return missing;
}

/** @see Core.proposalMissingAt */
export function proposalMissingAt(view: RepairView, state: RoundState): RelayedProposal | null {
  if (state.height !== view.height || state.hasProposal || state.step !== 'propose') return null;
  const received = view.rounds.find(state.round)?.proposal ?? null;
  return received === null ? null : { proposal: received.proposal, justification: received.justification.votes };
}

/**
 * One vote per validator. Of an equivocator's prepares, the one that our lock or the proposal of our round stands on: the
 * peer that lists the place lists what it has for the same block.
 */
function votesAt(view: RepairView, round: number, kind: VoteKind): Vote[] {
  const votes = new Map<number, Vote>();
  for (const vote of view.rounds.find(round)?.votes(kind).votes() ?? []) votes.set(vote.validator, vote);
  if (kind === 'prepare') {
    const { proposal } = view.rounds.current;
    if (proposal?.proposal.validRound === round) for (const vote of proposal.justification.votes) votes.set(vote.validator, vote);
    if (view.lock?.validRound === round) for (const vote of view.lock.prepares) votes.set(vote.validator, vote);
  }
  return [...votes.values()];
}

function heldIn(round: Round, kind: VoteKind): VotesHeld {
  return { round: round.number, kind, validators: validatorsOf(round.votes(kind).votes()) };
}

function validatorsOf(votes: readonly Vote[]): number[] {
  return votes.map((vote) => vote.validator).sort((a, b) => a - b);
}

function placeOf(round: number, kind: VoteKind): string {
  return `${round}/${kind}`;
}
