import { describe, expect, test } from 'vitest';
import { EpochChain } from './support/epoch-chain.ts';
import type { TestKey } from './support/test-chain.ts';

const TWENTY = Array.from({ length: 20 }, () => 1000);

/** Weights as the registry has them. */
function registered(chain: EpochChain): Record<string, number> {
  return chain.weightsOf(chain.ledger.validatorSet.registry.members);
}

/** An epoch whose first blocks one validator does not sign; of n blocks the first n - 1 are judged. */
async function epochWithout(chain: EpochChain, absent: TestKey, unsigned: number): Promise<void> {
  const { epoch } = chain;
  for (let block = 0; chain.epoch === epoch; block++) await chain.decide([], { absent: block < unsigned ? [absent] : [] });
}

describe('the weight of a validator', () => {
  // @mutation packages/ledger/src/performance.ts
  // - if (2 * performance.commits >= performance.heights) return
  // + if (2 * performance.commits > performance.heights) return
  // @mutation packages/ledger/src/performance.ts
  // - if (2 * performance.commits >= performance.heights) return
  // + if (3 * performance.commits >= performance.heights) return
  test('falls below half of an epoch signed, and not at half', async () => {
    const chain = await EpochChain.create({ weights: TWENTY, parameters: { epochBlocksMin: 5 } });
    await epochWithout(chain, chain.validator(0), 2);
    expect(registered(chain)).toMatchObject({ v0: 1000 });
    await epochWithout(chain, chain.validator(0), 3);
    expect(registered(chain)).toMatchObject({ v0: 750, v1: 1000 });
    const five = await EpochChain.create({ weights: TWENTY, parameters: { epochBlocksMin: 6 } });
    await epochWithout(five, five.validator(0), 3);
    expect(registered(five)).toMatchObject({ v0: 750 });
  });

  test('acts two epochs after the one that it is judged by', async () => {
    const chain = await EpochChain.create({ weights: TWENTY });
    await chain.enter(1, { absent: [chain.validator(0)] });
    expect(chain.weights()).toMatchObject({ v0: 1000 });
    await chain.enter(2);
    expect(chain.weights()).toMatchObject({ v0: 750 });
  });

  // @mutation packages/ledger/src/performance.ts
  // - const least = Math.ceil(baseWeight / FLOOR_DIVISOR);
  // + const least = 0;
  // @mutation packages/ledger/src/performance.ts
  // - Math.min(weight + step, baseWeight) - weight;
  // + baseWeight - weight;
  test('falls by quarters to a tenth of what was decided, and comes back by quarters', async () => {
    const chain = await EpochChain.create({ weights: TWENTY });
    const seen: (number | undefined)[] = [];
    for (let epoch = 1; epoch <= 10; epoch++) {
      await chain.enter(epoch, { absent: epoch <= 5 ? [chain.validator(0)] : [] });
      seen.push(registered(chain).v0);
    }
    expect(seen).toEqual([750, 500, 250, 100, 100, 350, 600, 850, 1000, 1000]);
  });

  // @mutation packages/ledger/src/performance.ts
  // - (sum <= cap ? move : scaled(move, { cap, sum }))
  // + move
  test('moves with all others by at most a twentieth of the total', async () => {
    const chain = await EpochChain.create({ weights: Array.from({ length: 9 }, () => 1000) });
    await chain.enter(1, { absent: [chain.validator(0), chain.validator(1)] });
    expect(registered(chain)).toMatchObject({ v0: 775, v1: 775, v2: 1000 });
    const small = await EpochChain.create({ weights: [4, 4, 4, 4] });
    await small.enter(1, { absent: [small.validator(0)] });
    expect(registered(small)).toMatchObject({ v0: 4 });
  });

  // @mutation packages/ledger/src/performance.ts
  // - || member.held !== null ||
  // + ||
  test('is not judged while it is held for an offence', async () => {
    const chain = await EpochChain.create({ weights: TWENTY });
    const equivocation = await chain.equivocation(chain.validator(0), { height: 1 });
    await chain.decide([await chain.transaction(chain.validator(1), [{ kind: 'evidence', equivocation }])], {
      absent: [chain.validator(0)],
    });
    await chain.enter(1, { absent: [chain.validator(0)] });
    expect(registered(chain)).toMatchObject({ v0: 1000 });
  });

  // @mutation packages/ledger/src/performance.ts
  // - if (!limits.allowLargeWeights && bringsThird(before, after)) return registry;
  // + if (limits.allowLargeWeights && bringsThird(before, after)) return registry;
  test('does not fall where that would bring another to a third', async () => {
    const weights = [1320, 1000, 1000, 680];
    const chain = await EpochChain.create({ weights });
    await chain.enter(1, { absent: [chain.validator(3)] });
    expect(registered(chain)).toEqual({ v0: 1320, v1: 1000, v2: 1000, v3: 680 });
  });

  // @mutation packages/ledger/src/performance.ts
  // - const heights = participation.heights - recent.length;
  // + const heights = participation.heights;
  test('is not judged by heights that a late commit could still have reached', async () => {
    const chain = await EpochChain.create({ weights: TWENTY, parameters: { lateCommitHeights: 8, epochBlocksMin: 11 } });
    const { epoch } = chain;
    for (let block = 0; chain.epoch === epoch; block++) await chain.decide([], { absent: block < 3 ? [] : [chain.validator(0)] });
    expect(registered(chain)).toMatchObject({ v0: 1000 });
    const member = chain.ledger.validatorSet.registry.members.find(({ weight }) => weight === 1000);
    expect(member?.performance).toMatchObject({ epoch: 0, heights: 3, commits: 3 });
  });

  test('of who was not in the committee stays', async () => {
    const chain = await EpochChain.create({ weights: TWENTY });
    const { signer, address } = chain.key('joiner');
    await chain.decideChange({ kind: 'validator.join', address, publicKey: signer.publicKey, weight: 1000 });
    await chain.enter(2);
    expect(registered(chain)).toMatchObject({ joiner: 1000 });
  });
});

