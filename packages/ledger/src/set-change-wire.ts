import { ContainerType, UnionType, type ValueOf } from '@chainsafe/ssz';
import { fromUtf8, utf8 } from '@nacre/base';
import { HashType, PublicKeyType, Uint53Type } from '@nacre/consensus';
import { isParameterName, type ParameterName } from './parameters.ts';
import type { SetChange } from './set-change.ts';
import { NameType } from './wire.ts';

const JoinType = new ContainerType({ address: HashType, publicKey: PublicKeyType, weight: Uint53Type });
export const AddressedType = new ContainerType({ address: HashType });
export const WeightType = new ContainerType({ address: HashType, weight: Uint53Type });
export const ParametersChangeType = new ContainerType({ name: NameType, value: Uint53Type });

const SELECTOR = {
  'validator.join': 0,
  'validator.leave': 1,
  'validator.weight': 2,
  'validator.rehabilitate': 3,
  'parameters.change': 4,
} as const satisfies Record<SetChange['kind'], number>;

/** As the state holds a proposed change. */
export const SetChangeType = new UnionType([JoinType, AddressedType, WeightType, AddressedType, ParametersChangeType]);

type WireChange = ValueOf<typeof SetChangeType>;

export function setChangeToWire(change: SetChange): WireChange {
  const selector = SELECTOR[change.kind];
  switch (change.kind) {
    case 'validator.join': {
      const { address, publicKey, weight } = change;
      const value: ValueOf<typeof JoinType> = { address, publicKey, weight };
      return { selector, value };
    }
    case 'validator.weight': {
      const value: ValueOf<typeof WeightType> = { address: change.address, weight: change.weight };
      return { selector, value };
    }
    case 'validator.leave':
    case 'validator.rehabilitate':
      return { selector, value: { address: change.address } };
    case 'parameters.change':
      return { selector, value: { name: utf8(change.name), value: change.value } };
  }
}

/** @throws {RangeError} if the parameter is unknown; call it inside a strict codec */
export function setChangeFromWire({ selector, value }: WireChange): SetChange {
  switch (selector) {
    case SELECTOR['validator.join']:
      return { kind: 'validator.join', ...(value as ValueOf<typeof JoinType>) };
    case SELECTOR['validator.leave']:
      return { kind: 'validator.leave', ...(value as ValueOf<typeof AddressedType>) };
    case SELECTOR['validator.weight']:
      return { kind: 'validator.weight', ...(value as ValueOf<typeof WeightType>) };
    case SELECTOR['validator.rehabilitate']:
      return { kind: 'validator.rehabilitate', ...(value as ValueOf<typeof AddressedType>) };
    default: {
      // The union type has refused every selector that is not in the table.
      const wire = value as ValueOf<typeof ParametersChangeType>;
      return { kind: 'parameters.change', name: parameterNameFromWire(wire.name), value: wire.value };
    }
  }
}

/** @throws {RangeError} */
export function parameterNameFromWire(bytes: Uint8Array): ParameterName {
  const name = fromUtf8(bytes);
  if (name === undefined || !isParameterName(name)) throw new RangeError('not the name of a parameter');
  return name;
}
