/** Several bare cores under seeded delays, losses, restarts and equivocators: agreement always, decision in the end. */
import { type Hash, toHex } from '@nacre/base';
import { expect, test } from 'vitest';
import { Cluster, type ClusterOptions, type Message } from './support/cluster.ts';
import { block, committeeOf, voteOf } from './support/fixtures.ts';

const FOUR = committeeOf(1, 1, 1, 1);
const SEVEN = committeeOf(1, 1, 1, 1, 1, 1, 1);
const WEIGHTED = committeeOf(5, 4, 4, 3, 2, 1, 1);

interface Totals {
  lost: number;
  restarts: number;
  reproposals: number;
  locks: number;
  laterRounds: number;
  accused: number;
}

/** Runs each seed twice; returns what happened in all of them, so that a scenario that tests nothing is seen. */
function runSeeds(count: number, options: Omit<ClusterOptions, 'seed'>): Totals {
  const totals: Totals = { lost: 0, restarts: 0, reproposals: 0, locks: 0, laterRounds: 0, accused: 0 };
  for (let seed = 1; seed <= count; seed++) {
    const cluster = new Cluster({ ...options, seed }).run();
    expect(cluster.decidedBlocks, `seed ${seed}`).toHaveLength(1);
    for (const { validator } of cluster.accused) expect(options.byzantine ?? [], `seed ${seed}`).toContain(validator);
    expect(new Cluster({ ...options, seed }).run().trace, `seed ${seed}`).toBe(cluster.trace);
    totals.lost += cluster.counts.lost;
    totals.restarts += cluster.counts.restarts;
    totals.reproposals += cluster.counts.reproposals;
    totals.locks += cluster.counts.locks;
    totals.laterRounds += cluster.counts.roundMax > 0 ? 1 : 0;
    totals.accused += cluster.accused.length;
  }
  return totals;
}

test('a calm network decides in round 0', () => {
  expect(runSeeds(20, { committee: FOUR })).toMatchObject({ laterRounds: 0, accused: 0 });
});

test.each([
  ['four', FOUR],
  ['seven', SEVEN],
  ['seven of different weight', WEIGHTED],
])('%s validators with losses and delays agree', (_, committee) => {
  const totals = runSeeds(40, { committee, loss: { first: 0.4, repair: 0.4 }, delayMsMax: 900 });
  expect(totals.lost).toBeGreaterThan(0);
  expect(totals.laterRounds).toBeGreaterThan(0);
  expect(totals.reproposals).toBeGreaterThan(0);
});

test.each([
  ['four', FOUR, [1]],
  ['seven', SEVEN, [0, 4]],
  ['seven of different weight', WEIGHTED, [0]],
] as const)('%s validators with equivocators, losses and restarts agree, and only equivocators are accused', (_, committee, byzantine) => {
  const totals = runSeeds(40, { committee, byzantine, loss: { first: 0.2, repair: 0.2 }, delayMsMax: 600, restarts: 0.01 });
  expect(totals.restarts).toBeGreaterThan(0);
  expect(totals.accused).toBeGreaterThan(0);
  expect(totals.reproposals).toBeGreaterThan(0);
});

// @mutation packages/consensus/src/repair.ts
// - if (!there.has(vote.validator) && missing.length < VOTES_PER_REPAIR_MAX) missing.push(vote);
// +
test('when everything is lost but the exchange of round states and what answers it, the height is decided', () => {
  for (const committee of [FOUR, SEVEN, WEIGHTED]) {
    const totals = runSeeds(10, { committee, loss: { first: 1, repair: 0 }, workers: [0] });
    expect(totals.lost).toBeGreaterThan(0);
  }
});

/**
 * Validator 0 proposes a block and 2 never hears of it. Validator 1 is Byzantine: it prepares the block towards 3 alone, none
 * towards the others, and is silent from then on. So 3 is locked by a quorum that nobody else has seen, and one vote
 * of which nobody else takes for that validator's first. Two of the three honest ones are never enough without 3.
 */
function hiddenLock(lets: ClusterOptions['lets'] = () => true): Cluster {
  const cluster = new Cluster({
    seed: 1,
    committee: FOUR,
    byzantine: [1],
    lets: (message, from, to, way) => {
      const isLostProposal = message.kind === 'proposal' && message.proposal.round === 0 && to === 2;
      return from !== 1 && !isLostProposal && lets(message, from, to, way);
    },
  });
  const lie = (to: number, blockHash: Hash | null) =>
    cluster.members[to]?.receive({ kind: 'vote', vote: voteOf(FOUR, 1, { round: 0, kind: 'prepare' }, blockHash) }, 1);
  cluster.schedule.after(100, () => [lie(0, null), lie(2, null), lie(3, LOCKED)]);
  return cluster;
}

const LOCKED = block('by 0 in 0');

function isByzantineVote(message: Message): boolean {
  return message.kind === 'vote' && message.vote.validator === 1;
}

// @mutation packages/consensus/src/core.ts
// - if (vote.kind === 'prepare') this.#rounds.justify(vote);
// +
test('a hidden lock is followed when its holder proposes, although its quorum contains an equivocation', () => {
  for (const order of ['votes first', 'proposal first'] as const) {
    const lateVotes = order === 'proposal first';
    const cluster = hiddenLock((message, from, to, way) => {
      const early = cluster.members[to]?.core.roundState().hasProposal !== true;
      // In one order, the Byzantine vote comes by what is sent first; in the other, by repair after the proposal is here.
      return !isByzantineVote(message) || from !== 3 || (lateVotes ? way === 'repair' && !early : way === 'first');
    });
    cluster.run();
    expect(cluster.decidedBlocks).toEqual([toHex(LOCKED)]);
    expect(cluster.counts.roundMax).toBe(3);
  }
});

// @mutation packages/consensus/src/core.ts
// - prepares: heaviestQuorum(this.#committee, quorum.votes) };
// + prepares: [] };
test('a hidden lock is followed when its holder was restarted in between', () => {
  const cluster = hiddenLock();
  cluster.schedule.after(2500, () => cluster.members[3]?.restart());
  expect(cluster.run().decidedBlocks).toEqual([toHex(LOCKED)]);
  expect(cluster.counts).toMatchObject({ restarts: 1, roundMax: 3 });
});
