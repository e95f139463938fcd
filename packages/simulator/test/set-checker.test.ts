import { toHex, utf8 } from '@nacre/base';
import { taggedHash } from '@nacre/crypto';
import type { Header } from '@nacre/ledger';
import { beforeEach, expect, test } from 'vitest';
import { CommitteeBook, type Member } from '../src/committee-book.ts';
import { FaultTally } from '../src/fault-tally.ts';
import { SetChecker, type SetView } from '../src/set-checker.ts';

const member = (name: string, weight = 1000): Member => {
  const address = taggedHash('nacre/1/test', utf8(name));
  return { address, publicKey: address, weight: BigInt(weight) };
};
const [a, b, c, d, e] = ['a', 'b', 'c', 'd', 'e'].map((name) => member(name)) as [Member, Member, Member, Member, Member];
const FOUR = [a, b, c, d];
const nameOf = ({ address }: Member): string => toHex(address);

let problems: string[] = [];
let tally: FaultTally;
let checker: SetChecker;
let height: number;

beforeEach(() => {
  problems = [];
  height = 0;
  tally = new FaultTally();
  const report = (code: string): void => {
    problems.push(code);
  };
  checker = new SetChecker({ book: new CommitteeBook(FOUR), tally, isHonest: (address) => address !== nameOf(d), report });
});

/** The next block, of epoch `from`, after which comes `epoch`. */
function block(from: number, view: Partial<Omit<SetView, 'header'>> = {}): void {
  const header = { height: ++height, epoch: from } as Header;
  checker.decided({ header, epoch: from, next: FOUR, scheduled: FOUR, held: [], ...view });
}

test('a set that changes two epochs after its announcement is fine, and counted', () => {
  block(0);
  block(0, { epoch: 1, scheduled: [...FOUR, e] });
  block(1, { epoch: 2, next: [...FOUR, e], scheduled: [...FOUR, e] });
  block(2, { epoch: 3, next: [...FOUR, e], scheduled: FOUR });
  expect(problems).toEqual([]);
  expect(tally.counts()).toMatchObject({ epochEnded: 3, committeeChanged: 1, offenceProven: 0 });
});

// @mutation packages/simulator/src/set-checker.ts
// - if (isChanged) report('COMMITTEE', `the committee changes behind block ${header.height}, within epoch ${epoch}`);
// +
test('a change within an epoch is seen', () => {
  block(0, { next: [a, b, c, member('d', 999)] });
  expect(problems).toEqual(['COMMITTEE']);
});

// @mutation packages/simulator/src/set-checker.ts
// - if (describe(expected) !== describe(next)) this.#options.report('COMMITTEE', `epoch ${epoch} has a committee that was not announced`);
// +
test('a change that was not announced is seen', () => {
  block(0, { epoch: 1, next: [...FOUR, e] });
  expect(problems).toEqual(['COMMITTEE']);
});

// @mutation packages/simulator/src/set-checker.ts
// - if (!isThere && !this.#held.has(toHex(address)))
// + if (!isThere && this.#held.has(toHex(address)))
test('whoever is missing without having been proven anything is seen', () => {
  const five = [...FOUR, e];
  block(0, { epoch: 1, scheduled: five });
  block(1, { epoch: 2, next: FOUR, scheduled: FOUR });
  expect(problems).toEqual(['COMMITTEE']);
});

// @mutation packages/simulator/src/set-checker.ts
// - if (left !== undefined) this.#options.report('COMMITTEE', `epoch ${epoch} still has ${toHex(left.address)}, who is held`);
// +
test('whoever is held has to be gone from the next epoch on, and is, without being announced', () => {
  block(0, { held: [nameOf(d)] });
  block(0, { epoch: 1, next: [a, b, c], held: [nameOf(d)] });
  expect(problems).toEqual([]);
  block(1, { epoch: 2, next: FOUR, held: [nameOf(d)] });
  expect(problems).toEqual(['COMMITTEE']);
});

// @mutation packages/simulator/src/set-checker.ts
// - if (isHonest(address)) report('ACCUSED', `validator ${address} is held for an offence that it has not committed`);
// +
test('an honest validator that is held is seen', () => {
  block(0, { held: [nameOf(a)] });
  expect(problems).toEqual(['ACCUSED']);
});

// @mutation packages/simulator/src/set-checker.ts
// - if (3n * common <= 2n * total)
// + if (3n * common < 0n)
test('newcomers who alone could stop the chain are seen', () => {
  const six = [...FOUR, e, member('f')];
  block(0, { epoch: 1, scheduled: six });
  block(1, { epoch: 2, next: six, scheduled: six });
  expect(problems).toEqual(['COMMITTEE']);
});

// @mutation packages/simulator/src/set-checker.ts
// - if (large !== undefined && !isReduced)
// + if (large === undefined && !isReduced)
test('a third in one hand is seen', () => {
  const heavy = [a, b, c, member('d', 1500)];
  block(0, { epoch: 1, scheduled: heavy });
  block(1, { epoch: 2, next: heavy, scheduled: heavy });
  expect(problems).toEqual(['COMMITTEE']);
});
