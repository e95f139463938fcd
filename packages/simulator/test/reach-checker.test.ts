import { beforeEach, expect, test } from 'vitest';
import type { ClusterReplica } from '../src/cluster-replica.ts';
import { FaultTally } from '../src/fault-tally.ts';
import { namedWithinMs, ReachChecker, type Standing } from '../src/reach-checker.ts';
import type { ViolationCode } from '../src/violation.ts';

type Side = ClusterReplica['reach']['sides'][number];

const CONFIGURATION = { reachIntervalMs: 50, reachSilenceMs: 200, reachSettleMs: 400, repairIntervalMs: 25 };
/** After this long there is no excuse. */
const LONG_MS = namedWithinMs(CONFIGURATION) + CONFIGURATION.reachSettleMs + 1;
const ALL = [0, 1, 2, 3];

let codes: ViolationCode[] = [];
let tally = new FaultTally();
let checker = newChecker();
function newChecker(): ReachChecker {
  return new ReachChecker({ configuration: CONFIGURATION, tally, report: (code) => codes.push(code) });
}
beforeEach(() => {
  codes = [];
  tally = new FaultTally();
  checker = newChecker();
});

const side = (members: readonly number[], own: boolean, mayDecide = members.length >= 3): Side => ({
  members: members.map(String),
  weight: members.length,
  mayDecide,
  own,
  reached: own,
});

/** What each of four validators says, the same for all of one group. */
function standings(told: (node: number) => readonly Side[], down: readonly number[] = []): Standing[] {
  return ALL.map((node) => ({ node, id: String(node), weight: 1, generation: down.includes(node) ? null : 0, sides: told(node) }));
}

const together = (): boolean => true;
const threeAndOne = (one: number, other: number): boolean => (one === 3) === (other === 3);
const rightly = (node: number): readonly Side[] =>
  node === 3 ? [side([3], true), side([0, 1, 2], false)] : [side([0, 1, 2], true), side([3], false)];
const whole = (): readonly Side[] => [side(ALL, true)];

/** Looks at one state of things at its beginning and when it has lasted. */
function last(given: readonly Standing[], reaches: (one: number, other: number) => boolean, ms = LONG_MS): void {
  checker.look(given, reaches, 1_000);
  checker.look(given, reaches, 1_000 + ms);
}

test('who tells the truth passes, and a partition that is named is counted', () => {
  last(standings(whole), together);
  expect([codes, tally.counts().partitionNamed]).toEqual([[], 0]);
  checker = newChecker();
  last(standings(rightly), threeAndOne);
  expect([codes, tally.counts().partitionNamed]).toEqual([[], 4]);
});

// @mutation packages/simulator/src/reach-checker.ts
// - if (told !== expected || sides.length > 1 !== group.length < standings.length)
// + if (told !== expected)
test('a partition that there is none of is seen', () => {
  last(
    standings(() => [side(ALL, true), side([], false)]),
    together,
  );
  expect(codes).toContain('REACH');
});

test('a side that does not name itself is seen, and so are one that names others and one that is wrong about deciding', () => {
  const wrong: readonly (readonly Side[])[] = [
    whole(),
    [],
    [side([2, 3], true), side([0, 1], false)],
    [side([3], true, true), side([0, 1, 2], false)],
  ];
  for (const sides of wrong) {
    codes = [];
    checker = newChecker();
    last(
      standings((node) => (node === 3 ? sides : rightly(node))),
      threeAndOne,
    );
    expect(codes).toEqual(['REACH']);
  }
});

test('a validator whose process does not run is alone, and need not say so', () => {
  last(
    standings((node) => (node === 3 ? [] : rightly(node)), [3]),
    together,
  );
  expect(codes).toEqual([]);
});

test('nobody is blamed before the settings promise it, and every change begins the wait anew', () => {
  last(standings(whole), threeAndOne, namedWithinMs(CONFIGURATION) - 1);
  checker.look(standings(whole), together, 1_000 + LONG_MS);
  checker.look(standings(whole), threeAndOne, 1_001 + LONG_MS);
  checker.look(standings(whole), threeAndOne, 1_000 + LONG_MS + namedWithinMs(CONFIGURATION));
  expect(codes).toEqual([]);
});
