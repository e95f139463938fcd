import { ContainerType, ListCompositeType, type ValueOf } from '@chainsafe/ssz';
import { type Codec, convertedCodec } from './codec.ts';
import {
  BoundedUintType,
  bitsToValidators,
  FlagType,
  FORMAT_VERSION,
  RoundType,
  Uint53Type,
  VALIDATOR_SET_BYTES_MAX,
  ValidatorSetType,
  VersionType,
  validatorsToBits,
} from './ssz.ts';
import { type VoteKind, voteKindFromWire, voteKindToWire } from './vote.ts';

export type Step = 'propose' | 'prepare' | 'commit';

/** What peers tell one another all the time, so that each can send what the other lacks. Not signed, and believed by nobody. */
export interface RoundState {
  readonly height: number;
  readonly round: number;
  readonly step: Step;
  /** Whether there is something to decide; before that, a round does not begin. */
  readonly working: boolean;
  /** Whether the proposal of this round is here. */
  readonly hasProposal: boolean;
  /** At most `ROUND_STATE_SETS_MAX`, each place once. */
  readonly votes: readonly VotesHeld[];
}

/** Whose votes at one place the sender of a round state does not need any more. */
export interface VotesHeld {
  readonly round: number;
  readonly kind: VoteKind;
  /** Ascending. */
  readonly validators: readonly number[];
}

/** Sets of votes in one round state. Beyond: the rounds farthest ahead are left out, and their votes may be sent again. */
export const ROUND_STATE_SETS_MAX = 16;

const STEPS: readonly Step[] = ['propose', 'prepare', 'commit'];

const VotesHeldType = new ContainerType({ round: RoundType, kind: FlagType, validators: ValidatorSetType });

export const RoundStateType = new ContainerType({
  version: VersionType,
  height: Uint53Type,
  round: RoundType,
  step: new BoundedUintType(1, { min: 0, max: STEPS.length - 1 }),
  working: FlagType,
  hasProposal: FlagType,
  votes: new ListCompositeType(VotesHeldType, ROUND_STATE_SETS_MAX),
});

/** Longest encoding in bytes: the fixed fields, and per set its offset, its fields and the bit list. */
export const ROUND_STATE_BYTES_MAX = 1 + 8 + 4 + 3 + 4 + ROUND_STATE_SETS_MAX * (4 + 4 + 1 + 4 + VALIDATOR_SET_BYTES_MAX);

/** For containers that hold round states. */
export function roundStateToWire(state: RoundState): ValueOf<typeof RoundStateType> {
  return {
    version: FORMAT_VERSION,
    height: state.height,
    round: state.round,
    step: STEPS.indexOf(state.step),
    working: state.working ? 1 : 0,
    hasProposal: state.hasProposal ? 1 : 0,
    votes: state.votes.map(({ round, kind, validators }) => ({
      round,
      kind: voteKindToWire(kind),
      validators: validatorsToBits(validators),
    })),
  };
}

export function roundStateFromWire(wire: ValueOf<typeof RoundStateType>): RoundState {
  return {
    height: wire.height,
    round: wire.round,
    step: STEPS[wire.step] as Step,
    working: wire.working === 1,
    hasProposal: wire.hasProposal === 1,
    votes: wire.votes.map(({ round, kind, validators }) => ({
      round,
      kind: voteKindFromWire(kind),
      validators: bitsToValidators(validators),
    })),
  };
}

export const roundStateCodec: Codec<RoundState> = convertedCodec(RoundStateType, {
  name: 'round state',
  bytesMax: ROUND_STATE_BYTES_MAX,
  toWire: roundStateToWire,
  fromWire: roundStateFromWire,
});
