import type { RoundState } from '@nacre/consensus';
import type { Behaviour } from './behaviour.ts';

const EVERY_MS = 50;

/** Lies where peers help one another: says to be where it is not, asks for what it has, and answers with junk, with less, or with something else. */
export const repairLiar: Behaviour = (world) => {
  const { random, others } = world;
  let state: RoundState | null = null;
  const lie = (truth: RoundState): RoundState => ({
    ...truth,
    height: Math.max(1, truth.height + random.int(5) - 2),
    round: random.int(8),
    working: random.chance(0.5),
  });
  return {
    send: (message) => {
      if (message.kind !== 'round-state') return undefined;
      state = message.state;
      world.acted();
      return [{ content: { kind: 'round-state', state: lie(message.state) } }];
    },
    answer: (told) => {
      if (random.chance(0.3)) return [];
      world.acted();
      if (told.kind === 'block') {
        const { block } = told.answer;
        return [{ content: { kind: 'block', answer: { block: block === null ? null : flip(block, random.int(block.length)) } } }];
      }
      if (told.kind !== 'bodies') return undefined;
      const bodies = told.answer.bodies.map((body) => (random.chance(0.5) ? flip(body, random.int(body.length)) : body));
      return [{ content: { kind: 'bodies', answer: { bodies: random.chance(0.3) ? [...bodies, ...bodies] : bodies } } }];
    },
    act: {
      everyMs: EVERY_MS,
      now: () => {
        if (state === null) return;
        world.acted();
        world.inject(random.pick(others), { kind: 'round-state', state: lie(state) });
      },
    },
  };
};

function flip(bytes: Uint8Array, at: number): Uint8Array {
  const flipped = bytes.slice();
  flipped[at] = (flipped[at] as number) ^ 1;
  return flipped;
}
