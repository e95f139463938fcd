import { assert } from '@nacre/base';
import { type ChainParameters, PARAMETER_NAMES } from './parameters.ts';
import type { ParameterStages } from './set-kinds.ts';

/** This epoch; the next one; the one after that, as far as it is decided. */
export type ParameterStage = 'inForce' | 'scheduled' | 'decided';

/** The same values in every stage: what a network begins with. */
export function firstStages(parameters: ChainParameters): ParameterStages[] {
  return PARAMETER_NAMES.map((name) => {
    const value = parameters[name];
    return { name, inForce: value, scheduled: value, decided: value };
  });
}

/** All parameters as they stand in one stage. */
export function parametersIn(stages: readonly ParameterStages[], stage: ParameterStage): ChainParameters {
  const values = Object.fromEntries(stages.map((one) => [one.name, one[stage]]));
  assert(
    PARAMETER_NAMES.every((name) => values[name] !== undefined) && stages.length === PARAMETER_NAMES.length,
    'the state names every parameter',
  );
  return values as ChainParameters;
}

/** What the end of an epoch makes of them. */
export function nextStages(stages: readonly ParameterStages[]): ParameterStages[] {
  return stages.map(({ name, scheduled, decided }) => ({ name, inForce: scheduled, scheduled: decided, decided }));
}
