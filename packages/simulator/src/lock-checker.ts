import { toHex } from '@nacre/base';
import type { Statement } from './statement-checker.ts';
import type { Report } from './violation.ts';

/** Heights below the highest that are remembered: whoever is further behind does not vote. */
const HEIGHTS_KEPT = 20;

/** In the order of the committee. */
export interface LockMember {
  readonly weight: number;
  /** Whether the validator follows the rules. Any other counts as if it had prepared everything. */
  readonly isHonest: boolean;
}

interface Height {
  readonly members: readonly LockMember[];
  readonly totalWeight: number;
  readonly byzantineWeight: number;
  /** By round and block: the honest validators that prepared it. */
  readonly prepared: Map<string, Set<number>>;
  /** By validator: its commits for a block. */
  readonly commits: Map<number, { readonly round: number; readonly block: string }[]>;
}

/**
 * What agreement rests on, seen from outside: an honest validator commits only to what a quorum has prepared in that round, and once it has
 * committed to a block, it prepares another one only after a quorum has prepared that one in the same round or a later one. A fork
 * takes several such steps at once; here the first one is seen.
 *
 * @see Buchman, Kwon, Milosevic 2018 (arXiv:1807.04938), lines 28 to 36; "amnesia" in what was written about it since
 */
export class LockChecker {
  readonly #membersAt: (height: number) => readonly LockMember[];
  readonly #report: Report;
  readonly #heights = new Map<number, Height>();
  #highest = 0;

  constructor(membersAt: (height: number) => readonly LockMember[], report: Report) {
    this.#membersAt = membersAt;
    this.#report = report;
  }

  see({ validator, kind, height, round, blockHash }: Statement): void {
    if (kind === 'proposal' || blockHash === null || height < this.#highest - HEIGHTS_KEPT) return;
    const known = this.#at(height);
    if (known.members[validator]?.isHonest !== true) return;
    const block = toHex(blockHash);
    const commits = known.commits.get(validator) ?? [];
    const place = `${round} ${block}`;
    if (kind === 'commit') {
      if (commits.some((commit) => commit.round === round && commit.block === block)) return;
      if (!this.#isPrepared(known, round, block))
        this.#report('LOCK', `validator ${validator} commits at ${height}/${round} to ${block}, which no quorum prepared`);
      known.commits.set(validator, [...commits, { round, block }]);
      return;
    }
    const prepared = known.prepared.get(place);
    if (prepared?.has(validator) === true) return;
    if (prepared === undefined) known.prepared.set(place, new Set([validator]));
    else prepared.add(validator);
    const last = commits.filter((commit) => commit.round < round).sort((a, b) => b.round - a.round)[0];
    if (last === undefined || last.block === block || this.#isReleased(known, block, last.round, round)) return;
    this.#report(
      'LOCK',
      `validator ${validator} prepares ${block} at ${height}/${round} after it committed to ${last.block} at round ${last.round}`,
    );
  }

  #isReleased(known: Height, block: string, from: number, below: number): boolean {
    for (let round = from; round < below; round++) if (this.#isPrepared(known, round, block)) return true;
    return false;
  }

  #isPrepared({ prepared, members, totalWeight, byzantineWeight }: Height, round: number, block: string): boolean {
    let weight = byzantineWeight;
    for (const validator of prepared.get(`${round} ${block}`) ?? []) weight += members[validator]?.weight ?? 0;
    return weight + weight + weight > totalWeight + totalWeight;
  }

  #at(height: number): Height {
    let known = this.#heights.get(height);
    if (known === undefined) {
      const members = this.#membersAt(height);
      const totalWeight = members.reduce((sum, { weight }) => sum + weight, 0);
      const byzantineWeight = members.reduce((sum, { weight, isHonest }) => sum + (isHonest ? 0 : weight), 0);
      known = { members, totalWeight, byzantineWeight, prepared: new Map(), commits: new Map() };
      this.#heights.set(height, known);
      this.#highest = Math.max(this.#highest, height);
      for (const old of this.#heights.keys()) if (old < this.#highest - HEIGHTS_KEPT) this.#heights.delete(old);
    }
    return known;
  }
}
