import type { Behaviour } from './behaviour.ts';

const DELAY_MS: readonly [number, number] = [20, 2_000];

/** Says everything, late and in no order: its votes come in when their round or height is over. */
export const slow: Behaviour = ({ random, acted }) => {
  const later = <Content>(content: Content) => {
    acted();
    return [{ content, delayMs: random.between(...DELAY_MS) }];
  };
  return { send: later, answer: later };
};
