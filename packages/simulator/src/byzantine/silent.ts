import type { Behaviour } from './behaviour.ts';

/** Connected, and says nothing. */
export const silent: Behaviour = (world) => ({
  send: () => {
    world.acted();
    return [];
  },
  answer: () => [],
});
