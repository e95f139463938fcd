import { assert, type Hash } from '@nacre/base';
import type { Overlay } from './overlay.ts';
import { PROPOSAL, PROPOSALS, type Proposal } from './set-kinds.ts';

/** A proposal that can still be approved, or whose change is decided and not in force yet. */
export interface ListedProposal {
  readonly id: Hash;
  readonly proposal: Proposal;
}

/** Whether a proposal is still of concern in an epoch, at a block time. */
export function isPending(
  { approved, expiresMs }: Proposal,
  { epoch, timeMs }: { readonly epoch: number; readonly timeMs: number },
): boolean {
  return approved === null ? timeMs <= expiresMs : epoch < approved.actsAtEpoch;
}

function listedProposals(overlay: Pick<Overlay, 'get'>): ListedProposal[] {
  return (overlay.get(PROPOSALS, null) ?? []).map((id) => {
    const proposal = overlay.get(PROPOSAL, id);
    assert(proposal !== undefined, 'a listed proposal is in the state');
    return { id, proposal };
  });
}

/** Takes from the list what is over: nobody approved it in time, or it is in force. @returns what is left */
export function sweepProposals(overlay: Overlay, at: { readonly epoch: number; readonly timeMs: number }): ListedProposal[] {
  const listed = listedProposals(overlay);
  const left = listed.filter(({ proposal }) => isPending(proposal, at));
  if (left.length < listed.length) {
    overlay.set(
      PROPOSALS,
      null,
      left.map(({ id }) => id),
    );
  }
  return left;
}
