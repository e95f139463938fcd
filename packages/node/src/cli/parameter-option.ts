import { type ChainParameters, PARAMETER_NAMES, PARAMETER_RULES } from '@nacre/ledger';
import { InvalidArgumentError } from 'commander';
import { nearestName } from '../nearest-name.ts';

/** Reads `name=value` and adds it to those given before. */
export function parameterOption(text: string, before: Partial<ChainParameters> = {}): Partial<ChainParameters> {
  const [, written = '', digits = ''] = /^([A-Za-z0-9]+)=(\d{1,16})$/.exec(text) ?? [];
  const name = PARAMETER_NAMES.find((known) => known === written);
  if (name === undefined) {
    const nearest = nearestName(written, PARAMETER_NAMES);
    throw new InvalidArgumentError(nearest === undefined ? 'Give name=value, as the genesis file names them.' : `Did you mean ${nearest}?`);
  }
  const { min, max, unit } = PARAMETER_RULES[name];
  const value = Number(digits);
  if (value < min || value > max) throw new InvalidArgumentError(`${name} is a whole number from ${min} to ${max} (${unit}).`);
  return { ...before, [name]: value };
}
