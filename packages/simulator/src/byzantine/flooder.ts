import type { Message } from '@nacre/replica';
import type { Behaviour } from './behaviour.ts';

const EVERY_MS = 25;
const BURST = 12;
const FAR_ROUND = 1_000_000;
const JUNK_BYTES_MAX = 600;

/** Sends as much as it can of what costs a receiver most: junk, what it must verify, and what it must remember. */
export const flooder: Behaviour = (world) => {
  const { random, others, vote: sign } = world;
  let last: Message | null = null;
  const drawn = (): Message | null => {
    const height = last?.kind === 'votes' ? (last.votes[0]?.height ?? 1) : 1;
    // Far away: whoever goes there on its word alone never comes back.
    const round = random.chance(0.05) ? FAR_ROUND : random.int(40);
    const votes = Array.from({ length: 1 + random.int(4) }, () => {
      const vote = sign({
        height: height + random.int(2),
        round,
        kind: random.pick(['prepare', 'commit'] as const),
        blockHash: random.bytes(32),
      });
      return random.chance(0.2) ? { ...vote, signature: random.bytes(vote.signature.length) } : vote;
    });
    return random.pick([{ kind: 'votes' as const, votes }, last, { kind: 'instance' as const, instance: random.bytes(16) }]);
  };
  return {
    send: (message) => {
      if (message.kind === 'votes') last = message;
      return undefined;
    },
    act: {
      everyMs: EVERY_MS,
      now: () => {
        for (let i = 0; i < BURST; i++) {
          const message = drawn();
          world.acted();
          if (message === null || random.chance(0.2)) world.injectBytes(random.pick(others), random.bytes(1 + random.int(JUNK_BYTES_MAX)));
          else world.inject(random.pick(others), message);
        }
      },
    },
  };
};
