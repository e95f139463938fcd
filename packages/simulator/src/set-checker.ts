import { toHex } from '@nacre/base';
import type { Header } from '@nacre/ledger';
import type { CommitteeBook, Member } from './committee-book.ts';
import type { FaultTally } from './fault-tally.ts';
import type { Report } from './violation.ts';

/** What a replica tells of the validator set once it has decided a block. */
export interface SetView {
  readonly header: Header;
  /** Who decides the next height. */
  readonly next: readonly Member[];
  /** Its epoch. */
  readonly epoch: number;
  /** Who is scheduled for the epoch after that. */
  readonly scheduled: readonly Member[];
  /** Whoever is held for a proven offence. */
  readonly held: readonly string[];
}

interface Options {
  readonly book: CommitteeBook;
  readonly tally: FaultTally;
  /** Whether the validator of an address, in hexadecimal, follows the rules. */
  readonly isHonest: (address: string) => boolean;
  readonly report: Report;
}

/**
 * What must hold of validators who come and go, whatever is decided about them: a committee changes only where an epoch ends, to the one that was
 * announced an epoch ahead without whoever is held for an offence; what newcomers and the newly heavy bring can never stop the chain by itself; nobody
 * holds a third, unless by the removal of others; and nobody is held who follows the rules.
 */
export class SetChecker {
  readonly #options: Options;
  /** By epoch: who was announced for it when the last but one before it ended. */
  readonly #announced = new Map<number, readonly Member[]>();
  readonly #held = new Set<string>();
  #height = 0;

  constructor(options: Options) {
    this.#options = options;
    this.#announced.set(1, options.book.at(1));
  }

  /** Call for each block that an honest replica decides; the first word on a height counts, since all must have one state. */
  decided({ header, next, epoch, scheduled, held }: SetView): void {
    const { book, tally, isHonest, report } = this.#options;
    if (header.height !== this.#height + 1) return;
    this.#height = header.height;
    for (const address of held) {
      if (this.#held.has(address)) continue;
      this.#held.add(address);
      tally.add('offenceProven');
      if (isHonest(address)) report('ACCUSED', `validator ${address} is held for an offence that it has not committed`);
    }
    const before = book.at(header.height);
    const isChanged = describe(before) !== describe(next);
    if (epoch === header.epoch) {
      if (isChanged) report('COMMITTEE', `the committee changes behind block ${header.height}, within epoch ${epoch}`);
      return;
    }
    tally.add('epochEnded');
    if (epoch !== header.epoch + 1) report('COMMITTEE', `epoch ${header.epoch} is followed by ${epoch}`);
    this.#checkAnnounced(epoch, next);
    this.#checkRemoved(epoch, { next, held });
    if (this.#announced.get(epoch + 1) === undefined) this.#announced.set(epoch + 1, scheduled);
    if (!isChanged) return;
    tally.add('committeeChanged');
    this.#checkStep(epoch, before, next);
    book.learn(header.height + 1, next);
  }

  #checkAnnounced(epoch: number, next: readonly Member[]): void {
    const announced = this.#announced.get(epoch);
    if (announced === undefined) return;
    const expected = announced.filter(({ address }) => next.some((member) => toHex(member.address) === toHex(address)));
    if (describe(expected) !== describe(next)) this.#options.report('COMMITTEE', `epoch ${epoch} has a committee that was not announced`);
    for (const { address } of announced) {
      const isThere = next.some((member) => toHex(member.address) === toHex(address));
      if (!isThere && !this.#held.has(toHex(address)))
        this.#options.report('COMMITTEE', `epoch ${epoch} is without ${toHex(address)}, whom nobody has proven anything`);
    }
  }

  /** Those who are held are gone from the next epoch on, as far as that leaves enough to decide. */
  #checkRemoved(epoch: number, { next, held }: Pick<SetView, 'next' | 'held'>): void {
    const announced = this.#announced.get(epoch) ?? [];
    const total = announced.reduce((sum, { weight }) => sum + weight, 0n);
    const due = announced.filter(({ address }) => held.includes(toHex(address)));
    if (3n * due.reduce((sum, { weight }) => sum + weight, 0n) >= total) return;
    const left = due.find(({ address }) => next.some((member) => toHex(member.address) === toHex(address)));
    if (left !== undefined) this.#options.report('COMMITTEE', `epoch ${epoch} still has ${toHex(left.address)}, who is held`);
  }

  #checkStep(epoch: number, before: readonly Member[], next: readonly Member[]): void {
    const total = next.reduce((sum, { weight }) => sum + weight, 0n);
    const weights = new Map(before.map(({ address, weight }) => [toHex(address), weight]));
    let common = 0n;
    for (const { address, weight } of next) {
      const former = weights.get(toHex(address)) ?? 0n;
      common += former < weight ? former : weight;
    }
    if (3n * common <= 2n * total)
      this.#options.report('COMMITTEE', `epoch ${epoch}: newcomers could stop it with ${total - common} of ${total}`);
    const isReduced = this.#held.size > 0;
    const large = next.find(({ weight }) => 3n * weight >= total);
    if (large !== undefined && !isReduced)
      this.#options.report('COMMITTEE', `epoch ${epoch}: ${toHex(large.address)} has ${large.weight} of ${total}`);
  }
}

function describe(members: readonly Member[]): string {
  return members.map(({ address, publicKey, weight }) => `${toHex(address)} ${toHex(publicKey.subarray(0, 16))} ${weight}`).join(', ');
}
