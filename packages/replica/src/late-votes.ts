import { VOTE_CONTEXT, type Vote, voteMessage } from '@nacre/consensus';
import { type HeightContext, VERIFYING_PER_PEER_MAX } from './height-driver.ts';
import type { PeerView } from './peer-table.ts';

/** Commits for blocks already decided here: credited in a later header, so that a distant validator does not count as absent. */
export async function takeLateVotes(view: PeerView, votes: readonly Vote[], context: HeightContext): Promise<void> {
  const { verifier, transport, ledger, commits, chain } = context;
  for (const vote of votes) {
    if (!commits.wants(vote) || view.verifying >= VERIFYING_PER_PEER_MAX) continue;
    const validator = ledger.epochOf(vote.height)?.committee.validators[vote.validator];
    if (validator === undefined) continue;
    view.verifying++;
    const signed = { publicKey: validator.publicKey, message: voteMessage(chain, vote), context: VOTE_CONTEXT };
    const valid = await verifier.verify({ ...signed, signature: vote.signature });
    view.verifying--;
    if (valid) commits.add(vote);
    else transport.penalize(view.peer.id, { code: 'VOTE_SIGNATURE', height: vote.height, validator: vote.validator });
  }
}
