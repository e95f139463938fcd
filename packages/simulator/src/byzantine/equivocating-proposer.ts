import { toHex } from '@nacre/base';
import { type Block, decodeBlock } from '@nacre/ledger';
import type { Message } from '@nacre/replica';
import { alteredBlock } from './altered-block.ts';
import type { Behaviour } from './behaviour.ts';

type ProposalMessage = Extract<Message, { kind: 'proposal' }>;

/**
 * Proposes one block to half of the others and another one, just as valid, to the rest, and votes on each side for the block
 * that this side knows. The attack that agreement by quorums is made against.
 */
export const equivocatingProposer: Behaviour = (world) => {
  const { proposal: sign, vote: signVote, others, random } = world;
  const betrayed = new Set(random.shuffle([...others]).slice(0, Math.ceil(others.length / 2)));
  /** By the hash of each own block, the other one; only of the height at hand. */
  const alternatives = new Map<string, Block>();
  let height = 0;

  const alternativeTo = (message: ProposalMessage): Block | undefined => {
    const { proposal } = message;
    if (proposal.height > height) alternatives.clear();
    height = Math.max(height, proposal.height);
    const key = toHex(proposal.blockHash);
    const decoded = decodeBlock(message.block);
    if (!alternatives.has(key) && decoded.ok) {
      alternatives.set(key, alteredBlock(decoded.value, { timeMs: decoded.value.header.timeMs + 1 }));
    }
    return alternatives.get(key);
  };

  return {
    send: (message, to) => {
      if (!betrayed.has(to)) return undefined;
      if (message.kind === 'proposal' && message.proposal.proposer === world.validator && message.proposal.validRound < 0) {
        const other = alternativeTo(message);
        if (other === undefined) return undefined;
        world.acted();
        const proposal = sign({ ...message.proposal, blockHash: other.hash });
        return [{ content: { ...message, proposal, block: other.bytes } }];
      }
      if (message.kind !== 'votes') return undefined;
      const votes = message.votes.map((vote) => {
        const other = vote.validator === world.validator && vote.blockHash !== null ? alternatives.get(toHex(vote.blockHash)) : undefined;
        return other === undefined ? vote : signVote({ ...vote, blockHash: other.hash });
      });
      return [{ content: { kind: 'votes', votes } }];
    },
  };
};
