import {
  assert,
  concatBytes,
  fail,
  HASH_BYTES,
  type Hash,
  keyOf,
  ok,
  type Refusal,
  type Result,
  type Store,
  type StoreOperation,
  toHex,
} from '@nacre/base';
import { bodyKey, bodyOperation, expiredKey, type Ledger, pendingKey, pendingRange, type Transaction } from '@nacre/ledger';
import type { ReplicaConfiguration } from './configuration.ts';

/** Entries read per step while the pending transactions are read back after a start. */
const RESTORE_PAGE = 256;
/** What a peer told us is stored once it has waited this long, in ms: most of it is decided before, and then stored with its block. */
const HEARD_STORED_AFTER_MS = 5_000;
/** Last byte of a stored pending entry: whether a client was promised the transaction by this node. */
const HEARD = 0;
const ACKNOWLEDGED = 1;

interface Pending {
  readonly transaction: Transaction;
  /** Under which the maps below hold it, by transaction, by body and by account. */
  readonly id: string;
  readonly bodyId: string;
  readonly accountId: string;
  /** A client was told that we have it: we keep offering it to the network until it is final. */
  acknowledged: boolean;
  /** Synced, or being synced by the write behind this promise; null for what only a peer told us. */
  durable: Promise<void> | null;
  /** Whether the store has taken the body and the entry, synced or not; no write under way counts. */
  stored: boolean;
  /** When it came, or was last sent. */
  sentAtMs: number;
}

interface QueuedWrite {
  readonly operations: readonly StoreOperation[];
  readonly sync: boolean;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

interface Dependencies {
  readonly ledger: Ledger;
  readonly store: Store;
}

type Bounds = Pick<ReplicaConfiguration, 'pendingCountMax' | 'pendingBytesMax' | 'accountShareDivisor'>;

/**
 * The transactions that wait for a block: bounded, fair between accounts, and durable for those that a client was told
 * are admitted. Holds only transactions whose signature was verified.
 */
export class Mempool {
  readonly #ledger: Ledger;
  readonly #store: Store;
  readonly #bounds: Bounds;
  readonly #byId = new Map<string, Pending>();
  readonly #byBody = new Map<string, Pending>();
  /** Those that a client was promised, the one sent least recently first. */
  readonly #acknowledged = new Map<string, Pending>();
  /** Those in memory only, in order of arrival. */
  readonly #unstored = new Map<string, Pending>();
  /** Queues in order of arrival, one per account; an account without pending transactions has none. */
  readonly #byAccount = new Map<string, { bytes: number; readonly queue: Map<string, Pending> }>();
  #bytes = 0;
  /** Of what was pending here, the bytes that the last block has decided. */
  #decidedBytes = 0;
  /** Nothing pending expires before this block time, so most blocks need no look at every entry. */
  #earliestExpiryMs = Number.POSITIVE_INFINITY;
  #writes: QueuedWrite[] = [];
  #isWriting = false;

  constructor(bounds: Bounds, { ledger, store }: Dependencies) {
    this.#bounds = bounds;
    this.#ledger = ledger;
    this.#store = store;
  }

  get count(): number {
    return this.#byId.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  has(txId: Hash): boolean {
    return this.#byId.has(keyOf(txId));
  }

  get(txId: Hash): Transaction | undefined {
    return this.#byId.get(keyOf(txId))?.transaction;
  }

  withBody(bodyHash: Hash): Transaction | undefined {
    return this.#byBody.get(keyOf(bodyHash))?.transaction;
  }

  /** Whether the store has a body already; undefined for one that is not pending here. */
  isStored(bodyHash: Hash): boolean | undefined {
    return this.#byBody.get(keyOf(bodyHash))?.stored;
  }

  /** Whether the last block was half full at least, and more waits: then it waits for room, and not because nobody else has it. */
  get waitsForRoom(): boolean {
    return this.#byId.size > 0 && 2 * this.#decidedBytes >= this.#ledger.parameters.blockBytesMax;
  }

  /** Whether a client was promised this transaction here and it is not final yet. */
  isAcknowledged(txId: Hash): boolean {
    return this.#byId.get(keyOf(txId))?.acknowledged ?? false;
  }

