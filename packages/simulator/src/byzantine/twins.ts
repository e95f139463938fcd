import type { Behaviour } from './behaviour.ts';

/**
 * Two processes with one key, each with a vote journal of its own. Both follow the rules of consensus; the only lie is that each
 * believes to be acknowledged as the only one. What comes out is every mixture of equivocation and amnesia that partitions and
 * timing make of it.
 *
 * @see Bano et al. 2020, "Twins: BFT Systems Made Robust" (arXiv:2004.10617)
 */
export const twins: Behaviour = (world) => ({
  receive: (message) => {
    if (message.kind !== 'instance-answer') return undefined;
    if (!message.accepted) world.acted();
    return { ...message, accepted: true, votes: [] };
  },
});
