import { expect, test } from 'vitest';
import { checkFork } from '../src/run-fork.ts';

test.each([4, 5, 7])(
  'with twins of a third or more of %i validators the chain forks, and the evidence names twins of that weight and nobody else',
  async (validators) => {
    const { problem, guilty, guiltyWeight, totalWeight } = await checkFork(1, validators);
    expect(problem).toBeNull();
    expect(guilty.length).toBeGreaterThan(1);
    expect(3 * guiltyWeight).toBeGreaterThanOrEqual(totalWeight);
  },
);
