import type { Refusal } from '@nacre/base';

/** Why a signer does not do what it is asked. The order is part of the format: append only. */
export const SIGNER_REFUSALS = [
  /** It speaks another version of this dialogue. */
  'SIGNER_VERSION',
  'MALFORMED',
  /** Its key is for another network. */
  'WRONG_GENESIS',
  /** It serves another node, whose connection is still open. */
  'SIGNER_BUSY',
  /** It does not sign in this domain. */
  'DOMAIN_NOT_ALLOWED',
  /** It does not sign transactions with such operations. */
  'OPERATION_NOT_ALLOWED',
  /** What it was shown is not what it was asked to sign. */
  'CONTENTS_MISMATCH',
  /** A vote or proposal of another network or chain. */
  'WRONG_CHAIN',
  /** It has signed something else at this place: genesis hash, chain, height, round, kind. */
  'SIGNED_OTHERWISE',
  /** It has signed for a later round or step of this height. */
  'SIGNED_LATER',
  /** It signs nothing at this height or below. */
  'BELOW_FLOOR',
  /** Its journal may have forgotten votes; it signs none until its operator has said above which height. */
  'SIGNER_IN_DOUBT',
  /** Its journal cannot be written. */
  'JOURNAL_FAILED',
] as const;

export type SignerRefusalCode = (typeof SIGNER_REFUSALS)[number];
export type SignerRefusal = Refusal<SignerRefusalCode>;
