import type { Hash } from '@nacre/base';
import type { Vote } from '@nacre/consensus';
import type { Behaviour } from './behaviour.ts';

/** Votes for the block with some and for none with others, or tells both to one. */
export const equivocatingVoter: Behaviour = (world) => {
  const { vote: sign, random } = world;
  const bothChance = 0.2;
  /** The last block that anyone proposed, by height. */
  let proposed: { readonly height: number; readonly blockHash: Hash } | null = null;

  const opposite = (vote: Vote): Vote | null => {
    if (vote.blockHash !== null) return sign({ ...vote, blockHash: null });
    return proposed?.height === vote.height ? sign({ ...vote, blockHash: proposed.blockHash }) : null;
  };

  return {
    receive: (message) => {
      if (message.kind === 'proposal') proposed = { height: message.proposal.height, blockHash: message.proposal.blockHash };
      return undefined;
    },
    send: (message) => {
      if (message.kind !== 'votes' || random.chance(0.5)) return undefined;
      const votes = message.votes.flatMap((vote) => {
        const other = vote.validator === world.validator ? opposite(vote) : null;
        if (other === null) return [vote];
        world.acted();
        return random.chance(bothChance) ? [vote, other] : [other];
      });
      return [{ content: { kind: 'votes', votes } }];
    },
  };
};
