import { fail, ok, PROVE_ATTEMPTS_MAX, type Refusal, type Result } from '@nacre/base';
import type { Committee } from '@nacre/consensus';
import type { CommittedState } from './committed-state.ts';
import { CommitteeChanges, type LinkSource } from './committee-changes.ts';
import { LedgerError } from './errors.ts';
import type { ProofQuestion, ProofStart, Tip } from './ledger-types.ts';
import { type EncodedLightUpdate, makeLightUpdate, makeProof, type ProofSubject, type Way } from './make-proof.ts';
import type { RecordStore } from './record-store.ts';
import { RECORD_LOG } from './state-kinds.ts';

/** The chain that things are proven of. */
export interface ProvenChain extends LinkSource {
  readonly state: CommittedState;
  readonly records: RecordStore;
  tip(): Tip;
  committeeAt(height: number): Committee;
  /** While a block is being written: between the store's change and the tip's, nothing is proven. */
  applying(): Promise<void> | null;
}

/** Makes proofs and light updates against the tip of a chain that goes on meanwhile. */
export class Prover {
  readonly #chain: ProvenChain;
  readonly #changes: CommitteeChanges;

  constructor(chain: ProvenChain) {
    this.#chain = chain;
    this.#changes = new CommitteeChanges(chain);
  }

  /** See `Ledger.prove`. */
  async prove(question: ProofQuestion, start: ProofStart): Promise<Result<Uint8Array, Refusal>> {
    const chain = this.#chain;
    for (let attempt = 0; attempt < PROVE_ATTEMPTS_MAX; attempt++) {
      await chain.applying();
      const before = chain.tip();
      const subject = await this.#subject(question).catch(refusalOfPruned);
      if (!subject.ok) return subject;
      if (chain.applying() !== null || chain.tip() !== before) continue;
      return makeProof(subject.value, chain.state, this.#way(start));
    }
    return fail({ code: 'PROOF_BUSY', attempts: PROVE_ATTEMPTS_MAX });
  }

  /** See `Ledger.lightUpdate`. */
  lightUpdate(start: ProofStart): Result<EncodedLightUpdate, Refusal> {
    return makeLightUpdate(this.#way(start));
  }

  #way({ fromHeight = 0 }: ProofStart): Way {
    const chain = this.#chain;
    return { tip: chain.tip(), committeeAt: (height) => chain.committeeAt(height), changes: this.#changes, fromHeight };
  }

  async #subject(question: ProofQuestion): Promise<Result<ProofSubject, Refusal>> {
    const { records, state } = this.#chain;
    const { service } = question;
    if ('key' in question) {
      const { key } = question;
      if (key === '') return fail({ code: 'KEY_INVALID', key });
      const record = await records.latest(service, key);
      return ok(record === undefined ? { kind: 'absent', service, key } : { kind: 'latest', record });
    }
    const { index } = question;
    const { recordCount } = state.value(RECORD_LOG, service) ?? { recordCount: 0 };
    if (!Number.isSafeInteger(index) || index < 0 || index >= recordCount)
      return fail({ code: 'RECORD_UNKNOWN', service, index, recordCount });
    return ok({ kind: 'included', record: await records.record(service, index) });
  }
}

/** What is no longer here is for the asker to know; anything else that is thrown is not. */
function refusalOfPruned(error: unknown): Result<never, Refusal> {
  if (error instanceof LedgerError && error.code === 'RECORD_PRUNED') return fail({ code: error.code, ...error.fields });
  throw error;
}