describe('what a validator proposed', () => {
  // @mutation packages/ledger/src/participation.ts
  // - for (const validator of earlier) passed[validator] = (passed[validator] as number) + 1;
  // + passed[proposer] = (passed[proposer] as number) + earlier.size;
  // @mutation packages/ledger/src/participation.ts
  // - failed < round; failed++
  // + failed <= round; failed++
  test('is counted by the round that decided, and rounds before it as passed', async () => {
    const chain = await EpochChain.create({ parameters: { epochBlocksMin: 10 } });
    await chain.decide([], { round: 2 });
    await chain.decide();
    const committee = chain.ledger.committeeAt(1);
    const counted = (places: readonly number[]) => committee.validators.map((_, index) => places.filter((place) => place === index).length);
    expect(chain.ledger.participation()).toMatchObject({
      proposals: counted([committee.proposer(1, 2)]),
      passed: counted([committee.proposer(1, 0), committee.proposer(1, 1)]),
    });
  });

  // @mutation packages/ledger/src/participation.ts
  // - let failed = Math.max(0, round - committee.size)
  // + let failed = Math.max(0, round - 1)
  test('costs no more in the thousandth round than in the fourth', async () => {
    const chain = await EpochChain.create({ parameters: { epochBlocksMin: 10 } });
    await chain.decide([], { round: 1_000_000 });
    await chain.decide();
    expect(chain.ledger.participation()?.passed).toEqual([1, 1, 1, 1]);
  });

  test('is kept until the next epoch ends, for people', async () => {
    const chain = await EpochChain.create();
    await chain.enter(1, { round: 1 });
    const shown = chain.ledger.validatorSet.registry.members.map(({ performance }) => performance);
    expect(shown.reduce((sum, performance) => sum + (performance?.proposals ?? 0), 0)).toBe(2);
    expect(shown.reduce((sum, performance) => sum + (performance?.passed ?? 0), 0)).toBe(2);
    expect(chain.ledger.participation()).toMatchObject({ epoch: 1, proposals: [0, 0, 0, 0] });
  });
});
