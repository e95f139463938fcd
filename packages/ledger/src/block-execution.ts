import { type Address, fail, type Hash, ok, type Refusal, type Result, toHex } from '@nacre/base';
import type { Committee } from '@nacre/consensus';
import { updateTree } from '@nacre/crypto';
import type { BlockEffects, FailureReason, Outcome } from './block-effects.ts';
import type { CommittedState } from './committed-state.ts';
import { executeOperation } from './execute-operation.ts';
import type { Genesis } from './genesis.ts';
import { Overlay } from './overlay.ts';
import { useBytes } from './quota.ts';
import { RecordAppends } from './record-appends.ts';
import { ACCOUNT } from './state-kinds.ts';
import type { Transaction } from './transaction.ts';

export interface ExecutionContext {
  readonly genesis: Genesis;
  readonly committee: Committee;
  readonly height: number;
  /** Of the block. */
  readonly timeMs: number;
  /** As of the parent. */
  readonly state: CommittedState;
  /** Whether an earlier block holds this transaction. */
  readonly isIncluded: (txId: Hash) => boolean;
}

/** One block's execution on top of its parent's state: transactions in order, then `seal`. Deterministic, and writes nothing. */
export class BlockExecution {
  readonly overlay: Overlay;
  readonly #context: ExecutionContext;
  readonly #appends = new RecordAppends();
  readonly #included = new Set<string>();
  readonly #outcomes: Outcome[] = [];

  constructor(context: ExecutionContext) {
    this.#context = context;
    this.overlay = new Overlay(context.state);
  }

  /**
   * Runs one transaction whose signature is (or will be) verified with the account's key before this block.
   *
   * @returns its outcome; or why no block at this place may hold it, and then nothing has changed: `EXPIRED`, `TOO_FAR_AHEAD`, `DUPLICATE`,
   * `UNKNOWN_ACCOUNT`, `QUOTA_EXCEEDED`
   */
  include(transaction: Transaction): Result<Outcome, Refusal> {
    const sponsor = this.admit(transaction);
    if (!sponsor.ok) return sponsor;
    const outcome = this.#run(transaction, sponsor.value);
    this.#included.add(toHex(transaction.txId));
    this.#outcomes.push(outcome);
    return ok(outcome);
  }

  /**
   * What `include` asks before it runs a transaction: whether a block at this place may hold it, however it ends there. Its bytes are counted
   * on the quota.
   *
   * @returns the sponsor whose quota it uses, or a refusal of `include`
   */
  admit({ txId, contents, bytes }: Transaction): Result<Address, Refusal> {
    const { genesis, committee, timeMs } = this.#context;
    const { account, validUntilMs } = contents;
    const latestMs = timeMs + genesis.parameters.validityWindowMs;
    if (validUntilMs < timeMs) return fail({ code: 'EXPIRED', validUntilMs, timeMs });
    if (validUntilMs > latestMs) return fail({ code: 'TOO_FAR_AHEAD', validUntilMs, latestMs });
    const id = toHex(txId);
    if (this.#included.has(id) || this.#context.isIncluded(txId)) return fail({ code: 'DUPLICATE', txId: id });
    // The state before the block: signatures are checked before it runs, against keys that are decided.
    const signer = this.overlay.before(ACCOUNT, account);
    if (signer === undefined) return fail({ code: 'UNKNOWN_ACCOUNT', account: toHex(account) });
    const use = { sponsor: signer.sponsor, bytes: bytes.length, timeMs };
    const quota = useBytes(this.overlay, use, { committee, parameters: genesis.parameters });
    return quota.ok ? ok(signer.sponsor) : quota;
  }

  #run(transaction: Transaction, sponsor: Address): Outcome {
    const { genesis, committee, height, timeMs } = this.#context;
    const { scheme, parameters } = genesis;
    const place = { scheme, parameters, committee, height, timeMs, overlay: this.overlay, appends: this.#appends, transaction, sponsor };
    const appended = this.#appends.length;
    const reason = this.overlay.attempt((): FailureReason | null => {
      for (const [operation, content] of transaction.contents.operations.entries()) {
        const code = executeOperation(content, { ...place, operation });
        if (code !== null) return { code, operation };
      }
      return null;
    });
    if (reason === null) return { status: 'committed' };
    this.#appends.truncate(appended);
    return { status: 'failed', reason };
  }

  /** Hashes what has changed into the state tree. Call once, last. */
  seal(): BlockEffects {
    const { state } = this.#context;
    const { latest, ...appended } = this.#appends.seal(this.overlay, state.logTiles);
    const values = this.overlay.writes();
    const updates = values.map(({ stateKey, valueHash }) => ({ key: stateKey, valueHash }));
    const { root, pages } = updateTree(state.pages, state.root, [...updates, ...latest]);
    return { ...appended, stateRoot: root, outcomes: this.#outcomes, values, pages };
  }
}
