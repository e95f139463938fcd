import { bytesEqual, type Hash } from '@nacre/base';
import type { Vote } from '@nacre/consensus';
import type { LateCommit } from './block.ts';
import type { LateCommitters } from './header.ts';

interface Selection {
  /** Signatures verified. */
  readonly votes: readonly Vote[];
  /** Heights that may still be credited, with who was. */
  readonly recent: readonly LateCommitters[];
  readonly decidedHash: (height: number) => Hash | undefined;
  readonly lateCommitsMax: number;
}

/** The commits that the next block can credit, as header and block list them: ascending by height, then by validator, each once. */
export function selectLateCommits({ votes, recent, decidedHash, lateCommitsMax }: Selection): {
  lateCommits: LateCommit[];
  late: LateCommitters[];
} {
  const lateCommits: LateCommit[] = [];
  const late: LateCommitters[] = [];
  for (const { height, validators: credited } of recent) {
    const decided = decidedHash(height);
    const byValidator = new Map<number, LateCommit>();
    for (const { kind, blockHash, validator, round, signature, ...vote } of votes) {
      if (vote.height !== height || kind !== 'commit' || blockHash === null || decided === undefined) continue;
      if (!bytesEqual(blockHash, decided) || credited.includes(validator)) continue;
      if (byValidator.size + lateCommits.length < lateCommitsMax) byValidator.set(validator, { height, validator, round, signature });
    }
    if (byValidator.size === 0) continue;
    const ordered = [...byValidator.values()].sort((a, b) => a.validator - b.validator);
    lateCommits.push(...ordered);
    late.push({ height, validators: ordered.map(({ validator }) => validator) });
  }
  return { lateCommits, late };
}
