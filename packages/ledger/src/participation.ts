import { assert, fail, ok, type Refusal, type Result } from '@nacre/base';
import type { Certificate, Committee } from '@nacre/consensus';
import type { EpochInfo } from './epoch-info.ts';
import type { LateCommitters } from './header.ts';
import type { Overlay } from './overlay.ts';
import type { ChainParameters } from './parameters.ts';
import { PARTICIPATION, type Participation } from './state-kinds.ts';

interface Credits {
  /** Height of the block that credits. */
  readonly height: number;
  /** That of the block. */
  readonly info: EpochInfo;
  /** Null at height 1. */
  readonly parentCertificate: Certificate | null;
  readonly lateCommits: readonly LateCommitters[];
  readonly parameters: ChainParameters;
}

/** What an epoch begins with: nobody has done anything. */
export function firstParticipation(epoch: number, committeeSize: number): Participation {
  const none = Array.from({ length: committeeSize }, () => 0);
  return { epoch, heights: 0, commits: none, proposals: none, passed: none, recent: [] };
}

/**
 * Writes into the state who signed: the parent's certificate, and the late commits of the heights before.
 * A commit counts once, in the first block that shows it. What comes after the end of its epoch counts for nobody: weights have been judged by
 * then, and left it out.
 *
 * @returns `LATE_COMMITS_TOO_MANY`, `LATE_COMMITS_UNORDERED`, `LATE_COMMITS_HEIGHT`, `LATE_COMMITS_VALIDATORS`, `LATE_COMMITS_CREDITED`
 */
export function creditCommits(overlay: Overlay, credits: Credits): Result<void, Refusal> {
  const { height, info, parentCertificate, lateCommits, parameters } = credits;
  const participation = overlay.get(PARTICIPATION, null);
  assert(participation !== undefined, 'participation is part of the state from genesis on');
  const commits = [...participation.commits];
  const proposals = [...participation.proposals];
  const passed = [...participation.passed];
  const recent = new Map(participation.recent.map((credited) => [credited.height, credited.validators]));
  const checked = checkLateCommits(lateCommits, recent, credits);
  if (!checked.ok) return checked;
  for (const late of lateCommits) {
    const credited = recent.get(late.height) ?? [];
    recent.set(
      late.height,
      [...credited, ...late.validators].sort((a, b) => a - b),
    );
    for (const validator of late.validators) commits[validator] = (commits[validator] ?? 0) + 1;
  }
  let { heights } = participation;
  if (parentCertificate !== null && parentCertificate.height >= info.firstHeight) {
    const signers = parentCertificate.commits.map(({ validator }) => validator);
    for (const validator of signers) commits[validator] = (commits[validator] ?? 0) + 1;
    recent.set(parentCertificate.height, signers);
    heights++;
    countTurns(parentCertificate, info.committee, { proposals, passed });
  }
  // What the next block may still credit.
  const kept = [...recent].filter(([creditedHeight]) => creditedHeight > height - parameters.lateCommitHeights);
  const updated: Participation = {
    epoch: info.epoch,
    heights,
    commits,
    proposals,
    passed,
    recent: kept.map(([at, validators]) => ({ height: at, validators })),
  };
  overlay.set(PARTICIPATION, null, updated);
  return ok(undefined);
}

/** Whose proposal was decided, and whose turns went by before it: one for each validator at most, however many rounds there were. */
function countTurns(
  { height, round }: Certificate,
  committee: Committee,
  { proposals, passed }: { readonly proposals: number[]; readonly passed: number[] },
): void {
  const proposer = committee.proposer(height, round);
  proposals[proposer] = (proposals[proposer] as number) + 1;
  const earlier = new Set<number>();
  for (let failed = Math.max(0, round - committee.size); failed < round; failed++) earlier.add(committee.proposer(height, failed));
  for (const validator of earlier) passed[validator] = (passed[validator] as number) + 1;
}

function checkLateCommits(
  lateCommits: readonly LateCommitters[],
  recent: ReadonlyMap<number, readonly number[]>,
  { info, parameters }: Credits,
): Result<void, Refusal> {
  let count = 0;
  let previousHeight = 0;
  for (const { height, validators } of lateCommits) {
    if (height <= previousHeight) return fail({ code: 'LATE_COMMITS_UNORDERED', height });
    previousHeight = height;
    const credited = recent.get(height);
    if (credited === undefined) return fail({ code: 'LATE_COMMITS_HEIGHT', height });
    const last = validators.at(-1);
    if (last === undefined || last >= info.committee.size) return fail({ code: 'LATE_COMMITS_VALIDATORS', height });
    if (validators.some((validator) => credited.includes(validator))) return fail({ code: 'LATE_COMMITS_CREDITED', height });
    count += validators.length;
  }
  if (count > parameters.lateCommitsMax) return fail({ code: 'LATE_COMMITS_TOO_MANY', count, max: parameters.lateCommitsMax });
  return ok(undefined);
}
