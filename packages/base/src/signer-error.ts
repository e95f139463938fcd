import { NacreError } from './errors.ts';

export type SignerErrorCode =
  /** The process that holds the key does not answer. Nothing was signed that anyone will see; the same call may succeed later. */
  | 'SIGNER_AWAY'
  /** It answered, and does not sign this: `fields.reason` is its code. */
  | 'SIGNER_REFUSED';

/** What a signer in another process can fail with. One in this process never does. */
export class SignerError extends NacreError<SignerErrorCode> {
  override readonly name = 'SignerError';
}
