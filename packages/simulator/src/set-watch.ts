import { toHex } from '@nacre/base';
import type { Committee } from '@nacre/consensus';
import type { Applied } from '@nacre/ledger';
import type { ClusterReplica } from './cluster-replica.ts';
import type { CommitteeBook, Member } from './committee-book.ts';
import type { FaultTally } from './fault-tally.ts';
import { KeyChecker } from './key-checker.ts';
import { ParticipationChecker } from './participation-checker.ts';
import { SetChecker } from './set-checker.ts';
import type { SimValidator } from './sim-validator.ts';
import type { Report } from './violation.ts';

interface Options {
  readonly book: CommitteeBook;
  readonly tally: FaultTally;
  /** Everyone who may ever be a validator. */
  readonly holders: readonly SimValidator[];
  /** Whether the validator of an address, in hexadecimal, follows the rules. */
  readonly isHonest: (address: string) => boolean;
  readonly report: Report;
}

/** Shows each decided block, and the validator set behind it, to those who check what becomes of sets, keys and weights. */
export class SetWatch {
  readonly #options: Options;
  readonly #sets: SetChecker;
  readonly #keys: KeyChecker;
  readonly #participation: ParticipationChecker;
  #height = 0;

  constructor(options: Options) {
    this.#options = options;
    const { holders, report } = options;
    this.#sets = new SetChecker(options);
    this.#keys = new KeyChecker(
      holders.map(({ address, first }) => ({ address, publicKey: first.signer.publicKey })),
      report,
    );
    this.#participation = new ParticipationChecker(report);
  }

  /** Call for each block that an honest replica decides; the first word on a height counts, since all must have one state. */
  decided({ ledger }: ClusterReplica, { height, blockHash, statuses }: Applied): void {
    const next = ledger.epochOf(height + 1);
    const decided = height === this.#height + 1 ? ledger.loadBlock(blockHash) : undefined;
    if (next === undefined || decided === undefined) return;
    this.#height = height;
    const { block, transactions } = decided;
    const { book, tally } = this.#options;
    for (const [index, { contents }] of transactions.entries()) {
      if (statuses[index]?.status !== 'committed') continue;
      for (const operation of contents.operations) {
        if (operation.kind !== 'key.rotate') continue;
        tally.add('keyRotated');
        this.#keys.rotated(contents.account, { publicKey: operation.publicKey, epoch: block.header.epoch });
      }
    }
    const { members } = ledger.validatorSet.registry;
    const endsEpoch = next.epoch !== block.header.epoch;
    const committee = book.at(height);
    this.#participation.decided({ block, endsEpoch, standings: members, committee });
    if (endsEpoch) this.#keys.began(next.epoch, membersOf(next.committee));
    this.#sets.decided({
      header: block.header,
      next: membersOf(next.committee),
      epoch: next.epoch,
      scheduled: membersOf(ledger.nextEpoch().committee),
      held: members.flatMap(({ address, held }) => (held === null ? [] : toHex(address))),
    });
  }
}

export function membersOf({ validators }: Committee): Member[] {
  return validators.map(({ address, publicKey, weight }) => ({ address, publicKey, weight: BigInt(weight) }));
}
