import { assert, bytesEqual, type Hash } from '@nacre/base';
import type { Certificate, Committee } from '@nacre/consensus';
import { type EpochLink, EpochLinkType, linkToWire, makeLink } from './epoch-link.ts';
import { LedgerError } from './errors.ts';
import type { Header } from './header.ts';
import { LINKS_BYTES_MAX, LINKS_MAX } from './link-limits.ts';

/** What the links of a chain are made of. */
export interface LinkSource {
  /** From 0 to the epoch of the height above the tip. */
  epoch(epoch: number): { readonly firstHeight: number; readonly committee: Committee } | undefined;
  /** Undefined above that epoch. */
  epochOf(height: number): { readonly epoch: number } | undefined;
  /** Of an epoch that `epoch` knows, without the committee itself. */
  committeeHash(epoch: number): Hash;
  headerAt(height: number): Header | undefined;
  /** As few verified commits as decide the last block of a committee. */
  linkCertificate(height: number): Certificate | undefined;
}

export interface CollectedLinks {
  /** The oldest first. */
  readonly links: readonly EpochLink[];
  /** False where further ones would not fit. */
  readonly isComplete: boolean;
}

/** What SSZ adds for each element of a list of variable size. */
const LIST_OFFSET_BYTES = 4;

/** Where the committee of a chain changed. Knows each epoch from one look at it: years of them are too many for a look per proof. */
export class CommitteeChanges {
  readonly #source: LinkSource;
  /** First epochs of new committees, ascending. */
  readonly #changes: number[] = [];
  /** Epochs up to this one have been looked at. */
  #seen = 0;

  constructor(source: LinkSource) {
    this.#source = source;
  }

  /**
   * The links that lead from the committee that decides the height above a checkpoint's to the one that decides a later height, as many as fit
   * into a proof.
   *
   * @param range `fromHeight` below the tip, or at the tip where the next committee is the same; `toHeight` no higher than the tip
   */
  links({ fromHeight, toHeight }: { readonly fromHeight: number; readonly toHeight: number }): CollectedLinks {
    const first = this.#epochOf(fromHeight + 1);
    const last = this.#epochOf(toHeight);
    this.#lookUpTo(last);
    const wanted = this.#changes.filter((epoch) => epoch > first && epoch <= last);
    const links: EpochLink[] = [];
    let bytes = 0;
    for (const epoch of wanted) {
      const link = this.#linkInto(epoch);
      bytes += LIST_OFFSET_BYTES + EpochLinkType.value_serializedSize(linkToWire(link));
      if (links.length === LINKS_MAX || bytes > LINKS_BYTES_MAX) return { links, isComplete: false };
      links.push(link);
    }
    return { links, isComplete: true };
  }

  #lookUpTo(epoch: number): void {
    for (; this.#seen < epoch; this.#seen++) {
      const isSame = bytesEqual(this.#source.committeeHash(this.#seen), this.#source.committeeHash(this.#seen + 1));
      if (!isSame) this.#changes.push(this.#seen + 1);
    }
  }

  #linkInto(epoch: number): EpochLink {
    const { firstHeight, committee } = this.#epoch(epoch);
    const height = firstHeight - 1;
    const header = this.#source.headerAt(height);
    const certificate = this.#source.linkCertificate(height);
    if (header === undefined || certificate === undefined)
      throw LedgerError.damaged('the last block of a committee, or its certificate, is missing', { fields: { height } });
    return makeLink({ header, certificate }, this.#epoch(epoch - 1).committee, committee);
  }

  #epoch(epoch: number): NonNullable<ReturnType<LinkSource['epoch']>> {
    const info = this.#source.epoch(epoch);
    assert(info !== undefined, 'every epoch up to the tip is known');
    return info;
  }

  #epochOf(height: number): number {
    const info = this.#source.epochOf(height);
    assert(info !== undefined, 'heights up to the tip belong to known epochs');
    return info.epoch;
  }
}
