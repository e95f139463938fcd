import { toHex } from '@nacre/base';
import type { Operation, Transaction } from '@nacre/ledger';
import type { NacreClient } from './client.ts';
import { NacreRpcError } from './client-error.ts';
import { OUTBOX_RETRY_MS, OUTBOX_RETRY_MS_MAX } from './client-limits.ts';
import { deferred } from './deferred.ts';
import { isNodeTrouble } from './failover.ts';
import { encodeContent } from './outbox-content.ts';
import type { OutboxStore } from './outbox-store.ts';
import { pause } from './pause.ts';
import type { Slots } from './slots.ts';
import { endingError } from './transaction-ending.ts';

/** How an item ended. */
export type OutboxOutcome = { readonly id: string; readonly txId: string } & (
  | { readonly status: 'committed'; readonly chain: number; readonly height: number; readonly index: number }
  /** It was decided without effect, or (`refused`) no node takes it and none has; `error` says why. */
  | { readonly status: 'failed' | 'refused'; readonly error: NacreRpcError }
);

/** An item that has not left its outbox. */
export interface OutboxItem {
  readonly id: string;
  /** Of the transaction that is being sent at present. Signed anew, the item has another one. */
  readonly txId: string;
  /** What the last attempt threw; null before, and while all is well. */
  readonly problem: unknown;
  /** Rejects with `OUTBOX_CLOSED` where the outbox is closed before. */
  readonly outcome: Promise<OutboxOutcome>;
}

/** What an item holds: a transaction to get decided, or what is still to be told of one. */
export type OutboxTask =
  | { readonly kind: 'transaction'; readonly transaction: Transaction }
  | { readonly kind: 'refused'; readonly txId: string; readonly error: NacreRpcError };

export interface OutboxEntryContext {
  readonly client: NacreClient;
  readonly store: OutboxStore;
  readonly slots: Slots;
  /** Signs operations in a transaction that is valid for a while after `afterMs`, or after now if that is later. */
  readonly sign: (operations: readonly Operation[], afterMs: number) => Promise<Transaction>;
  readonly onFinal: (outcome: OutboxOutcome) => unknown;
  readonly closing: AbortSignal;
}

/** What a node says of the way that a call came, not of the transaction in it. */
const ACCESS_ERRORS: ReadonlySet<string> = new Set([
  'HOST_FORBIDDEN',
  'ORIGIN_FORBIDDEN',
  'CONTENT_TYPE_UNSUPPORTED',
  'BODY_TOO_LARGE',
  'PATH_UNKNOWN',
  'HTTP_MALFORMED',
  'METHOD_NOT_FOUND',
  'INVALID_REQUEST',
]);

/** The way of one item, once it is stored, out of its outbox. */
export class OutboxEntry {
  readonly id: string;
  /** For whoever waits; the outbox settles it when it has forgotten the item. */
  readonly settled = deferred<OutboxOutcome>();
  readonly #context: OutboxEntryContext;
  #task: OutboxTask;
  /** Whether a node may have taken the transaction. */
  #mayBeTaken: boolean;
  /** Why the last node that had an answer would not take it. */
  #refusal: NacreRpcError | undefined;
  #outcome: OutboxOutcome | undefined;
  #isTold = false;
  #problem: unknown = null;
  #pauseMs = OUTBOX_RETRY_MS;

  /** @param mayBeTaken whether it may have been sent before */
  constructor(id: string, task: OutboxTask, { mayBeTaken, ...context }: OutboxEntryContext & { readonly mayBeTaken: boolean }) {
    this.id = id;
    this.#task = task;
    this.#mayBeTaken = mayBeTaken;
    this.#context = context;
  }

  get task(): OutboxTask {
    return this.#task;
  }

