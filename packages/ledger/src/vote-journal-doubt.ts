import type { Refusal } from '@nacre/base';

/**
 * Why a journal cannot be trusted to hold every vote that this key ever sent. The order is part of the identity file's
 * format: append only.
 */
export const DOUBT_CODES = [
  /** No identity beside the key: the home was not made by `init`, or lost files. */
  'IDENTITY_MISSING',
  'IDENTITY_DAMAGED',
  'JOURNAL_MISSING',
  /** The header, or an entry that is not merely cut short at the end. */
  'JOURNAL_DAMAGED',
  /** The journal of another identity or another validator. */
  'JOURNAL_FOREIGN',
  /** The store knows of an entry that the journal has lost. */
  'JOURNAL_BEHIND',
  /** The store knows of another entry in the place of one of the journal's. */
  'JOURNAL_DIVERGED',
  /** A peer holds a vote of this key that the journal does not: the key has run elsewhere, or the home is an old copy. */
  'VOTE_UNKNOWN',
  /** The signer in another process remembers another message of this key at a place where the journal has one, or one that cannot be read. */
  'SIGNER_DIVERGED',
] as const;

export type DoubtCode = (typeof DOUBT_CODES)[number];

/**
 * A validator in doubt is mute until a decided block carries its signed `validator.recover`.
 *
 * @see protocol, section 5, "Durable before sent"
 */
export type Doubt = Refusal<DoubtCode>;
