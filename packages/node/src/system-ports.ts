import { randomBytes } from 'node:crypto';
import type { Clock, Random } from '@nacre/base';

/** The clock and the timers of the machine. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  schedule: (delayMs, action) => {
    const timer = setTimeout(action, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
};

export const systemRandom: Random = {
  bytes: (length) => new Uint8Array(randomBytes(length)),
};
