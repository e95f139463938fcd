/** What an outbox keeps of one item: opaque to the store. */
export interface StoredItem {
  /** 1 to 128 characters, one item each. */
  readonly id: string;
  readonly content: string;
}

/**
 * Where an outbox keeps its items. Only one outbox may use a store at a time: the store sees to that when it is opened, since two of them
 * would each sign an expired item anew.
 *
 * What these throw is handed on to whoever uses the outbox, or, where nobody waits, tried again later.
 */
export interface OutboxStore {
  /** All items, in any order. Throws rather than leave out one that is damaged. */
  read(): Promise<readonly StoredItem[]>;
  /** Keeps an item, in place of one with the same id: the old one or the new one whole, whatever happens. Durable once it resolves. */
  put(item: StoredItem): Promise<void>;
  /** Forgets an item. One that comes back after a crash does no harm. */
  remove(id: string): Promise<void>;
  /** Lets another outbox use the store. */
  close(): Promise<void>;
}
