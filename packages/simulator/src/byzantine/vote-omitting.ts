import type { Behaviour } from './behaviour.ts';

/** Leaves one validator's commits out of the certificates in its blocks, so that it looks absent: it pretends never to have heard them. */
export const voteOmitting: Behaviour = ({ validator, committee, random, acted }) => {
  const victims = [...committee.validators.keys()].filter((index) => index !== validator);
  const victim = random.pick(victims);
  return {
    receive: (message) => {
      if (message.kind !== 'votes') return undefined;
      const votes = message.votes.filter((vote) => vote.kind !== 'commit' || vote.validator !== victim);
      if (votes.length === message.votes.length) return undefined;
      acted();
      return votes.length === 0 ? null : { kind: 'votes', votes };
    },
  };
};