  /**
   * Takes a verified, admissible transaction that a client handed in here.
   *
   * @param alongside stored by the same synced write; for a transaction that nobody else can have handed in before
   * @returns once it is durable: from then on it survives any crash of this node. `MEMPOOL_FULL` and `ACCOUNT_FULL`
   *   are retryable; an own copy already pending is simply made durable.
   */
  async admit(transaction: Transaction, nowMs: number, alongside: readonly StoreOperation[] = []): Promise<Result<void>> {
    let pending = this.#byId.get(keyOf(transaction.txId));
    if (pending === undefined) {
      const refusal = this.#refusal(transaction);
      if (refusal !== null) return fail(refusal);
      pending = this.#insert(transaction, nowMs);
    }
    assert(pending.durable === null || alongside.length === 0, 'what is stored alongside a transaction comes with its first admission');
    pending.durable ??= this.#save(pending, [...this.#operations(pending.transaction, ACKNOWLEDGED), ...alongside], true);
    try {
      await pending.durable;
    } catch (cause) {
      pending.durable = null;
      if (!pending.acknowledged) this.#remove(pending);
      return fail({ code: 'STORE_FAILED', reason: cause instanceof Error ? cause.message : String(cause) });
    }
    this.#acknowledge(pending);
    return ok(undefined);
  }

