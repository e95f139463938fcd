import { type Address, fail, type Hash, keyOf, ok, type Refusal, type Result, toHex } from '@nacre/base';
import type { Committee } from '@nacre/consensus';
import { updateTree } from '@nacre/crypto';
import { signingKey } from './account-keys.ts';
import type { BlockEffects, FailureCode, Outcome } from './block-effects.ts';
import type { CommittedState } from './committed-state.ts';
import { endEpoch } from './end-epoch.ts';
import type { EpochStart } from './epoch-book.ts';
import { type EpochInfo, endsEpoch } from './epoch-info.ts';
import { executeOperation } from './execute-operation.ts';
import type { Genesis } from './genesis.ts';
import type { Operation } from './operation.ts';
import { Overlay } from './overlay.ts';
import { useBytes } from './quota.ts';
import { RecordAppends } from './record-appends.ts';
import { ACCOUNT } from './state-kinds.ts';
import { checkLimits, type Transaction } from './transaction.ts';

export interface ExecutionContext {
  readonly genesis: Genesis;
  readonly epoch: EpochStart;
  /** The committee of the epoch after, unless somebody is quarantined before. */
  readonly scheduled: () => Committee;
  /** See `Ledger.epochOf`. */
  readonly epochOf: (height: number) => EpochInfo | undefined;
  readonly height: number;
  /** Of the block. */
  readonly timeMs: number;
  /** As of the parent. */
  readonly state: CommittedState;
  /** Whether an earlier block holds this transaction. */
  readonly isIncluded: (txId: Hash) => boolean;
}

interface Admitted {
  readonly sponsor: Address;
  readonly isRetired: boolean;
}

/** One block's execution on top of its parent's state: transactions in order, then `seal`. Deterministic, and writes nothing. */
export class BlockExecution {
  readonly overlay: Overlay;
  readonly #context: ExecutionContext;
  readonly #appends = new RecordAppends();
  readonly #included = new Set<string>();
  readonly #outcomes: Outcome[] = [];
  #failure: Refusal | null = null;

  constructor(context: ExecutionContext) {
    this.#context = context;
    this.overlay = new Overlay(context.state);
  }

  /**
   * Runs one transaction whose signature is (or will be) verified with the account's key before this block.
   *
   * @returns its outcome; or why no block at this place may hold it, and then nothing has changed: `EXPIRED`, `TOO_FAR_AHEAD`, `DUPLICATE`,
   * `UNKNOWN_ACCOUNT`, `KEY_UNKNOWN`, `QUOTA_EXCEEDED`, `EVIDENCE_AHEAD`, `EVIDENCE_VALIDATOR`, and codes of `checkLimits`
   */
  include(transaction: Transaction): Result<Outcome, Refusal> {
    const admitted = this.admit(transaction);
    if (!admitted.ok) return admitted;
    const { sponsor, isRetired } = admitted.value;
    const outcome = isRetired ? this.#fail({ code: 'KEY_RETIRED', operation: 0 }) : this.#run(transaction, sponsor);
    this.#included.add(keyOf(transaction.txId));
    this.#outcomes.push(outcome);
    return ok(outcome);
  }

