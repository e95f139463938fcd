import { assert, bytesEqual, type Hash, LATE_COMMITS_MAX } from '@nacre/base';
import { type Certificate, certificateFrom, certificateVotes } from './certificate.ts';
import type { Vote } from './vote.ts';

interface DecidedHeight {
  readonly blockHash: Hash;
  readonly round: number;
  /** By validator; one of the deciding round where there is one, since the parent's certificate is of that round. */
  readonly commits: Map<number, Vote>;
}

/**
 * Commits for decided heights, so that a proposer can put every one that it received into its block: the parent's into the
 * parent's certificate, those of earlier heights beside it as late. Whoever is far away is then not taken for absent.
 *
 * Holds the last `heights` heights and one vote per validator and height; older ones are dropped.
 */
export class CommitCollector {
  readonly #heights: number;
  readonly #decided = new Map<number, DecidedHeight>();

  /** @param heights how far back a header may credit commits, the parent included; a genesis parameter */
  constructor(heights: number) {
    this.#heights = heights;
  }

  /** Starts collecting for a height, with what its certificate holds. */
  decided(height: number, certificate: Certificate): void {
    assert(certificate.height === height, 'the certificate is for that height');
    if (!this.#decided.has(height)) {
      this.#decided.set(height, { blockHash: certificate.blockHash, round: certificate.round, commits: new Map() });
    }
    for (const vote of certificateVotes(certificate)) this.add(vote);
    for (const known of this.#decided.keys()) if (known <= height - this.#heights) this.#decided.delete(known);
  }

  /** Whether the vote, if its signature is valid, would tell anything new: so that no other one need be verified. */
  wants(vote: Vote): boolean {
    const decided = this.#decided.get(vote.height);
    if (decided === undefined || vote.kind !== 'commit' || vote.blockHash === null) return false;
    if (!bytesEqual(vote.blockHash, decided.blockHash)) return false;
    const known = decided.commits.get(vote.validator);
    return known === undefined || (known.round !== decided.round && vote.round === decided.round);
  }

  /**
   * @param vote verified
   * @returns whether it was kept
   */
  add(vote: Vote): boolean {
    if (!this.wants(vote)) return false;
    this.#decided.get(vote.height)?.commits.set(vote.validator, vote);
    return true;
  }

  /** The certificate of the deciding round with every commit of it that has come, or null if the height is not held. */
  parentCertificate(height: number): Certificate | null {
    const decided = this.#decided.get(height);
    if (decided === undefined) return null;
    return certificateFrom([...decided.commits.values()].filter((vote) => vote.round === decided.round));
  }

  /**
   * What a block of height `forHeight` can credit beside its parent: commits of the heights before the parent, at most
   * `LATE_COMMITS_MAX`, ascending by height and validator, so that those about to become too old go first.
   *
   * @param isCredited whether the chain up to the parent has credited that validator for that height
   */
  lateCommits(forHeight: number, isCredited: (height: number, validator: number) => boolean): Vote[] {
    const late: Vote[] = [];
    for (let height = forHeight - this.#heights; height < forHeight - 1; height++) {
      const commits = [...(this.#decided.get(height)?.commits.values() ?? [])].sort((a, b) => a.validator - b.validator);
      late.push(...commits.filter((vote) => !isCredited(height, vote.validator)));
    }
    return late.slice(0, LATE_COMMITS_MAX);
  }
}
