import { type Hash, type Refusal, toHex } from '@nacre/base';
import type { ClusterReplica } from './cluster-replica.ts';
import type { Offence } from './draw-offence.ts';
import type { FaultTally } from './fault-tally.ts';
import type { Report } from './violation.ts';

/** Why a true proof may come to nothing all the same: by its age, or by what has become of whoever sends it. */
const EXCUSES: ReadonlySet<string> = new Set(['EVIDENCE_STALE', 'EVIDENCE_KNOWN', 'KEY_RETIRED']);
/** What an answer to a client must not say of one: that a signature in it is false. */
const DISBELIEF = 'SIGNATURE_INVALID';

/** What becomes of true proofs of offences: none is disbelieved, with whichever key of its time the offender signed. */
export class WitnessChecker {
  readonly #proofs = new Map<string, { readonly txId: Hash; readonly offence: Offence }>();
  readonly #tally: FaultTally;
  readonly #report: Report;

  constructor({ tally, report }: { readonly tally: FaultTally; readonly report: Report }) {
    this.#tally = tally;
    this.#report = report;
  }

  /** A transaction holds a true proof. */
  proves(txId: Hash, offence: Offence): void {
    this.#proofs.set(toHex(txId), { txId, offence });
  }

  /** What a node said when it was handed a transaction. */
  refused(txId: string, { code }: Refusal): void {
    const proof = this.#proofs.get(txId);
    if (proof !== undefined && code === DISBELIEF) this.#report('OFFENCE', `${describe(proof.offence)} is refused with ${code}`);
  }

  /** Call at the end, with a replica of an honest node. */
  judge(replica: Pick<ClusterReplica, 'transactionStatus'>): void {
    for (const { txId, offence } of this.#proofs.values()) {
      const found = replica.transactionStatus(txId);
      if (found.status === 'committed' && offence.isOld) this.#tally.add('oldOffenceProven');
      if (found.status === 'failed' && !EXCUSES.has(found.reason.code))
        this.#report('OFFENCE', `${describe(offence)} came to nothing: ${found.reason.code}`);
    }
  }
}

function describe({ equivocation, isOld }: Offence): string {
  const { height, round } = equivocation.first;
  return `a true proof of an offence at ${height}/${round}, with ${isOld ? 'a key before' : 'the key of now'},`;
}
