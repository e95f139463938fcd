import { NacreError } from '@nacre/base';

/** The network knows a validator by a key that is not here: nothing that another key signs would count. */
export class ValidatorKeyError extends NacreError<'KEY_MISSING'> {
  override readonly name = 'ValidatorKeyError';
}
