import type { Vote } from '@nacre/consensus';
import { type Block, decodeBlock } from '@nacre/ledger';
import { alteredBlock } from './altered-block.ts';
import type { Behaviour } from './behaviour.ts';

/** When the same prepares are told once more, to whoever has the proposal by then. */
const AGAIN_MS = 3;

/**
 * In a later round, proposes a block of its own as if an earlier round had prepared it, with a justification that is no quorum: its
 * own prepare, over and over. Whoever believes it gives up a lock that others count on. It also says the opposite to half of the others,
 * so that locks come about at some and not at all.
 */
export const unlocking: Behaviour = (world) => {
  const { validator, proposal: sign, vote: signVote, committee, random, others } = world;
  const favoured = new Set(random.shuffle([...others]).slice(0, Math.ceil(others.length / 2)));
  let block: { readonly height: number; readonly block: Block } | null = null;
  return {
    send: (message, to) => {
      if (message.kind === 'votes') {
        if (favoured.has(to)) return undefined;
        // Those not favoured never see a quorum of commits because of it.
        const votes = message.votes.map((vote) =>
          vote.validator === validator && vote.kind === 'commit' ? signVote({ ...vote, blockHash: null }) : vote,
        );
        return [{ content: { kind: 'votes', votes } }];
      }
      if (message.kind !== 'proposal' || message.proposal.proposer !== validator || message.proposal.round === 0) return undefined;
      const decoded = decodeBlock(message.block);
      if (!decoded.ok) return undefined;
      const { height, round } = message.proposal;
      if (block?.height !== height) block = { height, block: alteredBlock(decoded.value, { timeMs: decoded.value.header.timeMs + 2 }) };
      const { hash, bytes } = block.block;
      const validRound = round - 1;
      const prepare: Vote = signVote({ height, round: validRound, kind: 'prepare', blockHash: hash });
      world.acted();
      const justification = Array.from({ length: committee.size }, () => prepare);
      return [
        { content: { kind: 'proposal', proposal: sign({ height, round, validRound, blockHash: hash }), block: bytes, justification } },
        { content: { kind: 'votes', votes: justification }, delayMs: AGAIN_MS },
      ];
    },
  };
};
