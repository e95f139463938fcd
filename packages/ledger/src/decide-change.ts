import { bytesEqual, fail, ok, type Refusal, type Result, toHex } from '@nacre/base';
import type { Committee } from '@nacre/consensus';
import { addressOf, type SignatureScheme } from '@nacre/crypto';
import type { FailureCode } from './block-effects.ts';
import type { Overlay } from './overlay.ts';
import { parametersIn } from './parameter-stages.ts';
import { checkParameters } from './parameters.ts';
import { judgeOffenders } from './quarantine.ts';
import { hasLeft, isQuarantined, memberAt, servingMembers, withMember } from './registry.ts';
import { required } from './required.ts';
import type { ParametersChange, SetChange, ValidatorJoin } from './set-change.ts';
import { type Member, PARAMETERS, type ParameterStages, REGISTRY, type Registry } from './set-kinds.ts';
import { checkSet } from './set-limits.ts';
import { ACCOUNT } from './state-kinds.ts';

/** What a change is judged by. */
export interface ChangePlace {
  readonly scheme: SignatureScheme;
  readonly allowLargeWeights: boolean;
  /** Of the block that decides. */
  readonly height: number;
  readonly epoch: number;
  /** The committee of the next epoch, as far as it is known. */
  readonly scheduled: Committee;
}

/** What the state would hold once a change is decided. */
export type Decided = { readonly registry: Registry } | { readonly stages: readonly ParameterStages[] };

/**
 * What deciding a change now leads to, with everything that was decided before.
 *
 * @returns why the network may not decide it: it means nothing, or what would come of it breaks a limit
 */
export function decideChange(change: SetChange, overlay: Pick<Overlay, 'get'>, place: ChangePlace): Result<Decided, Refusal<FailureCode>> {
  if (change.kind === 'parameters.change') return changeParameters(change, required(overlay, PARAMETERS));
  const registry = required(overlay, REGISTRY);
  const changed = changeRegistry(change, registry, { overlay, place });
  if (!changed.ok) return changed;
  const checked = checkSet(servingAfter(changed.value, place), {
    registered: changed.value.members.filter((member) => !hasLeft(member)).length,
    before: servingAfter(registry, place),
    scheduled: place.scheduled.validators.filter(({ address }) => {
      const member = memberAt(judged(registry, place), address);
      return member === undefined || !isQuarantined(member);
    }),
    allowLargeWeights: place.allowLargeWeights,
  });
  return checked.ok ? ok({ registry: changed.value }) : checked;
}

/** Who would serve two epochs from now, those left out who are about to be quarantined. */
export function servingAfter(registry: Registry, place: Pick<ChangePlace, 'scheduled' | 'epoch'>) {
  return servingMembers(judged(registry, place));
}

function judged(registry: Registry, { scheduled, epoch }: Pick<ChangePlace, 'scheduled' | 'epoch'>): Registry {
  return judgeOffenders(registry, { scheduled, epoch: epoch + 1 });
}

function changeParameters({ name, value }: ParametersChange, stages: readonly ParameterStages[]): Result<Decided, Refusal<FailureCode>> {
  const { decided } = stages.find((stage) => stage.name === name) ?? { decided: value };
  if (value === decided) return fail({ code: 'CHANGE_NONE', name, value });
  // Going back would give those a second meaning who have already stopped for the newer rules.
  if (name === 'protocolVersion' && value < decided) return fail({ code: 'PROTOCOL_VERSION_LOWER', value, decided });
  const changed = stages.map((stage) => (stage.name === name ? { ...stage, decided: value } : stage));
  const checked = checkParameters(parametersIn(changed, 'decided'));
  return checked.ok ? ok({ stages: changed }) : fail({ ...checked.error, code: 'PARAMETERS_INCONSISTENT' });
}

function changeRegistry(
  change: Exclude<SetChange, ParametersChange>,
  registry: Registry,
  { overlay, place }: { readonly overlay: Pick<Overlay, 'get'>; readonly place: ChangePlace },
): Result<Registry, Refusal<FailureCode>> {
  const { address } = change;
  const member = memberAt(registry, address);
  if (change.kind === 'validator.join') {
    if (member !== undefined && !hasLeft(member)) return fail({ code: 'VALIDATOR_EXISTS', address: toHex(address) });
    const checked = checkJoin(change, registry, { overlay, place });
    if (!checked.ok) return checked;
    const { publicKey, weight } = change;
    const held = member?.held ?? null;
    const pardonedHeight = member?.pardonedHeight ?? 0;
    return ok(withMember(registry, { address, publicKey, weight, baseWeight: weight, held, pardonedHeight, performance: null }));
  }
  if (member === undefined || hasLeft(member)) return fail({ code: 'VALIDATOR_UNKNOWN', address: toHex(address) });
  const changed = changeMember(change, member, place);
  return changed.ok ? ok(withMember(registry, changed.value)) : changed;
}

function changeMember(
  change: Exclude<SetChange, ParametersChange | ValidatorJoin>,
  member: Member,
  { height }: ChangePlace,
): Result<Member, Refusal<FailureCode>> {
  const address = toHex(member.address);
  switch (change.kind) {
    case 'validator.leave':
      return ok({ ...member, weight: 0, baseWeight: 0 });
    case 'validator.weight': {
      const { weight } = change;
      if (weight === member.weight && weight === member.baseWeight) return fail({ code: 'CHANGE_NONE', address, weight });
      return ok({ ...member, weight, baseWeight: weight });
    }
    case 'validator.rehabilitate':
      if (member.held === null) return fail({ code: 'VALIDATOR_NOT_HELD', address });
      return ok({ ...member, held: null, pardonedHeight: height });
  }
}

/** One key belongs to one validator: two with the same could answer for each other's votes. */
function checkJoin(
  { address, publicKey }: ValidatorJoin,
  registry: Registry,
  { overlay, place }: { readonly overlay: Pick<Overlay, 'get'>; readonly place: ChangePlace },
): Result<void, Refusal<FailureCode>> {
  const account = overlay.get(ACCOUNT, address);
  const fits = account === undefined ? bytesEqual(addressOf(place.scheme, publicKey), address) : bytesEqual(account.publicKey, publicKey);
  if (!fits) return fail({ code: 'KEY_MISMATCH', address: toHex(address) });
  return isKeyTaken(registry, { address, publicKey }) ? fail({ code: 'KEY_IN_USE', address: toHex(address) }) : ok(undefined);
}

/** Whether another validator has the key. */
export function isKeyTaken(registry: Registry, { address, publicKey }: Pick<Member, 'address' | 'publicKey'>): boolean {
  return registry.members.some((member) => !bytesEqual(member.address, address) && bytesEqual(member.publicKey, publicKey));
}
