import { VOTE_CONTEXT, voteMessage } from '@nacre/consensus';
import { encodeMessage, type Message } from '@nacre/replica';
import type { Behaviour } from './behaviour.ts';

const EVERY_MS = 40;
/** Messages kept for later. Beyond: a random one goes. */
const KEPT_MAX = 200;

/**
 * Says again what was said before: to others, in other rounds and heights, as if it were about another block, and what its key
 * signed for another chain.
 */
export const replays: Behaviour = (world) => {
  const { random, others, validator, vote: sign } = world;
  const kept: Message[] = [];

  const misplaced = (message: Extract<Message, { kind: 'votes' }>): Message => {
    const votes = message.votes.map((vote) => {
      const step = 1 + random.int(3);
      return random.pick([
        { ...vote, round: vote.round + step },
        { ...vote, height: vote.height + step },
        { ...vote, validator },
        { ...vote, kind: vote.kind === 'prepare' ? ('commit' as const) : ('prepare' as const) },
        foreign(vote),
      ]);
    });
    return { kind: 'votes', votes };
  };
  /** Signed for another network: the same words, and nothing here. */
  const foreign = (vote: Parameters<typeof sign>[0]) => {
    const elsewhere = { genesisHash: random.bytes(32), chain: world.chain.chain + 1 };
    const own = sign(vote);
    return { ...own, signature: world.signFor(voteMessage(elsewhere, vote), VOTE_CONTEXT) };
  };

  return {
    receive: (message) => {
      if (message.kind === 'instance' || message.kind === 'instance-answer') return undefined;
      if (kept.length < KEPT_MAX) kept.push(message);
      else kept[random.int(KEPT_MAX)] = message;
      return undefined;
    },
    act: {
      everyMs: EVERY_MS,
      now: () => {
        if (kept.length === 0) return;
        const message = random.pick(kept);
        world.acted();
        const told = message.kind === 'votes' && random.chance(0.5) ? misplaced(message) : message;
        world.injectBytes(random.pick(others), encodeMessage(told));
      },
    },
  };
};
