import { toHex } from '@nacre/base';
import type { Block } from '@nacre/ledger';
import type { Member } from './committee-book.ts';
import type { Report } from './violation.ts';

/** Of a block before the last of its epoch, so many behind it may still credit commits. The parameter's value at genesis, which nothing here changes. */
const LATE_HEIGHTS = 8;

/** What the registry says of a validator behind a block. */
export interface Standing {
  readonly address: Uint8Array;
  readonly weight: number;
  readonly baseWeight: number;
  readonly performance: { readonly epoch: number; readonly heights: number; readonly commits: number } | null;
}

/** What a decided block shows, and the registry behind it. */
export interface ParticipationView {
  readonly block: Pick<Block, 'header' | 'parentCertificate'>;
  /** Whether it is the last of its epoch. */
  readonly endsEpoch: boolean;
  readonly standings: readonly Standing[];
  /** Who decides in its epoch. */
  readonly committee: readonly Member[];
}

/**
 * Counts for itself who signed how much of an epoch, from the certificates and late commits that blocks show: the registry must say the same, and
 * by itself no weight moves but at an epoch's end, by a quarter of what was decided at most, down below half of the heights and up otherwise, and all
 * of them together by a twentieth of the total at most. Whoever is left out of a certificate and shows its commit later has signed.
 */
export class ParticipationChecker {
  readonly #report: Report;
  /** First height of the epoch at hand. */
  #firstHeight = 1;
  /** By height of the epoch: positions that signed. */
  #signed = new Map<number, Set<number>>();
  #before = new Map<string, Standing>();
  #height = 0;

  constructor(report: Report) {
    this.#report = report;
  }

  /** Call for each block that an honest replica decides, the first word on each height. */
  decided({ block, endsEpoch, standings, committee }: ParticipationView): void {
    const { header, parentCertificate } = block;
    if (header.height !== this.#height + 1) return;
    this.#height = header.height;
    for (const { height, validators } of header.lateCommits) for (const validator of validators) this.#signed.get(height)?.add(validator);
    if (parentCertificate !== null && parentCertificate.height >= this.#firstHeight) {
      this.#signed.set(parentCertificate.height, new Set(parentCertificate.commits.map(({ validator }) => validator)));
    }
    const counted = endsEpoch ? this.#count(header.height, committee) : null;
    this.#compare(header.epoch, standings, counted);
    this.#before = new Map(standings.map((standing) => [toHex(standing.address), standing]));
    if (!endsEpoch) return;
    this.#signed = new Map();
    this.#firstHeight = header.height + 1;
  }

  /** By address, over the heights for which a commit can come too late by now. */
  #count(height: number, committee: readonly Member[]): ReadonlyMap<string, { readonly heights: number; readonly commits: number }> {
    const closed = [...this.#signed].filter(([at]) => at <= height - LATE_HEIGHTS);
    return new Map(
      committee.map(({ address }, position) => {
        const commits = closed.filter(([, positions]) => positions.has(position)).length;
        return [toHex(address), { heights: closed.length, commits }];
      }),
    );
  }

  #compare(
    epoch: number,
    standings: readonly Standing[],
    counted: ReadonlyMap<string, { readonly heights: number; readonly commits: number }> | null,
  ): void {
    let moved = 0;
    let total = 0;
    for (const standing of standings) {
      const { address, weight, baseWeight, performance } = standing;
      const name = toHex(address);
      const before = this.#before.get(name);
      // What was decided in the same block is in one of the two.
      total += Math.max(before?.weight ?? 0, weight);
      const own = counted?.get(name);
      if (
        own !== undefined &&
        (performance?.epoch !== epoch || performance.heights !== own.heights || performance.commits !== own.commits)
      ) {
        this.#report('WEIGHT', `epoch ${epoch}: ${name} signed ${own.commits} of ${own.heights}, and not ${JSON.stringify(performance)}`);
      }
      // A decided change sets both weights; what moves one alone is the network's own doing.
      if (before === undefined || before.baseWeight !== baseWeight || before.weight === weight || weight === baseWeight) continue;
      moved += Math.abs(weight - before.weight);
      this.#checkMove(epoch, { name, before, weight, baseWeight, own });
    }
    if (20 * moved > total && moved > 0) this.#report('WEIGHT', `epoch ${epoch} moves ${moved} of ${total}`);
  }

  #checkMove(
    epoch: number,
    move: {
      readonly name: string;
      readonly before: Standing;
      readonly weight: number;
      readonly baseWeight: number;
      readonly own: { readonly heights: number; readonly commits: number } | undefined;
    },
  ): void {
    const { name, before, weight, baseWeight, own } = move;
    const what = `epoch ${epoch}: the weight of ${name} goes from ${before.weight} to ${weight}`;
    if (own === undefined) return this.#report('WEIGHT', `${what} where no epoch of its ends`);
    if (Math.abs(weight - before.weight) > Math.ceil(baseWeight / 4)) this.#report('WEIGHT', `${what}, decided was ${baseWeight}`);
    const isFall = weight < before.weight;
    if (isFall !== 2 * own.commits < own.heights) this.#report('WEIGHT', `${what}, having signed ${own.commits} of ${own.heights}`);
  }
}
