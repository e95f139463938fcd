import type { SeedOutcome } from '../../src/check-seed.ts';
import { FAULT_KINDS, type FaultKind } from '../../src/fault-tally.ts';

/** Each kind of fault twice. */
export const faults = Object.fromEntries(FAULT_KINDS.map((kind) => [kind, 2])) as Record<FaultKind, number>;
/** What a seed may come to. */
export const outcome: SeedOutcome = {
  seed: 1,
  scenario: 'crashes',
  violations: [],
  traceHash: '00',
  heights: 10,
  virtualMs: 1000,
  cpuMs: 50,
  events: 100,
  faults,
  laterRounds: 1,
  reProposals: 1,
  transactions: { committed: 5, failed: 1, expired: 1, refused: 1 },
  refusals: { DUPLICATE: 3 },
  repeated: true,
};
