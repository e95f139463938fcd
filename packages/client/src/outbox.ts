import { bytesEqual } from '@nacre/base';
import { decodeTransaction, type Genesis, NONCE_BYTES, type Operation, type Transaction } from '@nacre/ledger';
import type { AccountKey } from './account-key.ts';
import type { NacreClient } from './client.ts';
import { NacreClientError } from './client-error.ts';
import { OUTBOX_BYTES_MAX, OUTBOX_ID_LENGTH_MAX, OUTBOX_ITEMS_MAX, OUTBOX_SENDING_MAX, VALID_FOR_MS } from './client-limits.ts';
import { decodeContent, encodeContent } from './outbox-content.ts';
import { OutboxEntry, type OutboxEntryContext, type OutboxItem, type OutboxOutcome, type OutboxTask } from './outbox-entry.ts';
import type { OutboxStore, StoredItem } from './outbox-store.ts';
import { type SignRequest, signOperations } from './sign-operations.ts';
import { Slots } from './slots.ts';

export interface OutboxOptions {
  /** Signs; the same one as long as there are items. */
  readonly account: AccountKey;
  /**
   * Is told how each item ended, those of earlier processes included, before the item leaves. If it throws, it is told again later; after a
   * crash perhaps twice.
   */
  readonly onFinal: (outcome: OutboxOutcome) => unknown;
  /** How long a transaction may take until it is decided, in ms, by default two minutes; then it is signed anew. */
  readonly validForMs?: number;
}

export interface OutboxDependencies {
  /** Connected with the network's genesis. */
  readonly client: NacreClient;
  /** The outbox closes it. */
  readonly store: OutboxStore;
}

/**
 * Signed transactions that take effect once, whatever happens to this program and to the nodes: they are kept until they are final, sent
 * until then to whichever node is there, and signed anew only when no block can hold them any more.
 */
export class Outbox {
  readonly #account: AccountKey;
  readonly #validForMs: number;
  readonly #genesis: Genesis;
  readonly #store: OutboxStore;
  readonly #context: OutboxEntryContext;
  readonly #closing = new AbortController();
  readonly #entries = new Map<string, OutboxEntry>();
  readonly #carried = new Map<string, Promise<void>>();
  /** Ids of items that are being stored, until they are or could not be. */
  readonly #storing = new Map<string, Promise<void>>();
  #bytes = 0;

