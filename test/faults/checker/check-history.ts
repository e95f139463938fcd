import type { Call, NodeView, Violation } from '../history.ts';
import { checkAgreement } from './check-agreement.ts';
import { checkReads } from './check-reads.ts';
import { checkStatuses, type Excused } from './check-statuses.ts';
import { checkWrites } from './check-writes.ts';

/** More of one run say nothing new. */
const VIOLATIONS_MAX = 20;

/**
 * Judges what clients were told against what all nodes show at the end. It knows nothing of how the program works: no file of it is imported.
 *
 * @param excused the stores whose loss cost what only their node knew
 */
export function checkHistory(calls: readonly Call[], views: readonly NodeView[], excused: Excused): Violation[] {
  const violations: Violation[] = [];
  const report = (code: Violation['code'], detail: string): void => {
    if (violations.length < VIOLATIONS_MAX) violations.push({ code, detail });
  };
  checkAgreement(views, report);
  const [truth] = views;
  if (truth === undefined) return violations;
  checkWrites(calls, truth, report);
  checkReads(calls, truth, report);
  checkStatuses(calls, { views, excused }, report);
  return violations;
}
