import { COMMITTEE_SIZE_MAX, fail, ok, type Refusal, type Result, TOTAL_WEIGHT_MAX, toHex } from '@nacre/base';
import type { Validator } from '@nacre/consensus';

type Weighed = Pick<Validator, 'address' | 'weight'>;

export type SetRefusal = Refusal<'SET_EMPTY' | 'SET_TOO_LARGE' | 'SET_WEIGHT_OVERFLOW' | 'SET_THIRD' | 'SET_DISCONTINUOUS'>;

/**
 * Whether a decided change may lead to a set of validators.
 *
 * @param limits `registered`: how many the registry would hold; `before`: the set as decided without the change; `scheduled`: the committee of
 * the epoch before the change acts
 */
export function checkSet(
  after: readonly Weighed[],
  limits: {
    readonly registered: number;
    readonly before: readonly Weighed[];
    readonly scheduled: readonly Weighed[];
    readonly allowLargeWeights: boolean;
  },
): Result<void, SetRefusal> {
  if (after.length === 0) return fail({ code: 'SET_EMPTY' });
  if (limits.registered > COMMITTEE_SIZE_MAX) return fail({ code: 'SET_TOO_LARGE', size: limits.registered, sizeMax: COMMITTEE_SIZE_MAX });
  const totalWeight = total(after);
  if (totalWeight > TOTAL_WEIGHT_MAX) return fail({ code: 'SET_WEIGHT_OVERFLOW', totalWeight, totalWeightMax: TOTAL_WEIGHT_MAX });
  if (!limits.allowLargeWeights && bringsThird(limits.before, after)) {
    const { address, weight } = heaviest(after);
    return fail({ code: 'SET_THIRD', address: toHex(address), weight, totalWeight });
  }
  return checkContinuity(limits.scheduled, after);
}

/**
 * More than 2/3 of a set's weight must be held by those who serve in the epoch before, counted with the lesser of their two weights: then
 * newcomers who do not turn up cannot stop the chain.
 */
export function checkContinuity(scheduled: readonly Weighed[], after: readonly Weighed[]): Result<void, SetRefusal> {
  const weights = new Map(scheduled.map(({ address, weight }) => [toHex(address), weight]));
  const staying = after.reduce((sum, { address, weight }) => sum + Math.min(weight, weights.get(toHex(address)) ?? 0), 0);
  const totalWeight = total(after);
  return 3 * staying > 2 * totalWeight ? ok(undefined) : fail({ code: 'SET_DISCONTINUOUS', staying, totalWeight });
}

/**
 * Whether a step leaves someone with a third of the weight who alone could then stop the chain. A set that has come to that, by quarantine, may
 * take any step that does not raise the greatest share: with two equal validators left, the third of three is one on the way out.
 */
export function bringsThird(before: readonly Weighed[], after: readonly Weighed[]): boolean {
  const { weight } = heaviest(after);
  const totalWeight = total(after);
  if (3 * weight < totalWeight) return false;
  if (before.length === 0) return true;
  // Products of weights pass 2^53.
  return BigInt(weight) * BigInt(total(before)) > BigInt(heaviest(before).weight) * BigInt(totalWeight);
}

function total(validators: readonly Weighed[]): number {
  return validators.reduce((sum, { weight }) => sum + weight, 0);
}

function heaviest(validators: readonly Weighed[]): Weighed {
  return validators.reduce((a, b) => (b.weight > a.weight ? b : a));
}
