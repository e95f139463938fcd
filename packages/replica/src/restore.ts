import { assert } from '@nacre/base';
import { decodeProposal, decodeVote, type Lock, type OwnMessage, type Proposal, sameChoice, type Vote } from '@nacre/consensus';
import type { VoteJournal } from '@nacre/ledger';

/** What the vote journal holds of one height: what was said, and the lock that goes with it. */
export interface OwnHistory {
  readonly messages: readonly OwnMessage[];
  readonly lock: Lock | null;
  readonly votes: readonly Vote[];
  readonly proposals: readonly Proposal[];
}

/**
 * Reads back the signed messages of one height, in the order in which they were made.
 *
 * @param self our place in the committee of that height. It is not signed, and a signer in another process does not know it.
 */
export function restoreOwnMessages(journal: VoteJournal, height: number, self = 0): OwnHistory {
  const messages: OwnMessage[] = [];
  const votes: Vote[] = [];
  const proposals: Proposal[] = [];
  let lock: Lock | null = null;
  for (const entry of journal.entriesFor(height)) {
    lock = entry.lock ?? lock;
    for (const { kind, bytes } of entry.messages) {
      if (kind === 'vote') {
        const decoded = decodeVote(bytes);
        assert(decoded.ok, 'the journal holds only votes of our own making, under its checksums');
        const vote = { ...decoded.value, validator: self };
        votes.push(vote);
        messages.push({ kind: 'vote', content: vote });
      } else {
        const decoded = decodeProposal(bytes);
        assert(decoded.ok, 'the journal holds only proposals of our own making, under its checksums');
        const proposal = { ...decoded.value, proposer: self };
        proposals.push(proposal);
        messages.push({ kind: 'proposal', content: proposal });
      }
    }
  }
  return { messages, lock, votes, proposals };
}

/** Whether the journal knows that we cast this vote. Contents are compared, not bytes: signing the same twice gives other bytes. */
export function holdsVote(journal: VoteJournal, vote: Vote): boolean {
  return restoreOwnMessages(journal, vote.height).votes.some(
    (own) => own.round === vote.round && own.kind === vote.kind && sameChoice(own.blockHash, vote.blockHash),
  );
}