  /**
   * What `include` asks before it runs a transaction: whether a block at this place may hold it, however it ends there. Its bytes are counted
   * on the quota.
   *
   * @returns the sponsor whose quota it uses and whether its key is one that has no effect any more, or a refusal of `include`
   */
  admit(transaction: Transaction): Result<Admitted, Refusal> {
    const { txId, contents, bytes } = transaction;
    const { genesis, epoch, timeMs } = this.#context;
    const { committee } = epoch.info;
    const { parameters } = epoch;
    const { account, validUntilMs } = contents;
    // It may have been checked when other limits were in force.
    const within = transaction.limits === parameters ? ok(undefined) : checkLimits(transaction, { scheme: genesis.scheme, parameters });
    if (!within.ok) return within;
    const latestMs = timeMs + parameters.validityWindowMs;
    const evidence = this.#checkEvidence(contents.operations);
    if (!evidence.ok) return evidence;
    if (validUntilMs < timeMs) return fail({ code: 'EXPIRED', validUntilMs, timeMs });
    if (validUntilMs > latestMs) return fail({ code: 'TOO_FAR_AHEAD', validUntilMs, latestMs });
    if (this.#included.has(keyOf(txId)) || this.#context.isIncluded(txId)) return fail({ code: 'DUPLICATE', txId: toHex(txId) });
    // The state before the block: signatures are checked before it runs, against keys that are decided.
    const signer = this.overlay.before(ACCOUNT, account);
    if (signer === undefined) return fail({ code: 'UNKNOWN_ACCOUNT', account: toHex(account) });
    const key = signingKey(signer, contents);
    if (key === undefined) return fail({ code: 'KEY_UNKNOWN', account: toHex(account), keyId: toHex(contents.keyId) });
    const sponsor = committee.indexOf(account) === null ? signer.sponsor : account;
    const quota = useBytes(this.overlay, { sponsor, bytes: bytes.length, timeMs }, { committee, parameters });
    return quota.ok ? ok({ sponsor, isRetired: key.isRetired }) : quota;
  }

  /** Nobody can verify evidence of a height beyond, or of someone whom its committee did not have: what cannot be verified is in no block. */
  #checkEvidence(operations: readonly Operation[]): Result<void, Refusal> {
    for (const operation of operations) {
      if (operation.kind !== 'evidence') continue;
      const { height } = operation.equivocation.first;
      const { validator } = operation.equivocation;
      const epoch = this.#context.epochOf(height);
      if (epoch === undefined) return fail({ code: 'EVIDENCE_AHEAD', height, blockHeight: this.#context.height });
      if (validator >= epoch.committee.size) return fail({ code: 'EVIDENCE_VALIDATOR', height, validator });
    }
    return ok(undefined);
  }

  /** Why the last transaction that was included has failed, with the fields that its final status has no room for; null if it has not. */
  get failure(): Refusal | null {
    return this.#failure;
  }

  #run(transaction: Transaction, sponsor: Address): Outcome {
    const { genesis, epoch, scheduled, epochOf, height, timeMs } = this.#context;
    const { scheme, allowLargeWeights } = genesis;
    const { info, parameters } = epoch;
    const { committee } = info;
    const inForce = { scheme, allowLargeWeights, parameters, info, committee, scheduled, epochOf };
    const place = { ...inForce, height, timeMs, overlay: this.overlay, appends: this.#appends, transaction, sponsor };
    const appended = this.#appends.length;
    const failure = this.overlay.attempt((): (Refusal<FailureCode> & { readonly operation: number }) | null => {
      for (const [operation, content] of transaction.contents.operations.entries()) {
        const refusal = executeOperation(content, { ...place, operation });
        if (refusal !== null) return { ...refusal, operation };
      }
      return null;
    });
    this.#failure = null;
    if (failure === null) return { status: 'committed' };
    this.#appends.truncate(appended);
    return this.#fail(failure);
  }

  #fail(failure: Refusal<FailureCode> & { readonly operation: number }): Outcome {
    this.#failure = failure;
    return { status: 'failed', reason: { code: failure.code, operation: failure.operation } };
  }

  /** Ends the epoch if the block is its last one, and hashes what has changed into the state tree. Call once, last. */
  seal(): BlockEffects {
    const { state } = this.#context;
    const nextEpoch = this.#endEpoch();
    const { latest, ...appended } = this.#appends.seal(this.overlay, state);
    const values = this.overlay.writes();
    const updates = values.map(({ stateKey, valueHash }) => ({ key: stateKey, valueHash }));
    const { root, pages } = updateTree(state.pages, state.root, [...updates, ...latest]);
    return { ...appended, stateRoot: root, nextEpoch, outcomes: this.#outcomes, values, pages };
  }

  #endEpoch(): EpochStart | null {
    const { genesis, epoch, scheduled, height, timeMs } = this.#context;
    const { info, parameters } = epoch;
    if (!endsEpoch({ height, timeMs }, info, parameters)) return null;
    const { allowLargeWeights } = genesis;
    return endEpoch(this.overlay, { info, height, timeMs, scheduled: scheduled(), allowLargeWeights });
  }
}