  /**
   * Takes a verified, admissible transaction that a peer told us of. It stays in memory at first: the node that acknowledged it answers for
   * it, and the synced write of the block that lists it stores its body.
   *
   * @returns whether it was new and fitted
   */
  hear(transaction: Transaction, nowMs: number): boolean {
    if (this.has(transaction.txId) || this.#refusal(transaction) !== null) return false;
    const pending = this.#insert(transaction, nowMs);
    this.#unstored.set(pending.id, pending);
    return true;
  }

  /** Stores what has been in memory only for long: without a quorum it may wait for hours, and the disk of whoever acknowledged it may fail. */
  storeHeard(nowMs: number): void {
    for (const [id, pending] of this.#unstored) {
      if (nowMs - pending.sentAtMs < HEARD_STORED_AFTER_MS) break;
      this.#unstored.delete(id);
      // A store that fails here fails again at the next block's synced write, where it stops the replica.
      this.#save(pending, this.#operations(pending.transaction, HEARD), false).catch(() => {});
    }
  }

  /** Round-robin over the accounts, oldest first within each, so that no account can keep another out of the blocks. */
  *candidates(): Generator<Transaction> {
    let turns = [...this.#byAccount.values()].map(({ queue }) => queue.values());
    while (turns.length > 0) {
      const next: typeof turns = [];
      for (const turn of turns) {
        const entry = turn.next();
        if (entry.done) continue;
        yield entry.value.transaction;
        next.push(turn);
      }
      turns = next;
    }
  }

  /**
   * Acknowledged transactions not sent for `intervalMs`, those first that were not sent for longest; marks them as sent now.
   *
   * @param limits `bytes`: none is added once so many are reached
   */
  dueForSending(nowMs: number, intervalMs: number, limits: { readonly count: number; readonly bytes: number }): Transaction[] {
    const due: Pending[] = [];
    let bytes = 0;
    for (const pending of this.#acknowledged.values()) {
      if (due.length === limits.count || bytes >= limits.bytes || nowMs - pending.sentAtMs < intervalMs) break;
      bytes += pending.transaction.bytes.length;
      due.push(pending);
    }
    for (const pending of due) {
      pending.sentAtMs = nowMs;
      this.#acknowledged.delete(pending.id);
      this.#acknowledge(pending);
    }
    return due.map(({ transaction }) => transaction);
  }

  /**
   * Drops what the block at the tip has decided, and what can no longer be: its time is past their validity.
   *
   * @returns when the store can tell what has expired; what was decided it can tell before
   */
  async settle(decided: readonly Hash[], blockTimeMs: number): Promise<void> {
    const operations: StoreOperation[] = [];
    this.#decidedBytes = 0;
    for (const txId of decided) {
      const pending = this.#byId.get(keyOf(txId));
      if (pending === undefined) continue;
      this.#remove(pending);
      this.#decidedBytes += pending.transaction.bytes.length;
      // Entries of what is decided are dropped after a restart as well, so nobody waits for this write and nothing hangs on it.
      if (pending.stored) operations.push({ type: 'delete', key: pendingKey(txId) });
    }
    const settled = operations.length;
    if (this.#earliestExpiryMs < blockTimeMs) {
      this.#earliestExpiryMs = Number.POSITIVE_INFINITY;
      for (const pending of [...this.#byId.values()]) {
        const { validUntilMs } = pending.transaction.contents;
        if (validUntilMs >= blockTimeMs) {
          this.#earliestExpiryMs = Math.min(this.#earliestExpiryMs, validUntilMs);
          continue;
        }
        this.#remove(pending);
        operations.push(...this.#expiry(pending.transaction));
      }
    }
    if (operations.length === 0) return;
    const written = this.#write(operations, false);
    if (operations.length > settled) await written;
    else written.catch(() => {});
  }

  /** Whether a client was promised something here that is not final. */
  get hasPromises(): boolean {
    return this.#acknowledged.size > 0;
  }

  /**
   * Call before a snapshot is taken over: of what cannot come any more after its block, nobody here will know whether it came before. It is
   * forgotten, durably, and is not said to have expired.
   *
   * @returns how many of them a client was promised
   */
  async leapTo(timeMs: number): Promise<number> {
    const passed = [...this.#byId.values()].filter(({ transaction }) => transaction.contents.validUntilMs < timeMs);
    for (const pending of passed) this.#remove(pending);
    if (passed.length > 0)
      await this.#write(
        passed.map(({ transaction }) => ({ type: 'delete', key: pendingKey(transaction.txId) })),
        true,
      );
    return passed.filter(({ acknowledged }) => acknowledged).length;
  }

  /** Call after a snapshot was taken over: drops what its ids have shown to be in a block. */
  async dropIncluded(): Promise<void> {
    const included = [...this.#byId.values()].filter(({ transaction }) => this.#ledger.isIncluded(transaction.txId));
    await this.settle(
      included.map(({ transaction }) => transaction.txId),
      this.#ledger.tip.timeMs,
    );
  }

  /** Reads back what was admitted before the process ended. Call once, before anything else. */
  async restore(nowMs: number): Promise<void> {
    assert(this.#byId.size === 0, 'the mempool is restored before it is used');
    let { gte, lt } = pendingRange();
    const stale: StoreOperation[] = [];
    for (;;) {
      const entries = await this.#store.scan({ gte, lt, limit: RESTORE_PAGE });
      for (const { key, value } of entries) {
        const body = this.#store.get(bodyKey(value.subarray(0, HASH_BYTES)));
        const decoded = body === undefined ? undefined : this.#ledger.read(body);
        if (decoded === undefined || !decoded.ok || this.#ledger.transactionStatus(decoded.value.txId) !== undefined) {
          stale.push({ type: 'delete', key });
        } else if (decoded.value.contents.validUntilMs < this.#ledger.tip.timeMs) {
          stale.push(...this.#expiry(decoded.value));
        } else {
          const pending = this.#insert(decoded.value, nowMs);
          pending.stored = true;
          // Acknowledged, but not taken for synced: what a killed process wrote may stand in memory only.
          if (value[HASH_BYTES] === ACKNOWLEDGED) this.#acknowledge(pending);
        }
      }
      const last = entries.at(-1);
      if (entries.length < RESTORE_PAGE || last === undefined) break;
      gte = new Uint8Array([...last.key, 0]);
    }
    if (stale.length > 0) await this.#write(stale, false);
  }

  #expiry(transaction: Transaction): StoreOperation[] {
    // It may stand in a block that is not here: then it has not expired, and how it ended is not known.
    if (this.#ledger.isIncluded(transaction.txId)) return [{ type: 'delete', key: pendingKey(transaction.txId) }];
    return [
      { type: 'put', key: expiredKey(transaction.txId), value: this.#ledger.expiredValue() },
      { type: 'delete', key: pendingKey(transaction.txId) },
      { type: 'delete', key: bodyKey(transaction.bodyHash) },
    ];
  }

  #operations(transaction: Transaction, standing: number): StoreOperation[] {
    const value = concatBytes(transaction.bodyHash, Uint8Array.of(standing));
    return [bodyOperation(transaction), { type: 'put', key: pendingKey(transaction.txId), value }];
  }

  #refusal(transaction: Transaction): Refusal | null {
    const { pendingCountMax, pendingBytesMax, accountShareDivisor } = this.#bounds;
    const size = transaction.bytes.length;
    // It may have been decided while its signature was verified. Pending, it would expire one day and take its block's body along.
    if (this.#ledger.transactionStatus(transaction.txId) !== undefined || this.#ledger.isIncluded(transaction.txId))
      return { code: 'DUPLICATE', txId: toHex(transaction.txId) };
    if (this.#byId.size >= pendingCountMax || this.#bytes + size > pendingBytesMax) {
      return { code: 'MEMPOOL_FULL', count: this.#byId.size, bytes: this.#bytes, pendingCountMax, pendingBytesMax };
    }
    const account = this.#byAccount.get(keyOf(transaction.contents.account));
    if (account === undefined) return null;
    if (account.queue.size >= pendingCountMax / accountShareDivisor || account.bytes + size > pendingBytesMax / accountShareDivisor) {
      return { code: 'ACCOUNT_FULL', count: account.queue.size, bytes: account.bytes };
    }
    return null;
  }

  #insert(transaction: Transaction, nowMs: number): Pending {
    const [id, bodyId, accountId] = [keyOf(transaction.txId), keyOf(transaction.bodyHash), keyOf(transaction.contents.account)];
    const pending: Pending = { transaction, id, bodyId, accountId, acknowledged: false, durable: null, stored: false, sentAtMs: nowMs };
    this.#byId.set(id, pending);
    this.#earliestExpiryMs = Math.min(this.#earliestExpiryMs, transaction.contents.validUntilMs);
    this.#byBody.set(bodyId, pending);
    let account = this.#byAccount.get(accountId);
    if (account === undefined) {
      account = { bytes: 0, queue: new Map() };
      this.#byAccount.set(accountId, account);
    }
    account.queue.set(id, pending);
    account.bytes += transaction.bytes.length;
    this.#bytes += transaction.bytes.length;
    return pending;
  }

  /** From now on the network is offered it until it is final. Nothing to do if it is final already. */
  #acknowledge(pending: Pending): void {
    pending.acknowledged = true;
    if (this.#byId.get(pending.id) === pending) this.#acknowledged.set(pending.id, pending);
  }

  #remove({ transaction, id, bodyId, accountId }: Pending): void {
    if (!this.#byId.delete(id)) return;
    this.#acknowledged.delete(id);
    this.#unstored.delete(id);
    this.#byBody.delete(bodyId);
    this.#bytes -= transaction.bytes.length;
    const account = this.#byAccount.get(accountId);
    if (account === undefined) return;
    account.queue.delete(id);
    account.bytes -= transaction.bytes.length;
    if (account.queue.size === 0) this.#byAccount.delete(accountId);
  }

  async #save(pending: Pending, operations: readonly StoreOperation[], sync: boolean): Promise<void> {
    this.#unstored.delete(pending.id);
    await this.#write(operations, sync);
    pending.stored = true;
  }

  /** Group commit: whatever gathers while one write is under way goes into the next, under one sync. */
  #write(operations: readonly StoreOperation[], sync: boolean): Promise<void> {
    const done = new Promise<void>((resolve, reject) => {
      this.#writes.push({ operations, sync, resolve, reject });
    });
    if (!this.#isWriting) void this.#flush();
    return done;
  }

  async #flush(): Promise<void> {
    this.#isWriting = true;
    while (this.#writes.length > 0) {
      const batch = this.#writes;
      this.#writes = [];
      try {
        await this.#store.write(
          batch.flatMap(({ operations }) => operations),
          { sync: batch.some(({ sync }) => sync) },
        );
        for (const { resolve } of batch) resolve();
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.#isWriting = false;
  }
}
