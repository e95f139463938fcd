import type { Behaviour } from './behaviour.ts';

const LATE_MS: readonly [number, number] = [50, 800];

/** Lets its own turns pass: its proposals reach nobody, or one node, or everybody when they are about to give up. It votes as others do. */
export const stalling: Behaviour = ({ validator, random, others, acted }) => {
  let chosen = random.pick(others);
  let manner: 'nobody' | 'one' | 'late' = 'nobody';
  let place = '';
  return {
    send: (message, to) => {
      if (message.kind !== 'proposal' || message.proposal.proposer !== validator) return undefined;
      const { height, round } = message.proposal;
      if (place !== `${height}/${round}`) {
        place = `${height}/${round}`;
        manner = random.pick(['nobody', 'one', 'late']);
        chosen = random.pick(others);
      }
      acted();
      if (manner === 'late') return [{ content: message, delayMs: random.between(...LATE_MS) }];
      return manner === 'one' && to === chosen ? undefined : [];
    },
  };
};
