import { type Address, bytesEqual, fail, ok, type Refusal, type Result, type Verifier } from '@nacre/base';
import {
  type Committee,
  type Equivocation,
  equivocationCodec,
  PROPOSAL_CONTEXT,
  proposalMessage,
  VOTE_CONTEXT,
  voteMessage,
} from '@nacre/consensus';
import { addressOf } from '@nacre/crypto';
import type { Genesis } from '@nacre/ledger';

/** What somebody claims: that the holder of a validator's key signed two different things at one place. */
export interface EvidenceClaim {
  readonly address: Address;
  readonly publicKey: Uint8Array;
  /** Both messages in their canonical encoding. */
  readonly evidence: Uint8Array;
}

/**
 * Verifies evidence with nothing but the genesis: that both messages are of this network, contradict each other, and were signed by the key; and
 * that the key is the validator's, which it is if the address is its hash, or if the genesis or a trusted committee has it so.
 *
 * @param known committees that are trusted, such as a checkpoint's: needed where the key is not the validator's first one
 * @returns what is proven; codes `MALFORMED`, `EVIDENCE_SIGNATURE`, `KEY_UNPROVEN`
 */
export async function verifyEvidence(
  { address, publicKey, evidence }: EvidenceClaim,
  { genesis, known, verifier }: { readonly genesis: Genesis; readonly known: readonly Committee[]; readonly verifier: Verifier },
): Promise<Result<Equivocation, Refusal>> {
  // Decoding refuses two messages that do not contradict each other at one place.
  const decoded = equivocationCodec.decode(evidence);
  if (!decoded.ok) return decoded;
  const { first, second } = decoded.value;
  for (const signed of [first, second]) {
    const isVote = 'kind' in signed;
    const message = isVote ? voteMessage(genesis.context, signed) : proposalMessage(genesis.context, signed);
    const context = isVote ? VOTE_CONTEXT : PROPOSAL_CONTEXT;
    if (!(await verifier.verify({ publicKey, message, context, signature: signed.signature }))) return fail({ code: 'EVIDENCE_SIGNATURE' });
  }
  const isItsFirst = bytesEqual(addressOf(genesis.scheme, publicKey), address);
  const isKnown = [genesis.committee, ...known].some((committee) => {
    const index = committee.indexOf(address);
    return index !== null && bytesEqual(committee.validator(index).publicKey, publicKey);
  });
  return isItsFirst || isKnown ? ok(decoded.value) : fail({ code: 'KEY_UNPROVEN' });
}
