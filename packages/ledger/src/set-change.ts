import type { Address } from '@nacre/base';
import { toHex } from '@nacre/base';
import type { ParameterName } from './parameters.ts';

/** A new validator. */
export interface ValidatorJoin {
  readonly kind: 'validator.join';
  /** Of its account, which is made with the approval if there is none: then it is the hash of the key. */
  readonly address: Address;
  /** Current key of the account. */
  readonly publicKey: Uint8Array;
  readonly weight: number;
}

/** A validator goes. */
export interface ValidatorLeave {
  readonly kind: 'validator.leave';
  readonly address: Address;
}

/** A validator's weight is decided anew; what performance has taken from it is given back. */
export interface ValidatorWeight {
  readonly kind: 'validator.weight';
  readonly address: Address;
  readonly weight: number;
}

/** A validator that is held for an offence is a full member again. */
export interface ValidatorRehabilitate {
  readonly kind: 'validator.rehabilitate';
  readonly address: Address;
}

/** A parameter gets another value. */
export interface ParametersChange {
  readonly kind: 'parameters.change';
  readonly name: ParameterName;
  readonly value: number;
}

/**
 * What more than 2/3 of the weight can decide while the network runs: in the epoch of its approval nothing changes, the next one's committee
 * stands already, and the one after that is the first to follow it.
 */
export type SetChange = ValidatorJoin | ValidatorLeave | ValidatorWeight | ValidatorRehabilitate | ParametersChange;

/** What a change is about: of each subject one decided change may wait for its epoch. */
export function subjectOf(change: SetChange): string {
  return change.kind === 'parameters.change' ? change.name : toHex(change.address);
}
