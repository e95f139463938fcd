import { fromHex, HASH_BYTES, type Store, type StoreEntry, type StoreOperation, type StoreRange } from '@nacre/base';
import { bodyKey, isPendingKey, localRange } from './keys.ts';
import { storeDamage } from './store-damage.ts';
import { JOURNAL_MARK_KEY } from './vote-journal.ts';

/** Entries read and written at once. */
const PAGE = 256;

/** What a damaged store could still tell. */
export interface Salvaged {
  /** Entries taken over. */
  readonly entries: number;
  /** Values that are there and cannot be read. What is gone without a trace nobody can count. */
  readonly lost: number;
}

/**
 * Takes over what only this node knows from a damaged store into a new one: transactions that wait here, acknowledged ones among them, with
 * their bodies; which ones have expired; request ids; and the mark that tells when a vote journal has lost its end. The chain and its state
 * are left behind, because peers have them. Durable when it resolves.
 *
 * @throws what the new store throws; the old one's damage is counted
 */
export async function salvage(from: Store, to: Store): Promise<Salvaged> {
  let entries = 0;
  let lost = 0;
  const take = async (found: readonly StoreEntry[]): Promise<void> => {
    const operations: StoreOperation[] = found.map((entry) => ({ type: 'put', ...entry }));
    for (const { key, value } of found) {
      if (!isPendingKey(key)) continue;
      const body = bodyKey(value.subarray(0, HASH_BYTES));
      const bytes = readable(() => from.get(body));
      if (bytes instanceof Uint8Array) operations.push({ type: 'put', key: body, value: bytes });
      else lost++;
    }
    entries += found.length;
    await to.write(operations, { sync: true });
  };
  const mark = readable(() => from.get(JOURNAL_MARK_KEY));
  if (mark instanceof Uint8Array) await take([{ key: JOURNAL_MARK_KEY, value: mark }]);
  else if (mark !== undefined) lost++;
  for await (const page of pages(from, localRange())) {
    lost += page.lost;
    if (page.found.length > 0) await take(page.found);
  }
  return { entries, lost };
}

interface Page {
  readonly found: readonly StoreEntry[];
  readonly lost: number;
}

/** The entries of a range but for those that cannot be read; ends where the store itself cannot go on. */
async function* pages(store: Store, { gte, lt }: Pick<StoreRange, 'gte' | 'lt'>): AsyncGenerator<Page> {
  let from = gte;
  let limit = PAGE;
  for (;;) {
    const found = await store.scan({ gte: from, lt, limit }).catch(unlessDamage);
    if (Array.isArray(found)) {
      yield { found, lost: 0 };
      const last = found.at(-1);
      if (last === undefined || found.length < limit) return;
      from = after(last.key);
      limit = PAGE;
    } else if (limit > 1) {
      // One by one up to what cannot be read.
      limit = 1;
    } else {
      yield { found: [], lost: 1 };
      if (found.key === undefined) return;
      from = after(found.key);
    }
  }
}

/** What could not be read, with its key if that is known. */
interface Unreadable {
  readonly key: Uint8Array | undefined;
}

function unlessDamage(error: unknown): Unreadable {
  const damage = storeDamage(error);
  if (damage === null) throw error;
  const { key } = damage.fields;
  return { key: typeof key === 'string' ? fromHex(key) : undefined };
}

function readable(read: () => Uint8Array | undefined): Uint8Array | undefined | Unreadable {
  try {
    return read();
  } catch (error) {
    return unlessDamage(error);
  }
}

/** The first key behind another. */
function after(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1);
  next.set(key);
  return next;
}
