import type { SubmissionStatus } from '@nacre/replica';
import { beforeEach, expect, test } from 'vitest';
import type { Offence } from '../src/draw-offence.ts';
import { FaultTally } from '../src/fault-tally.ts';
import { WitnessChecker } from '../src/witness-checker.ts';

const TX_ID = new Uint8Array(32).fill(1);
const HEX = '01'.repeat(32);
const OFFENCE = { equivocation: { first: { height: 3, round: 600 } }, isOld: true } as unknown as Offence;

let problems: string[];
let tally: FaultTally;
let checker: WitnessChecker;

beforeEach(() => {
  problems = [];
  tally = new FaultTally();
  checker = new WitnessChecker({ tally, report: (code) => problems.push(code) });
  checker.proves(TX_ID, OFFENCE);
});

const judge = (status: object): void => checker.judge({ transactionStatus: () => status as SubmissionStatus });

test('a proof of what was signed with an old key is counted when it is committed', () => {
  judge({ status: 'committed', height: 9, index: 0 });
  expect([problems, tally.counts().oldOffenceProven]).toEqual([[], 1]);
});

test('a true proof that a node disbelieves is seen, and no other refusal', () => {
  checker.refused(HEX, { code: 'KEY_RETIRED' });
  checker.refused('02'.repeat(32), { code: 'SIGNATURE_INVALID' });
  expect(problems).toEqual([]);
  checker.refused(HEX, { code: 'SIGNATURE_INVALID' });
  expect(problems).toEqual(['OFFENCE']);
});

// @mutation packages/simulator/src/witness-checker.ts
// - if (found.status === 'failed' && !EXCUSES.has(found.reason.code))
// + if (found.status === 'failed' && EXCUSES.has(found.reason.code))
test('a true proof that comes to nothing is seen, but for its age and its sender', () => {
  judge({ status: 'failed', height: 9, index: 0, reason: { code: 'EVIDENCE_STALE', operation: 0 } });
  judge({ status: 'failed', height: 9, index: 0, reason: { code: 'KEY_RETIRED', operation: 0 } });
  expect(problems).toEqual([]);
  judge({ status: 'failed', height: 9, index: 0, reason: { code: 'VALIDATOR_UNKNOWN', operation: 0 } });
  expect(problems).toEqual(['OFFENCE']);
});
