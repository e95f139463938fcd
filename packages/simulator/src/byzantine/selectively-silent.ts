import type { Behaviour } from './behaviour.ts';

const CHANGE_MS = 700;

/** Speaks with some and not with others, and changes sides: so that quorums form at one node and nowhere else. */
export const selectivelySilent: Behaviour = ({ random, others, acted }) => {
  const choose = (): Set<number> => new Set(random.shuffle([...others]).slice(0, 1 + random.int(others.length)));
  let shunned = choose();
  return {
    send: (_, to) => {
      if (!shunned.has(to)) return undefined;
      acted();
      return [];
    },
    act: {
      everyMs: CHANGE_MS,
      now: () => {
        shunned = choose();
      },
    },
  };
};
