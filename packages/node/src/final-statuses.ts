import { FINAL_STATUS_WAITS_MAX, type Hash, toHex } from '@nacre/base';
import type { Applied } from '@nacre/ledger';
import type { SubmissionStatus } from '@nacre/replica';
import type { Wait } from './backend.ts';

interface Waiter {
  readonly txId: Hash;
  readonly validUntilMs: number;
  resolve(status: SubmissionStatus): void;
}

/** Those who wait for transactions to become final. */
export class FinalStatuses {
  readonly #statusOf: (txId: Hash) => SubmissionStatus;
  readonly #waiters = new Map<string, Set<Waiter>>();
  #reserved = 0;

  constructor(statusOf: (txId: Hash) => SubmissionStatus) {
    this.#statusOf = statusOf;
  }

  /** @returns null at `FINAL_STATUS_WAITS_MAX` */
  reserve(): Wait | null {
    if (this.#reserved >= FINAL_STATUS_WAITS_MAX) return null;
    this.#reserved++;
    let released = false;
    return {
      until: (transaction, limits) => this.#until(transaction, limits),
      release: () => {
        if (!released) this.#reserved--;
        released = true;
      },
    };
  }

  /** Call after each block, when its statuses can be read. */
  decided({ statuses, timeMs }: Applied): void {
    if (this.#waiters.size === 0) return;
    for (const { txId } of statuses) this.#settle(toHex(txId));
    for (const [id, waiters] of this.#waiters) {
      for (const { validUntilMs } of waiters) if (validUntilMs < timeMs) this.#settle(id);
    }
  }

  /** Ends every wait with what is known. */
  end(): void {
    for (const id of [...this.#waiters.keys()]) this.#settle(id);
  }

  #settle(id: string): void {
    const waiters = this.#waiters.get(id);
    if (waiters === undefined) return;
    this.#waiters.delete(id);
    for (const waiter of waiters) waiter.resolve(this.#statusOf(waiter.txId));
  }

  async #until(
    { txId, validUntilMs }: { readonly txId: Hash; readonly validUntilMs: number },
    { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal },
  ): Promise<SubmissionStatus> {
    const status = this.#statusOf(txId);
    if (status.status !== 'admitted' || timeoutMs === 0 || signal.aborted) return status;
    const id = toHex(txId);
    return new Promise((resolve) => {
      const end = (): void => waiter.resolve(this.#statusOf(txId));
      const timer = setTimeout(end, timeoutMs);
      const waiter: Waiter = {
        txId,
        validUntilMs,
        resolve: (final) => {
          clearTimeout(timer);
          signal.removeEventListener('abort', end);
          const waiters = this.#waiters.get(id);
          waiters?.delete(waiter);
          if (waiters?.size === 0) this.#waiters.delete(id);
          resolve(final);
        },
      };
      signal.addEventListener('abort', end);
      const waiters = this.#waiters.get(id) ?? new Set();
      this.#waiters.set(id, waiters.add(waiter));
    });
  }
}