  private constructor({ account, onFinal, validForMs = VALID_FOR_MS }: OutboxOptions, { client, store }: OutboxDependencies) {
    this.#account = account;
    this.#validForMs = validForMs;
    this.#genesis = client.genesis;
    this.#store = store;
    this.#context = {
      client,
      store,
      slots: new Slots(OUTBOX_SENDING_MAX),
      sign: (operations, afterMs) => this.#sign(operations, afterMs),
      onFinal,
      closing: this.#closing.signal,
    };
  }

  /**
   * Reads what is kept and goes on sending it.
   *
   * @throws {NacreClientError} `GENESIS_MISSING`, `OUTBOX_DAMAGED`, or `OUTBOX_FOREIGN` for items of another network or account; nothing is
   *   sent then, and nothing forgotten
   */
  static async open(options: OutboxOptions, dependencies: OutboxDependencies): Promise<Outbox> {
    try {
      const outbox = new Outbox(options, dependencies);
      const kept = await dependencies.store.read();
      const tasks = kept.map((stored) => [stored.id, outbox.#readTask(stored)] as const).sort(byAge);
      for (const [id, task] of tasks) {
        const bytes = sizeOf(task);
        outbox.#bytes += bytes;
        outbox.#add(id, task, { bytes, mayBeTaken: true });
      }
      return outbox;
    } catch (error) {
      await dependencies.store.close();
      throw error;
    }
  }

  /**
   * Takes operations to be carried out in one transaction. They are kept once this resolves. After an error of the store, submit them again under
   * the same id: should the disk have kept them after all, they are replaced.
   *
   * @param options `id`: yours for this item, at most 128 characters; while it is here, the same operations under it are the same item
   * @throws {NacreClientError} `OUTBOX_FULL`, `OUTBOX_CLOSED`, `OUTBOX_ID_INVALID`, `OUTBOX_ID_REUSED`, `TRANSACTION_INVALID`, and what the
   *   store throws; nothing is sent then
   */
  async submit(operations: readonly Operation[], { id = crypto.randomUUID() }: { readonly id?: string } = {}): Promise<OutboxItem> {
    this.#closing.signal.throwIfAborted();
    checkId(id);
    for (let storing = this.#storing.get(id); storing !== undefined; storing = this.#storing.get(id)) await storing;
    const known = this.#entries.get(id);
    if (known !== undefined) return this.#again(known, operations);
    const stored = this.#storeNew(id, operations).finally(() => this.#storing.delete(id));
    // Whoever else waits for it is not concerned by its failure.
    this.#storing.set(id, stored.then(nothing, nothing));
    return (await stored).item();
  }

  /** What has not left yet. */
  items(): OutboxItem[] {
    return [...this.#entries.values()].map((entry) => entry.item());
  }

  /** Resolves when nothing is left. @throws {NacreClientError} `OUTBOX_CLOSED` */
  async drained(): Promise<void> {
    while (this.#entries.size + this.#storing.size > 0) {
      await Promise.all([...this.#storing.values(), ...this.items().map(({ outcome }) => outcome)]);
    }
  }

  /** Stops sending. What is left is kept, and sent again by the next outbox on this store. */
  async close(): Promise<void> {
    if (!this.#closing.signal.aborted) this.#closing.abort(new NacreClientError('OUTBOX_CLOSED', 'the outbox is closed'));
    await Promise.all([...this.#storing.values(), ...this.#carried.values()]);
    await this.#store.close();
  }

  async #storeNew(id: string, operations: readonly Operation[]): Promise<OutboxEntry> {
    if (this.#entries.size + this.#storing.size >= OUTBOX_ITEMS_MAX) throw full({ itemsMax: OUTBOX_ITEMS_MAX });
    const transaction = await this.#sign(operations, 0);
    const bytes = transaction.bytes.length;
    if (this.#bytes + bytes > OUTBOX_BYTES_MAX) throw full({ bytesMax: OUTBOX_BYTES_MAX });
    this.#bytes += bytes;
    try {
      await this.#store.put({ id, content: encodeContent({ kind: 'transaction', tx: transaction.bytes }) });
    } catch (error) {
      this.#bytes -= bytes;
      // It may stand there nevertheless, and must not be sent one day after its submitter was told that it is not kept.
      await this.#store.remove(id).catch(() => {});
      throw error;
    }
    return this.#add(id, { kind: 'transaction', transaction }, { bytes, mayBeTaken: false });
  }

  #add(id: string, task: OutboxTask, { bytes, mayBeTaken }: { readonly bytes: number; readonly mayBeTaken: boolean }): OutboxEntry {
    const entry = new OutboxEntry(id, task, { ...this.#context, mayBeTaken });
    this.#entries.set(id, entry);
    const carried = entry.carry().then((outcome) => {
      this.#carried.delete(id);
      if (outcome === undefined) return entry.settled.reject(this.#closing.signal.reason);
      this.#entries.delete(id);
      this.#bytes -= bytes;
      entry.settled.resolve(outcome);
    });
    this.#carried.set(id, carried);
    return entry;
  }

  /** The same id again: with the same operations, signed alike, the transaction has the same id. */
  async #again(entry: OutboxEntry, operations: readonly Operation[]): Promise<OutboxItem> {
    const { id, task } = entry;
    if (task.kind === 'transaction') {
      const { txId, contents } = task.transaction;
      const again = await this.#build({ ...contents, operations });
      if (!bytesEqual(again.txId, txId)) {
        throw new NacreClientError('OUTBOX_ID_REUSED', `another item waits under the id ${id}`, {
          fields: { id },
          hint: 'Give each item an id of its own, or none.',
        });
      }
    }
    return entry.item();
  }

  async #sign(operations: readonly Operation[], afterMs: number): Promise<Transaction> {
    const nonce = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
    return this.#build({ operations, nonce, validUntilMs: Math.max(Date.now(), afterMs) + this.#validForMs });
  }

  async #build(contents: Pick<SignRequest, 'operations' | 'nonce' | 'validUntilMs'>): Promise<Transaction> {
    const { operations, nonce, validUntilMs } = contents;
    return signOperations({ genesis: this.#genesis, account: this.#account, operations, nonce, validUntilMs });
  }

  #readTask({ id, content }: StoredItem): OutboxTask {
    const read = decodeContent(content);
    if (!read.ok) throw damaged(id, read.error);
    if (read.value.kind === 'refused') return read.value;
    const decoded = decodeTransaction(read.value.tx, this.#genesis);
    if (!decoded.ok && decoded.error.code === 'WRONG_NETWORK') throw foreign(id, 'network');
    if (!decoded.ok) throw damaged(id, decoded.error.code);
    if (!bytesEqual(decoded.value.contents.account, this.#account.address)) throw foreign(id, 'account');
    return { kind: 'transaction', transaction: decoded.value };
  }
}

function nothing(): void {}

function sizeOf(task: OutboxTask): number {
  return task.kind === 'transaction' ? task.transaction.bytes.length : 0;
}

/** Oldest first. */
function byAge([, a]: readonly [string, OutboxTask], [, b]: readonly [string, OutboxTask]): number {
  const time = (task: OutboxTask): number => (task.kind === 'transaction' ? task.transaction.contents.validUntilMs : 0);
  return time(a) - time(b);
}

function checkId(id: string): void {
  if (id !== '' && id.length <= OUTBOX_ID_LENGTH_MAX && id.isWellFormed()) return;
  throw new NacreClientError('OUTBOX_ID_INVALID', 'not an id of an item', {
    fields: { id: id.slice(0, OUTBOX_ID_LENGTH_MAX) },
    hint: `Ids have 1 to ${OUTBOX_ID_LENGTH_MAX} characters.`,
  });
}

function full(fields: Readonly<Record<string, number>>): NacreClientError {
  const hint = 'Wait until items have left; if none do, look at their problem in items().';
  return new NacreClientError('OUTBOX_FULL', 'the outbox holds as much as it may', { fields, hint });
}

function damaged(id: string, problem: string): NacreClientError {
  return new NacreClientError('OUTBOX_DAMAGED', `what the outbox keeps of ${id} is damaged: ${problem}`, {
    fields: { id, problem },
    hint: 'Nothing was sent or forgotten. Restore the item from a copy, or take it out of the store.',
  });
}

function foreign(id: string, what: 'network' | 'account'): NacreClientError {
  return new NacreClientError('OUTBOX_FOREIGN', `the outbox keeps ${id} for another ${what}`, {
    fields: { id, what },
    hint: 'Each network and account needs an outbox of its own. Nothing was sent or forgotten.',
  });
}
