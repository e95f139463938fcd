import { assert, toHex } from '@nacre/base';
import { Committee, type Validator } from '@nacre/consensus';
import type { EpochStart } from './epoch-book.ts';
import type { EpochInfo } from './epoch-info.ts';
import type { Overlay } from './overlay.ts';
import { nextStages, parametersIn } from './parameter-stages.ts';
import { firstParticipation } from './participation.ts';
import { moveWeights, performancesOf } from './performance.ts';
import { sweepProposals } from './proposal-list.ts';
import { judgeOffenders } from './quarantine.ts';
import { hasLeft, isQuarantined, memberAt, servingMembers } from './registry.ts';
import { required } from './required.ts';
import { COMMITTEE, EPOCH, type Member, PARAMETERS, REGISTRY, type Registry } from './set-kinds.ts';
import { PARTICIPATION } from './state-kinds.ts';

interface EpochEnd {
  /** The one that ends. */
  readonly info: EpochInfo;
  /** Of its last block. */
  readonly height: number;
  readonly timeMs: number;
  /** The committee that was to follow. */
  readonly scheduled: Committee;
  readonly allowLargeWeights: boolean;
}

/**
 * Ends an epoch in its last block, whose transactions and credits are done: the scheduled committee follows without those who are quarantined,
 * performance moves weights, and what has been decided becomes the schedule of the epoch after the next.
 *
 * @returns the epoch that begins with the next block
 */
export function endEpoch(overlay: Overlay, end: EpochEnd): EpochStart {
  const { info, scheduled, allowLargeWeights } = end;
  const participation = required(overlay, PARTICIPATION);
  const epoch = info.epoch + 1;
  const judged = judgeOffenders(required(overlay, REGISTRY), { scheduled, epoch });
  const committee = withoutQuarantined(scheduled, judged);
  const performances = performancesOf(participation, info.committee);
  const members = judged.members.map((member) => ({
    ...member,
    performance: performances.get(toHex(member.address)) ?? member.performance,
  }));
  const moved = moveWeights({ ...judged, members }, performances, { scheduled: committee, allowLargeWeights });
  const following = committeeOf(servingMembers(moved), committee);
  // Whoever has left is of no more concern once no committee has it.
  const isConcerned = (member: Member) => !hasLeft(member) || committee.indexOf(member.address) !== null;
  overlay.set(REGISTRY, null, { ...moved, scheduled: following.hash, members: moved.members.filter(isConcerned) });
  storeCommittee(overlay, committee);
  storeCommittee(overlay, following);
  const firstHeight = end.height + 1;
  overlay.set(EPOCH, epoch, { firstHeight, startMs: end.timeMs, committeeHash: committee.hash });
  overlay.set(PARTICIPATION, null, firstParticipation(epoch, committee.size));
  const stages = nextStages(required(overlay, PARAMETERS));
  overlay.set(PARAMETERS, null, stages);
  sweepProposals(overlay, { epoch, timeMs: end.timeMs });
  return { info: { epoch, firstHeight, startMs: end.timeMs, committee }, parameters: parametersIn(stages, 'inForce') };
}

function withoutQuarantined(scheduled: Committee, registry: Registry): Committee {
  const remaining = scheduled.validators.filter(({ address }) => {
    const member = memberAt(registry, address);
    return member === undefined || !isQuarantined(member);
  });
  return remaining.length === scheduled.size ? scheduled : committeeOf(remaining, scheduled);
}

/** @param otherwise if everyone is gone: a chain that nobody may continue would be one that ends */
function committeeOf(validators: readonly Validator[], otherwise: Committee): Committee {
  if (validators.length === 0) return otherwise;
  const committee = Committee.create(validators, { allowLargeWeights: true });
  assert(committee.ok, 'what was decided within the limits is a committee');
  return committee.value;
}

export function storeCommittee(overlay: Overlay, { hash, validators }: Committee): void {
  if (overlay.get(COMMITTEE, hash) === undefined) overlay.set(COMMITTEE, hash, { validators });
}
