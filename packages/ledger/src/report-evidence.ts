import { assert, fail, ok, type Refusal, type Result, toHex } from '@nacre/base';
import type { Equivocation } from '@nacre/consensus';
import type { FailureCode } from './block-effects.ts';
import type { OperationScope } from './execute-operation.ts';
import { memberAt, withMember } from './registry.ts';
import { required } from './required.ts';
import { OFFENCE, OFFENCE_NUMBER, type OffencePlace, REGISTRY } from './set-kinds.ts';

/**
 * Writes down a proven offence, whose signatures are verified with the keys of its time; and has the validator held for it, if it is one still
 * and was not forgiven since. What follows is decided when the epoch ends.
 */
export function reportEvidence(equivocation: Equivocation, scope: OperationScope): Result<void, Refusal<FailureCode>> {
  const { overlay, parameters, info, height, transaction, operation } = scope;
  const at = offenceEpoch(equivocation, scope);
  assert(at !== undefined, 'no block holds evidence of heights beyond it');
  if (at.epoch + parameters.evidenceEpochs < info.epoch) {
    return fail({ code: 'EVIDENCE_STALE', epoch: at.epoch, evidenceEpochs: parameters.evidenceEpochs });
  }
  const place = offencePlace(equivocation, at.committee.validator(equivocation.validator).address);
  const known = overlay.get(OFFENCE_NUMBER, place);
  if (known !== undefined) return fail({ code: 'EVIDENCE_KNOWN', offence: known.number, address: toHex(place.address) });
  const registry = required(overlay, REGISTRY);
  const number = registry.offenceCount;
  overlay.set(OFFENCE_NUMBER, place, { number });
  overlay.set(OFFENCE, number, { ...place, provenHeight: height, bodyHash: transaction.bodyHash, operation });
  const counted = { ...registry, offenceCount: number + 1 };
  const member = memberAt(registry, place.address);
  const isForgiven = member === undefined || place.height <= member.pardonedHeight;
  const held = { offence: number, verdict: 'pending', epoch: info.epoch } as const;
  overlay.set(REGISTRY, null, isForgiven || member.held !== null ? counted : withMember(counted, { ...member, held }));
  return ok(undefined);
}

/** The epoch in which an equivocation was signed; undefined if that is not known here yet. */
export function offenceEpoch({ first }: Equivocation, { epochOf }: Pick<OperationScope, 'epochOf'>) {
  return epochOf(first.height);
}

function offencePlace(equivocation: Equivocation, address: Uint8Array): OffencePlace {
  const { height, round } = equivocation.first;
  return { address, height, round, kind: equivocation.kind === 'vote' ? equivocation.first.kind : 'proposal' };
}