  item(): OutboxItem {
    const task = this.#task;
    const txId = task.kind === 'refused' ? task.txId : toHex(task.transaction.txId);
    return { id: this.id, txId, problem: this.#problem, outcome: this.settled.promise };
  }

  /** Goes on until the item may leave. @returns undefined where the outbox is closed before; never rejects */
  async carry(): Promise<OutboxOutcome | undefined> {
    const { slots, closing } = this.#context;
    while (!closing.aborted) {
      try {
        this.#outcome ??= await slots.run(() => this.#attempt());
        if (this.#outcome !== undefined) {
          await this.#leave(this.#outcome);
          return this.#outcome;
        }
      } catch (error) {
        this.#problem = error;
      }
      // Half to all of the pause, so that what failed together does not come back together.
      await pause(this.#pauseMs * (0.5 + Math.random() / 2), closing).catch(() => {});
      this.#pauseMs = Math.min(2 * this.#pauseMs, OUTBOX_RETRY_MS_MAX);
    }
    return undefined;
  }

  /** Tells first and forgets then, so that no outcome is lost; it may be told again after a crash in between. */
  async #leave(outcome: OutboxOutcome): Promise<void> {
    if (!this.#isTold) await this.#context.onFinal(outcome);
    this.#isTold = true;
    await this.#context.store.remove(this.id);
  }

  /** @returns undefined while it is not final */
  async #attempt(): Promise<OutboxOutcome | undefined> {
    const { client, closing } = this.#context;
    const task = this.#task;
    if (task.kind === 'refused') return { id: this.id, txId: task.txId, status: 'refused', error: task.error };
    try {
      const answer = await client.submitTransaction(task.transaction.bytes, { wait: 'committed', signal: closing });
      this.#mayBeTaken = true;
      this.#refusal = undefined;
      const { txId, status, chain, height, index } = answer;
      if (status === 'committed' && height !== null && index !== null) return { id: this.id, txId, status, chain, height, index };
    } catch (error) {
      closing.throwIfAborted();
      if (!(error instanceof NacreRpcError)) throw error;
      return this.#weigh(error, task.transaction);
    }
    this.#progressed();
    return undefined;
  }

  /** What a node's error means for the item. @throws the error, where it is to be sent again as it is */
  async #weigh(error: NacreRpcError, transaction: Transaction): Promise<OutboxOutcome | undefined> {
    const { code } = error;
    if (code === 'TRANSACTION_FAILED') return { id: this.id, txId: toHex(transaction.txId), status: 'failed', error };
    if (code === 'TRANSACTION_EXPIRED' || code === 'EXPIRED' || code === 'DUPLICATE') return this.#end(error, transaction);
    const isTrouble: boolean = isNodeTrouble(error);
    // An earlier attempt of the same call may have been heard although its answer was not.
    if (isTrouble || error.attempts > 1) this.#mayBeTaken = true;
    if (isTrouble || ACCESS_ERRORS.has(code)) throw error;
    this.#refusal = error.retryable ? undefined : error;
    if (this.#refusal !== undefined && !this.#mayBeTaken) return this.#refuse(this.#refusal, transaction);
    throw error;
  }

  /** A node says that the transaction is over. Only when no block can hold it any more may its operations be signed again. */
  async #end(error: NacreRpcError, transaction: Transaction): Promise<OutboxOutcome | undefined> {
    const { client, store, sign, closing } = this.#context;
    const { contents } = transaction;
    const txId = toHex(transaction.txId);
    const ending = await client.transactionEnding({ txId, validUntilMs: contents.validUntilMs }, { signal: closing });
    if (ending === null) throw error;
    if (ending.status === 'failed') return { id: this.id, txId, status: 'failed', error: endingError(ending) };
    if (ending.status === 'committed') {
      const { status, chain, height, index } = ending;
      return { id: this.id, txId, status, chain, height, index };
    }
    if (this.#refusal !== undefined) return this.#refuse(this.#refusal, transaction);
    const anew = await sign(contents.operations, ending.timeMs);
    await store.put({ id: this.id, content: encodeContent({ kind: 'transaction', tx: anew.bytes }) });
    this.#task = { kind: 'transaction', transaction: anew };
    this.#mayBeTaken = false;
    this.#progressed();
    return undefined;
  }

  /** Kept before it is told: sent again after a crash, it might be taken after all, though it was told that it is not. */
  async #refuse(error: NacreRpcError, transaction: Transaction): Promise<OutboxOutcome> {
    const txId = toHex(transaction.txId);
    await this.#context.store.put({ id: this.id, content: encodeContent({ kind: 'refused', txId, error }) });
    this.#task = { kind: 'refused', txId, error };
    return { id: this.id, txId, status: 'refused', error };
  }

  #progressed(): void {
    this.#problem = null;
    this.#pauseMs = OUTBOX_RETRY_MS;
  }
}
